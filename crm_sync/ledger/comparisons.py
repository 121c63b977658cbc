"""What the last comparison of each connection with its CRM found, and when it is due again, for all processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_sync.connection_tables import crm_comparisons
from crm_sync.ledger.reconciling import Period, Report

EVERY: Final = timedelta(days=1)
SOON: Final = timedelta(hours=1)
"""After so long a day that differs, or could not be compared, is compared again, also when whoever did so has died."""


async def claim(engine: AsyncEngine, key: str) -> bool:
    """Whether a connection is due, and ours to compare."""
    soon = func.clock_timestamp() + SOON
    asked = insert(crm_comparisons).values(connection=key, next_at=soon)
    due = crm_comparisons.c.next_at <= func.clock_timestamp()
    asked = asked.on_conflict_do_update(index_elements=["connection"], set_={"next_at": soon}, where=due)
    async with engine.begin() as connection:
        return (await connection.execute(asked.returning(crm_comparisons.c.connection))).first() is not None


async def keep(engine: AsyncEngine, report: Report, period: Period, now: datetime) -> None:
    """Write what was found, and when it is due again."""
    found = {"since": period[0], "until": period[1], "compared_at": now, "failed": report.failed}
    values = {**found, "differences": report.left, "next_at": now + (SOON if report.left else EVERY)}
    this = crm_comparisons.c.connection == report.to.key
    async with engine.begin() as connection:
        await connection.execute(update(crm_comparisons).where(this).values(**values))


async def counts(engine: AsyncEngine) -> Mapping[str, int]:
    """How many differences the last comparison of each connection found; one that failed counts as one."""
    asked = select(crm_comparisons.c.connection, crm_comparisons.c.differences)
    async with engine.connect() as connection:
        rows = (await connection.execute(asked.where(crm_comparisons.c.differences.is_not(None)))).all()
    return {row.connection: row.differences for row in rows}


async def forget_others(engine: AsyncEngine, keys: Sequence[str]) -> None:
    """Forget what was found of connections that are told nothing any more."""
    async with engine.begin() as connection:
        await connection.execute(delete(crm_comparisons).where(crm_comparisons.c.connection.not_in(keys)))
