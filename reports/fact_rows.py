"""Asks the database for day facts, for their sums, and for the things behind a number."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Table, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from directory import store
from reports.facts import Dimension, Fact
from reports.links import NONE
from reports.periods import Period
from reports.registry import COUNT_OF
from reports.report import Audience
from reports.tables import report_days, report_facts, report_hours
from reports.things import asked, needs_quiet, question, quiet, things

Place = tuple[datetime, str]
"""Of a thing in its list, newest first: what is asked `after` begins behind it."""


_STRANGERS: Final = """
    select distinct on (line) line, extension from (
        select told.line, coalesce(nullif(legs.number, ''), legs.device) as extension, count(*) as calls
        from ({things}) as told join legs on legs.call_id = told.call_id
        where told.person = '' and legs.person is null and legs.answered_at is not null
        group by 1, 2) as found
    order by line, calls desc, extension
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """One thing that a number counts: its moment, its ids, whose it is, and its share of the number."""

    at: datetime
    call_id: UUID | None
    lead_id: int | None
    promise_id: int | None
    team: str
    line: str
    person: str
    detail: str
    value: float
    place: Place


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
    connection: AsyncConnection,
    first: date,
    last: date,
    *,
    counts: Collection[str] | None = None,
    audience: Audience | None = None,
) -> list[Fact]:
    """The facts of these days, both counted; `counts` None: of all, `audience` None: of the house."""
    rows = await connection.execute(
        select(report_facts).where(*_where(report_facts, first, last, counts, audience)).order_by(report_facts.c.day)
    )
    return [Fact(*row) for row in rows]


async def read_hours(
    connection: AsyncConnection,
    first: date,
    last: date,
    *,
    counts: Collection[str] | None = None,
    audience: Audience | None = None,
) -> list[Fact]:
    """The same by the hour; facts by hour are nobody's, so that there are none for a person."""
    if audience is not None and audience.kind == "person":
        return []
    rows = await connection.execute(
        select(report_hours).where(*_where(report_hours, first, last, counts, audience)).order_by(report_hours.c.day)
    )
    return [Fact(day, count, team, line, "", "", value, hour) for day, count, team, line, hour, value in rows]


async def sums(
    connection: AsyncConnection,
    first: date,
    last: date,
    by: Sequence[Dimension] = (),
    counts: Collection[str] | None = None,
    audience: Audience | None = None,
) -> dict[tuple[Any, ...], float]:
    """(count, what `by` names, in its order) -> the sum of these days, both counted; hours only without people."""
    table = report_hours if "hour" in by else report_facts
    keys = [table.c["count"], *(table.c[name] for name in by)]
    rows = await connection.execute(
        select(*keys, func.sum(table.c.value)).where(*_where(table, first, last, counts, audience)).group_by(*keys)
    )
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
    return Counted(await _counted_at(connection), (await connection.execute(waiting)).scalar_one())


async def last_counted(connection: AsyncConnection, first: date, last: date) -> CountedDay | None:
    """The last of these days, both counted in, that is counted; None: none is."""
    days = report_days.c
    found = select(days.day, days.built_at).where(days.day.between(first, last), days.built_at.is_not(None))
    row = (await connection.execute(found.order_by(days.day.desc()).limit(1))).one_or_none()
    return CountedDay(*row) if row else None


async def items(  # noqa: PLR0913  # what is asked of a list
    connection: AsyncConnection,
    count: str,
    first: date,
    last: date,
    *,
    zone: str,
    team: str = "",
    line: str = "",
    lines: Collection[str] | None = None,
    person: str = "",
    detail: str = "",
    hour: int | None = None,
    after: Place | None = None,
    limit: int = 200,
) -> list[Thing]:
    """What a number of these days, both counted, is made of, the newest first; an empty filter asks for all.

    `lines`: of any of these; None: of all. Raises KeyError for no such count.
    """
    only = {"team": team, "line": line, "person": person, "detail": detail, "hour": hour}
    told, parameters = await _behind(connection, count, first, last, zone, only, lines)
    below = "where (at, place) < (:after_at, :after_place)" if after else ""
    if after:
        parameters |= {"after_at": after[0], "after_place": after[1]}
    sql = f"select * from ({told}) as told {below} order by at desc, place desc limit :limit"  # noqa: S608
    rows = await connection.execute(question(sql), parameters | {"limit": limit})
    return [_thing(row) for row in rows]


