"""The locks of the book: some numbers, or the whole book at once; all end with the transaction.

Whoever gives numbers to parties takes the lock of each of those numbers before reading whose they are, so two who are
at it with one number never make two parties. An import has more numbers than PostgreSQL has room for locks, and takes
the whole book: everybody else's numbers wait until it has ended. These locks come before locks of rows, else two could
wait for each other.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_SHARE = text("select pg_advisory_xact_lock_shared(5038, 7)")
_TRY = text("select pg_try_advisory_xact_lock_shared(5038, 7)")
_NUMBERS = text("select pg_advisory_xact_lock(hashtextextended(n, 7)) from unnest(cast(:numbers as text[])) as n")
_WHOLE = text("select pg_advisory_xact_lock(5038, 7)")


async def lock_numbers(connection: AsyncConnection, numbers: Collection[str]) -> None:
    """Wait until nobody else works on these numbers; a few hundred at most. All numbers of a transaction at once."""
    await connection.execute(_SHARE)
    await connection.execute(_NUMBERS, {"numbers": sorted(set(numbers))})


async def lock_book(connection: AsyncConnection) -> None:
    """Wait until nobody works on any number, and have whoever comes later wait."""
    await connection.execute(_WHOLE)


async def book_is_free(connection: AsyncConnection) -> bool:
    """Whether nobody has the whole book; if so, nobody takes it until the transaction ends."""
    return bool((await connection.execute(_TRY)).scalar_one())
