"""Writes a call from its reading in one statement: the row, its legs, its names and its events."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import Table, text
from sqlalchemy.ext.asyncio import AsyncConnection

from calls import tables
from calls.call import Call, call_names
from calls.events import Event
from calls.view import CallView
from directory.numbers import normal

encode: Final = msgspec.json.Encoder().encode
"""Events, a call's state and its reading as JSON (UTF-8)."""


def _columns(table: Table, *left_out: str) -> list[str]:
    return [column.name for column in table.columns if column.name not in left_out]


_CALL = _columns(tables.calls, "joined_into", "updated_at")
_LEG = _columns(tables.legs)

_PERSON = """(
    select person from devices
    where address in ({device}, {number}) or number = {number}
    order by address = {device} desc limit 1)"""

_OF_LEG = {"person": "known", "call_id": "cast(:id as uuid)"}

# One statement, one way to the database and back. Its parts touch different rows, so their order does not matter.
_WRITE = text(
    f"""
    with told as (select cast(:call as jsonb) as call, cast(:legs as jsonb) as legs),
    reached as (
        select leg.*, {_PERSON.format(device="leg.device", number="leg.number")} as known
        from told, jsonb_populate_recordset(null::legs, told.legs) as leg),
    answered as (
        select (select known from reached where outcome = 'answered' order by answered_at, channel limit 1) as known),
    kept as (
        insert into calls as c ({", ".join(_CALL)})
        select {", ".join("answered.known" if name == "person" else f"one.{name}" for name in _CALL)}
        from told, answered, jsonb_populate_record(null::calls, told.call) as one
        on conflict (id) do update set {", ".join(f"{name} = excluded.{name}" for name in _CALL if name != "id")},
               updated_at = clock_timestamp()),
    stale as (
        delete from legs where call_id = cast(:id as uuid)
        and not exists (select from reached where channel = legs.channel and device = legs.device)),
    new_legs as (
        insert into legs ({", ".join(_LEG)})
        select {", ".join(_OF_LEG.get(name, name) for name in _LEG)} from reached
        on conflict (call_id, channel, device) do update
        set {", ".join(f"{name} = excluded.{name}" for name in _LEG)}),
    new_names as (
        insert into call_names (pbx, name, call_id)
        select :pbx, name, cast(:id as uuid) from unnest(cast(:names as text[])) as name
        on conflict do nothing)
    insert into call_events (at, digest, call_id, kind, body)
    select (e->>'at')::timestamptz, decode(e->>'digest', 'hex'), cast(:id as uuid), e->>'kind', e->'body'
    from jsonb_array_elements(cast(:events as jsonb)) as e
    on conflict do nothing
    """.replace("::", r"\:\:")  # noqa: S608 - only column names of our own tables are put in
)


async def write(
    connection: AsyncConnection, call_id: UUID, call: Call, seen: CallView, events: Sequence[Event], region: str
) -> None:
    """Write the rows of `call`, which reads as `seen`, under `call_id`, and append `events`.

    `region` is the company's: numbers are stored in their E.164 form where that can be told.
    """
    await connection.execute(
        _WRITE,
        {
            "id": str(call_id),
            "pbx": call.pbx,
            "call": encode(row_of(call_id, seen, region) | {"state": call}).decode(),
            "legs": encode(seen.legs).decode(),
            "names": sorted(call_names(call)),
            "events": encode([_event(event) for event in events]).decode(),
        },
    )


def row_of(call_id: UUID, seen: CallView, region: str) -> dict[str, Any]:
    """The call's row by column, but for `state` and `person`, which the database looks up."""
    return {
        "id": call_id,
        "pbx": seen.pbx,
        "linkedids": list(seen.linkedids),
        "direction": seen.direction,
        "status": seen.status,
        "line": normal(seen.line, region) or None,
        "caller_number": normal(seen.caller_number, region) or None,
        "caller_name": seen.caller_name or None,
        "dialed": seen.dialed,
        "started_at": seen.started_at,
        "answered_at": seen.answered_at,
        "ended_at": seen.ended_at,
        "settled_at": seen.settled_at,
        "missed_cause": seen.missed_cause,
        "answered_by": list(seen.answered_by),
        "talk_seconds": seen.talk_seconds,
        "wait_seconds": seen.wait_seconds,
        "hold_seconds": seen.hold_seconds,
        "party_id": seen.party,
        "lead_id": seen.lead,
        "recovered": seen.recovered,
    }


def _event(event: Event) -> dict[str, Any]:
    told = encode(event)
    return {
        "at": event.at or datetime.now(UTC),
        "digest": hashlib.sha256(told).hexdigest(),
        "kind": event.kind,
        "body": msgspec.Raw(told),
    }
