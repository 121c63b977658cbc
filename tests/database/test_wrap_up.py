"""Wrap-up: begun by the end of a talk, for as long as line or team says, whatever happens around it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

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
async def wrapping_up(engine: AsyncEngine, directory: Directory = OFFICE) -> AsyncIterator[None]:
    async with engine.begin() as connection:
        await store.apply(connection, directory)
    Recorded.recorder = Recorder(engine, owe_nothing, lambda _change: None, WrapUps(lambda: directory).begin)
    yield


async def statuses(engine: AsyncEngine) -> dict[str, StatusSet]:
    async with engine.connect() as connection:
        return dict((await presence_store.read(connection)).statuses)


async def wrapped_up(engine: AsyncEngine, person: str = "anna") -> StatusSet:
    """What is in the database as soon as the end of the talk is."""
    return (await statuses(engine))[person]


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
    async with wrapping_up(engine):
        call = Recorded(engine)
        await call.arrives()
        await call.rings(ANNA)
        await call.answers(ANNA)
        mine = call._uid(ANNA)
        await call.later(5).tell(BridgeLeft(**call.base(mine), bridge=f"bridge-{call.uid}"))
        assert await statuses(engine) == {}
        await call.hangs_up(after=5)
        await wrapped_up(engine)


async def test_a_wrap_up_that_cannot_be_written_costs_the_record_nothing(engine: AsyncEngine) -> None:
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
            assert await connection.scalar(text("select ended_at is not null from calls"))
        assert await statuses(engine) == {}


async def test_a_talk_whose_end_was_not_recorded_begins_none(engine: AsyncEngine) -> None:
    """Both or neither: the transaction is ended after the wrap-up was written, as when a process is killed."""
    wrap_ups = WrapUps(lambda: OFFICE)

    async def killed(connection: AsyncConnection, changes: Sequence[Change]) -> None:
        await wrap_ups.begin(connection, changes)
        if changes[0].after.ended_at is not None:
            assert await connection.scalar(text("select count(*) from statuses")) == 1
            raise ConnectionResetError

    async with wrapping_up(engine):
        Recorded.recorder = Recorder(engine, owe_nothing, lambda _change: None, killed)
        call = Recorded(engine)
        await call.arrives()
        await call.rings(ANNA)
        await call.answers(ANNA)
        with pytest.raises(ConnectionResetError):
            await call.hangs_up(after=1)
        assert await statuses(engine) == {}


async def test_a_change_without_a_directory_is_nobodys(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await WrapUps(lambda: None).begin(connection, [Change(None, None, None, ())])  # type: ignore[arg-type]  # it is not looked at
