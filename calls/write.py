"""Writes a call's rows from its view: the call, its legs, and whose devices they are."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Integer, column, delete, func, or_, select, values
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from calls import tables
from calls.call import Call
from calls.legs import Leg
from calls.view import CallView, view
from directory.numbers import normal
from directory.tables import company, devices


async def write(
    connection: AsyncConnection, call_id: UUID, before: Call | None, after: Call, state: dict[str, Any]
) -> tuple[CallView | None, CallView]:
    """Write the rows of `after` under `call_id` and return the two readings (before, after)."""
    seen_before, seen = view(before) if before else None, view(after)
    region, people = await _known(connection, seen)
    row = _columns(seen, region, people) | {"state": state}
    statement = insert(tables.calls).values(id=call_id, **row)
    await connection.execute(
        statement.on_conflict_do_update(index_elements=["id"], set_=row | {"updated_at": func.clock_timestamp()})
    )
    if seen_before is None or seen_before.legs != seen.legs:
        await _write_legs(connection, call_id, seen, people)
    return seen_before, seen


def _columns(seen: CallView, region: str, people: dict[str, str]) -> dict[str, Any]:
    answered = next((leg for leg in seen.legs if leg.outcome == "answered"), None)
    return {
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
        "person": _person(answered, people) if answered else None,
        "talk_seconds": seen.talk_seconds,
        "wait_seconds": seen.wait_seconds,
        "hold_seconds": seen.hold_seconds,
        "party_id": seen.party,
        "lead_id": seen.lead,
        "recovered": seen.recovered,
    }


async def _known(connection: AsyncConnection, seen: CallView) -> tuple[str, dict[str, str]]:
    """(the company's region, device address, extension or mobile number -> key of the person it rings for)."""
    told = {leg.device for leg in seen.legs} | {leg.number for leg in seen.legs if leg.number}
    region = select(company.c.region).scalar_subquery()
    ours = or_(devices.c.address.in_(told), devices.c.number.in_(told))
    one = values(column("n", Integer), name="one").data([(1,)])
    asked = select(region, devices.c.address, devices.c.number, devices.c.person).select_from(
        one.outerjoin(devices, ours)
    )
    found: dict[str, str] = {}
    where = ""
    for told_region, address, number, person in await connection.execute(asked):
        where = told_region or ""
        if address:
            found[address] = person
        if number:
            found.setdefault(number, person)
    return where, found


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
