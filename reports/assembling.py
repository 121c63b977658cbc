"""Makes the report of a day, a week or a month: reads day facts, and has them judged."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
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
from reports.counts.promises import RIPE_DAYS
from reports.evidence import DAYS_BEFORE, Evidence
from reports.fact_rows import last_counted, read_facts, read_hours, strangers, sums
from reports.facts import Dimension, Fact
from reports.figures import Known, figures_of, sections_of
from reports.findings import find
from reports.freshness import read_freshness
from reports.lengths import Lengths
from reports.periods import WEEKS_BEFORE, Period, before, chart_of, period_of, so_far
from reports.plan_rows import read_plans
from reports.plans import Plans
from reports.registry import COUNTS
from reports.report import Audience, DayPoint, Figure, Finding, IncidentTold, Kind, Report, Section
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

    `older` has, added up, the facts and hours of those before it that began earlier than these days. `cut`: those
    before it are cut to the same days, of which the last counts no more than has passed of it. `counted` and `ripe` as
    in Known.
    """

    periods: tuple[Period, ...]
    cut: bool
    begun: date
    evidence: Evidence
    older: Mapping[Period, tuple[list[Fact], list[Fact]]]
    plans: Plans
    counted: bool
    ripe: bool

    def judged(self) -> tuple[tuple[Finding, ...], tuple[Figure, ...], tuple[Section, ...]]:
        """Findings, figures and sections: of many facts that takes a while."""
        known = self._known()
        return find(self.evidence) if self.counted else (), figures_of(known), sections_of(known)

    def _known(self) -> Known:
        period, audience, passed = self.periods[0], self.evidence.audience, self.evidence.passed
        return Known(
            audience=audience,
            directory=self.evidence.directory,
            lengths=Lengths(
                days=self.plans.days, periods=self.periods, begun=self.begun, passed=1.0 if self.cut else passed
            ),
            plans=self.plans,
            facts=[self._facts_of(one) for one in self.periods],
            hours=[self._hours_of(one) for one in self.periods],
            month=_narrowed(self.evidence.facts, Period(period.last.replace(day=1), period.last), audience),
            passed=passed,
            counted=self.counted,
            ripe=self.ripe,
        )

    def _facts_of(self, period: Period) -> list[Fact]:
        """The facts of a period, added up; of what stands at the end of a day, those of its last day."""
        if period in self.older:
            return self.older[period][0]
        told = _narrowed(self.evidence.facts, period, self.evidence.audience)
        flowing = self._gone([fact for fact in told if fact.count not in _AT_END], period)
        return summed([*flowing, *(fact for fact in told if fact.count in _AT_END and fact.day == period.last)])

    def _hours_of(self, period: Period) -> list[Fact]:
        """The same by the hour."""
        if period in self.older:
            return self.older[period][1]
        return summed(self._gone(_narrowed(self.evidence.hours, period, self.evidence.audience), period))

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
    incidents = await _incidents(connection, directory, period, audience)
    findings, figures, sections = await asyncio.to_thread(read.judged)
    return Report(
        kind=kind,
        first=period.first,
        last=period.last,
        audience=audience,
        made_at=now,
        freshness=await read_freshness(connection, read.periods, zone, now),
        findings=findings,
        figures=figures,
        sections=sections,
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
    until_hour = await _until_hour(connection, directory, period.last, now)
    evidence = Evidence(
        first=period.first,
        last=period.last,
        audience=audience,
        directory=directory,
        facts=await read_facts(connection, since, period.last),
        hours=await read_hours(connection, since, period.last, counts=_HOURLY),
        incidents=await _incidents(connection, directory, Period(since, period.last), Audience("house")),
        strangers=await strangers(connection, period.first, period.last, directory.company.time_zone),
        until_hour=until_hour,
        since=begun,
    )
    periods = (period, *before(kind, period))
    _, over = period.moments(directory.company.time_zone)
    return _Read(
        periods=periods,
        cut=kind == "weekly",
        begun=begun,
        evidence=evidence,
        older={one: await _older(connection, one, audience) for one in periods if one.first < since},
        plans=await read_plans(connection, directory, periods[-1].first, period.last),
        counted=until_hour != 0,
        ripe=now >= over + timedelta(days=RIPE_DAYS),
    )


async def _until_hour(connection: AsyncConnection, directory: Directory, day: date, now: datetime) -> float | None:
    """Before which hour all of a day is counted, 0: nothing is; None: all of it is."""
    found = await last_counted(connection, day, day)
    if found is None:
        return 0.0
    at = min(now, found.at).astimezone(ZoneInfo(directory.company.time_zone))
    return at.hour + at.minute / 60 if at.date() <= day else None


async def _older(connection: AsyncConnection, period: Period, audience: Audience) -> tuple[list[Fact], list[Fact]]:
    """The facts of a period, added up, and the same by the hour."""
    last = Period(period.last, period.last)
    flowing = await _summed(connection, period, _OF_FACTS, _FLOWING, audience)
    standing = await _summed(connection, last, _OF_FACTS, _AT_END, audience)
    return flowing + standing, await _summed(connection, period, _OF_HOURS, _HOURLY, audience)


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
