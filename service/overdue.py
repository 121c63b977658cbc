"""Escalates overdue follow-ups: who was not called back in time becomes the head's business."""

from __future__ import annotations

import asyncio

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.follow_ups import escalate

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


async def keep_escalating(engine: AsyncEngine, every_seconds: float = 15.0) -> None:
    """Escalate for ever; a database that is away is asked again."""
    while True:
        try:
            if count := await escalate(engine):
                log.info("follow-ups are overdue", count=count)
        except (SQLAlchemyError, OSError) as error:
            log.warning("follow-ups could not be escalated now", error=type(error).__name__)
        await asyncio.sleep(every_seconds)
