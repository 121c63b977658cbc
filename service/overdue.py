"""Escalates overdue follow-ups: who was not called back in time becomes the head's business."""

from __future__ import annotations

from typing import Any

import structlog
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from calls.follow_ups import escalate
from directory.model import Directory
from notices.model import Notice, plain
from notices.telling import tell
from service.rounds import come_round

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


async def keep_escalating(engine: AsyncEngine, every_seconds: float = 15.0) -> None:
    """Escalate for ever; a database that is away is asked again."""

    async def once() -> None:
        if count := await escalate(engine, tell_overdue):
            log.info("follow-ups are overdue", count=count)

    await come_round("escalation of follow-ups", once, every_seconds)


async def tell_overdue(connection: AsyncConnection, directory: Directory, row: Row[Any], head: str | None) -> None:
    """Whose promise it is and whose business it became are told, once."""
    values = {
        "line": plain(row.line),
        "due_at": row.due_at.isoformat(timespec="seconds"),
        "owner": row.owner or "",
    }
    notice = Notice(
        key=f"follow_up_overdue {row.id}",
        kind="follow_up_overdue",
        subject="follow_up",
        subject_id=str(row.id),
        values=values,
    )
    await tell(connection, directory, notice, [row.owner, head])
