"""Tells a lead's owner and the heads of its line before its deadline, and when it has passed; once each.

What was told is in the notices themselves, so a restart tells nothing again. A deadline that is set anew is another.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Text, and_, column, literal, or_, select, tuple_, values
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from crm_sync.book.deadlines import due_at
from crm_sync.book.leads import place
from crm_sync.book.lifecycle import OPEN
from crm_sync.tables import leads
from directory import store
from directory.model import Directory
from notices.model import Notice
from notices.tables import notices
from notices.telling import heads_of, tell

NEAR, PASSED = "deadline_near", "deadline_passed"

TOLD_LATE: Final = timedelta(days=3)
"""A deadline that passed before is in the lists and told no more: who upgrades is not told of a year at once."""

_BATCH: Final = 200


async def remind(engine: AsyncEngine, now: datetime | None = None) -> int:
    """Tell everybody of what is due and of what is late; returns how many notices are new."""
    moment = now or datetime.now(UTC)
    async with engine.begin() as connection:
        directory = await store.read(connection)
        passed = and_(leads.c.deadline_at <= moment, leads.c.deadline_at > moment - TOLD_LATE)
        told = await _tell(connection, directory, PASSED, passed, moment)
        return told + await _tell(connection, directory, NEAR, await _near(connection, directory, moment), moment)


async def _near(connection: AsyncConnection, directory: Directory, now: datetime) -> ColumnElement[bool]:
    """The leads whose deadline is no further than `remind_minutes` of their line's working time."""
    ahead = leads.c.deadline_at > now
    rows = await connection.execute(select(leads.c.source_line).where(leads.c.stage.in_(OPEN), ahead).distinct())
    near = [
        and_(leads.c.source_line.is_not_distinct_from(line), leads.c.deadline_at <= until)
        for line in rows.scalars()
        if (until := due_at(directory, line, directory.leads.remind_minutes, now)) is not None
    ]
    return and_(ahead, or_(*near)) if near else literal(value=False)


async def _tell(
    connection: AsyncConnection, directory: Directory, kind: str, which: ColumnElement[bool], now: datetime
) -> int:
    """Page by page, so that leads of whom nobody is to be told keep none behind them from being."""
    place_of = tuple_(leads.c.deadline_at, leads.c.id)
    asked = select(leads).where(leads.c.stage.in_(OPEN), which).order_by(leads.c.deadline_at, leads.c.id).limit(_BATCH)
    rows: Sequence[Row[Any]] = (await connection.execute(asked)).all()
    told = 0
    while rows:
        owed = {(person, _key(kind, row)): row for row in rows for person in _whom(directory, row)}
        pairs = values(column("person", Text), column("key", Text), name="owed").data(list(owed))
        known = select(notices.c.person, notices.c.key)
        known = known.join(pairs, and_(notices.c.person == pairs.c.person, notices.c.key == pairs.c.key))
        before = {tuple(one) for one in await connection.execute(known)} if owed else set()
        for (person, key), row in owed.items():
            if (person, key) not in before:
                told += await tell(connection, directory, _notice(kind, row), [person], at=now)
        after = place_of > tuple_(literal(rows[-1].deadline_at), literal(rows[-1].id))
        rows = (await connection.execute(asked.where(after))).all()
    return told


def _whom(directory: Directory, row: Row[Any]) -> Collection[str]:
    """Whoever of them was told of it before is told no more; a new owner was not."""
    return {key for key in (row.owner, *heads_of(directory, row.source_line)) if key and directory.person(key)}


def _key(kind: str, row: Row[Any]) -> str:
    return f"{kind} {row.id} {int(row.deadline_at.timestamp())}"


def _notice(kind: str, row: Row[Any]) -> Notice:
    told = {
        "deadline": place(row.stage, row.step),
        "due_at": row.deadline_at.isoformat(timespec="seconds"),
        "owner": row.owner or "",
    }
    return Notice(key=_key(kind, row), kind=kind, subject="lead", subject_id=str(row.id), values=told)
