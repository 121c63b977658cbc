"""Sends reports: who is owed one is told at the end of their working day; `composing` makes it when it goes out.

Rules kept here:
1. A person is told a report of a period once, whatever worker finds that it is due, and however often.
2. A report waits until its days are counted, and those that it is compared with; longer than PATIENCE it does not.
3. Of days before the first that is counted nobody is told anything.
4. Whom no message may reach then, for it is their quiet or no worker is there, gets it later, by the rules of notices.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from directory import store
from directory.model import Directory
from notices.model import Notice
from notices.tables import notices
from notices.telling import people_of, tell
from reports.building import build_day
from reports.due import Due, day_ends, due
from reports.evidence import DAYS_BEFORE
from reports.periods import period_of
from reports.report import Audience, Kind
from reports.tables import report_days
from reports.working_days import days
from service.rounds import come_round
from service.tracebacks import place_of

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

LATE_MOST: Final = timedelta(days=1)
"""A report that nobody was there to send for so long is on the pages alone."""

PATIENCE: Final = timedelta(minutes=30)
"""So long a report waits for days that are not counted; then it goes out, and says that some are not."""

_QUIET_AS_OF: Final = timedelta(minutes=1)
"""Who is told in time was at work a minute before the day ended: it is not their quiet yet."""

_IN_TIME: Final = timedelta(hours=1)


async def keep_reporting(engine: AsyncEngine, every_seconds: float = 20.0) -> None:
    """Tell who is owed a report, again and again."""

    async def once() -> None:
        if count := await tell_due(engine, datetime.now(UTC)):
            log.info("reports are told", count=count)

    await come_round("the telling of reports", once, every_seconds)


async def tell_due(engine: AsyncEngine, now: datetime) -> int:
    """Tell everybody who is owed a report at `now` and was not told; returns how many were."""
    async with engine.connect() as connection:
        directory = await store.read(connection)
        begun = (await connection.execute(select(func.min(report_days.c.day)))).scalar()
        known = [one for one in _lately_due(directory, now) if begun is not None and begun <= one.day]
        owed = await _untold(connection, directory, known)
    told = 0
    for one in owed:
        try:
            if now - one.at > PATIENCE or await _is_counted(engine, directory, one, now):
                told += await _tell(engine, directory, one, now)
        except Exception as error:  # noqa: BLE001  # whatever one does to it, it keeps no other from being told
            words = {"error": type(error).__name__, "at": place_of(error)}
            log.error("a report could not be told", of=str(one.audience), **words)  # noqa: TRY400  # no words of rows
    return told


async def send_now(engine: AsyncEngine, kind: Kind, day: date, audience: Audience, now: datetime) -> tuple[str, ...]:
    """Tell those whose report it is, as if it were due now; returns the keys of those who were told.

    While the period goes on it is told beside the one at its end; once it is over, it is the same, told once.
    """
    async with engine.connect() as connection:
        directory = await store.read(connection)
        so_far = f" {now:%Y-%m-%dT%H:%M}" if _goes_on(directory, kind, day, audience, now) else ""
        one = Due(kind, day, audience, now)
        people = (await _untold(connection, directory, [one], so_far)).get(one, ())
    await _tell(engine, directory, one, now, so_far)
    return people


def _goes_on(directory: Directory, kind: Kind, day: date, audience: Audience, now: datetime) -> bool:
    """Whether somebody still works in the period."""
    period = period_of(kind, day)
    ends = (day_ends(directory, audience, one) for one in days(period.first, period.last))
    return any(at > now for at in ends if at is not None)


def _lately_due(directory: Directory, now: datetime) -> Iterable[Due]:
    """What became due within LATE_MOST; a date begins and ends up to a day apart around the world."""
    dates = (now.date() + timedelta(days=apart) for apart in range(-2, 2))
    return (one for day in dates for one in due(directory, day, after=now - LATE_MOST, until=now))


def readers_of(directory: Directory, audience: Audience) -> tuple[str, ...]:
    """Whose report it is: of the house the admins', of a team its heads', of a person their own; keys of people."""
    if audience.kind == "person":
        return (audience.key,)
    return people_of(directory, "head", audience.key) if audience.kind == "team" else people_of(directory, "admin")


def _key(one: Due, so_far: str = "") -> str:
    return f"report {one.kind} {period_of(one.kind, one.day).first} {one.audience}{so_far}"


def _notice(one: Due, so_far: str = "") -> Notice:
    return Notice(
        key=_key(one, so_far),
        kind=f"report_{one.kind}",
        subject="report",
        subject_id=one.day.isoformat(),
        values={"audience": one.audience.kind, "about": one.audience.key},
    )


async def _untold(
    connection: AsyncConnection, directory: Directory, reports: Collection[Due], so_far: str = ""
) -> dict[Due, tuple[str, ...]]:
    """The reports that somebody was not told whose they are, with the keys of those people."""
    keys = {one: _key(one, so_far) for one in reports}
    people = {one: readers_of(directory, one.audience) for one in reports}
    asked = select(notices.c.person, notices.c.key).where(
        notices.c.person.in_({key for readers in people.values() for key in readers}),
        notices.c.key.in_(keys.values()),
    )
    told = {(row.person, row.key) for row in await connection.execute(asked)}
    untold = {one: tuple(key for key in people[one] if (key, keys[one]) not in told) for one in reports}
    return {one: readers for one, readers in untold.items() if readers}


async def _tell(engine: AsyncEngine, directory: Directory, one: Due, now: datetime, so_far: str = "") -> int:
    as_of = one.at - _QUIET_AS_OF if now - one.at < _IN_TIME else now
    async with engine.begin() as connection:
        return await tell(connection, directory, _notice(one, so_far), readers_of(directory, one.audience), at=as_of)


async def _is_counted(engine: AsyncEngine, directory: Directory, one: Due, now: datetime) -> bool:
    """Whether the days of the period, and those that it is compared with, are counted, the last of them until `at`.

    The last one is counted anew where that is all that it takes.
    """
    since = period_of(one.kind, one.day).first - timedelta(days=DAYS_BEFORE)
    async with engine.connect() as connection:
        compared = select(report_days).where(report_days.c.day.between(since, one.day))
        rows = {row.day: row for row in await connection.execute(compared)}
    last = rows.pop(one.day, None)
    if last is None or any(row.waiting for row in rows.values()):
        return False
    if last.built_at is not None and last.built_at >= one.at:
        return True
    return await build_day(engine, directory, one.day, now)
