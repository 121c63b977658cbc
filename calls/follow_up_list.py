"""Reads the promises to call back, for pages, the API and the command line."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.tables import follow_up_actions, follow_up_calls, follow_ups

OPEN: Final = follow_ups.c.closed_at.is_(None)
OVERDUE: Final = and_(OPEN, follow_ups.c.due_at < func.clock_timestamp())
COLUMNS: Final = (*follow_ups.c, func.coalesce(OVERDUE, False).label("overdue"))


def newest(*where: ColumnElement[bool], before: int | None = None) -> Select[Any]:
    """The promises, the newest first; `before` is the id of the last one seen."""
    asked = select(*COLUMNS).where(*where)
    if before is not None:
        asked = asked.where(follow_ups.c.id < before)
    return asked.order_by(follow_ups.c.id.desc())


def most_urgent(*where: ColumnElement[bool]) -> Select[Any]:
    """The open promises: who is overdue, then by priority and deadline."""
    order = (OVERDUE.desc(), follow_ups.c.priority.desc(), follow_ups.c.due_at.asc().nulls_last(), follow_ups.c.id)
    return select(*COLUMNS).where(OPEN, *where).order_by(*order)


def promise_of(call_id: UUID) -> Select[Any]:
    """The promise that a call is in, the last if it was in several before calls joined."""
    mine = select(follow_up_calls.c.follow_up_id).where(follow_up_calls.c.call_id == call_id)
    return select(*COLUMNS).where(follow_ups.c.id.in_(mine)).order_by(follow_ups.c.id.desc()).limit(1)


async def history(connection: AsyncConnection, ids: list[int]) -> dict[int, list[dict[str, Any]]]:
    """Who did what to each of these promises, when and why, in order."""
    asked = select(follow_up_actions).where(follow_up_actions.c.follow_up_id.in_(ids)).order_by(follow_up_actions.c.id)
    told: dict[int, list[dict[str, Any]]] = {one: [] for one in ids}
    for row in await connection.execute(asked):
        action = {"at": row.at, "who": row.who, "what": row.what, "why": row.why, "call": row.call_id}
        told[row.follow_up_id].append(action)
    return told


def to_json(row: Any, actions: list[dict[str, Any]]) -> dict[str, Any]:
    """A promise as `switchhook follow-ups --json` prints it; times are ISO 8601 with zone."""
    told = dict(row._mapping) | {"history": actions}  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping
    told["call"] = told.pop("call_id")
    return {key: _plain(value) for key, value in told.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, list):
        return [{key: _plain(one) for key, one in item.items()} for item in value]
    return value if value is None or isinstance(value, bool | int | str) else str(value)
