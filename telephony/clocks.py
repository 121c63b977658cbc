"""How far each PBX's clock is from ours, where other processes than the one that speaks with it find it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Interval, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.tables import calls
from telephony.tables import pbx_clocks

AHEAD: Final[ColumnElement[Any]] = func.coalesce(
    select(pbx_clocks.c.ahead).where(pbx_clocks.c.pbx == calls.c.pbx).scalar_subquery(), literal(timedelta(), Interval)
)
"""For each row of `calls`: its PBX's clock minus ours, zero where it was never measured."""


async def keep(connection: AsyncConnection, pbx: str, ahead_seconds: float) -> None:
    """Keep what was measured last."""
    ahead = timedelta(seconds=ahead_seconds)
    told = {"ahead": ahead, "measured_at": func.clock_timestamp()}
    kept = insert(pbx_clocks).values(pbx=pbx, **told)
    await connection.execute(kept.on_conflict_do_update(index_elements=["pbx"], set_=told))
