"""The leads of parties that answer, and those whose fields do."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync.lifecycle import OPEN
from crm_sync.tables import leads, parties
from web.rights import Scope, leads_seen
from web.search.notes import in_fields


@dataclass(frozen=True, slots=True)
class FoundLead:
    """A lead that answers; `owner` is the key of a person, `fields` are the house's own."""

    id: int
    party_id: int
    party_name: str | None
    stage: str
    step: str | None
    owner: str | None
    source_line: str | None
    fields: Mapping[str, str]
    opened_at: datetime
    closed_at: datetime | None


async def find(
    connection: AsyncConnection, scope: Scope, query: str, party_ids: Collection[int], limit: int
) -> tuple[FoundLead, ...]:
    """The leads of these parties or with the words in a field that may be seen: open ones first, then the newest."""
    is_open = leads.c.stage.in_(OPEN)
    of_lead = (leads.c.id, leads.c.party_id, leads.c.owner, leads.c.source_line, is_open.label("is_open"))
    answers = select(*of_lead).where(or_(leads.c.party_id.in_(party_ids), in_fields(query)))
    # OFFSET 0 keeps the planner from asking of each whether it may be seen before they are in their order.
    likely = answers.order_by(is_open.desc(), leads.c.id.desc()).offset(0).subquery("likely")
    seen = select(likely.c.id).where(leads_seen(scope, likely.c))
    found = seen.order_by(likely.c.is_open.desc(), likely.c.id.desc()).limit(limit)
    told = select(leads, parties.c.name.label("party_name")).join(parties, parties.c.id == leads.c.party_id)
    chosen = told.where(leads.c.id.in_(found.correlate(None)))
    rows = await connection.execute(chosen.order_by(is_open.desc(), leads.c.id.desc()))
    return tuple(FoundLead(*(getattr(row, name) for name in FoundLead.__slots__)) for row in rows)
