"""Each PBX has one service that attends it; another takes over when it is killed, and nobody's talk notices."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from directory.file import loads
from directory.model import Directory
from directory.store import apply
from service.demo_world import OutsideWorld, answer, ring_out
from service.pbx import Pbx, Phone
from service.settings import PbxSettings
from tests.end_to_end.stage import Served, Stage, until

LINE = "74951234567"
ANNA, VERA, FALLBACK = "anna-desk", "vera-desk", "boris-desk"
PHONES = (ANNA, VERA, FALLBACK)
TALK = (60.0,)

DIRECTORY: Directory = loads(
    f"""
company: {{name: Ромашка, region: RU, time_zone: Europe/Moscow, language: ru}}
people:
  - {{key: anna, name: Анна, role: manager, devices: [{{kind: desk, address: PJSIP/{ANNA}}}]}}
  - {{key: vera, name: Вера, role: manager, devices: [{{kind: desk, address: PJSIP/{VERA}}}]}}
  - {{key: boris, name: Борис, role: manager, devices: [{{kind: desk, address: PJSIP/{FALLBACK}}}]}}
teams:
  - {{key: sales, name: Продажи, strategy: hunt, members: [anna, vera]}}
lines:
  - {{number: "{LINE}", name: Продажи, trunk: PJSIP/trunk, team: sales, fallback: [PJSIP/{FALLBACK}]}}
"""
)


@pytest.fixture
async def pbx() -> AsyncIterator[Pbx]:
    """The company's PBX."""
    async with Pbx([Phone(name) for name in PHONES]) as running:
        yield running


@pytest.fixture
async def stage(pbx: Pbx, engine: AsyncEngine, database_url: str, tmp_path: Path) -> AsyncIterator[Stage]:
    """A store with the directory in it; whoever is called first answers and talks on."""
    async with engine.begin() as connection:
        await apply(connection, DIRECTORY)
    async with OutsideWorld(pbx) as world:
        yield await staged(Stage(pbx, world, engine, database_url, tmp_path))


async def staged(stage: Stage) -> Stage:
    for name in PHONES:
        await stage.world.phone(name).behave(ring_out() if name == FALLBACK else answer(0.1, speak=TALK))
    return stage


async def stands_by(service: Served, pbx: str) -> bool:
    """Whether the service waits for another one to go away."""
    return "standing by" in (await service.readiness())[1].get(f"pbx {pbx}", "")


async def taken_over(stage: Stage, killed_at: float) -> float:
    """Wait until the PBX would ask a service again; returns the seconds since the kill."""
    await stage.forget_mark()
    await until(stage.asked, "the standby attends the PBX", 20)
    return time.monotonic() - killed_at


async def test_a_killed_service_is_replaced_while_people_talk_on(stage: Stage) -> None:
    """The talk goes on; the next caller is answered by the standby, which knows who talks; both records are whole."""
    world = stage.world
    async with stage.serve() as first, stage.serve(answering=False) as second:
        await until(lambda: stands_by(second, "pbx"), "the second service stands by")
        talk = await world.call("79161231001", "Говорит", LINE, speak=TALK)
        assert await world.phone(ANNA).rings() == "79161231001"
        await talk.answered()
        await until(lambda: answered(stage, "79161231001"), "the talk is in the store")
        await first.kill()
        killed_at = time.monotonic()
        assert await taken_over(stage, killed_at) < 20
        assert not talk.is_ended
        call = await world.call("79161231002", "Следующий", LINE, speak=TALK)
        assert await world.phone(VERA).rings() == "79161231002"
        await call.answered()
        assert not world.phone(ANNA).has_rung
        assert not talk.is_ended
        talked = time.monotonic() - killed_at
        await talk.hangup()
        await call.hangup()
        record = await stage.record("79161231001")
        assert (record.answered_by, record.person) == ([f"PJSIP/{ANNA}"], "anna")
        assert record.talk_seconds > talked
        assert len(await stage.told(record, "Routed")) == 1
        record = await stage.record("79161231002")
        assert (record.answered_by, record.person) == ([f"PJSIP/{VERA}"], "vera")
        (routed,) = await stage.told(record, "Routed")
        assert routed["outcome"] == "in_time"
        assert (await second.readiness())[0] == 200


async def test_two_pbxes_have_each_their_own_service_and_one_can_have_both(stage: Stage, tmp_path: Path) -> None:
    """The one that attends the branch stands by for the head office; it takes that over and lets nothing go.

    Both count: each call is counted by one of them, and each PBX is told by who attends it.
    """
    async with Pbx([Phone(name) for name in PHONES]) as pbx, OutsideWorld(pbx) as world:
        (tmp_path / "branch").mkdir()
        branch = await staged(Stage(pbx, world, stage.engine, stage.url, tmp_path / "branch"))
        both = stage.settings()
        both = both.model_copy(update={"pbx": [*both.pbx, named(branch.settings().pbx[0], "branch")]})
        async with stage.serve() as first, stage.serve(settings=both, answering=False) as second:
            await until(lambda: stands_by(second, "pbx"), "the second service stands by for the head office")
            await until(branch.asked, "the second service attends the branch")
            assert not await stands_by(second, "branch")
            for caller, place in (("79161231090", stage), ("79161231091", branch)):
                short = await place.world.call(caller, "Клиент", LINE, speak=TALK)
                await short.answered()
                await short.hangup()
                await until(partial(settled, stage, caller), "the call is settled")
            pages = [await service.metrics() for service in (first, second)]
            assert sum(samples("".join(pages), "calls_total")) == 2
            assert samples(pages[0], "ami_connected") == samples(pages[1], "ami_connected") == [1]
            calls = [
                await place.world.call(f"7916123110{number}", "Клиент", LINE, speak=TALK)
                for number, place in enumerate((stage, branch))
            ]
            for call in calls:
                await call.answered()
            await first.kill()
            killed_at = time.monotonic()
            assert await taken_over(stage, killed_at) < 20
            assert await branch.asked()
            later = [
                await place.world.call(f"7916123111{number}", "Клиент", LINE, speak=TALK)
                for number, place in enumerate((stage, branch))
            ]
            for place in (stage, branch):
                await place.world.phone(VERA).rings()
            for call in later:
                await call.answered()
            assert not any(call.is_ended for call in calls)
            for call in (*calls, *later):
                await call.hangup()
            for number, name in (("79161231100", "pbx"), ("79161231101", "branch")):
                record = await stage.record(number)
                assert (record.pbx, record.person) == (name, "anna")
            for number, name in (("79161231110", "pbx"), ("79161231111", "branch")):
                record = await stage.record(number)
                assert (record.pbx, record.person) == (name, "vera")
                assert [event["outcome"] for event in await stage.told(record, "Routed")] == ["in_time"]


def named(pbx: PbxSettings, name: str) -> PbxSettings:
    return pbx.model_copy(update={"name": name})


def samples(page: str, name: str) -> list[float]:
    """The values of all series of this name."""
    return [float(line.rpartition(" ")[2]) for line in page.splitlines() if line.startswith(f"switchhook_{name}{{")]


async def settled(stage: Stage, number: str) -> bool:
    """Whether nothing more is awaited of the call."""
    return bool(await stage.rows("select 1 from calls where caller_number = :n and settled_at is not null", n=number))


async def answered(stage: Stage, number: str) -> bool:
    """Whether the store knows that they talk."""
    sql = "select 1 from calls where caller_number = :number and answered_at is not null"
    return bool(await stage.rows(sql, number=number))
