"""The schema: migrations and the rooms' tables say the same."""

from __future__ import annotations

import asyncio

from alembic import command
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.database import connect
from service.database import _config, status, upgrade


async def test_migrations_make_exactly_the_tables_that_the_rooms_declare(engine: AsyncEngine) -> None:
    """Alembic finds nothing to add, change or drop."""
    async with engine.connect() as connection:
        await connection.run_sync(lambda sync: command.check(_config(sync)))


async def test_two_services_that_start_at_once_migrate_once(empty_database_url: str) -> None:
    """The second waits for the first and finds nothing to do."""
    await asyncio.gather(*(upgrade(empty_database_url) for _ in range(3)))
    found, newest = await status(empty_database_url)
    assert found == newest is not None


async def test_this_month_and_the_next_have_partitions_of_events(empty_database_url: str) -> None:
    """Events of now never wait for a partition, odd times have one too."""
    await upgrade(empty_database_url)
    engine = connect(empty_database_url, pool=1)
    async with engine.connect() as connection:
        found = await connection.exec_driver_sql(
            "select relname from pg_inherits join pg_class on oid = inhrelid where inhparent = 'call_events'::regclass"
        )
        assert len(found.all()) == 3
    await engine.dispose()
