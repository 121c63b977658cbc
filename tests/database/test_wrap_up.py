"""Wrap-up: begun by the end of a talk, for as long as line or team says, whatever happens around it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.due import Change, owe_nothing
from calls.events import BridgeLeft, Event
from directory import presence_store, store
from directory.model import Directory
from directory.presence import StatusSet
from service.recorder import Recorder
from service.wrap_up import WrapUps
from telephony import clocks
from tests.fakes.story import HOUSE, LINE, SUPPORT, Told

ANNA, GLEB = "PJSIP/anna-desk", "PJSIP/gleb-desk"
SALES = replace(HOUSE.teams[0], wrap_up_seconds=60)
QUICK = replace(HOUSE.lines[1], wrap_up_seconds=0)
OFFICE = replace(
    HOUSE, teams=(SALES, replace(HOUSE.teams[1], wrap_up_seconds=60)), lines=(HOUSE.lines[0], QUICK)
)  # fmt: skip


class Recorded(Told):
    """A call told through the recorder, as the telephony role does."""

    recorder: Recorder

    async def tell(self, *events: Event):  # type: ignore[no-untyped-def]
        self.id = (await self.recorder.write(events))[0].call_id
        return self.id


@asynccontextmanager
async def wrapping_up(engine: AsyncEngine, directory: Directory = OFFICE) -> AsyncIterator[WrapUps]:
    async with engine.begin() as connection:
        await store.apply(connection, directory)
    wrap_ups = WrapUps(engine, lambda: directory)
    Recorded.recorder = Recorder(engine, owe_nothing, wrap_ups.note)
    task = asyncio.create_task(wrap_ups.run())
    try:
        yield wrap_ups
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def statuses(engine: AsyncEngine) -> dict[str, StatusSet]:
    async with engine.connect() as connection:
        return dict((await presence_store.read(connection)).statuses)


async def wrapped_up(engine: AsyncEngine, person: str = "anna") -> StatusSet:
    async with asyncio.timeout(10):
        while person not in (told := await statuses(engine)):
            await asyncio.sleep(0.01)
    return told[person]


async def test_the_end_of_a_talk_begins_a_wrap_up_of_its_team(engine: AsyncEngine) -> None:
    """From the moment the talk ended, and not while it goes on."""
    async with wrapping_up(engine):
        call = Recorded(engine, at=datetime.now(UTC) - timedelta(seconds=40))
        await call.arrives()
        await call.rings(ANNA)
        await call.answers(ANNA)
        assert await statuses(engine) == {}
        await call.hangs_up(after=30)
        told = await wrapped_up(engine)
        assert told.status == "wrap_up"
        assert told.until == call.at - timedelta(seconds=5) + timedelta(seconds=60)


async def test_a_line_without_wrap_up_and_a_missed_call_begin_none(engine: AsyncEngine) -> None:
    """A line says it for itself, also that there is none; whoever was only rung has nothing to write down."""
    async with wrapping_up(engine):
        for device, line in ((GLEB, SUPPORT), (ANNA, LINE)):
            call = Recorded(engine, line=line)
            await call.arrives()
            await call.rings(device)
            if device == GLEB:
                await call.answers(device)
            await call.hangs_up(after=1)
        last = Recorded(engine)
        await last.arrives()
        await last.rings("PJSIP/boris-soft")
        await last.answers("PJSIP/boris-soft")
        await last.hangs_up(after=1)
        await wrapped_up(engine, "boris")
        assert set(await statuses(engine)) == {"boris"}


async def test_a_talk_of_an_hour_ago_begins_none(engine: AsyncEngine) -> None:
    """As one read from CEL after an outage."""
    async with wrapping_up(engine):
        for number, ago in (("79161234567", 3600), ("79161234568", 0)):
            call = Recorded(engine, number=number, at=datetime.now(UTC) - timedelta(seconds=ago))
            device = ANNA if ago else "PJSIP/boris-soft"
            await call.arrives()
            await call.rings(device)
            await call.answers(device)
            await call.hangs_up(after=5)
        await wrapped_up(engine, "boris")
        assert set(await statuses(engine)) == {"boris"}


async def test_a_pbx_whose_clock_is_wrong_makes_no_wrap_up_longer(engine: AsyncEngine) -> None:
    """Ninety minutes ahead: the wrap-up still is a minute from now."""
    async with wrapping_up(engine):
        async with engine.begin() as connection:
            await clocks.keep(connection, "main", 5400)
        call = Recorded(engine, at=datetime.now(UTC) + timedelta(minutes=90))
        await call.arrives()
        await call.rings(ANNA)
        await call.answers(ANNA, after=1)
        await call.hangs_up(after=1)
        told = await wrapped_up(engine)
        assert told.until is not None
        assert abs((told.until - datetime.now(UTC)).total_seconds() - 60) < 10


async def test_who_only_puts_the_caller_on_hold_is_not_through_with_the_call(engine: AsyncEngine) -> None:
    """The talk stops, the telephone is still in the call."""
    async with wrapping_up(engine) as wrap_ups:
        call = Recorded(engine)
        await call.arrives()
        await call.rings(ANNA)
        await call.answers(ANNA)
        mine = call._uid(ANNA)
        await call.later(5).tell(BridgeLeft(**call.base(mine), bridge=f"bridge-{call.uid}"))
        assert wrap_ups._begun.empty()
        await call.hangs_up(after=5)
        await wrapped_up(engine)


async def test_a_wrap_up_waits_for_a_database_that_is_away(engine: AsyncEngine) -> None:
    """The statement fails for real: the table is locked away under another name for a moment."""
    async with wrapping_up(engine):
        async with engine.begin() as connection:
            await connection.execute(text("alter table statuses rename to hidden"))
        call = Recorded(engine)
        await call.arrives()
        await call.rings(ANNA)
        await call.answers(ANNA)
        await call.hangs_up(after=1)
        async with engine.begin() as connection:
            await connection.execute(text("alter table hidden rename to statuses"))
        assert (await wrapped_up(engine)).status == "wrap_up"


def test_a_change_without_a_directory_is_nobodys(engine: AsyncEngine) -> None:
    wrap_ups = WrapUps(engine, lambda: None)
    wrap_ups.note(Change(None, None, None, ()))  # type: ignore[arg-type]  # it is not looked at
    assert wrap_ups._begun.empty()
