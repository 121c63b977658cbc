"""Revives lost leads: what their chains say is done on its day, once, whatever restarts meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_sync.book.reviving import revive
from service.rounds import come_round

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


async def keep_reviving(engine: AsyncEngine, every_seconds: float = 30.0) -> None:
    """Take the steps that are due for ever; a database that is away is asked again."""

    async def once() -> None:
        if came_to := await revive(engine, datetime.now(UTC)):
            log.info("steps of revival are taken", **came_to)

    await come_round("revival of lost leads", once, every_seconds)
