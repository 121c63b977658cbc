"""Calls missed callers back: looks every few seconds for open promises whose time has come and for people who are free.

What was tried is read from the rows of calls out each time, under one lock for all PBXes, so a restart or a second
service has nothing to remember and nothing to do twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from calls.follow_up import TALK_SECONDS_LEAST
from calls.follow_ups import note
from directory.model import Directory
from routing.arrival import Arrival
from routing.callback import CallBack, Promise, due
from routing.memory import Memory
from routing.requests import Answered, Desk, Wish, ask
from telephony.link import Link

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

WHO = "switchhook"
LOOK_SECONDS = 2.0
_ONE_AT_A_TIME = text("select pg_advisory_xact_lock(5040, 2)")
_UNDER_WAY = "('wanted', 'placing', 'placed')"
_PROMISES = text(
    f"""
    with open as (
        select * from follow_ups where closed_at is null and line = any(cast(:lines as text[]))
          and opened_at > clock_timestamp() - interval '7 days'
        order by priority desc, due_at nulls last, id limit 200)
    select f.id, f.number, f.line, f.owner, f.last_missed_at, tried.count, tried.at,
           exists (select from outgoing_calls o where o.number = f.number and o.state in {_UNDER_WAY})
           or exists (
               select from calls c where c.joined_into is null and c.caller_number = f.number
                 and (c.settled_at is null or (c.talk_seconds >= :talk and c.updated_at >= f.last_missed_at)))
           or exists (
               select from outgoing_calls o join call_names n on n.pbx = o.pbx and n.name = o.channel
               join calls c on c.id = n.call_id
               where o.number = f.number and o.asked_at > f.opened_at - interval '1 day'
                 and (c.settled_at is null or (c.talk_seconds >= :talk and c.updated_at >= f.last_missed_at))) as busy
    from open f cross join lateral (
        select count(*) as count, max(o.changed_at) as at from outgoing_calls o
        where o.number = f.number and o.follow_up = f.id and o.purpose = 'callback') as tried
    order by f.priority desc, f.due_at nulls last, f.id
    """  # noqa: S608 - a list of our own words is put in
)
_CALLING = text(f"select person from outgoing_calls where state in {_UNDER_WAY} and person is not null")  # noqa: S608


class Callbacks:
    """The call-backs of one PBX; `run` ends only by cancellation."""

    def __init__(self, link: Link, memory: Memory, engine: AsyncEngine, desk: Desk) -> None:
        self._link = link
        self._pbx = link.settings.name
        self._memory = memory
        self._engine = engine
        self._desk = desk

    async def run(self, every_seconds: float = LOOK_SECONDS) -> None:
        """Look for ever; a database that is away is asked again."""
        while True:
            await asyncio.sleep(every_seconds)
            directory = self._memory.directory
            if directory is None or not self._link.state.connected:
                continue
            lines = [line.number for line in directory.lines if line.callback is not None]
            if not lines:
                continue
            try:
                await self.call_back(directory, lines)
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                log.warning("nobody could be called back now", pbx=self._pbx, error=type(error).__name__)

    async def call_back(self, directory: Directory, lines: Sequence[str]) -> list[Answered]:
        """Ask for every call that is due now; what was asked, as it was answered."""
        async with self._engine.begin() as connection:
            await connection.execute(_ONE_AT_A_TIME)
            asked = {"lines": list(lines), "talk": TALK_SECONDS_LEAST}
            promises = [_promise(row) for row in await connection.execute(_PROMISES, asked)]
            if not promises:
                return []
            busy = frozenset(row.person for row in await connection.execute(_CALLING))
            now = datetime.now(UTC)
            facts = self._memory.facts(self._arrival(now))
            wanted = list(due(promises, facts, now, pbx=self._pbx, busy_people=busy))
            return [told for one in wanted if (told := await self._ask(connection, directory, one)) is not None]

    async def _ask(self, connection: AsyncConnection, directory: Directory, one: CallBack) -> Answered | None:
        """Ask for one call, unless the person's phones are another PBX's, whose own service asks."""
        person, promise = directory.person(one.person), one.promise
        devices = [device.address for device in person.devices] if person else []
        if await self._desk.pbx_of(connection, devices) not in {None, self._pbx}:
            return None
        wish = Wish(
            to=f"+{promise.number}",
            person=one.person,
            purpose="callback",
            asked_by=WHO,
            line=promise.line,
            follow_up=promise.follow_up,
            pbx=self._pbx,
        )
        told = await ask(connection, wish, self._desk)
        await note(connection, promise.follow_up, "tried", told.reason_key or "callback")
        log.info("called back", pbx=self._pbx, follow_up=promise.follow_up, state=told.state, reason=told.reason_key)
        return told

    def _arrival(self, at: datetime) -> Arrival:
        return Arrival(pbx=self._pbx, channel="", line="", caller_number="", caller_name="", at=at)


def _promise(row: Any) -> Promise:
    return Promise(
        follow_up=row.id,
        number=row.number,
        line=row.line,
        owner=row.owner,
        missed_at=row.last_missed_at,
        tried=row.count,
        tried_at=row.at,
        busy=row.busy,
    )
