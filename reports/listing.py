"""Asks the database for the things behind a number, and how many they are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from directory import store
from reports.fact_rows import counted_at
from reports.links import NONE
from reports.registry import COUNT_OF
from reports.things import asked, needs_quiet, question, quiet, things

Place = tuple[datetime, str]
"""Of a thing in its list, newest first: what is asked `after` begins behind it. Of leads and promises that stand at
the end of a day that is the order of their ids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What a list is of: a count, on the days `first` to `last`, both counted; an empty filter asks for all.

    `lines`: of any of these; None: of all. `hour` is of the zone, which is the company's.
    """

    count: str
    first: date
    last: date
    zone: str
    team: str = ""
    line: str = ""
    lines: Collection[str] | None = None
    person: str = ""
    detail: str = ""
    hour: int | None = None


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


_COLUMNS: Final = {
    **{name: name for name in ("team", "line", "person", "detail")},
    "hour": "cast(extract(hour from timezone(:zone, at)) as int)",
}
_PLACED: Final = """
    select things.*, concat_ws(' ', lpad(cast(coalesce(lead_id, promise_id) as text), 19, '0'), call_id, person, detail)
        as place
    from ({things}) as things where {where}
"""


async def items(
    connection: AsyncConnection, listed: Listed, *, after: Place | None = None, limit: int = 200
) -> list[Thing]:
    """What a number is made of, the newest first. Raises KeyError for no such count."""
    told, parameters = await _behind(connection, listed)
    below = "where (at, place) < (:after_at, :after_place)" if after else ""
    if after:
        parameters |= {"after_at": after[0], "after_place": after[1]}
    sql = f"select * from ({told}) as told {below} order by at desc, place desc limit :limit"  # noqa: S608
    rows = await connection.execute(question(sql), parameters | {"limit": limit})
    return [_thing(row) for row in rows]


async def every_item(connection: AsyncConnection, listed: Listed, *, at_once: int = 500) -> AsyncIterator[list[Thing]]:
    """All of the same in that order, some at a time, asked for once however many there are. Raises KeyError."""
    told, parameters = await _behind(connection, listed)
    sql = f"select * from ({told}) as told order by at desc, place desc"  # noqa: S608 - of our own text
    found = await connection.stream(question(sql), parameters)
    async for rows in found.partitions(at_once):
        yield [_thing(row) for row in rows]


async def count_items(connection: AsyncConnection, listed: Listed) -> tuple[int, float]:
    """How many things a number is made of, and the number: the sum of their values. Raises KeyError."""
    told, parameters = await _behind(connection, listed)
    sql = f"select count(*), coalesce(sum(value), 0) from ({told}) as told"  # noqa: S608 - of our own text
    row = (await connection.execute(question(sql), parameters)).one()
    return row[0], row[1]


async def _behind(connection: AsyncConnection, listed: Listed) -> tuple[str, dict[str, Any]]:
    """The question for the things, and its parameters; what stands now stands as of when it was counted."""
    one, first, last = COUNT_OF[listed.count], listed.first, listed.last
    now = await counted_at(connection, last) or datetime.now(UTC)
    parameters = asked(one, listed.zone, first, last, now) | {"zone": listed.zone}
    if needs_quiet(one):
        parameters["quiet"] = quiet(await store.read(connection), first, last, now)
    filters = {name: value for name in _COLUMNS if (value := getattr(listed, name)) not in {"", None}}
    parameters |= {f"only_{name}": "" if value == NONE else value for name, value in filters.items()}
    conditions = [f"{_COLUMNS[name]} = :only_{name}" for name in filters]
    if listed.lines is not None:
        conditions.append("line = any(cast(:only_lines as text[]))")
        parameters["only_lines"] = sorted(listed.lines)
    where = " and ".join(conditions) or "true"
    return _PLACED.format(things=things(one), where=where), parameters


def _thing(row: Any) -> Thing:
    told = {name: getattr(row, name) for name in Thing.__slots__ if name != "place"}
    return Thing(**told, place=(row.at, row.place))
