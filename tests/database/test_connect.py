"""Connections that are kept: whether they are still there is asked before their use."""

from __future__ import annotations

import asyncio
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.database import connect

PID = text("select pg_backend_pid()")


async def test_a_connection_that_was_ended_is_replaced_before_its_use(engine: AsyncEngine, database_url: str) -> None:
    """Nobody who asks for one meets what became of it meanwhile."""
    async with engine.connect() as connection:
        before = await connection.scalar(PID)
    async with connect(database_url, pool=0).connect() as other, asyncio.timeout(20):
        await other.execute(text("select pg_terminate_backend(:pid)"), {"pid": before})
        while await other.scalar(text("select 1 from pg_stat_activity where pid = :pid"), {"pid": before}):
            await other.rollback()  # a transaction sees who is there as it was when it first looked
            await asyncio.sleep(0.01)
    async with engine.connect() as connection:
        assert await connection.scalar(PID) not in {None, before}


async def test_a_kept_connection_is_asked_by_one_round_trip(engine: AsyncEngine) -> None:
    """Not in a transaction of its own, which would take two more before each that is wanted."""
    asked: list[str] = []
    async with engine.connect() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        driver.add_query_logger(lambda told: asked.append(told.query))
    async with engine.connect() as connection:
        await connection.scalar(PID)
    assert asked[0] == "select 1"
    assert [words for words in asked[1:] if words.startswith(("BEGIN", "ROLLBACK"))] == ["BEGIN;", "ROLLBACK;"]
