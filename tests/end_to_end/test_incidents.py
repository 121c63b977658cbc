"""Faults of real parts, made to happen: each is one incident from begin to end, with the calls that it cost."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from calls import incidents
from calls.database import connect
from directory.store import apply
from metrics.http import new_registry
from service.database import upgrade
from service.demo_world import OutsideWorld, answer, ring_out
from service.incidents import costs
from service.incidents.looking import Looking
from service.pbx import Pbx, Phone
from service.postgres import Postgres
from service.settings import Settings
from service.telephony_role import Telephony
from service.wiring import House
from tests.end_to_end.stage import DIRECTORY, FALLBACK, LINE, ROUTED, Stage, until
from tests.fakes.ami_proxy import AmiProxy

SPEECH = ("ru/hello",)
EVERY_SECONDS = 0.3


@pytest.fixture(scope="module")
async def pbx() -> AsyncIterator[Pbx]:
    """The company's PBX, served by nobody yet."""
    async with Pbx([Phone(ROUTED, "101"), Phone(FALLBACK, "102")]) as running:
        yield running


@pytest.fixture
async def stage(
    pbx: Pbx, world: OutsideWorld, engine: AsyncEngine, database_url: str, tmp_path: Path
) -> AsyncIterator[Stage]:
    """A fresh store with the directory in it, and a PBX that knows whom to ring without a service."""
    async with engine.begin() as connection:
        await apply(connection, DIRECTORY)
    for phone in (ROUTED, FALLBACK):
        await world.phone(phone).behave(ring_out())
    await pbx.cli(f"dialplan set global SWITCHHOOK_FALLBACK_{LINE} PJSIP/{FALLBACK}")
    yield Stage(pbx, world, engine, database_url, tmp_path)
    await world.quiet()


async def one(stage: Stage, kind: str) -> Any:
    """The one incident of a kind; None: there is none yet."""
    rows = await stage.rows("select * from incidents where kind = :kind", kind=kind)
    assert len(rows) < 2
    return rows[0] if rows else None


async def lost_and_saved(stage: Stage, numbers: tuple[str, str]) -> None:
    """Two callers while nobody decides: the first rings out at the fallback, the second is answered there."""
    world = stage.world
    lost = await world.call(numbers[0], "Потерян", LINE, speak=(60.0,))
    await world.phone(FALLBACK).rings()
    await lost.hangup()
    await world.phone(FALLBACK).behave(answer(0.2, speak=SPEECH))
    saved = await world.call(numbers[1], "Спасён", LINE, speak=(0.5, *SPEECH))
    await saved.answered()
    await saved.ended()


async def counted(stage: Stage, kind: str) -> Any:
    """The incident once its calls are known from CEL and counted, as they are each minute."""

    async def both() -> Any:
        now = datetime.now(UTC)
        await costs.Counting(stage.engine).again(now - timedelta(days=1), now)
        row = await one(stage, kind)
        return row if row and row.calls_lost + row.calls_saved == 2 else None

    return await until(both, f"the calls of {kind} are counted", 60)


async def test_a_pbx_that_is_cut_off_and_back_cost_a_call_and_saved_one(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Since it was heard last, until it is heard again; two who look keep one incident."""
    monkeypatch.setattr(incidents, "OVER_AFTER", timedelta(seconds=7))  # the service itself looks every five
    async with AsyncExitStack() as stack:
        between = await stack.enter_async_context(AmiProxy(stage.pbx.host, stage.pbx.ami_port))
        _, telephony = await stack.enter_async_context(stage.open(stage.settings(port=between.port)))
        await telephony.answering()
        looking = Looking(telephony, EVERY_SECONDS)
        began = datetime.now(UTC)
        await between.refuse()
        await stage.forget_mark()
        await looking.look()
        row = await one(stage, "pbx")
        assert (row.subject, row.ended_at, row.grave) == ("pbx", None, True)
        assert row.started_at < datetime.now(UTC)
        assert row.started_at > began - timedelta(minutes=1)
        await lost_and_saved(stage, ("79161290001", "79161290002"))
        await looking.look()
        await between.listen()

        async def over() -> Any:
            await looking.look()
            return (row := await one(stage, "pbx")) and row.ended_at and row

        row = await until(over, "the incident is over", 60)
        assert row.ended_at > row.started_at
        row = await counted(stage, "pbx")
        assert (row.calls_lost, row.calls_saved) == (1, 1)
        calls = "select outcome, caller_number from incident_calls join calls on id = call_id order by outcome"
        assert [tuple(row) for row in await stage.rows(calls)] == [("lost", "79161290001"), ("saved", "79161290002")]


async def test_a_service_that_was_killed_tells_at_its_start_since_when_there_was_none(stage: Stage) -> None:
    """From the last sign of life to the next, and the call that it cost, and the one that was had all the same."""
    async with stage.serve() as service:

        async def looks() -> Any:
            return await stage.rows("select at from signs_of_life")

        await until(looks, "the service looks")
        await service.kill()
        ((last,),) = await looks()
    await stage.forget_mark()
    await lost_and_saved(stage, ("79161290011", "79161290012"))

    async def long_ago() -> Any:
        return await stage.rows("select 1 from signs_of_life where at < clock_timestamp() - interval '16 seconds'")

    await until(long_ago, "the last sign of life is old", 60)
    async with stage.serve(answering=False):

        async def noticed() -> Any:
            return await one(stage, "service")

        row = await until(noticed, "the outage is an incident", 60)
        assert (row.started_at, row.grave) == (last, True)
        assert row.seen_at - row.started_at > timedelta(seconds=15)
        row = await counted(stage, "service")
        assert (row.calls_lost, row.calls_saved) == (1, 1)


async def test_a_database_that_was_away_is_an_incident_when_it_is_back(
    pbx: Pbx, world: OutsideWorld, tmp_path: Path
) -> None:
    """What nobody could write then is written with its true begin; a moment's silence is none."""
    folder = Path(tempfile.mkdtemp(prefix="switchhook-incidents-"))
    try:
        async with Postgres(folder) as server, AsyncExitStack() as stack:
            await upgrade(server.url)
            engine = connect(server.url)
            stack.push_async_callback(engine.dispose)
            house = House(Settings(data_dir=tmp_path), server.url, engine)
            looking = Looking(Telephony(house, new_registry()), EVERY_SECONDS)
            await looking.look()
            await server.stop()
            before = datetime.now(UTC)
            await looking.look()
            after = datetime.now(UTC)

            async def away() -> bool:
                await looking.look()
                return datetime.now(UTC) - before > timedelta(seconds=1)

            await until(away, "it is away for a second")
            await server.start()
            stage = Stage(pbx, world, engine, server.url, tmp_path)

            async def written() -> Any:
                await looking.look()
                return await one(stage, "database")

            row = await until(written, "the outage is an incident", 60)
            assert before <= row.started_at <= after < row.seen_at
    finally:
        shutil.rmtree(folder, ignore_errors=True)
