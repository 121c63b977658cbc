"""Reads a period of a CEL table in PostgreSQL: cel_pgsql's or cel_odbc's, or a table of the customer's own.

Nothing is ever written there, and a period comes in bounded pieces. Columns may have any of Asterisk's spellings. The
time may be a timestamp, text, or epoch seconds; Asterisk writes dates by its own clock's zone and without saying so
(seen on Asterisk 22.10: cel_pgsql), so the zone is told by the channels, whose uniqueids begin with an epoch second.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from telephony import cel
from telephony.cel_file import Row
from telephony.tape import clock_zone
from telephony.told import moment

TABLE: Final = r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?$"
"""What a table may be called: a name, or a schema and a name."""

_CHUNK: Final = 100
_LAST: Final = 300
_WANTED: Final = ("eventtype", "eventtime", "uniqueid", "linkedid")
_COLUMNS = text(
    """
    select attname as name, format_type(atttypid, null) as kind from pg_attribute
    where attrelid = to_regclass(:table) and attnum > 0 and not attisdropped order by attnum
    """
)
_INDEXED = text(
    """
    select exists (
        select from pg_index join pg_attribute on attrelid = indrelid and attnum = indkey[0]
        where indrelid = to_regclass(:table) and attname = :column)
    """
)
_NUMBERS: Final = ("smallint", "integer", "bigint", "real", "double precision", "numeric")


class CelTableError(Exception):
    """The table cannot be read as CEL; the text is one line that names the setting."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The table's columns that tell something, by our names; `kind` is PostgreSQL's type of the time."""

    by_name: Mapping[str, str]
    kind: str

    @property
    def time(self) -> str:
        """The time's column."""
        return self.by_name["eventtime"]


class CelTable:
    """The table `table` in the database of `engine`."""

    def __init__(self, engine: AsyncEngine, table: str) -> None:
        if not re.match(TABLE, table):
            raise ValueError(f"cel_table: must be a name or SCHEMA.NAME, got {table!r}")
        self.engine = engine
        self.table = table

    async def rows(self, since: datetime, until: datetime) -> AsyncIterator[list[Row]]:
        """The rows from `since` to `until` (aware, both included), in the order of time, in bounded pieces.

        Raises CelTableError, also when the database cannot be reached, and what the database raises.
        """
        try:
            async for some in self._rows(since, until):
                yield some
        except OSError as error:  # of a socket, which names nothing
            raise CelTableError(f"cel_url: the database cannot be reached: {error.strerror or error}") from error

    async def _rows(self, since: datetime, until: datetime) -> AsyncIterator[list[Row]]:
        async with self.engine.connect() as connection:
            await connection.execution_options(postgresql_readonly=True)
            columns = await self.columns(connection)
            zone = await self._zone(connection, columns)
            listed = ", ".join(f'"{column}" as "{name}"' for name, column in columns.by_name.items())
            period = text(
                f'select {listed} from {self.table} where "{columns.time}" between :since and :until'  # noqa: S608 - checked names
                f' order by "{columns.time}"'
            )
            bounds = {"since": _bound(since, columns.kind, zone), "until": _bound(until, columns.kind, zone)}
            found = await connection.stream(period, bounds)
            async for some in found.mappings().partitions(_CHUNK):
                yield [_row(one, zone) for one in some]

    async def columns(self, connection: AsyncConnection) -> Columns:
        """The columns that tell something. Raises CelTableError."""
        there = (await connection.execute(_COLUMNS, {"table": self.table})).all()
        if not there:
            raise CelTableError(f"cel_table: there is no table {self.table!r}, or it may not be seen")
        by_name: dict[str, str] = {}
        kinds = {}
        for row in there:
            by_name.setdefault(cel.spelling(row.name), row.name)
            kinds[row.name] = row.kind
        by_name.pop("", None)
        lacking = [name for name in _WANTED if name not in by_name]
        if lacking or any('"' in name for name in by_name.values()):
            raise CelTableError(f"cel_table: {self.table!r} has no column {', '.join(lacking)}")
        return Columns(by_name, kinds[by_name["eventtime"]])

    async def is_indexed(self, connection: AsyncConnection, columns: Columns) -> bool:
        """Whether an index begins with the time; without one each reading goes through the whole table."""
        asked = {"table": self.table, "column": columns.time}
        return bool((await connection.execute(_INDEXED, asked)).scalar())

    async def newest(self, connection: AsyncConnection, columns: Columns) -> datetime | None:
        """The time of the newest row, None for none."""
        zone = await self._zone(connection, columns)
        newest = text(f'select max("{columns.time}") from {self.table}')  # noqa: S608 - checked names
        return _moment((await connection.execute(newest)).scalar(), zone)

    async def last_rows(self, connection: AsyncConnection, columns: Columns) -> list[Row]:
        """The last rows by time, some hundred."""
        listed = ", ".join(f'"{column}" as "{name}"' for name, column in columns.by_name.items())
        asked = text(f'select {listed} from {self.table} order by "{columns.time}" desc limit {_LAST}')  # noqa: S608 - checked names
        found = (await connection.execute(asked)).mappings().all()
        return [{name: _plain(value) for name, value in row.items()} for row in found]

    async def _zone(self, connection: AsyncConnection, columns: Columns) -> tzinfo:
        """The zone of the PBX's dates, as the newest channels give it away."""
        if columns.kind in _NUMBERS:
            return UTC
        kind, at, channel = (columns.by_name[name] for name in ("eventtype", "eventtime", "uniqueid"))
        begun = text(
            f'select "{kind}" as eventtype, "{at}" as eventtime, "{channel}" as uniqueid from {self.table}'  # noqa: S608 - checked names
            f""" where cast("{kind}" as text) in ('CHAN_START', '1') order by "{at}" desc limit 20"""
        )
        found = (await connection.execute(begun)).mappings().all()
        return clock_zone([{name: _plain(value) for name, value in row.items()} for row in found])


def _bound(at: datetime, kind: str, zone: tzinfo) -> Any:
    """A moment as the time's column has it."""
    if kind in _NUMBERS:
        return at.timestamp() if kind in {"real", "double precision"} else int(at.timestamp())
    local = at.astimezone(zone).replace(tzinfo=None)
    match kind:
        case "timestamp without time zone":
            return local
        case "timestamp with time zone":
            return local.replace(tzinfo=UTC)
        case _:
            return f"{local:%Y-%m-%d %H:%M:%S.%f}"


def _row(told: Mapping[Any, Any], zone: tzinfo) -> Row:
    row = {name: _plain(value) for name, value in told.items() if value is not None}
    at = _moment(told["eventtime"], zone)
    return row | {"eventtime": at.isoformat() if at else ""}


def _moment(value: Any, zone: tzinfo) -> datetime | None:
    if isinstance(value, datetime):
        # A date with a zone was made one by the database, which took the PBX's local time for its own.
        return (value - (zone.utcoffset(None) or timedelta())).replace(tzinfo=UTC)
    return moment(_plain(value), zone)


def _plain(value: Any) -> str:
    """A value as cel_custom would have written it."""
    if value is None:
        return ""
    return (
        value.isoformat() if isinstance(value, datetime) else f"{value:f}" if isinstance(value, float) else str(value)
    )
