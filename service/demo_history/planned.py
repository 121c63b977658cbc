"""What the invented house wants to reach in a month: somewhat more than it did in the thirty days before."""

from __future__ import annotations

from datetime import date
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from recordings.audit import THE_SERVICE
from reports.plan_days import HOUSE, Whose
from reports.plan_rows import write_plans

_DONE: Final = text(
    """
    select owner, count(*) as leads, count(*) filter (where stage = 'won') as won from leads
    where opened_at > cast(:month as date) - interval '30 days' and opened_at < :month and owner is not null
    group by owner
    """
)
_MORE: Final = 1.1
_RATES: Final = {"missed_share": 0.08, "qualified_share": 0.5}


async def plan_month(connection: AsyncConnection, month: date) -> None:
    """Plan leads and deals for each manager, and shares for the house; `month` is the first day of one."""
    cells: dict[tuple[Whose, str], float | None] = {(HOUSE, measure): rate for measure, rate in _RATES.items()}
    for row in await connection.execute(_DONE, {"month": month}):
        for measure, done in (("leads_in", row.leads), ("won", row.won)):
            cells[Whose("person", row.owner), measure] = float(max(round(done * _MORE), 1))
    await write_plans(connection, month, cells, THE_SERVICE, action="plan_set")
