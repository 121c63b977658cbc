"""Who is behind a number, and the leads in work: what pages ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync.lifecycle import OPEN, STAGES
from crm_sync.tables import leads, parties, party_numbers, unwanted_digests
from directory import keys


@dataclass(frozen=True, slots=True)
class Lead:
    """A party's interest being worked. `owner` is the key of a person, `step` one of the house's funnel."""

    id: int
    party_id: int
    stage: str
    owner: str | None
    source_line: str | None
    opened_at: datetime
    deadline_at: datetime | None
    closed_at: datetime | None
    step: str | None
    stage_at: datetime
    reason: str | None
    duplicate_of: int | None
    contact_at: datetime | None
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Party:
    """A person outside, with every number known of them and their open lead, if there is one."""

    id: int
    name: str | None
    numbers: tuple[str, ...]
    created_at: datetime
    lead: Lead | None


@dataclass(frozen=True, slots=True)
class LeadRow:
    """A lead in a list."""

    lead: Lead
    party_name: str | None
    numbers: tuple[str, ...]


async def party_of(connection: AsyncConnection, number: str) -> Party | None:
    """The party that calls from `number` (as stored: E.164 digits), None when it is unknown."""
    asked = select(parties).join(party_numbers).where(party_numbers.c.number == number)
    row = (await connection.execute(asked)).one_or_none()
    if row is None:
        return None
    open_lead = select(leads).where(leads.c.party_id == row.id, leads.c.stage.in_(OPEN))
    lead = (await connection.execute(open_lead)).one_or_none()
    known = select(party_numbers.c.number).where(party_numbers.c.party_id == row.id).order_by(party_numbers.c.number)
    numbers = tuple((await connection.execute(known)).scalars())
    return Party(row.id, row.name, numbers, row.created_at, _lead(lead) if lead else None)


async def must_not_be_called(connection: AsyncConnection, number: str) -> bool:
    """Whether the party of `number` (E.164 digits) does not want to be called; who is unknown may be.

    Neither does an erased person who did not want to be: of that only a digest is kept.
    """
    asked = select(parties.c.do_not_call_at).join(party_numbers).where(party_numbers.c.number == number)
    if (await connection.execute(asked)).scalar() is not None:
        return True
    secret = await keys.known(connection, "wishes")
    if secret is None:
        return False
    kept = unwanted_digests.c.digest == keys.signed(secret, number)
    return bool((await connection.execute(select(exists().where(kept)))).scalar())


async def unwanted(connection: AsyncConnection) -> frozenset[str]:
    """Every number (E.164 digits) of the parties who do not want to be called."""
    asked = select(party_numbers.c.number).join(parties).where(parties.c.do_not_call_at.is_not(None))
    return frozenset((await connection.execute(asked)).scalars())


async def set_do_not_call(connection: AsyncConnection, number: str, *, may_be_called: bool) -> bool:
    """Note that the party of `number` does not want to be called, or does again; False: nobody known has it."""
    whose = select(party_numbers.c.party_id).where(party_numbers.c.number == number).scalar_subquery()
    at = None if may_be_called else func.coalesce(parties.c.do_not_call_at, func.now())
    noted = update(parties).where(parties.c.id == whose).values(do_not_call_at=at)
    count = (await connection.execute(noted)).rowcount
    secret = await keys.known(connection, "wishes") if may_be_called else None
    if secret:
        kept = delete(unwanted_digests).where(unwanted_digests.c.digest == keys.signed(secret, number))
        count += (await connection.execute(kept)).rowcount
    return count > 0


async def numbers_of(connection: AsyncConnection, number: str) -> tuple[str, ...]:
    """Every number of the party that has `number` (as stored: E.164 digits), itself alone when it is unknown."""
    party = select(party_numbers.c.party_id).where(party_numbers.c.number == number).scalar_subquery()
    known = select(party_numbers.c.number).where(party_numbers.c.party_id == party).order_by(party_numbers.c.number)
    return tuple((await connection.execute(known)).scalars()) or (number,)


async def leads_list(
    connection: AsyncConnection,
    stage: str | None = None,
    owner: str | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[LeadRow]:
    """Leads, the newest first; `before` is the id of the last one seen."""
    numbers = (
        select(func.array_agg(party_numbers.c.number))
        .where(party_numbers.c.party_id == leads.c.party_id)
        .scalar_subquery()
    )
    asked = select(leads, parties.c.name, numbers.label("numbers")).join(parties)
    if stage is not None:
        asked = asked.where(leads.c.stage == stage)
    if owner is not None:
        asked = asked.where(leads.c.owner == owner)
    if before is not None:
        asked = asked.where(leads.c.id < before)
    rows = await connection.execute(asked.order_by(leads.c.id.desc()).limit(limit))
    return [LeadRow(_lead(row), row.name, tuple(sorted(row.numbers or ()))) for row in rows]


async def stage_counts(connection: AsyncConnection) -> dict[str, int]:
    """How many leads there are at each stage, also where there are none."""
    rows = await connection.execute(select(leads.c.stage, func.count().label("how_many")).group_by(leads.c.stage))
    counted = {row.stage: row.how_many for row in rows}
    return {stage: counted.get(stage, 0) for stage in STAGES}


def _lead(row: Row[Any]) -> Lead:
    return Lead(**{field.name: getattr(row, field.name) for field in fields(Lead)})
