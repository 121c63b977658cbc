"""Keeps day facts right: days that changed, or were never counted, are counted anew, each whole and in one transaction.

Rules kept here:
1. Whatever changes what was counted leaves a mark in its own transaction, by triggers of the tables (revision 0073).
   Marks are taken in the transaction that has their days wait, and a day waits until its facts are written: a builder
   that is killed loses neither.
2. The facts of a day are of one snapshot, taken after it no longer waits: what changes meanwhile has it wait again.
3. Each day rests on a ground: the questions, the company's time zone and funnel, its lines, teams and hours. Where that
   is another, all days are counted anew, the newest first, some at a time; so a measure that is added has its past.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from directory import store
from directory.model import Directory
from reports.registry import COUNTS
from reports.things import asked, midnight, needs_quiet, question, quiet, things

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

DAYS_AT_ONCE: Final = 40
"""So many days are counted a round, the newest first."""

DAYS_MOST: Final = 3 * 366
"""Days that are longer ago are counted only where something of them changes."""

TODAY_SECONDS: Final = 600
"""Today is counted anew after so long though nothing was told: deadlines pass."""

_SERIALIZATION: Final = ("40001", "40P01")

_TAKE_MARKS: Final = text("delete from report_marks returning moment, onward")
_DAYS: Final = text("select day, built_at, ground from report_days")
_BEGUN: Final = text(
    """
    select least(
        (select min(started_at) from calls where joined_into is null and started_at >= :since),
        (select min(at) from lead_events where kind in ('opened', 'stage') and at >= :since),
        (select min(opened_at) from follow_ups where opened_at >= :since))
    """
)
# The row of a marked day is written though it waits: so a builder whose snapshot is older than the mark fails, and does
# not end the wait.
_WAIT: Final = text(
    """
    insert into report_days (day, waiting) select day, true from unnest(cast(:days as date[])) as day
    on conflict (day) do update set waiting = true
    where not report_days.waiting or report_days.day = any(cast(:marked as date[]))
    """
)
_WAITING: Final = text("select day from report_days where waiting order by day desc limit :most")
_LOCK: Final = text("select pg_try_advisory_xact_lock(5062, :day - date '2000-01-01')")
_BUILT: Final = text(
    """
    insert into report_days (day, built_at, ground) values (:day, :now, :ground)
    on conflict (day) do update set waiting = false, built_at = excluded.built_at, ground = excluded.ground
    """
)
_CLEAR: Final = (
    text("delete from report_facts where day = :day"),
    text("delete from report_hours where day = :day"),
)
_COUNT: Final = """
    with things as materialized ({things}){hours}
    insert into report_facts (day, count, team, line, person, detail, value)
    select :day, :count, team, line, person, detail, sum(value) from things group by team, line, person, detail
"""
_HOURS: Final = """, hours as (
    insert into report_hours (day, count, team, line, hour, value)
    select :day, :count, team, line, cast(extract(hour from timezone(:zone, at)) as smallint) as hour, sum(value)
    from things group by team, line, hour)
"""


@dataclass(frozen=True, slots=True)
class Built:
    """What a round came to: days that were counted, and days that wait still."""

    days: tuple[date, ...]
    waiting: int


async def build(engine: AsyncEngine, now: datetime | None = None) -> Built:
    """Count anew the days that need it, at most DAYS_AT_ONCE; `now` is a moment of the day that goes on."""
    moment = now or datetime.now(UTC)
    async with engine.begin() as connection:
        directory = await store.read(connection)
        ground = ground_of(directory)
        await _have_wait(connection, directory, ground, moment)
        days = list((await connection.execute(_WAITING, {"most": DAYS_AT_ONCE})).scalars())
    done = [day for day in days if await _built(engine, directory, day, moment)]
    async with engine.connect() as connection:
        waiting = (await connection.execute(text("select count(*) from report_days where waiting"))).scalar_one()
    return Built(tuple(done), waiting)


async def _built(engine: AsyncEngine, directory: Directory, day: date, now: datetime) -> bool:
    """Count one day; one that cannot be counted waits on, and keeps no other from being.

    Raises DBAPIError where the database is away.
    """
    try:
        return await build_day(engine, directory, day, now)
    except Exception as error:
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            raise
        log.exception("a day could not be counted", day=day.isoformat())
        return False


async def build_day(engine: AsyncEngine, directory: Directory, day: date, now: datetime) -> bool:
    """Count one day anew, as of `now`; False: another does so at this moment, and the day waits where it must."""
    whole = engine.execution_options(isolation_level="REPEATABLE READ")
    zone, ground = directory.company.time_zone, ground_of(directory)
    try:
        async with whole.begin() as connection:
            if not (await connection.execute(_LOCK, {"day": day})).scalar_one():
                return False
            await connection.execute(_BUILT, {"day": day, "now": now, "ground": ground})
            for clear in _CLEAR:
                await connection.execute(clear, {"day": day})
            for count in COUNTS:
                told = asked(count, zone, day, day, now) | {"day": day, "count": count.key, "zone": zone}
                if needs_quiet(count):
                    told["quiet"] = quiet(directory, day, day, now)
                sql = _COUNT.format(things=things(count), hours=_HOURS if count.hourly else "")
                await connection.execute(question(sql), told)
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) not in _SERIALIZATION:
            raise
        log.info("a day is counted by another", day=day.isoformat())
        return False
    return True


def ground_of(directory: Directory) -> str:
    """A digest of what the facts of every day rest on besides what happened."""
    lines = [(line.number, line.team, line.hours, line.time_zone) for line in directory.lines]
    teams = [(team.key, team.members) for team in directory.teams]
    leads = (directory.leads.forgotten_days, [step.key for step in directory.leads.funnel])
    told = (
        directory.company.time_zone,
        leads,
        lines,
        teams,
        directory.hours,
        [(one.key, things(one)) for one in COUNTS],
    )
    return hashlib.sha256(repr(told).encode()).hexdigest()


async def _have_wait(connection: AsyncConnection, directory: Directory, ground: str, now: datetime) -> None:
    """Have every day wait whose facts are not right: marked, never counted, of another ground, or ended since."""
    zone = ZoneInfo(directory.company.time_zone)
    today = now.astimezone(zone).date()
    earliest = today - timedelta(days=DAYS_MOST)
    marked, onward = set[date](), today + timedelta(days=1)
    for mark in await connection.execute(_TAKE_MARKS):
        day = mark.moment.astimezone(zone).date()
        onward = min(onward, max(day, earliest)) if mark.onward else onward
        marked.update({day} if day <= today else ())
    marked.update(_days(onward, today))
    known = {row.day: row for row in await connection.execute(_DAYS)}
    begun = (await connection.execute(_BEGUN, {"since": midnight(earliest, zone.key)})).scalar_one()
    days = {*known, *(_days(begun.astimezone(zone).date(), today) if begun else ())}
    lately = now - timedelta(seconds=TODAY_SECONDS)
    wait = set(marked)
    for day in days:
        enough = min(midnight(day + timedelta(days=1), zone.key), lately)
        if day not in known or known[day].ground != ground or known[day].built_at < enough:
            wait.add(day)
    await connection.execute(_WAIT, {"days": sorted(wait), "marked": sorted(marked)})


def _days(first: date, last: date) -> Iterable[date]:
    return (first + timedelta(days=number) for number in range((last - first).days + 1))
