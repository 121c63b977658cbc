"""The demo's company has plans that it may reach or not."""

from __future__ import annotations

from datetime import date

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from reports.plan_days import HOUSE, Whose
from reports.plan_rows import read_plans
from service.demo_history.planned import plan_month
from tests.fakes.story import HOUSE as DIRECTORY

MONTH = date(2026, 11, 1)


async def test_managers_are_to_do_somewhat_more_than_they_did(engine: AsyncEngine) -> None:
    """Twenty leads were hers in the thirty days before, one was longer ago, and one is nobody's."""
    sql = """
        with made as (insert into parties (name) select 'Иван' from generate_series(1, 22) returning id)
        insert into leads (party_id, stage, owner, opened_at, closed_at)
        select id, 'won', case when n = 22 then null else 'anna' end,
               case when n = 21 then timestamptz '2026-08-01' else timestamptz '2026-10-20' end, now()
        from (select id, row_number() over () as n from made) as numbered
    """
    async with engine.begin() as connection:
        await connection.execute(text(sql))
        await plan_month(connection, MONTH)
        plans = await read_plans(connection, DIRECTORY, MONTH)
    assert {key: value for key, value in plans.values.items() if key[1] != HOUSE} == {
        (MONTH, Whose("person", "anna"), "leads_in"): 22,
        (MONTH, Whose("person", "anna"), "won"): 22,
    }
