"""Waits until one transaction waits for another, so that a race in the database goes the way a test wants it."""

from __future__ import annotations

import asyncio
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

_WAITING = text(
    "select exists(select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')"
)


async def until_it_waits(engine: AsyncEngine, work: asyncio.Future[Any]) -> None:
    """Return once a transaction of this database waits for a lock, or `work` is done without."""
    async with asyncio.timeout(30):
        while not work.done():
            async with engine.connect() as connection:
                if (await connection.execute(_WAITING)).scalar_one():
                    return
            await asyncio.sleep(0.01)
