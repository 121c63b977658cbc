"""The one transaction: events, the call they make, the work they owe and the notice of it, together or not at all.

Locks are taken in one order everywhere (names sorted, then rows by id), so two recorders of the same joining calls
neither deadlock nor lose: the second waits, then folds onto what the first wrote, or begins again if its row is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from calls.call import Call, apply, join
from calls.due import Change, Job, Owes, owe_nothing
from calls.events import Event, names
from calls.jobs import enqueue
from calls.view import view
from calls.write import EVENT, STATE, write

CHANNEL = "switchhook_calls"
"""NOTIFY channel; the payload is the call's id."""

_LOCK_NAMES = text(
    "select (select region from company), count(pg_advisory_xact_lock(hashtextextended(n, 5060))\\:\\:text)"
    " from unnest(cast(:names as text[])) as n"
)
_FIND = text(
    """
    select id, state, started_at, joined_into from calls
    where id in (select call_id from call_names where pbx = :pbx and name = any(cast(:names as text[])))
    order by id for no key update
    """
)
_JOIN = (
    text("update call_names set call_id = :kept where call_id = :gone"),
    text("update call_events set call_id = :kept where call_id = :gone"),
    text("delete from legs where call_id = :gone"),
    text("update calls set joined_into = :kept where id = :gone"),
)
_NOTIFY = text("select pg_notify(:channel, id) from unnest(cast(:ids as text[])) as id")


class JoinedMeanwhileError(Exception):
    """Another recorder joined a call while this one waited for it; nothing was written, the whole transaction is to
    be done again (`record_all` does).
    """


def state_json(call: Call) -> dict[str, Any]:
    """The fold's state as JSON."""
    told: dict[str, Any] = STATE.dump_python(call, mode="json")
    return told


def state_call(state: Mapping[str, Any]) -> Call:
    """The fold's state from JSON; `state_call(state_json(call)) == call`."""
    return STATE.validate_python(state)


def event_json(event: Event) -> dict[str, Any]:
    """One event as JSON."""
    told: dict[str, Any] = EVENT.dump_python(event, mode="json")
    return told


def event_from_json(body: Mapping[str, Any]) -> Event:
    """One event from JSON."""
    return EVENT.validate_python(body)


async def record_all(engine: AsyncEngine, events: Sequence[Event], owes: Owes = owe_nothing) -> list[Change]:
    """Record `events` in a transaction of their own, again when calls were joined meanwhile."""
    while True:
        try:
            async with engine.begin() as connection:
                return await record(connection, events, owes)
        except JoinedMeanwhileError:
            continue


async def record(connection: AsyncConnection, events: Iterable[Event], owes: Owes = owe_nothing) -> list[Change]:
    """Record `events` inside the caller's transaction and return what they changed, one Change a call.

    Events that share a name, with each other or with a stored call, are one call; stored calls that turn out to be one
    are joined into the older. An event that is already stored changes nothing. Raises JoinedMeanwhileError (do the
    transaction again), and what the database raises.
    """
    changes: list[Change] = []
    jobs: list[Job] = []
    for pbx, told in _groups(events):
        change = await _record_group(connection, pbx, told)
        changes.append(change)
        jobs.extend(owes(change))
    await enqueue(connection, jobs)
    if changes:
        await connection.execute(_NOTIFY, {"channel": CHANNEL, "ids": [str(change.call_id) for change in changes]})
    return changes


def _groups(events: Iterable[Event]) -> list[tuple[str, list[Event]]]:
    """Events tied by shared names, per PBX, in the order of their names so that locks are taken in one order."""
    groups: list[tuple[str, set[str], list[Event]]] = []
    for event in events:
        tied, mine = set(names(event)), [event]
        for group in [g for g in groups if g[0] == event.pbx and g[1] & tied]:
            groups.remove(group)
            tied |= group[1]
            mine = group[2] + mine
        groups.append((event.pbx, tied, mine))
    return [(pbx, told) for pbx, tied, told in sorted(groups, key=lambda group: (group[0], min(group[1], default="")))]


async def _record_group(connection: AsyncConnection, pbx: str, events: Sequence[Event]) -> Change:
    tied = sorted({name for event in events for name in names(event)})
    told = {"pbx": pbx, "names": tied}
    locked = await connection.execute(_LOCK_NAMES, {"names": [f"{pbx} {name}" for name in tied]})
    region: str = locked.scalar() or ""
    rows = list((await connection.execute(_FIND, told)).all())
    if any(row.joined_into is not None for row in rows):
        raise JoinedMeanwhileError
    rows.sort(key=lambda row: (row.started_at or datetime.max.replace(tzinfo=UTC), row.id))
    before = state_call(rows[0].state) if rows else None
    call = before or Call(pbx=pbx)
    for row in rows[1:]:
        call = join(call, state_call(row.state))
    for event in events:
        call = apply(call, event)
    kept = rows[0].id if rows else uuid4()
    for row in rows[1:]:
        for statement in _JOIN:
            await connection.execute(statement, {"kept": kept, "gone": row.id})
    seen = view(call)
    await write(connection, kept, call, seen, events, region)
    return Change(kept, view(before) if before else None, seen, tuple(events))