async def every_item(  # noqa: PLR0913  # as above
    connection: AsyncConnection,
    count: str,
    first: date,
    last: date,
    *,
    zone: str,
    team: str = "",
    line: str = "",
    lines: Collection[str] | None = None,
    person: str = "",
    detail: str = "",
    hour: int | None = None,
    at_once: int = 500,
) -> AsyncIterator[list[Thing]]:
    """All of the same in that order, some at a time, asked for once however many there are. Raises KeyError."""
    only = {"team": team, "line": line, "person": person, "detail": detail, "hour": hour}
    told, parameters = await _behind(connection, count, first, last, zone, only, lines)
    sql = f"select * from ({told}) as told order by at desc, place desc"  # noqa: S608 - of our own text
    found = await connection.stream(question(sql), parameters)
    async for rows in found.partitions(at_once):
        yield [_thing(row) for row in rows]


async def count_items(  # noqa: PLR0913  # as above
    connection: AsyncConnection,
    count: str,
    first: date,
    last: date,
    *,
    zone: str,
    team: str = "",
    line: str = "",
    lines: Collection[str] | None = None,
    person: str = "",
    detail: str = "",
    hour: int | None = None,
) -> tuple[int, float]:
    """How many things a number is made of, and the number: the sum of their values. Raises KeyError."""
    only = {"team": team, "line": line, "person": person, "detail": detail, "hour": hour}
    told, parameters = await _behind(connection, count, first, last, zone, only, lines)
    sql = f"select count(*), coalesce(sum(value), 0) from ({told}) as told"  # noqa: S608 - of our own text
    row = (await connection.execute(question(sql), parameters)).one()
    return row[0], row[1]


_COLUMNS: Final = {name: name for name in ("team", "line", "person", "detail")}
_PLACED: Final = """
    select things.*, concat_ws(' ', call_id, lead_id, promise_id, person, detail) as place
    from ({things}) as things where {where}
"""


async def _behind(  # as above
    connection: AsyncConnection,
    count: str,
    first: date,
    last: date,
    zone: str,
    only: Mapping[str, str | int | None],
    lines: Collection[str] | None,
) -> tuple[str, dict[str, Any]]:
    """The question for the things, and its parameters; what stands now stands as of when it was counted."""
    one = COUNT_OF[count]
    now = await _counted_at(connection, last) or datetime.now(UTC)
    parameters = asked(one, zone, first, last, now) | {"zone": zone}
    if needs_quiet(one):
        parameters["quiet"] = quiet(await store.read(connection), first, last, now)
    columns = _COLUMNS | {"hour": "cast(extract(hour from timezone(:zone, at)) as int)"}
    filters = {name: value for name, value in only.items() if value not in {"", None}}
    parameters |= {f"only_{name}": "" if value == NONE else value for name, value in filters.items()}
    conditions = [f"{columns[name]} = :only_{name}" for name in filters]
    if lines is not None:
        conditions.append("line = any(cast(:only_lines as text[]))")
        parameters["only_lines"] = sorted(lines)
    where = " and ".join(conditions) or "true"
    return _PLACED.format(things=things(one), where=where), parameters


async def _counted_at(connection: AsyncConnection, last: date = date.max) -> datetime | None:
    """As of when the last of the days that were counted is, `last` at most."""
    found = select(report_days.c.built_at).where(report_days.c.day <= last, report_days.c.built_at.is_not(None))
    at: datetime | None = (await connection.execute(found.order_by(report_days.c.day.desc()).limit(1))).scalar()
    return at


def _where(
    table: Table, first: date, last: date, counts: Collection[str] | None, audience: Audience | None
) -> list[ColumnElement[bool]]:
    where = [table.c.day >= first, table.c.day <= last]
    if counts is not None:
        where.append(table.c["count"].in_(sorted(counts)))
    if audience is not None and audience.kind != "house":
        where.append(table.c[audience.kind] == audience.key)
    return where


def _thing(row: Any) -> Thing:
    told = {name: getattr(row, name) for name in Thing.__slots__ if name != "place"}
    return Thing(**told, place=(row.at, row.place))
