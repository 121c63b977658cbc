"""The doctor looks once a day by itself, in one worker of all; operators and admins are told what changed, once."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from typing import Final, Never

import structlog
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from directory import store
from notices.model import Notice
from notices.telling import people_of, tell
from service.doctor.examine import examine
from service.rounds import come_round
from service.settings import Settings
from service.wiring import House, open_house
from web import doctor
from web.doctor import Changes, Found

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

EVERY: Final = timedelta(days=1)
_LOOK_SECONDS: Final = 300.0
_SETTLED_SECONDS: Final = 600.0
"""A house that was just started is not well yet."""

_LOCK: Final = text("select pg_try_advisory_lock(5041, 0)")
_UNLOCK: Final = text("select pg_advisory_unlock(5041, 0)")
_NO_VALUE: Final = re.compile(r"[^A-Za-z0-9_@/:.+-]")
"""What the value of a notice cannot hold."""


async def keep_examining(house: House) -> Never:
    """Look when it is due, for ever; a database that is away is asked again."""
    await asyncio.sleep(_SETTLED_SECONDS)

    async def once() -> None:
        await examine_due(house)

    await come_round("the doctor's daily look", once, _LOOK_SECONDS)


async def examine_due(house: House, every: timedelta = EVERY) -> Changes | None:
    """Look at everything unless another process does, or it was done within `every`: then None."""
    settings = house.settings.model_copy(update={"database_url": SecretStr(house.url)})
    async with house.engine.connect() as session:
        # The lock is the session's, and stays while nothing else is asked of it.
        await session.execution_options(isolation_level="AUTOCOMMIT")
        if not (await session.execute(_LOCK)).scalar():
            return None
        try:
            if not await doctor.is_due(session, every):
                return None
            checks = await examine(settings)
            async with house.engine.begin() as connection:
                changes = await doctor.keep(connection, checks)
                await _tell(connection, changes)
        finally:
            await session.execute(_UNLOCK)
    states = [check.state for check in checks]
    counts = {state: states.count(state) for state in ("ok", "warn", "fail")}
    log.info("the doctor has looked", **counts, worse=list(changes.worse), well=list(changes.well))
    return changes


async def _tell(connection: AsyncConnection, changes: Changes) -> None:
    if not (changes.worse or changes.well):
        return
    at = (await connection.execute(text("select clock_timestamp()"))).scalar_one()
    first = next(iter((*changes.worse, *changes.well)))
    notice = Notice(
        key=f"doctor_found {at.isoformat()}",
        kind="doctor_found",
        subject="house",
        values={"worse": len(changes.worse), "well": len(changes.well), "check": _NO_VALUE.sub("_", first)},
    )
    directory = await store.read(connection)
    keepers = {*people_of(directory, "operator"), *people_of(directory, "admin")}
    await tell(connection, directory, notice, keepers or people_of(directory, "head"))


async def last_look(settings: Settings) -> list[Found]:
    """What was found when the doctor looked by itself last; nothing when it never did."""
    async with open_house(settings, pool=1) as house, house.engine.connect() as connection:
        return await doctor.last(connection)
