"""What fails in real life, made to fail: no caller is lost, and every call is in the store once, whole."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from directory.store import apply
from service.demo_world import OutsideWorld, answer, ring_out
from service.pbx import Pbx, Phone
from tests.end_to_end.stage import DIRECTORY, FALLBACK, LINE, ROUTED, Stage, until

BUDGET_SECONDS = 1.5
SPEECH = ("ru/hello",)


@pytest.fixture(scope="module")
async def pbx() -> AsyncIterator[Pbx]:
    """The company's PBX, served by nobody yet."""
    async with Pbx([Phone(ROUTED, "101"), Phone(FALLBACK, "102")]) as running:
        yield running


@pytest.fixture(scope="module")
async def world(pbx: Pbx) -> AsyncIterator[OutsideWorld]:
    """Callers, and the two phones."""
    async with OutsideWorld(pbx) as running:
        yield running


@pytest.fixture
async def stage(
    pbx: Pbx, world: OutsideWorld, engine: AsyncEngine, database_url: str, tmp_path: Path
) -> AsyncIterator[Stage]:
    """A fresh store with the directory in it; both phones ring; afterwards nobody is on the line."""
    async with engine.begin() as connection:
        await apply(connection, DIRECTORY)
    for phone in (ROUTED, FALLBACK):
        await world.phone(phone).behave(ring_out())
    yield Stage(pbx, world, engine, database_url, tmp_path)
    await world.quiet()


@pytest.mark.timeout(90)
async def test_a_service_killed_while_a_caller_waits_costs_the_budget_and_not_the_call(stage: Stage) -> None:
    """The fallback rings within the budget, both talk, and the next start finds the whole call in CEL."""
    world = stage.world
    await world.phone(FALLBACK).behave(answer(0.2, speak=SPEECH))
    async with stage.serve() as service:
        service.hang()  # it takes the arrival and cannot answer it
        began = time.monotonic()
        call = await world.call("79161230001", "Пётр", LINE, speak=(1.0, *SPEECH))
        await call.ringing()
        await service.kill()
        await world.phone(FALLBACK).rings()
        waited = time.monotonic() - began
        assert BUDGET_SECONDS - 0.2 < waited < BUDGET_SECONDS + 1.0
        await call.answered()
        assert not world.phone(ROUTED).has_rung
        await call.ended()
    async with stage.serve(answering=False):
        record = await stage.record("79161230001")
        assert (record.answered_by, record.person, record.recovered) == ([f"PJSIP/{FALLBACK}"], "boris", True)
        assert (record.direction, record.line) == ("inbound", LINE)
        assert 1.2 < record.wait_seconds < waited + 2
        assert record.talk_seconds > 0.5
        (leg,) = await stage.rows("select * from legs where call_id = :call", call=record.id)
        assert (leg.device, leg.outcome) == (f"PJSIP/{FALLBACK}", "answered")


@pytest.mark.timeout(90)
async def test_a_hung_service_is_passed_by_and_comes_back_without_harm(stage: Stage) -> None:
    """Callers fall back, at once when it hangs for long; what it does when it lives again breaks no conversation."""
    world = stage.world
    await world.phone(ROUTED).behave(answer(0.1, speak=SPEECH))
    await world.phone(FALLBACK).behave(answer(0.1, speak=(30.0,)))
    async with stage.serve() as service:
        service.hang()
        first = await world.call("79161230002", "Первый", LINE, speak=(60.0,))
        await first.answered()
        assert await world.phone(FALLBACK).rings() == "79161230002"

        async def stale() -> bool:
            return time.time() - int(await stage.variable("SWITCHHOOK_ALIVE")) > 4

        await until(stale, "the sign of life is stale")
        began = time.monotonic()
        second = await world.call("79161230003", "Второй", LINE, speak=(60.0,))
        assert await world.phone(FALLBACK).rings() == "79161230003"
        assert time.monotonic() - began < 1.0
        await second.answered()
        service.go_on()
        await until(stage.asked, "the PBX asks the service again")
        assert not first.is_ended
        assert not second.is_ended
        third = await world.call("79161230004", "Третий", LINE, speak=SPEECH)
        assert await world.phone(ROUTED).rings() == "79161230004"
        await third.ended()
        assert not first.is_ended
        assert not second.is_ended
        await first.hangup()
        await second.hangup()
        reasons = []
        for number in ("79161230002", "79161230003"):
            record = await stage.record(number)
            assert (record.answered_by, record.person) == ([f"PJSIP/{FALLBACK}"], "boris")
            reasons += [event["reason"] for event in await stage.told(record, "FallbackTaken")]
        assert reasons == ["late", "down"]
        record = await stage.record("79161230004")
        assert record.answered_by == [f"PJSIP/{ROUTED}"]


@pytest.mark.timeout(60)
async def test_a_call_without_any_service_rings_at_once_and_is_known_later(stage: Stage) -> None:
    """No caller waits for a service that is known to be down; its first start learns who answered."""
    world = stage.world
    await stage.forget_mark()
    await stage.pbx.cli(f"dialplan set global SWITCHHOOK_FALLBACK_{LINE} PJSIP/{FALLBACK}")
    await world.phone(FALLBACK).behave(answer(0.1, speak=SPEECH))
    began = time.monotonic()
    call = await world.call("79161230005", "Ранний", LINE, speak=(0.5, *SPEECH))
    await world.phone(FALLBACK).rings()
    assert time.monotonic() - began < 1.0
    await call.ended()
    async with stage.serve(answering=False):
        record = await stage.record("79161230005")
        assert (record.answered_by, record.recovered, record.line) == ([f"PJSIP/{FALLBACK}"], True, LINE)
        assert record.talk_seconds > 0.3
