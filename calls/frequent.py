"""Looks up all rows that meet a condition, unless they are frequent: as the newest of a table and its size tell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Table, and_, column, func, not_, select, table
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

SAMPLE: Final = 100
"""Rows that came last, which are looked at first."""

LEAST: Final = 3
"""So many of them must have it: of a large table one or two would tell of thousands, and be chance."""

SURELY: Final = 3
"""So many times more than asked for there must seem to be, for the newest are not quite like all."""

_SIZES: Final = table("pg_class", column("oid"), column("reltuples"))


async def keys_of_few(
    connection: AsyncConnection, rows: Table, has: ColumnElement[bool], most: int, *, by: Column[Any]
) -> Sequence[Any] | None:
    """The keys of all rows that meet a condition; None: they are more than `most`, or seem to be. `by` grows with time.

    An index looks up all of them before it gives the first, and of what is frequent that takes long. That it seems so
    is a guess: by it a way is chosen, and nothing that is found.
    """
    (key,) = rows.primary_key
    newest = select(key).order_by(by.desc()).limit(SAMPLE)
    size = select(_SIZES.c.reltuples).where(_SIZES.c.oid == func.to_regclass(rows.name)).scalar_subquery()
    many = and_(func.count() >= LEAST, func.count() * size > SURELY * most * SAMPLE)
    seen = select(many.label("frequent")).where(key.in_(newest), has)
    # Once in the statement, before all else: where it is true the index is not asked.
    frequent = select(seen.cte("seen").c.frequent).scalar_subquery()
    found = select(key).where(not_(frequent), has).limit(most + 1).scalar_subquery()
    is_frequent, keys = (await connection.execute(select(frequent, func.array(found, type_=ARRAY(key.type))))).one()
    return None if is_frequent or len(keys) > most else keys
