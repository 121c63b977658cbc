"""The one transaction: events, the call they make, the work they owe and the notice of it, together or not at all.

Locks are taken in one order everywhere (all names of the batch sorted, then rows by id), so two recorders of the same
joining calls neither deadlock nor lose: the second waits, then folds onto what the first wrote, or begins again if its
row is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import msgspec
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from calls.call import Call, apply, join
from calls.due import Change, Job, Owes, owe_nothing
from calls.events import Event, names
from calls.jobs import enqueue
from calls.joining import join_rows
from calls.view import view
from calls.write import Written, write
from directory.numbers import Regions

_state = msgspec.json.Decoder(Call).decode

Name = tuple[str, str]
"""A PBX and a channel's name on it."""

CHANNEL = "switchhook_calls"
"""NOTIFY channel; the payload is the call's id."""

_LOCK_NAMES = text(
    "select (select region from company) as company,"
    " (select jsonb_object_agg(number, region) from lines where region is not null) as lines,"
    " count(pg_advisory_xact_lock(hashtextextended(n, 5060))\\:\\:text)"
    " from unnest(cast(:names as text[])) as n"
)
_FIND = text(
    """
    select n.pbx, n.name, n.call_id from call_names n
    join unnest(cast(:pbxes as text[]), cast(:names as text[])) as asked (pbx, name) using (pbx, name)
    """
)
_LOCK_ROWS = text(
    "select id, cast(state as text) as state, started_at, joined_into, erased from calls"
    " where id = any(cast(:ids as uuid[])) order by id for no key update"
)
_NOTIFY = text("select pg_notify(:channel, id) from unnest(cast(:ids as text[])) as id")


Marks = Callable[[Change], Sequence[Event]]
"""Tells what is to be recorded besides, in the same transaction, for a change."""

Within = Callable[[AsyncConnection, Sequence[Change]], Awaitable[None]]
"""Writes, in the same transaction, what must not be lost with a process that dies after it."""


@dataclass(frozen=True, slots=True)
class Owing:
    """A house's `owes` with what is written beside the jobs in the same transaction, whoever records the change."""

    jobs: Owes
    within: Within

    def __call__(self, change: Change) -> Iterable[Job]:
        """Give the jobs that the change owes."""
        return self.jobs(change)


_COLLISIONS = {"40P01", "40001"}
"""PostgreSQL ended one of two transactions that wait for each other; the one that was ended is done again."""


class JoinedMeanwhileError(Exception):
    """Another recorder joined a call while this one waited for it; nothing was written, the whole transaction is to
    be done again (`record_all` does).
    """


def state_json(call: Call) -> dict[str, Any]:
    """The fold's state as JSON."""
    told: dict[str, Any] = msgspec.to_builtins(call)
    return told


def state_call(state: Mapping[str, Any]) -> Call:
    """The fold's state from JSON; `state_call(state_json(call)) == call`."""
    return msgspec.convert(state, Call)


def event_json(event: Event) -> dict[str, Any]:
    """One event as JSON."""
    told: dict[str, Any] = msgspec.to_builtins(event)
    return told


def event_from_json(body: Mapping[str, Any]) -> Event:
    """One event from JSON."""
    event: Event = msgspec.convert(body, Event)
    return event


def no_marks(_change: Change) -> Sequence[Event]:
    """Nothing more to tell."""
    return ()


async def nothing_within(_connection: AsyncConnection, _changes: Sequence[Change]) -> None:
    """Nothing more to write."""


async def record_all(
    engine: AsyncEngine,
    events: Sequence[Event],
    owes: Owes = owe_nothing,
    marks: Marks = no_marks,
    within: Within = nothing_within,
) -> list[Change]:
    """Record `events`, the `marks` of each change they made, and what `within` writes, in a transaction of their own.

    Done again when another transaction got in its way. Raises what the database raises, and then nothing is written.
    """
    while True:
        try:
            async with engine.begin() as connection:
                changes = await record(connection, events, owes)
                marked = [event for change in changes for event in marks(change)]
                changes += await record(connection, marked, owes)
                await within(connection, changes)
                return changes
        except JoinedMeanwhileError:
            continue
        except DBAPIError as error:
            if not collided(error):
                raise


