"""Makes the report of a day, a week or a month: reads day facts, and has them judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.incident_rows import listed
from calls.incidents import KINDS
from directory.model import Directory
from reports.compared import summed
from reports.evidence import DAYS_BEFORE, Evidence
from reports.fact_rows import read_facts, read_hours, strangers, sums
from reports.facts import Dimension, Fact
from reports.figures import Known, figures_of, sections_of
from reports.findings import find
from reports.freshness import read_freshness
from reports.lengths import Lengths
from reports.periods import WEEKS_BEFORE, Period, before, chart_of, period_of, so_far
from reports.plan_rows import read_plans
from reports.registry import COUNTS
from reports.report import Audience, DayPoint, IncidentTold, Kind, Report
from reports.tables import report_days
from reports.working_days import days, teams_of

_AT_END: Final = frozenset(count.key for count in COUNTS if count.at_end)
_FLOWING: Final = frozenset(count.key for count in COUNTS if not count.at_end)
_OF_FACTS: Final[tuple[Dimension, ...]] = ("team", "line", "person", "detail")
_OF_HOURS: Final[tuple[Dimension, ...]] = ("team", "line", "hour")
_HOURLY: Final = frozenset({"answerable", "answered_soon", "calls_in", "missed", "missed_integration"})
"""What is told, or looked at, by the hour."""

_DRAWN: Final = ("calls_in", "missed", "charged", "leads_in")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """What is stored of a period (`periods[0]`) and of those before it; `evidence` has the days that were read.

    `cut`: those before it are cut to the same days, of which the last counts no more than has passed of it now.
    """

    periods: tuple[Period, ...]
    cut: bool
    begun: date
    evidence: Evidence
    connection: AsyncConnection

    async def facts_of(self, period: Period, audience: Audience) -> list[Fact]:
        """The facts of a period, added up; of what stands at the end of a day, those of its last day."""
        if period.first < self.evidence.first - timedelta(days=DAYS_BEFORE):
            last = Period(period.last, period.last)
            flowing = await _summed(self.connection, period, _OF_FACTS, _FLOWING, audience)
            return flowing + await _summed(self.connection, last, _OF_FACTS, _AT_END, audience)
        told = _narrowed(self.evidence.facts, period, audience)
        flowing = self._gone([fact for fact in told if fact.count not in _AT_END], period)
        return summed([*flowing, *(fact for fact in told if fact.count in _AT_END and fact.day == period.last)])

    async def hours_of(self, period: Period, audience: Audience) -> list[Fact]:
        """The same by the hour."""
        if period.first < self.evidence.first - timedelta(days=DAYS_BEFORE):
            return await _summed(self.connection, period, _OF_HOURS, _HOURLY, audience)
        return summed(self._gone(_narrowed(self.evidence.hours, period, audience), period))

    def _gone(self, facts: list[Fact], period: Period) -> list[Fact]:
        passed = self.evidence.passed
        if not self.cut or period == self.periods[0] or passed == 1:
            return facts
        return [fact.of(fact.value * passed) if fact.day == period.last else fact for fact in facts]


async def make_report(
    connection: AsyncConnection, directory: Directory, kind: Kind, day: date, audience: Audience, now: datetime
) -> Report:
    """The report of the period that holds `day`, as far as it has gone at `now`, to an audience."""
    zone = directory.company.time_zone
    period = so_far(period_of(kind, day), now.astimezone(ZoneInfo(zone)).date())
    read = await _read(connection, directory, kind, period, audience, now)
    known = await _known(read, directory, audience)
    incidents = await _incidents(connection, directory, period, audience)
    return Report(
        kind=kind,
        first=period.first,
        last=period.last,
        audience=audience,
        made_at=now,
        freshness=await read_freshness(connection, period, zone, now),
        findings=find(read.evidence),
        figures=figures_of(known),
        sections=sections_of(known),
        incidents=incidents,
        days=await _days(connection, chart_of(kind, period), read.begun, audience),
    )


async def _read(
    connection: AsyncConnection,
    directory: Directory,
    kind: Kind,
    period: Period,
    audience: Audience,
    now: datetime,
) -> _Read:
    begun = await _begun(connection) or period.first
    since = period.first - timedelta(days=DAYS_BEFORE)
    at = now.astimezone(ZoneInfo(directory.company.time_zone))
    evidence = Evidence(
        first=period.first,
        last=period.last,
        audience=audience,
        directory=directory,
        facts=await read_facts(connection, since, period.last),
        hours=await read_hours(connection, since, period.last, counts=_HOURLY),
        incidents=await _incidents(connection, directory, Period(since, period.last), Audience("house")),
        strangers=await strangers(connection, period.first, period.last, directory.company.time_zone),
        until_hour=at.hour if at.date() == period.last else None,
        since=begun,
    )
    periods = (period, *before(kind, period))
    return _Read(periods=periods, cut=kind == "weekly", begun=begun, evidence=evidence, connection=connection)


async def _known(read: _Read, directory: Directory, audience: Audience) -> Known:
    period, since = read.periods[0], read.periods[-1].first
    plans = await read_plans(read.connection, directory, since, period.last)
    passed = read.evidence.passed
    return Known(
        audience=audience,
        directory=directory,
        lengths=Lengths(days=plans.days, periods=read.periods, begun=read.begun, passed=1.0 if read.cut else passed),
        plans=plans,
        facts=[await read.facts_of(one, audience) for one in read.periods],
        hours=[await read.hours_of(one, audience) for one in read.periods],
        month=_narrowed(read.evidence.facts, Period(period.last.replace(day=1), period.last), audience),
        passed=passed,
    )


def _narrowed(facts: Sequence[Fact], period: Period, audience: Audience) -> list[Fact]:
    """The facts of these days that are an audience's."""
    here = (fact for fact in facts if period.first <= fact.day <= period.last)
    if audience.kind == "house":
        return list(here)
    return [fact for fact in here if getattr(fact, audience.kind) == audience.key]


async def _summed(
    connection: AsyncConnection, period: Period, by: Sequence[Dimension], counts: frozenset[str], audience: Audience
) -> list[Fact]:
    if audience.kind == "person" and "hour" in by:
        return []
    found = await sums(connection, period.first, period.last, by, counts, audience)
    empty: dict[str, Any] = dict.fromkeys(("team", "line", "person", "detail"), "")
    return [
        Fact(day=period.last, count=count, value=value, **empty | dict(zip(by, keys, strict=True)))
        for (count, *keys), value in found.items()
    ]


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
    """The days of the chart; what is missed of a person's is what is charged to them."""
    first = drawn.first - timedelta(weeks=WEEKS_BEFORE)
    told = await sums(connection, first, drawn.last, ("day",), _DRAWN, audience)
    missed = "charged" if audience.kind == "person" else "missed"

    def usual(day: date) -> float | None:
        weekdays = (day - timedelta(weeks=ago) for ago in range(1, WEEKS_BEFORE + 1))
        known = [told.get((missed, one), 0.0) for one in weekdays if one >= begun]
        return median(known) if known else None

    in_turn = days(drawn.first, drawn.last)
    return tuple(
        DayPoint(
            day=day,
            calls_in=told.get(("calls_in", day), 0.0),
            missed=told.get((missed, day), 0.0),
            leads_in=told.get(("leads_in", day), 0.0),
            missed_usual=usual(day),
        )
        for day in in_turn
        if day >= begun
    )
