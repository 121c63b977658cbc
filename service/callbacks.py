"""Calls missed callers back: looks every few seconds for open promises whose time has come and for people who are free.

What was tried is read from the rows of calls out each time, under one lock for all PBXes, so a restart or a second
service has nothing to remember and nothing to do twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from calls.follow_up import TALK_SECONDS_LEAST
from calls.follow_ups import SERVICE, note
from directory.hours import open_at
from directory.model import Directory, Line
from routing.arrival import Arrival
from routing.callback import CallBack, Promise, callers, due
from routing.memory import Memory
from routing.requests import Answered, Desk, Wish, ask, callbacks_left
from routing.tables import UNDER_WAY
from telephony.link import Link

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

LOOK_SECONDS = 2.0
TRIES_MOST = 30
"""So often a promise is tried at all, also where the client was never dialled: refused, or nobody answered inside."""

_PROMISES_MOST = 200
_ONE_AT_A_TIME = text("select pg_advisory_xact_lock(5040, 2)")
_TALKED = """
    c.settled_at is null or (c.talk_seconds >= :talk and f.last_missed_at <=
        c.answered_at - coalesce((select ahead from pbx_clocks k where k.pbx = c.pbx), interval '0'))
"""
_PROMISES = text(
    f"""
    select f.id, f.number, f.line, f.owner, f.last_missed_at, tried.count, tried.at
    from follow_ups f
    join unnest(cast(:lines as text[]), cast(:firsts as text[]), cast(:attempts as int[]), cast(:afters as float8[]),
                cast(:pauses as float8[])) as l (line, first, attempts, after, pause) on l.line = f.line
    cross join lateral (
        select count(*) filter (where o.state = 'connected' or (l.first = 'client' and o.state = 'failed'
                                and o.device is not null and o.reason <> 'pbx_refused')) as count,
               count(*) as tries, max(o.changed_at) as at
        from outgoing_calls o where o.number = f.number and o.follow_up = f.id and o.purpose = 'callback') as tried
    where f.closed_at is null and f.last_missed_at > clock_timestamp() - interval '7 days'
      and f.last_missed_at + make_interval(secs => l.after) <= clock_timestamp()
      and tried.count < l.attempts and tried.tries < :tries
      and (tried.at is null or tried.at + make_interval(secs => l.pause) <= clock_timestamp())
      and not exists (select from outgoing_calls o where o.number = f.number and o.state in {UNDER_WAY!r})
      and not exists (
          select from calls c where c.joined_into is null and c.caller_number = f.number and ({_TALKED}))
      and not exists (
          select from outgoing_calls o join call_names n on n.pbx = o.pbx and n.name = o.channel
          join calls c on c.id = n.call_id
          where o.number = f.number and o.asked_at > f.opened_at - interval '1 day' and ({_TALKED}))
    order by f.priority desc, f.due_at nulls last, f.id limit :most
    """  # noqa: S608 - our own words are put in
)
"""Whose time has come: whoever is on the line, is being called, or was talked with since the miss is not among them.
The client was dialled where the person answered, and where the client comes first. Calls tell their PBX's time."""

_CALLING = text(f"select person from outgoing_calls where state in {UNDER_WAY!r} and person is not null")  # noqa: S608


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
            try:
                await self.call_back(directory)
            except Exception as error:  # noqa: BLE001  # whatever the driver raises: the next look tries again
                log.warning("nobody could be called back now", pbx=self._pbx, error=type(error).__name__)

    async def call_back(self, directory: Directory) -> list[Answered]:
        """Ask for every call that is due now; what was asked, as it was answered."""
        now = datetime.now(UTC)
        lines = [line for line in directory.lines if line.callback is not None and _is_open(directory, line, now)]
        if not lines:
            return []
        async with self._engine.begin() as connection:
            await connection.execute(_ONE_AT_A_TIME)
            promises = [_promise(row) for row in await connection.execute(_PROMISES, _asked(lines))]
            left = await callbacks_left(connection) if promises else 0
            if not left:
                return []
            calling = {row.person for row in await connection.execute(_CALLING)}
            busy = frozenset(calling | await self._elsewhere(connection, directory, promises))
            facts = self._memory.facts(self._arrival())
            wanted = islice(due(promises, facts, now, pbx=self._pbx, busy_people=busy), left)
            return [told for one in wanted if (told := await self._ask(connection, directory, one)) is not None]

    async def _elsewhere(
        self, connection: AsyncConnection, directory: Directory, promises: Sequence[Promise]
    ) -> set[str]:
        """Who of those that may call back has phones at another PBX, whose own service asks."""
        keys = {person.key: person for one in promises for person in callers(one, directory)}
        found = set()
        for key, person in keys.items():
            devices = [device.address for device in person.devices]
            if await self._desk.pbx_of(connection, devices) not in {None, self._pbx}:
                found.add(key)
        return found

    async def _ask(self, connection: AsyncConnection, directory: Directory, one: CallBack) -> Answered | None:
        """Ask for one call; one that cannot be asked for keeps no other from it."""
        promise = one.promise
        wish = Wish(
            to=f"+{promise.number}",
            person=one.person,
            purpose="callback",
            asked_by=SERVICE,
            line=promise.line,
            follow_up=promise.follow_up,
            pbx=self._pbx,
        )
        try:
            async with connection.begin_nested():
                told = await ask(connection, wish, self._desk, directory)
                await note(connection, promise.follow_up, "tried", told.reason_key or "callback")
        except Exception as error:  # noqa: BLE001  # whatever is wrong with it
            why = type(error).__name__
            log.warning("a call back could not be asked for", pbx=self._pbx, follow_up=promise.follow_up, error=why)
            return None
        log.info("called back", pbx=self._pbx, follow_up=promise.follow_up, state=told.state, reason=told.reason_key)
        return told

    def _arrival(self) -> Arrival:
        """Facts are told for a time of the PBX's clock."""
        at = datetime.fromtimestamp(self._link.clock.pbx_now(), UTC)
        return Arrival(pbx=self._pbx, channel="", line="", caller_number="", caller_name="", at=at)


def _is_open(directory: Directory, line: Line, now: datetime) -> bool:
    return open_at(directory.hours_of(line.hours), directory.zone_of(line), now)


def _asked(lines: Sequence[Line]) -> dict[str, Any]:
    wanted = [(line.number, line.callback) for line in lines if line.callback is not None]
    return {
        "lines": [number for number, _ in wanted],
        "firsts": [callback.first for _, callback in wanted],
        "attempts": [callback.attempts for _, callback in wanted],
        "afters": [float(callback.after_seconds) for _, callback in wanted],
        "pauses": [float(callback.pause_seconds) for _, callback in wanted],
        "talk": TALK_SECONDS_LEAST,
        "tries": TRIES_MOST,
        "most": _PROMISES_MOST,
    }


def _promise(row: Any) -> Promise:
    return Promise(
        follow_up=row.id,
        number=row.number,
        line=row.line,
        owner=row.owner,
        missed_at=row.last_missed_at,
        tried=row.count,
        tried_at=row.at,
    )
