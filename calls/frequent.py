"""Whether many rows meet a condition, as the newest of a table and its size tell."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Table, column, func, select, table
from sqlalchemy.ext.asyncio import AsyncConnection

SAMPLE: Final = 200
"""Rows that came last, which are looked at."""

SURELY: Final = 3
"""So many times more than asked for there must seem to be, for the newest are not quite like all."""

_SIZES: Final = table("pg_class", column("oid"), column("reltuples"))


async def are_many(
    connection: AsyncConnection, rows: Table, has: ColumnElement[bool], more_than: int, *, by: Column[Any]
) -> bool:
    """Whether more than so many rows seem to meet a condition; `by` grows with time.

    An index looks up all of them before it gives the first, and of many that takes long. It is a guess: whoever asks
    chooses their way by it, and nothing that they find.
    """
    (key,) = rows.primary_key
    newest = select(key).order_by(by.desc()).limit(SAMPLE)
    size = select(_SIZES.c.reltuples).where(_SIZES.c.oid == func.to_regclass(rows.name)).scalar_subquery()
    met, every = (await connection.execute(select(func.count(), size).where(key.in_(newest), has))).one()
    return bool(met * every > SURELY * more_than * SAMPLE)
