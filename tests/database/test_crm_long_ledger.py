"""What is asked of the ledger again and again is as cheap as on the first day, however long it is."""

from __future__ import annotations

from itertools import pairwise

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_sync import connections
from crm_sync.crm import STEPS
from crm_sync.ledger import health
from crm_sync.ledger.upkeep import plan_told, tidy

_ROWS = 20_000
_A_LEAD = """
    with party as (insert into parties default values returning id),
    lead as (insert into leads (party_id, stage, opened_at, stage_at) select id, 'new', now(), now() from party
             returning id)
    insert into lead_events (lead_id, at, by, kind, after) select id, clock_timestamp(), 'x', 'opened', 'new' from lead
"""
_READ = text("select seq_tup_read + idx_tup_fetch from pg_stat_user_tables where relname = 'crm_effects'")


async def _pages(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        await connections.counted(connection)
        await health.read(connection)


async def test_what_is_asked_again_and_again_reads_few_rows(engine: AsyncEngine) -> None:
    """Planning promises and leads, tidying, and the page of CRMs read a handful of the rows that there are."""
    async with engine.begin() as connection:
        await connections.add(connection, "site", "webhook", {}, b"", STEPS, "active")
        await connection.exec_driver_sql(_A_LEAD)
        await connection.exec_driver_sql(
            "insert into crm_effects"
            " (key, connection, step, subject, lane, waits, state, ended_at, request, remote_id)"
            " select gen_random_uuid(), 'site', case when n % 2 = 0 then 'lead' else 'task' end, n, 'x', false,"
            f" 'done', now(), '{{}}', n::text from generate_series(1, {_ROWS}) n"
        )
        await connection.exec_driver_sql("analyze crm_effects")
    read = [await _read(engine)]
    for asks in (plan_told, tidy, _pages):
        await asks(engine)
        read.append(await _read(engine))
    assert all(after - before < _ROWS / 100 for before, after in pairwise(read)), read


async def _read(engine: AsyncEngine) -> int:
    """How many rows of the ledger were read so far; the one connection of the pool tells at once what it read."""
    async with engine.begin() as connection:
        await connection.exec_driver_sql("select pg_stat_force_next_flush()")
    async with engine.connect() as connection:
        return int(await connection.scalar(_READ) or 0)
