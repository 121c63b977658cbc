"""Keeps the day facts of reports right, in whatever worker does it."""

from __future__ import annotations

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from reports.building import build
from service.rounds import come_round

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


async def keep_counting(engine: AsyncEngine, every_seconds: float = 60.0) -> None:
    """Count anew the days that need it, again and again."""

    async def once() -> None:
        built = await build(engine)
        if built.days:
            log.info("days are counted", count=len(built.days), waiting=built.waiting)

    await come_round("the counting of days", once, every_seconds)
