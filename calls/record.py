"""The one transaction: events, the call they make, the work they owe and the notice of it, together or not at all.

Locks are taken in one order everywhere (names sorted, then rows by id), so two recorders of the same joining calls
neither deadlock nor lose: the second waits, then folds onto what the first wrote.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from pydantic import TypeAdapter
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.call import Call, apply, call_names, join
from calls.due import Change, Job, Owes, owe_nothing
from calls.events import Event, names
from calls.jobs import enqueue
from calls.tables import call_events
from calls.tables import call_names as names_table
from calls.write import write

CHANNEL = "switchhook_calls"
"""NOTIFY channel; the payload is the call's id."""

_STATE: TypeAdapter[Call] = TypeAdapter(Call)
_EVENT: TypeAdapter[Event] = TypeAdapter(Event)

_LOCK_NAMES = text("select pg_advisory_xact_lock(hashtextextended(n, 5060)) from unnest(cast(:names as text[])) as n")
_FIND = text("select call_id from call_names where pbx = :pbx and name = any(cast(:names as text[])) order by call_id")
_LOCK_ROWS = text(
    "select id, state, started_at, joined_into from calls"
    " where id = any(cast(:ids as uuid[])) order by id for no key update"
)
_RENAME = text("update call_names set call_id = :kept where call_id = :gone")
_MOVE_EVENTS = text("update call_events set call_id = :kept where call_id = :gone")
_JOIN = text("update calls set joined_into = :kept where id = :gone")
_NOTIFY = text("select pg_notify(:channel, id) from unnest(cast(:ids as text[])) as id")


def state_json(call: Call) -> dict[str, Any]:
    """The fold's state as JSON."""
    told: dict[str, Any] = _STATE.dump_python(call, mode="json")
    return told


def state_call(state: Mapping[str, Any]) -> Call:
    """The fold's state from JSON; `state_call(state_json(call)) == call`."""
    return _STATE.validate_python(state)


def event_json(event: Event) -> dict[str, Any]:
    """One event as JSON."""
    told: dict[str, Any] = _EVENT.dump_python(event, mode="json")
    return told


def event_from_json(body: Mapping[str, Any]) -> Event:
    """One event from JSON."""
    return _EVENT.validate_python(body)


async def record(connection: AsyncConnection, events: Iterable[Event], owes: Owes = owe_nothing) -> list[Change]:
    """Record `events` inside the caller's transaction and return what they changed, one Change a call.

    Events that share a name, with each other or with a stored call, are one call; stored calls that turn out to be one
    are joined into the older. An event that is already stored changes nothing. Raises only what the database raises.
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
    rows = await _locked(connection, pbx, tied)
    before = None
    call = Call(pbx=pbx)
    for row in rows:
        state = state_call(row.state)
        call = join(call, state)
        before = before or state
    for event in events:
        call = apply(call, event)
    kept = rows[0].id if rows else uuid4()
    seen_before, seen = await write(connection, kept, before, call, state_json(call))
    for row in rows[1:]:
        await _join_rows(connection, kept, row.id)
    told = [{"pbx": pbx, "name": name, "call_id": kept} for name in sorted(call_names(call))]
    if told:
        await connection.execute(insert(names_table).on_conflict_do_nothing(), told)
    await _append(connection, kept, events)
    return Change(kept, seen_before, seen, tuple(events))


async def _locked(connection: AsyncConnection, pbx: str, tied: list[str]) -> list[Any]:
    """The rows of every call those names belong to, locked, the oldest first."""
    await connection.execute(_LOCK_NAMES, {"names": [f"{pbx} {name}" for name in tied]})
    while True:
        savepoint = await connection.begin_nested()
        found = await connection.execute(_FIND, {"pbx": pbx, "names": tied})
        ids: list[UUID] = list(dict.fromkeys(found.scalars()))
        if not ids:
            await savepoint.commit()
            return []
        rows = (await connection.execute(_LOCK_ROWS, {"ids": ids})).all()
        if all(row.joined_into is None for row in rows):
            await savepoint.commit()
            return sorted(rows, key=lambda row: (row.started_at or datetime.max.replace(tzinfo=UTC), row.id))
        # Another recorder joined one of these calls while this one waited: its locks go, and the names are read again.
        await savepoint.rollback()


async def _join_rows(connection: AsyncConnection, kept: UUID, gone: UUID) -> None:
    await connection.execute(_RENAME, {"kept": kept, "gone": gone})
    await connection.execute(_MOVE_EVENTS, {"kept": kept, "gone": gone})
    await connection.execute(text("delete from legs where call_id = :gone"), {"gone": gone})
    await connection.execute(_JOIN, {"kept": kept, "gone": gone})


async def _append(connection: AsyncConnection, call_id: UUID, events: Sequence[Event]) -> None:
    rows = []
    for event in events:
        body = event_json(event)
        digest = hashlib.sha256(_EVENT.dump_json(event)).digest()
        at = event.at or datetime.now(UTC)
        rows.append({"at": at, "digest": digest, "call_id": call_id, "kind": event.kind, "body": body})
    await connection.execute(insert(call_events).on_conflict_do_nothing(), rows)