def collided(error: DBAPIError) -> bool:
    """Tell whether a transaction was ended for another one's sake, and is to be done again."""
    return getattr(error.orig, "sqlstate", "") in _COLLISIONS


async def record(connection: AsyncConnection, events: Iterable[Event], owes: Owes = owe_nothing) -> list[Change]:
    """Record `events` inside the caller's transaction and return what they changed, one Change a call.

    Events that share a name, with each other or with a stored call, are one call; stored calls that turn out to be one
    are joined into the older. An event that is already stored changes nothing, nor does one of a call that was erased.
    Raises JoinedMeanwhileError (do the transaction again), and what the database raises.
    """
    told = list(events)
    if not told:
        return []
    regions, ids = await _locked_names(connection, told)
    rows = {row.id: row for row in await connection.execute(_LOCK_ROWS, {"ids": sorted(set(ids.values()))})}
    if any(row.joined_into is not None for row in rows.values()):
        raise JoinedMeanwhileError
    written: list[Written] = []
    changes: list[Change] = []
    for group in _groups(told, ids):
        known = {ids[name] for name in _names(group) if name in ids}
        one = await _folded(connection, group, [rows[call_id] for call_id in known])
        written.append(one)
        joined = len(known) > 1 and bool(one.events)  # nothing joins a call that was erased
        changes.append(Change(one.id, view(one.known) if one.known else None, one.seen, tuple(one.events), joined))
        await asyncio.sleep(0)  # folding takes a millisecond: callers who wait for a plan come in between
    await write(connection, written, regions)
    await enqueue(connection, [job for change in changes for job in owes(change)])
    if isinstance(owes, Owing):
        await owes.within(connection, changes)
    await connection.execute(_NOTIFY, {"channel": CHANNEL, "ids": [str(change.call_id) for change in changes]})
    return changes


async def _locked_names(connection: AsyncConnection, events: Sequence[Event]) -> tuple[Regions, dict[Name, UUID]]:
    """Lock every name of the batch at once, in order; gives the regions of callers and the calls with these names."""
    wanted = sorted(_names(events))
    names = [f"{pbx} {name}" for pbx, name in wanted]
    told = (await connection.execute(_LOCK_NAMES, {"names": names})).one()
    asked = {"pbxes": [pbx for pbx, _ in wanted], "names": [name for _, name in wanted]}
    regions = Regions(told.company or "", told.lines or {})
    return regions, {(row.pbx, row.name): row.call_id for row in await connection.execute(_FIND, asked)}


def _names(events: Iterable[Event]) -> set[Name]:
    return {(event.pbx, name) for event in events for name in names(event)}


def _groups(events: Sequence[Event], ids: Mapping[Name, UUID]) -> list[list[Event]]:
    """The events call by call: tied by shared names, and by names that one stored call has."""
    parents: dict[object, object] = {}

    def root(key: object) -> object:
        while (above := parents.setdefault(key, key)) != key:
            parents[key] = key = parents[above]
        return key

    for event in events:
        mine = _names([event])
        for key in [*mine, *(ids[name] for name in mine if name in ids)]:
            parents[root(key)] = root(min(mine))
    groups: dict[object, list[Event]] = {}
    for event in events:
        groups.setdefault(root(min(_names([event]))), []).append(event)
    return list(groups.values())


async def _folded(connection: AsyncConnection, events: Sequence[Event], rows: list[Any]) -> Written:
    """The call that `events` and the stored `rows` make, the younger rows joined into the oldest."""
    rows.sort(key=lambda row: (row.started_at or datetime.max.replace(tzinfo=UTC), row.id))
    erased = next((row for row in rows if row.erased), None)
    if erased is not None:  # it is closed, and nothing of a call with a person in it may become part of it
        rows, events = [erased], []
    before = _state(rows[0].state) if rows else None
    call = before or Call(pbx=events[0].pbx)
    for row in rows[1:]:
        call = join(call, _state(row.state))
    for event in events:
        call = apply(call, event)
    kept = rows[0].id if rows else uuid4()
    for row in rows[1:]:
        await join_rows(connection, kept, row.id)
    return Written(kept, call, view(call), events, before)
