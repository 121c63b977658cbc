"""What a person was told, as their pages show it, and what they have read of it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import Row, delete, func, select, text, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from notices.model import Told
from notices.tables import notices
from notices.telling import CHANNEL

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

KEPT_FOR: Final = timedelta(days=90)
_SHOWN: Final = func.coalesce(notices.c.shown, notices.c.on_page)
_NOTIFY: Final = text("select pg_notify(:channel, :person)")


async def listed(
    connection: AsyncConnection, person: str, *, unread: bool = False, before: int | None = None, limit: int = 50
) -> list[Row[Any]]:
    """What a person wants on their pages and was told, the newest first; `before` is the id of the last one seen."""
    asked = select(notices).where(notices.c.person == person, _SHOWN)
    if unread:
        asked = asked.where(notices.c.read_at.is_(None))
    if before is not None:
        asked = asked.where(notices.c.id < before)
    return list((await connection.execute(asked.order_by(notices.c.id.desc()).limit(limit))).all())


async def unread_count(connection: AsyncConnection, person: str) -> int:
    """How much of it they have not read."""
    asked = select(func.count()).where(notices.c.person == person, _SHOWN, notices.c.read_at.is_(None))
    count: int = (await connection.execute(asked)).scalar_one()
    return count


async def mark_read(connection: AsyncConnection, person: str, ids: Collection[int] | None = None) -> int:
    """Note that a person has read these of their notices (None: all); returns how many were new to them."""
    mine = notices.c.person == person, notices.c.read_at.is_(None)
    read = update(notices).where(*mine).values(read_at=func.clock_timestamp())
    if ids is not None:
        read = read.where(notices.c.id.in_(list(ids)))
    count = (await connection.execute(read)).rowcount
    if count:
        await connection.execute(_NOTIFY, {"channel": CHANNEL, "person": person})
    return count


def told_by(row: Row[Any], language: str) -> Told:
    """A row of notices as what is put into words."""
    return Told(row.person, row.kind, row.subject, row.subject_id, row.values, row.made_at, language)


async def forget_old(connection: AsyncConnection, now: datetime) -> int:
    """Remove what was told too long ago to matter, read or not, and how its messages fared."""
    return (await connection.execute(delete(notices).where(notices.c.made_at < now - KEPT_FOR))).rowcount


async def keep_forgetting(engine: AsyncEngine, every_seconds: float = 86_400.0) -> None:
    """Forget what is old for ever; a database that is away is asked again."""
    while True:
        try:
            async with engine.begin() as connection:
                if count := await forget_old(connection, datetime.now(UTC)):
                    log.info("old notices forgotten", count=count)
        except (SQLAlchemyError, OSError) as error:
            log.warning("old notices could not be forgotten now", error=type(error).__name__)
        await asyncio.sleep(every_seconds)
