"""The database: there, new enough, with what our schema and our searches need. All that stands in it comes after."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.database import connect
from directory.store import read as read_directory
from service.database import status
from service.doctor.check import Check
from service.doctor.look import Known
from service.settings import Settings
from service.wiring import open_database

NAMES: Final = ("database", "database version", "schema", "extensions", "database locale")

OLDEST: Final = 15
"""PostgreSQL's oldest version that our statements run on."""

_EXTENSIONS: Final = ("pg_trgm",)
_POOL: Final = 3
_SECONDS: Final = 60.0
"""The embedded server may have to start, and to read its log again."""

_INSTALLED = text("select extname from pg_extension where extname = any(cast(:names as text[]))")
_CYRILLIC = text("select lower('Ж') = 'ж'")


async def open_known(settings: Settings, stack: AsyncExitStack) -> tuple[list[Check], Known | None]:
    """(the checks of the database, what is known by it); None: nothing may be asked of it. It ends with `stack`."""
    checks: list[Check] = []
    try:
        async with asyncio.timeout(_SECONDS):
            known = await _look(settings, stack, checks)
    except Exception as error:  # noqa: BLE001  # drivers, sockets and the embedded server raise what they like
        first = (str(error).splitlines() or [""])[0]
        checks.append(Check("database", "fail", f"{type(error).__name__}: {first}", "check database_url"))
        return checks, None
    return checks, known


async def _look(settings: Settings, stack: AsyncExitStack, checks: list[Check]) -> Known | None:
    url = await stack.enter_async_context(open_database(settings, migrate=False))
    found, newest = await status(url)
    checks.append(Check("database", "ok", "answers"))
    engine = connect(url, pool=_POOL)
    stack.push_async_callback(engine.dispose)
    async with engine.connect() as connection:
        number = (await connection.execute(text("show server_version_num"))).scalar_one()
        checks.append(version(int(number)))
        checks.append(await _locale(connection))
        if found != newest:
            why = f"revision {found or 'none'}, newest {newest}"
            checks.append(Check("schema", "warn", why, "switchhook db upgrade"))
            return None
        checks.append(Check("schema", "ok", f"revision {found}"))
        checks.append(await _extensions(connection))
        return Known(settings, engine, await read_directory(connection))


def version(number: int) -> Check:
    """Judge `server_version_num`: 180001 is PostgreSQL 18.1."""
    told = f"PostgreSQL {number // 10000}.{number % 10000}"
    if number // 10000 >= OLDEST:
        return Check("database version", "ok", told)
    return Check("database version", "fail", f"{told} is too old", f"use PostgreSQL {OLDEST} or newer")


async def _locale(connection: AsyncConnection) -> Check:
    """In the locale C no Cyrillic letter has a small one: names are found only as they are written."""
    if (await connection.execute(_CYRILLIC)).scalar_one():
        return Check("database locale", "ok", "Cyrillic letters have their small ones")
    why = "its locale knows no Cyrillic letters: names are not found in another case"
    remedy = "make the database anew with a UTF-8 locale other than C, and restore a backup into it"
    return Check("database locale", "warn", why, remedy)


async def _extensions(connection: AsyncConnection) -> Check:
    there = set((await connection.execute(_INSTALLED, {"names": list(_EXTENSIONS)})).scalars())
    lacking = [name for name in _EXTENSIONS if name not in there]
    if not lacking:
        return Check("extensions", "ok", ", ".join(_EXTENSIONS))
    why = f"no {', '.join(lacking)}: clients are not found by pieces of their names"
    remedy = "install PostgreSQL's contrib package and restore the database from a backup: the indexes are gone too"
    return Check("extensions", "fail", why, remedy)
