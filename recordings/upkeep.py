"""Keeps the store in order: what no event owes an archive gets one, what dead writers left is swept away."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.jobs import enqueue
from recordings.archive_rows import unarchived
from recordings.due import archive_job
from recordings.store import Store, StoreError

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

EVERY_SECONDS: Final = 60.0
_LATELY_DAYS: Final = 2
_EVER_DAYS: Final = 36_500
_ROUNDS_A_DAY: Final = round(86_400 / EVERY_SECONDS)
_STAGED: Final = timedelta(hours=6)
_ONE_AT_A_TIME: Final = text("select pg_try_advisory_xact_lock(5038, 3)")


async def keep(engine: AsyncEngine, store: Store) -> None:
    """Look every minute, for ever; a database or a store that is away is asked again. All sound there is once a day."""
    turn = 0
    while True:
        try:
            await owe_archives(engine, _EVER_DAYS if turn % _ROUNDS_A_DAY == 0 else _LATELY_DAYS)
            if turn % _ROUNDS_A_DAY == 0:
                swept = await store.tidy(datetime.now(UTC) - _STAGED)
                log.info("store swept", half_written=swept)
            turn += 1
        except (SQLAlchemyError, OSError, StoreError) as error:
            log.warning("the store could not be kept in order now", error=type(error).__name__)
        await asyncio.sleep(EVERY_SECONDS)


async def owe_archives(engine: AsyncEngine, days: int, *, seconds: float = EVERY_SECONDS) -> int:
    """Owe an archive to calls whose text was given up or never asked for; returns to how many."""
    async with engine.begin() as connection:
        if not (await connection.execute(_ONE_AT_A_TIME)).scalar_one():
            return 0
        owed = await unarchived(connection, days, seconds=seconds)
        await enqueue(connection, [archive_job(str(call_id)) for call_id in owed])
    return len(owed)
