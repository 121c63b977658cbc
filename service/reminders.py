"""Deadlines of leads are told when they come near and when they pass, and once a day what needs attention."""

from __future__ import annotations

import asyncio

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_sync.book.attention import tell_daily
from crm_sync.book.reminding import remind
from service.rounds import come_round

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


async def keep_reminding(engine: AsyncEngine, every_seconds: float = 15.0) -> None:
    """Remind for ever; a database that is away is asked again."""

    async def reminded() -> None:
        if count := await remind(engine):
            log.info("deadlines of leads told", count=count)

    async def counted() -> None:
        if await tell_daily(engine):
            log.info("leads that need attention counted")

    async with asyncio.TaskGroup() as group:
        group.create_task(come_round("reminding of deadlines", reminded, every_seconds))
        group.create_task(come_round("the count of leads that need attention", counted, every_seconds))
