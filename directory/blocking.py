"""Puts numbers on the list of blocked callers, one by one: the rest of the directory stays as it is."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from directory.store import CHANNEL
from directory.tables import blocked_numbers

_NOTIFY: Final = text("select pg_notify(:channel, '')")


async def block_numbers(connection: AsyncConnection, numbers: Collection[str], note: str) -> tuple[str, ...]:
    """Block these numbers (E.164 digits) in the caller's transaction, and give those that were not before.

    A directory file without them unblocks them at its next `apply`; `switchhook directory export` writes them.
    """
    last = select(func.coalesce(func.max(blocked_numbers.c.position), -1)).scalar_subquery()
    rows = [{"number": number, "note": note, "position": last + at} for at, number in enumerate(sorted(numbers), 1)]
    if not rows:
        return ()
    made = insert(blocked_numbers).values(rows).on_conflict_do_nothing().returning(blocked_numbers.c.number)
    blocked = tuple(sorted((await connection.execute(made)).scalars()))
    if blocked:
        await connection.execute(_NOTIFY, {"channel": CHANNEL})
    return blocked


async def blocked_of(connection: AsyncConnection, numbers: Collection[str]) -> tuple[str, ...]:
    """Give which of these numbers are blocked."""
    asked = select(blocked_numbers.c.number).where(blocked_numbers.c.number.in_(numbers))
    return tuple(sorted((await connection.execute(asked)).scalars()))
