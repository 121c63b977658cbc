"""The leads of parties that answer, and those whose fields do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync.book.lifecycle import OPEN
from crm_sync.tables import leads, parties
from web.rights import Scope, leads_seen
from web.search.newest import one_of, stages
from web.search.notes import in_fields

_IS_OPEN: Final = leads.c.stage.in_(OPEN)


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
    connection: AsyncConnection, scope: Scope, query: str, party_ids: Sequence[int], limit: int
) -> tuple[FoundLead, ...]:
    """The leads of these parties or with the words in a field that may be seen: open ones first, then the newest."""
    answers = or_(one_of(leads.c.party_id, party_ids), in_fields(query))
    found: tuple[FoundLead, ...] = ()
    async for some in stages(connection, leads.c.id, answers):
        found = await _best(connection, scope, some, limit)
        # As long as only open ones are shown, none that came before those is better.
        if len(found) == limit and found[-1].stage in OPEN:
            break
    return found


async def _best(
    connection: AsyncConnection, scope: Scope, condition: ColumnElement[bool], limit: int
) -> tuple[FoundLead, ...]:
    of_lead = (leads.c.id, leads.c.party_id, leads.c.owner, leads.c.source_line, _IS_OPEN.label("is_open"))
    answers = select(*of_lead).where(condition)
    # OFFSET 0 keeps the planner from asking of each whether it may be seen before they are in their order.
    likely = answers.order_by(_IS_OPEN.desc(), leads.c.id.desc()).offset(0).subquery("likely")
    seen = select(likely.c.id).where(leads_seen(scope, likely.c))
    found = seen.order_by(likely.c.is_open.desc(), likely.c.id.desc()).limit(limit)
    told = select(leads, parties.c.name.label("party_name")).join(parties, parties.c.id == leads.c.party_id)
    chosen = told.where(leads.c.id.in_(found.correlate(None)))
    rows = await connection.execute(chosen.order_by(_IS_OPEN.desc(), leads.c.id.desc()))
    return tuple(FoundLead(*(getattr(row, name) for name in FoundLead.__slots__)) for row in rows)
