"""Forgets a person in what routing keeps: calls out to them, and what a CRM said of whose they are."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from sqlalchemy import delete, false, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.forgetting import Person
from routing.tables import UNDER_WAY, outgoing_calls, owner_copies

CHANNEL: Final = "switchhook_erased"
"""NOTIFY channel without a payload: what is in memory is to be read again, for somebody in it was erased."""


async def forget_calls_out(
    connection: AsyncConnection, person: Person, pattern: str | None = None, channels: Collection[str] = ()
) -> int:
    """Forget whom calls out were to, those on `channels` and those to a number of this pattern; returns how many.

    A call that is being placed keeps its number until it is over.
    """
    theirs = false() if pattern is None else outgoing_calls.c.number.regexp_match(pattern)
    whose = or_(outgoing_calls.c.channel.in_(channels), theirs)
    over = outgoing_calls.c.state.not_in(UNDER_WAY)
    rows = await connection.execute(select(outgoing_calls.c.id, outgoing_calls.c.number).where(whose, over))
    ids = [row.id for row in rows if person.has_number(row.number)]
    nothing = {"number": person.pseudonym, "idempotency_key": None}
    await connection.execute(update(outgoing_calls).where(outgoing_calls.c.id.in_(ids)).values(**nothing))
    return len(ids)


async def under_way_to(connection: AsyncConnection, pattern: str) -> bool:
    """Whether a call out to a number of this pattern is being placed: its number is still needed."""
    asked = select(outgoing_calls.c.id).where(
        outgoing_calls.c.state.in_(UNDER_WAY), outgoing_calls.c.number.regexp_match(pattern)
    )
    return (await connection.execute(asked.limit(1))).first() is not None


async def forget_owners(connection: AsyncConnection, numbers: Collection[str]) -> int:
    """Forget what a CRM said of these numbers (as stored), here and, once committed, in every process's memory."""
    gone = await connection.execute(delete(owner_copies).where(owner_copies.c.number.in_(numbers)))
    await connection.execute(select(func.pg_notify(CHANNEL, "")))
    return gone.rowcount
