"""Looks for traces of a person: in every table of every schema, and in every file of some folders."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.events import Event
from calls.forgetting import pattern

_TABLES = """
select quote_ident(table_schema) || '.' || quote_ident(table_name) from information_schema.tables
where table_schema not in ('pg_catalog', 'information_schema') and table_type = 'BASE TABLE' order by 1
"""


async def traces_in_tables(engine: AsyncEngine, digits: str, words: Iterable[str]) -> dict[str, int]:
    """How many rows of which tables hold the number, in any spelling, or one of the words, in any column."""
    sought = "|".join([pattern(digits), *words])
    found: dict[str, int] = {}
    async with engine.connect() as connection:
        tables = (await connection.execute(text(_TABLES))).scalars().all()
        assert len(tables) > 40  # all rooms' and the job queue's
        for table in tables:
            asked = text(f"select count(*) from {table} as one where cast(one as text) ~* :sought")
            count = (await connection.execute(asked, {"sought": sought})).scalar_one()
            if count:
                found[table] = count
    return found


def traces_in_files(folders: Iterable[Path], digits: str, words: Iterable[str]) -> list[Path]:
    """Which files hold the number's digits, or one of the words, in what they say or in their names."""
    sought = [digits.encode(), *(word.encode() for word in words)]
    files = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
    return [file for file in files if any(one in str(file).encode() + file.read_bytes() for one in sought)]


def digest(event: Event) -> bytes:
    """By what a stored event is known: whoever guesses it right has proof, so it is a trace too."""
    return hashlib.sha256(msgspec.json.encode(event)).digest()
