"""Whose lead a number is: what routing asks before anything else."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync.book.lifecycle import OPEN
from crm_sync.tables import leads, party_numbers
from directory.tables import people


async def owners(connection: AsyncConnection, numbers: Collection[str] | None = None) -> dict[str, str]:
    """Number -> key of the person who owns its open lead, for `numbers` (None: all that have an owner).

    A person who has left the directory owns nothing.
    """
    asked = (
        select(party_numbers.c.number, leads.c.owner)
        .join(leads, leads.c.party_id == party_numbers.c.party_id)
        .join(people, people.c.key == leads.c.owner)
        .where(leads.c.stage.in_(OPEN))
    )
    if numbers is not None:
        asked = asked.where(party_numbers.c.number.in_(list(numbers)))
    return {row.number: row.owner for row in await connection.execute(asked)}


async def owner_of(connection: AsyncConnection, number: str) -> str | None:
    """Key of the person who owns the open lead of `number`, None when nobody does."""
    return (await owners(connection, [number])).get(number)
