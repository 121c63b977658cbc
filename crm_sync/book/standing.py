"""How a caller stands with us, and how much people have in work: what routing rules and shares of work ask."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync.book.lifecycle import OPEN
from crm_sync.tables import leads, party_numbers


async def stages(connection: AsyncConnection, numbers: Collection[str] | None = None) -> dict[str, str | None]:
    """Number -> stage of its party's lead, for `numbers` (None: all) that are a party's; None: it never had a lead.

    The open lead tells, else the last one.
    """
    last = (
        select(leads.c.party_id, leads.c.stage)
        .ext(distinct_on(leads.c.party_id))
        .order_by(leads.c.party_id, leads.c.stage.in_(OPEN).desc(), leads.c.id.desc())
    ).subquery()
    asked = select(party_numbers.c.number, last.c.stage).outerjoin(last, last.c.party_id == party_numbers.c.party_id)
    if numbers is not None:
        asked = asked.where(party_numbers.c.number.in_(list(numbers)))
    return {row.number: row.stage for row in await connection.execute(asked)}


async def open_leads(connection: AsyncConnection, people: Collection[str] | None = None) -> dict[str, int]:
    """Key of a person -> number of open leads that are theirs, for `people` (None: all); none is absent."""
    asked = (
        select(leads.c.owner, func.count().label("open_count"))
        .where(leads.c.stage.in_(OPEN), leads.c.owner.is_not(None))
        .group_by(leads.c.owner)
    )
    if people is not None:
        asked = asked.where(leads.c.owner.in_(list(people)))
    return {row.owner: row.open_count for row in await connection.execute(asked)}
