"""Forgets a number in the lists of callers; who works here, and the house's own numbers, are not forgotten."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from sqlalchemy import Table, delete, text
from sqlalchemy.ext.asyncio import AsyncConnection

from directory import versions
from directory.store import CHANNEL
from directory.tables import allowed_numbers, blocked_numbers, do_not_call, vip_numbers

LISTS: Final[dict[str, Table]] = {
    "blocked": blocked_numbers,
    "allowed": allowed_numbers,
    "vip": vip_numbers,
    "do_not_call": do_not_call,
}

_NOTIFY: Final = text("select pg_notify(:channel, '')")


async def forget_numbers(connection: AsyncConnection, numbers: Collection[str]) -> dict[str, int]:
    """Take these numbers (as stored) off the lists, in the caller's transaction; tells how many stood on which.

    They go from earlier versions of the directory, too. A directory file that still has them brings them back at its
    next `apply`.
    """
    gone = {
        name: (await connection.execute(delete(table).where(table.c.number.in_(numbers)))).rowcount
        for name, table in LISTS.items()
    }
    await versions.forget(connection, numbers)
    if any(gone.values()):
        await connection.execute(_NOTIFY, {"channel": CHANNEL})
    return {name: count for name, count in gone.items() if count}
