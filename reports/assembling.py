"""Makes the report of a day, a week or a month: reads day facts, and has them judged."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from statistics import median
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from calls.incident_rows import listed
from calls.incidents import KINDS
from directory.model import Directory
from reports.counts.promises import RIPE_DAYS
from reports.due import untold
from reports.evidence import BY_HOUR, DAYS_BEFORE, Evidence
from reports.fact_rows import (
    CountedDay,
    last_counted,
    read_facts,
    read_facts_of,
    read_hours,
    read_sums,
    strangers,
    sums,
)
from reports.figures import Known, figures_of, sections_of
from reports.findings import LOOKED_FOR, find
from reports.freshness import read_freshness
from reports.lengths import Lengths
from reports.periods import WEEKS_BEFORE, Period, before, chart_of, period_of, so_far
from reports.plan_rows import read_plans
from reports.plans import Plans, counts_planned
from reports.registry import COUNTS
from reports.report import Audience, DayPoint, Figure, Finding, IncidentTold, Kind, Report, Section, day_measures
from reports.tables import report_days
from reports.working_days import days, teams_of

_AT_END: Final = frozenset(count.key for count in COUNTS if count.at_end)
_FLOWING: Final = frozenset(count.key for count in COUNTS if not count.at_end)
_HOURLY: Final = frozenset(count.key for count in COUNTS if count.hourly)


async def make_report(
    engine: AsyncEngine, directory: Directory, kind: Kind, day: date, audience: Audience, now: datetime
) -> Report:
    """The report of the period that holds `day`, as far as it has gone at `now`, to an audience.

    All of it is of one moment, though days are counted anew meanwhile.
    """
    zone = directory.company.time_zone
    period = so_far(period_of(kind, day), now.astimezone(ZoneInfo(zone)).date())
    periods = (period, *before(kind, period))
    async with engine.execution_options(isolation_level="REPEATABLE READ").connect() as connection:
        begun = await _begun(connection) or period.first
        plans = await read_plans(connection, directory, periods[-1].first, period.last)
        evidence = await _evidence(connection, directory, periods, begun, plans, audience, now)
        known = await _known(connection, evidence, periods, plans, now, cut=kind == "weekly")
        beside = untold(directory, audience, period.last) if kind == "daily" else None
        freshness = await read_freshness(connection, [*periods, *([beside] if beside else [])], zone, now)
        incidents = await _incidents(connection, directory, period, audience)
        points = await _days(connection, chart_of(kind, period), begun, audience)
    findings, figures, sections = await asyncio.to_thread(_judged, known, evidence)
    return Report(
        kind=kind,
        first=period.first,
        last=period.last,
        audience=audience,
        made_at=now,
        freshness=freshness,
        findings=findings,
        figures=figures,
        sections=sections,
        incidents=incidents,
        days=points,
    )


def _judged(known: Known, evidence: Evidence) -> tuple[tuple[Finding, ...], tuple[Figure, ...], tuple[Section, ...]]:
    """Findings, figures and sections: of many facts that takes a while."""
    found = find(evidence, known.plans) if known.counted else ()
    return found, figures_of(known), sections_of(known)


async def _evidence(
    connection: AsyncConnection,
    directory: Directory,
    periods: Sequence[Period],
    begun: date,
    plans: Plans,
    audience: Audience,
    now: datetime,
) -> Evidence:
    """What findings are looked for in; of what is planned, all that there is, too."""
    period = periods[0]
    since = period.first - timedelta(days=DAYS_BEFORE)
    counted = await last_counted(connection, since, period.last)
    counts = LOOKED_FOR | counts_planned((measure for _, _, measure in plans.values), directory.leads)
    flowing = await read_facts(connection, since, period.last, counts=counts - _AT_END)
    ends = {period.last, *(one.last for one in before("daily", Period(period.last, period.last)))}
    standing = await read_facts_of(connection, {*ends, *([counted.day] if counted else [])}, counts & _AT_END)
    evidence = Evidence(
        first=period.first,
        last=period.last,
        audience=audience,
        directory=directory,
        facts=[*flowing, *standing],
        counts=counts,
        day_hours=await read_hours(connection, since, period.last, counts=BY_HOUR),
        incidents=await _incidents(connection, directory, Period(since, period.last), Audience("house")),
        strangers=await strangers(connection, period.first, period.last, directory.company.time_zone),
        until_hour=_until_hour(counted, directory, period.last, now),
        since=begun,
    )
    hours = await read_sums(connection, evidence.periods, _HOURLY, audience, hourly=True)
    return replace(evidence, period_hours=hours)


async def _known(
    connection: AsyncConnection,
    evidence: Evidence,
    periods: Sequence[Period],
    plans: Plans,
    now: datetime,
    *,
    cut: bool,
) -> Known:
    """What figures are made of; `cut`: periods before end with the same day, and with as much of it as has passed."""
    audience, directory = evidence.audience, evidence.directory
    of_last, passed = (evidence.passed, 1.0) if cut else (1.0, evidence.passed)
    ends = [Period(one.last, one.last) for one in periods]
    month = evidence.last.replace(day=1)
    _, over = periods[0].moments(directory.company.time_zone)
    return Known(
        audience=audience,
        directory=directory,
        lengths=Lengths(days=plans.days, periods=periods, begun=evidence.begun, passed=passed),
        plans=plans,
        facts=[
            *await read_sums(connection, periods, _FLOWING, audience, passed=of_last),
            *await read_sums(connection, ends, _AT_END, audience),
        ],
        hours=await read_sums(connection, periods, _HOURLY, audience, hourly=True, passed=of_last),
        month=[fact for fact in evidence.own.facts if fact.day >= month] if plans.values else (),
        passed=evidence.passed,
        counted=evidence.until_hour != 0,
        ripe=now >= over + timedelta(days=RIPE_DAYS),
    )


def _until_hour(counted: CountedDay | None, directory: Directory, day: date, now: datetime) -> float | None:
    """Before which hour all of a day is counted, 0: nothing is; None: all of it is; `counted`: the last that is."""
    if counted is None or counted.day != day:
        return 0.0
    at = min(now, counted.at).astimezone(ZoneInfo(directory.company.time_zone))
    return at.hour + at.minute / 60 if at.date() <= day else None


async def _begun(connection: AsyncConnection) -> date | None:
    """The first day that is counted; None: none is."""
    asked = select(func.min(report_days.c.day)).where(report_days.c.built_at.is_not(None))
    found: date | None = (await connection.execute(asked)).scalar()
    return found


async def _incidents(
    connection: AsyncConnection, directory: Directory, period: Period, audience: Audience
) -> tuple[IncidentTold, ...]:
    """The faults of a period that are an audience's business, in order.

    The house is told of all; others of those that cost calls, and of phones only where they are their own people's.
    """
    rows = await listed(connection, "all", *period.moments(directory.company.time_zone))
    ours = {key for team in teams_of(directory, audience) for key in team.members}
    ours = {audience.key} if audience.kind == "person" else ours

    def concerns(kind: str, subject: str) -> bool:
        if KINDS[kind].scope == "device":
            person = directory.person_of_device(subject)
            return person is not None and person.key in ours
        return bool(KINDS[kind].causes)

    return tuple(
        IncidentTold(
            id=row.id,
            kind=row.kind,
            subject=row.subject,
            started_at=row.started_at,
            ended_at=row.ended_at,
            calls_lost=row.calls_lost,
            calls_saved=row.calls_saved,
        )
        for row in reversed(rows)
        if audience.kind == "house" or concerns(row.kind, row.subject)
    )


async def _days(connection: AsyncConnection, drawn: Period, begun: date, audience: Audience) -> tuple[DayPoint, ...]:
    """The days of the chart."""
    first = drawn.first - timedelta(weeks=WEEKS_BEFORE)
    counts = day_measures(audience)
    told = await sums(connection, first, drawn.last, ("day",), tuple(counts.values()), audience)

    def usual(day: date) -> float | None:
        weekdays = (day - timedelta(weeks=ago) for ago in range(1, WEEKS_BEFORE + 1))
        known = [told.get((counts["missed"], one), 0.0) for one in weekdays if one >= begun]
        return median(known) if known else None

    in_turn = days(drawn.first, drawn.last)
    return tuple(
        DayPoint(
            day=day,
            missed_usual=usual(day),
            **{name: told.get((count, day), 0.0) for name, count in counts.items()},
        )
        for day in in_turn
        if day >= begun
    )
