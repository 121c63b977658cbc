"""Past calls with what the book knew before each, read for `rule_replay`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from calls import events as e
from calls.call import earliest
from calls.record import state_call
from calls.tables import calls
from calls.view import view
from crm_sync.book.lifecycle import OPEN
from crm_sync.book.rule_replay import PastCall
from crm_sync.book.rules import facts_of
from crm_sync.tables import lead_events, leads, parties, party_numbers
from directory.model import Directory


async def past_calls(
    connection: AsyncConnection, directory: Directory, since: datetime, until: datetime, most: int | None = None
) -> list[PastCall]:
    """Settled calls with somebody outside that began in a period, in their order; `directory` tells whose is what.

    Of more than `most` calls only the latest.
    """
    asked = select(calls).where(
        calls.c.started_at >= since,
        calls.c.started_at < until,
        calls.c.settled_at.is_not(None),
        calls.c.joined_into.is_(None),
        ~calls.c.erased,
    )
    latest = asked.order_by(calls.c.started_at.desc(), calls.c.id.desc()).limit(most)
    found = []
    for row in reversed((await connection.execute(latest)).all()):
        call = state_call(row.state)
        seen = view(call)
        facts = facts_of(directory, seen)
        if facts is None:
            continue
        linked = earliest(call, e.PartyLinked)
        created = linked.created if linked else "nothing"
        at: datetime = row.started_at
        party = None
        if created not in {"party", "party_and_lead"}:
            party = await _party_then(connection, facts.number, at)
        stage = await _stage_then(connection, party, at, row.id) if party is not None else None
        told = select(lead_events.c.reason).where(lead_events.c.call_id == row.id, lead_events.c.kind == "linked")
        rule = (await connection.execute(told.limit(1))).scalar_one_or_none()
        known = party is not None
        found.append(PastCall(id=row.id, at=at, facts=facts, known=known, stage=stage, created=created, rule=rule))
    return found


async def _party_then(connection: AsyncConnection, number: str, at: datetime) -> int | None:
    asked = select(parties.c.id).join(party_numbers, party_numbers.c.party_id == parties.c.id)
    mine = asked.where(party_numbers.c.number == number, parties.c.created_at < at)
    return (await connection.execute(mine)).scalar_one_or_none()


async def _stage_then(connection: AsyncConnection, party: int, at: datetime, call: Any) -> str | None:
    """The stage of the party's open lead before a call, else of its last; None: it had none."""
    stages = (
        select(lead_events.c.lead_id, func.split_part(lead_events.c.after, "/", 1).label("stage"))
        .join(leads, leads.c.id == lead_events.c.lead_id)
        .where(
            leads.c.party_id == party,
            lead_events.c.kind.in_(["opened", "stage"]),
            lead_events.c.at <= at,
            lead_events.c.call_id.is_distinct_from(call),
        )
        .order_by(lead_events.c.id)
    )
    last = {row.lead_id: str(row.stage) for row in await connection.execute(stages)}
    now_open = next((stage for stage in last.values() if stage in OPEN), None)
    return now_open or (last[max(last)] if last else None)
