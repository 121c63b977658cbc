"""Writes a call's rows from its view: the call, its legs, and whose devices they are."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from calls import tables
from calls.call import Call
from calls.legs import Leg
from calls.view import CallView, view
from directory.tables import devices


async def write(
    connection: AsyncConnection, call_id: UUID, before: Call | None, after: Call, state: dict[str, Any]
) -> tuple[CallView | None, CallView]:
    """Write the rows of `after` under `call_id` and return the two readings (before, after)."""
    seen_before, seen = view(before) if before else None, view(after)
    people = await _people(connection, seen)
    values = _columns(seen, people) | {"state": state}
    statement = insert(tables.calls).values(id=call_id, **values)
    await connection.execute(
        statement.on_conflict_do_update(index_elements=["id"], set_=values | {"updated_at": func.clock_timestamp()})
    )
    if seen_before is None or seen_before.legs != seen.legs:
        await _write_legs(connection, call_id, seen, people)
    return seen_before, seen


def _columns(seen: CallView, people: dict[str, str]) -> dict[str, Any]:
    answered = next((leg for leg in seen.legs if leg.outcome == "answered"), None)
    return {
        "pbx": seen.pbx,
        "linkedids": list(seen.linkedids),
        "direction": seen.direction,
        "status": seen.status,
        "line": seen.line or None,
        "caller_number": seen.caller_number or None,
        "caller_name": seen.caller_name or None,
        "dialed": seen.dialed,
        "started_at": seen.started_at,
        "answered_at": seen.answered_at,
        "ended_at": seen.ended_at,
        "settled_at": seen.settled_at,
        "missed_cause": seen.missed_cause,
        "answered_by": list(seen.answered_by),
        "person": _person(answered, people) if answered else None,
        "talk_seconds": seen.talk_seconds,
        "wait_seconds": seen.wait_seconds,
        "hold_seconds": seen.hold_seconds,
        "party_id": seen.party,
        "lead_id": seen.lead,
        "recovered": seen.recovered,
    }


async def _people(connection: AsyncConnection, seen: CallView) -> dict[str, str]:
    """Device address, extension or mobile number -> key of the person it rings for."""
    known = {leg.device for leg in seen.legs} | {leg.number for leg in seen.legs if leg.number}
    if not known:
        return {}
    asked = select(devices.c.address, devices.c.number, devices.c.person).where(
        or_(devices.c.address.in_(known), devices.c.number.in_(known))
    )
    found: dict[str, str] = {}
    for address, number, person in await connection.execute(asked):
        found[address] = person
        if number:
            found.setdefault(number, person)
    return found


def _person(leg: Leg, people: dict[str, str]) -> str | None:
    """A phone is known by its address; behind a trunk the number tells whose mobile it is."""
    return people.get(leg.device) or people.get(leg.number)


async def _write_legs(connection: AsyncConnection, call_id: UUID, seen: CallView, people: dict[str, str]) -> None:
    await connection.execute(delete(tables.legs).where(tables.legs.c.call_id == call_id))
    rows = {
        (leg.channel, leg.device): {
            "call_id": call_id,
            "channel": leg.channel,
            "device": leg.device,
            "number": leg.number,
            "person": _person(leg, people),
            "outcome": leg.outcome,
            "rang": leg.rang,
            "started_at": leg.started_at,
            "rang_at": leg.rang_at,
            "answered_at": leg.answered_at,
            "ended_at": leg.ended_at,
            "hangup_cause": leg.hangup_cause,
        }
        for leg in seen.legs
    }
    if rows:
        await connection.execute(insert(tables.legs), list(rows.values()))
