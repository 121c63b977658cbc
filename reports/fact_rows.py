"""Asks the database for day facts and for their sums (`listing`: for the things behind a number)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, Table, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from reports.facts import Dimension, Fact, Sums
from reports.periods import Period
from reports.registry import COUNT_OF
from reports.report import Audience
from reports.tables import report_days, report_facts, report_hours
from reports.things import asked, question, things

AT_ONCE: Final = 2000
"""So many rows are taken from the database at a time."""

_STRANGERS: Final = """
    select distinct on (line) line, extension from (
        select told.line, coalesce(nullif(legs.number, ''), legs.device) as extension, count(*) as calls
        from ({things}) as told join legs on legs.call_id = told.call_id
        where told.person = '' and legs.person is null and legs.answered_at is not null
        group by 1, 2) as found
    order by line, calls desc, extension
"""


@dataclass(frozen=True, slots=True)
class Counted:
    """As of when the last day is counted (None: none is), and how many days wait to be counted anew."""

    at: datetime | None
    days_waiting: int


@dataclass(frozen=True, slots=True)
class CountedDay:
    """A day, and as of when it is counted."""

    day: date
    at: datetime


async def read_facts(
    connection: AsyncConnection, first: date, last: date, *, counts: Collection[str] | None = None
) -> list[Fact]:
    """The facts of these days, both counted; `counts` None: of all."""
    where = _where(report_facts, first, last, counts)
    return [Fact(*row) async for rows in _rows(connection, select(report_facts).where(*where)) for row in rows]


async def read_facts_of(connection: AsyncConnection, days: Collection[date], counts: Collection[str]) -> list[Fact]:
    """The facts of these days alone, of the house."""
    where = (report_facts.c.day.in_(days), report_facts.c["count"].in_(sorted(counts)))
    return [Fact(*row) async for rows in _rows(connection, select(report_facts).where(*where)) for row in rows]


async def read_hours(
    connection: AsyncConnection, first: date, last: date, *, counts: Collection[str] | None = None
) -> list[Fact]:
    """The same by the hour, of what is kept so; facts by hour are nobody's."""
    where = _where(report_hours, first, last, counts)
    return [
        Fact(day, count, team, line, "", "", value, hour)
        async for rows in _rows(connection, select(report_hours).where(*where))
        for day, count, team, line, hour, value in rows
    ]


async def read_sums(
    connection: AsyncConnection,
    periods: Sequence[Period],
    counts: Collection[str],
    audience: Audience,
    *,
    hourly: bool = False,
    passed: float = 1.0,
) -> list[Sums]:
    """The facts of an audience, or those by the hour, added up by periods; by the hour there are none for a person.

    `passed`: which share of the last day of each counts, but for that of the first period.
    """
    if hourly and audience.kind == "person":
        return []
    table = report_hours if hourly else report_facts
    keys = [table.c[name] for name in ("count", "team", "line", *(("hour",) if hourly else ("person", "detail")))]
    within = [table.c.day.between(one.first, one.last) for one in periods]
    cut = table.c.day.in_([one.last for one in periods[1:]])
    value = case((cut, table.c.value * passed), else_=table.c.value) if passed < 1 else table.c.value
    values = [func.coalesce(func.sum(value).filter(one), 0.0) for one in within]
    first, last = min(one.first for one in periods), max(one.last for one in periods)
    asked = select(*keys, *values).where(*_where(table, first, last, counts, audience), or_(*within)).group_by(*keys)
    return [_sums(row, hourly=hourly) async for rows in _rows(connection, asked) for row in rows]


async def sums(
    connection: AsyncConnection,
    first: date,
    last: date,
    by: Sequence[Dimension] = (),
    counts: Collection[str] | None = None,
    audience: Audience | None = None,
) -> dict[tuple[Any, ...], float]:
    """(count, what `by` names, in its order) -> the sum of these days, both counted."""
    keys = [report_facts.c["count"], *(report_facts.c[name] for name in by)]
    where = _where(report_facts, first, last, counts, audience)
    rows = await connection.execute(select(*keys, func.sum(report_facts.c.value)).where(*where).group_by(*keys))
    return {tuple(row[:-1]): row[-1] for row in rows}


async def strangers(connection: AsyncConnection, first: date, last: date, zone: str) -> dict[str, str]:
    """By line the extension, or device without one, that is nobody's and answered most of its calls of these days."""
    answered = COUNT_OF["answered"]
    sql = _STRANGERS.format(things=things(answered))
    rows = await connection.execute(question(sql), asked(answered, zone, first, last, datetime.now(UTC)))
    return dict(tuple(row) for row in rows)


async def built(connection: AsyncConnection, periods: Collection[Period] = ()) -> Counted:
    """How far days are counted; `periods`: only of their days it is told how many wait, without any of all."""
    waiting = select(func.count()).where(report_days.c.waiting)
    if periods:
        waiting = waiting.where(or_(*(report_days.c.day.between(one.first, one.last) for one in periods)))
    return Counted(await counted_at(connection), (await connection.execute(waiting)).scalar_one())


async def last_counted(connection: AsyncConnection, first: date, last: date) -> CountedDay | None:
    """The last of these days, both counted in, that is counted; None: none is."""
    days = report_days.c
    found = select(days.day, days.built_at).where(days.day.between(first, last), days.built_at.is_not(None))
    row = (await connection.execute(found.order_by(days.day.desc()).limit(1))).one_or_none()
    return CountedDay(*row) if row else None


async def counted_at(connection: AsyncConnection, last: date = date.max) -> datetime | None:
    """As of when the last of the days that were counted is, `last` at most."""
    found = select(report_days.c.built_at).where(report_days.c.day <= last, report_days.c.built_at.is_not(None))
    at: datetime | None = (await connection.execute(found.order_by(report_days.c.day.desc()).limit(1))).scalar()
    return at


def _sums(row: Sequence[Any], *, hourly: bool) -> Sums:
    if hourly:
        count, team, line, hour, *values = row
        return Sums(count, team, line, "", "", tuple(values), hour)
    count, team, line, person, detail, *values = row
    return Sums(count, team, line, person, detail, tuple(values))


async def _rows(connection: AsyncConnection, asked: Select[Any]) -> AsyncIterator[Sequence[Any]]:
    """Rows, which may be hundreds of thousands, some at a time: nothing else waits long meanwhile."""
    found = await connection.stream(asked)
    async for rows in found.partitions(AT_ONCE):
        yield rows


def _where(
    table: Table, first: date, last: date, counts: Collection[str] | None, audience: Audience | None = None
) -> list[ColumnElement[bool]]:
    where = [table.c.day >= first, table.c.day <= last]
    if counts is not None:
        where.append(table.c["count"].in_(sorted(counts)))
    if audience is not None and audience.kind != "house":
        where.append(table.c[audience.kind] == audience.key)
    return where
