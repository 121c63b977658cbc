"""What many rows have is met soon among those that came last, without reading all that have it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final, TypeVar

from sqlalchemy import BigInteger, Column, ColumnElement, and_, any_, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.frequent import keys_of_few

FEW: Final = 1000
"""Rows that are looked up at once."""

LATELY: Final = 4000
"""Rows that came last."""

Id = TypeVar("Id")


def one_of(id_: ColumnElement[int], ids: Sequence[int]) -> ColumnElement[bool]:
    """The same statement however many there are: PostgreSQL knows it again."""
    return id_ == any_(literal(list(ids), ARRAY(BigInteger)))


async def few_with(
    connection: AsyncConnection, id_: ColumnElement[Id], has: ColumnElement[bool]
) -> Sequence[Id] | None:
    """The rows that meet a condition, None when they are more than FEW."""
    few = (await connection.execute(select(id_).where(has).limit(FEW + 1))).scalars().all()
    return few if len(few) <= FEW else None


async def few_of(connection: AsyncConnection, id_: Column[int], has: ColumnElement[bool]) -> Sequence[int] | None:
    """The same of a table whose greater ids are newer: what is frequent among the newest is not looked up."""
    return await keys_of_few(connection, id_.table, has, FEW, by=id_)


async def lately(connection: AsyncConnection, id_: ColumnElement[int]) -> ColumnElement[bool]:
    """The condition that a row is one of the last. Its number is asked for first: by it the planner knows how few."""
    last = (await connection.execute(select(func.max(id_)))).scalar_one()
    return id_ > last - LATELY


async def stages(
    connection: AsyncConnection, id_: Column[int], has: ColumnElement[bool]
) -> AsyncIterator[ColumnElement[bool]]:
    """Conditions to ask with one after the other, until enough is found, for the newest rows that meet `has`.

    The rows themselves when they are few; else those that came last, then all. The greater an id, the newer the row.
    """
    few = await few_of(connection, id_, has)
    if few is None:
        yield and_(has, await lately(connection, id_))
        yield has
    elif few:
        yield one_of(id_, few)
