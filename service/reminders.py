"""Deadlines of leads are told when they come near and when they pass, and once a day what needs attention."""

from __future__ import annotations

import asyncio

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_sync.attention import tell_daily
from crm_sync.reminding import remind

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


async def keep_reminding(engine: AsyncEngine, every_seconds: float = 15.0) -> None:
    """Remind for ever; a database that is away is asked again."""
    while True:
        try:
            if count := await remind(engine):
                log.info("deadlines of leads told", count=count)
            if await tell_daily(engine):
                log.info("leads that need attention counted")
        except (SQLAlchemyError, OSError) as error:
            log.warning("nobody could be reminded now", error=type(error).__name__)
        await asyncio.sleep(every_seconds)
