"""Writes calls from their readings in one statement: rows, legs, names and events."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import Table, text
from sqlalchemy.ext.asyncio import AsyncConnection

from calls import tables
from calls.call import Call, call_names, facts
from calls.events import Event, OutgoingJudged
from calls.view import CallView
from directory.numbers import Regions, normal

_encode: Final = msgspec.json.Encoder().encode


def _columns(table: Table, *left_out: str) -> list[str]:
    return [column.name for column in table.columns if column.name not in left_out]


_CALL = _columns(tables.calls, "joined_into", "updated_at")
_LEG = _columns(tables.legs)

_PERSON = """(
    select person from devices
    where address in ({device}, {number}) or number = {number}
    order by address = {device} desc limit 1)"""

_OF_CALL = {"person": "coalesce(called_out.known, answered.known)"}
_OF_LEG = {"person": "known"}
_TOLD = "jsonb_to_recordset(cast(:{} as jsonb))"

# One statement, one way to the database and back. Its parts touch different rows, so their order does not matter.
_WRITE = text(
    f"""
    with reached as (
        select leg.*, {_PERSON.format(device="leg.device", number="leg.number")} as known
        from jsonb_populate_recordset(null::legs, cast(:legs as jsonb)) as leg),
    answered as (
        select distinct on (call_id) call_id, known from reached
        where outcome = 'answered' order by call_id, answered_at, channel),
    called_out as (
        select call_id, coalesce(person, {_PERSON.format(device="told.device", number="told.number")}) as known
        from {_TOLD.format("callers")} as told (call_id uuid, person text, device text, number text)),
    kept as (
        insert into calls as c ({", ".join(_CALL)})
        select {", ".join(_OF_CALL.get(name, f"one.{name}") for name in _CALL)}
        from jsonb_populate_recordset(null::calls, cast(:calls as jsonb)) as one
        left join answered on answered.call_id = one.id
        left join called_out on called_out.call_id = one.id
        on conflict (id) do update set {", ".join(f"{name} = excluded.{name}" for name in _CALL if name != "id")},
               updated_at = clock_timestamp()),
    stale as (
        delete from legs where call_id = any(cast(:ids as uuid[])) and not exists (
            select from reached
            where call_id = legs.call_id and channel = legs.channel and device = legs.device)),
    new_legs as (
        insert into legs ({", ".join(_LEG)})
        select {", ".join(_OF_LEG.get(name, name) for name in _LEG)} from reached
        on conflict (call_id, channel, device) do update
        set {", ".join(f"{name} = excluded.{name}" for name in _LEG)}),
    new_names as (
        insert into call_names (pbx, name, call_id)
        select pbx, name, call_id from {_TOLD.format("names")} as told (pbx text, name text, call_id uuid)
        on conflict do nothing)
    insert into call_events (at, digest, call_id, kind, body)
    select at, decode(digest, 'hex'), call_id, kind, body
    from {_TOLD.format("events")} as told (at timestamptz, digest text, call_id uuid, kind text, body jsonb)
    on conflict do nothing
    """.replace("::", r"\:\:")  # noqa: S608 - only column names of our own tables are put in
)


@dataclass(frozen=True, slots=True)
class Written:
    """A call to be written as it reads now, and the events to be appended; `known` is what its row holds already."""

    id: UUID
    call: Call
    seen: CallView
    events: Sequence[Event]
    known: Call | None = None

    @property
    def names(self) -> frozenset[str]:
        """The names by which later events find it, and no row does yet."""
        return call_names(self.call) - (call_names(self.known) if self.known else frozenset())


async def write(connection: AsyncConnection, told: Iterable[Written], regions: Regions) -> None:
    """Write the rows of all these calls and append their events; a row that would stay as it is is not touched.

    Numbers are stored in their E.164 form where that can be told; `regions`: whose national numbers are meant.
    """
    told = list(told)
    new = [one for one in told if one.call != one.known]
    names = [{"pbx": one.call.pbx, "name": name, "call_id": one.id} for one in new for name in sorted(one.names)]
    await connection.execute(
        _WRITE,
        {
            "ids": [one.id for one in new],
            "calls": _text([row_of(one.id, one.seen, regions) | {"state": one.call} for one in new]),
            "callers": _text([_caller(one) for one in new if one.seen.direction == "outbound"]),
            "legs": _text([asdict(leg) | {"call_id": one.id} for one in new for leg in one.seen.legs]),
            "names": _text(names),
            "events": _text([_event(event, one.id) for one in told for event in one.events]),
        },
    )


def row_of(call_id: UUID, seen: CallView, regions: Regions) -> dict[str, Any]:
    """The call's row by column, but for `state` and `person`, which the database looks up."""
    called = seen.line if seen.direction == "inbound" else ""
    return {
        "id": call_id,
        "pbx": seen.pbx,
        "linkedids": list(seen.linkedids),
        "direction": seen.direction,
        "status": seen.status,
        "line": normal(seen.line, regions.company) or None,
        "caller_number": normal(seen.caller_number, regions.of(called)) or None,
        "caller_name": seen.caller_name or None,
        "dialed": seen.dialed,
        "started_at": seen.started_at,
        "answered_at": seen.answered_at,
        "ended_at": seen.ended_at,
        "settled_at": seen.settled_at,
        "missed_cause": seen.missed_cause,
        "charged_to": list(seen.charged_to),
        "answered_by": list(seen.answered_by),
        "talk_seconds": seen.talk_seconds,
        "wait_seconds": seen.wait_seconds,
        "hold_seconds": seen.hold_seconds,
        "party_id": seen.party,
        "lead_id": seen.lead,
        "recovered": seen.recovered,
        "erased": seen.erased,
    }


def _caller(one: Written) -> dict[str, Any]:
    """Who calls out: whom the judge of calls out names, else whose device or extension it is."""
    judged = (fact.person for fact in facts(one.call, OutgoingJudged) if fact.person)
    told = {"device": one.seen.caller_device, "number": one.seen.caller_number}
    return {"call_id": one.id, "person": next(judged, None), **told}


def _event(event: Event, call_id: UUID) -> dict[str, Any]:
    told = _encode(event)
    return {
        "at": event.at or datetime.now(UTC),
        "digest": hashlib.sha256(told).hexdigest(),
        "call_id": call_id,
        "kind": event.kind,
        "body": msgspec.Raw(told),
    }


def _text(rows: Sequence[Mapping[str, Any]]) -> str:
    return _encode(rows).decode()
