"""The directory's past: each state that it was ever brought to, who did so, and what that changed."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, String, cast, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from directory.difference import difference
from directory.file import DirectoryError, dump, loads, plain_directory
from directory.model import EMPTY, Directory
from directory.tables import directory_versions as table

SERVICE: Final = "switchhook"
"""Who changed what was changed besides: a number that was blocked with its lead, or an erasure."""

LISTS: Final = ("blocked", "allowed", "vip", "do_not_call")
"""The sections that hold numbers of people outside."""

_KEY_WORDS: Final = 2

# What a version changed tells which line went with it, and the version before what that line was.
GIVEN_UP: Final = """
    select distinct on (number) number, teams.key as team, had.source
    from directory_versions as gone cross join unnest(gone.changes) as change
    cross join lateral (select split_part(change, ' ', 3) as number) as line
    join directory_versions as earlier on earlier.version = gone.version - 1
    cross join lateral (
        select entry ->> 'team' as team, coalesce(nullif(entry ->> 'campaign', ''), entry ->> 'name') as source
        from json_array_elements(earlier.file -> 'lines') as lines (entry)
        where entry ->> 'number' = number) as had left join teams on teams.key = had.team
    where change like '- line %' and not exists (select from lines where lines.number = line.number)
    order by number, gone.version desc
"""
"""Of each line that was given up, in SQL: the team that it had last, where there is that team still, and its source."""


@dataclass(frozen=True, slots=True)
class Version:
    """One state of the directory: `changes` are what it changed of the one before, `file` holds it as a file does."""

    version: int
    at: datetime
    by: str
    changes: tuple[str, ...]
    file: dict[str, Any]

    def text(self) -> str:
        """The state as a file."""
        return dump(self.file)

    def directory(self) -> Directory:
        """The state as a directory. Raises DirectoryError where what was right then is not any more."""
        return loads(self.text(), f"version {self.version}")


async def keep(connection: AsyncConnection, before: Directory, after: Directory, by: str) -> int:
    """Keep a new state with who brought it about, and before it what was changed without a version; give its number."""
    last = await newest(connection)
    number = last.version if last is not None else 0
    if last is None and before != EMPTY:
        number = await _add(connection, number, SERVICE, (), before)
    elif last is not None and last.file != _plain(before):
        number = await _add(connection, number, SERVICE, _since(last, before), before)
    return await _add(connection, number, by, tuple(difference(before, after)), after)


async def newest(connection: AsyncConnection) -> Version | None:
    """Read the last version; None when there is none yet."""
    row = (await connection.execute(select(table).order_by(table.c.version.desc()).limit(1))).first()
    return None if row is None else _version(row)


async def number_of_newest(connection: AsyncConnection) -> int:
    """Read the number of the last version, 0 for none."""
    return await connection.scalar(select(func.coalesce(func.max(table.c.version), 0))) or 0


async def find(connection: AsyncConnection, version: int) -> Version | None:
    """Read one version."""
    row = (await connection.execute(select(table).where(table.c.version == version))).one_or_none()
    return None if row is None else _version(row)


async def listed(connection: AsyncConnection, most: int, before: int | None = None) -> Sequence[Any]:
    """Read the newest versions (number, at, by, changes), those before a number."""
    asked = select(table.c.version, table.c.at, table.c.by, table.c.changes).order_by(table.c.version.desc())
    if before is not None:
        asked = asked.where(table.c.version < before)
    return (await connection.execute(asked.limit(most))).all()


async def since(connection: AsyncConnection, version: int, most: int) -> Sequence[Any]:
    """Read what came after a version (number, at, by, changes), the newest first, at most so many."""
    asked = select(table.c.version, table.c.at, table.c.by, table.c.changes).where(table.c.version > version)
    return (await connection.execute(asked.order_by(table.c.version.desc()).limit(most))).all()


async def forget(connection: AsyncConnection, numbers: Collection[str]) -> None:
    """Take these numbers off the lists of every version, and what stood beside them out of what versions changed."""
    mentions = [
        column.contains(number, autoescape=True)
        for number in numbers
        for column in (cast(table.c.file, String), func.array_to_string(table.c.changes, "\n"))
    ]
    if not mentions:
        return
    for row in (await connection.execute(select(table).where(or_(*mentions)))).all():
        file = {name: _without(told, numbers) if name in LISTS else told for name, told in row.file.items()}
        told = {"file": file, "changes": [_forgotten(line, numbers) for line in row.changes]}
        await connection.execute(update(table).where(table.c.version == row.version).values(told))


async def _add(connection: AsyncConnection, last: int, by: str, changes: Sequence[str], directory: Directory) -> int:
    row = {"version": last + 1, "by": by, "changes": list(changes), "file": _plain(directory)}
    await connection.execute(insert(table).values(row))
    return last + 1


def _since(last: Version, now: Directory) -> tuple[str, ...]:
    try:
        return tuple(difference(last.directory(), now))
    except DirectoryError:
        return ()


def _plain(directory: Directory) -> dict[str, Any]:
    """A directory as JSON gives it back: lists, and no tuples."""
    told: dict[str, Any] = json.loads(json.dumps(plain_directory(directory)))
    return told


def _version(row: Row[Any]) -> Version:
    return Version(row.version, row.at, row.by, tuple(row.changes), row.file)


def _without(entries: list[dict[str, Any]], numbers: Collection[str]) -> list[dict[str, Any]]:
    return [entry for entry in entries if entry.get("number") not in numbers]


def _forgotten(line: str, numbers: Collection[str]) -> str:
    if not any(number in line for number in numbers):
        return line
    return " ".join([*(word.rstrip(":") for word in line.split()[:_KEY_WORDS]), "erased"])
