"""Calls that are lost or do not come: an outage, a line gone silent, promises that nobody keeps (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from calls.incidents import KINDS
from calls.missed import GROUPS
from directory.model import Line
from reports.anomalies.look import NOTHING, Look, behind_of, call_back, look, lost_calls, per_period
from reports.chances import Number
from reports.evidence import Evidence, blocks_before
from reports.facts import Fact
from reports.norms import BEFORE_LEAST, Seen, number_expected, spread_expected
from reports.report import Action, IncidentTold

LOST_LEAST: Final = 3
"""Fewer calls than this are no outage, and no silence."""

SILENT_DAYS: Final = (1, 2, 3, 7)
"""A line with few calls is silent for longer before it is noticed."""

MOSTLY_OVER: Final = 0.9
"""What is open at the end of a day is told once so much of it has passed."""

SILENT: Final = 0.2
"""A line that has no more than this of its usual calls is silent."""

_INTEGRATION: Final = frozenset(cause for cause, group in GROUPS.items() if group == "integration")


def outages(evidence: Evidence) -> Iterator[Look]:
    """On each day of the period: whether calls were lost because we did not work."""
    for day in evidence.period:
        lost = evidence.sum("missed_integration", [day])
        before = [
            Seen(evidence.sum("missed_integration", days), evidence.open_hours(days))
            for days in blocks_before(day, day, evidence.begun)
        ]
        known = [seen for seen in before if seen.whole > 0]
        whole = evidence.open_hours([day])
        if lost < LOST_LEAST or whole <= 0 or len(known) < BEFORE_LEAST:
            yield NOTHING
            continue
        missed = [fact for fact in evidence.of("missed") if fact.day == day and fact.detail in _INTEGRATION]
        incident = _incident(evidence, day)
        fault = incident.kind if incident else ""
        first, last = _hours(evidence, day)
        ours = evidence.own.sum("missed_integration", [day])
        yield look(
            "outage",
            number_expected(whole, known).at_least(lost),
            ours,
            {"calls": ours, "day": day.isoformat(), "from_hour": first, "to_hour": last, "fault": fault},
            link=behind_of(evidence, "missed_integration", [day]),
            actions=(
                call_back(evidence, measure="open_by_integration"),
                Action(
                    key="see_incident",
                    values={"fault": fault},
                    link="/admin/incidents" + (f"#incident-{incident.id}" if incident else ""),
                ),
            ),
            excess=lost_calls(missed),
            lines=sorted({fact.line for fact in missed}),
        )


def silent_lines(evidence: Evidence) -> Iterator[Look]:
    """Of each line: whether the calls that usually come do not, for a day or longer, until the end of the period."""
    for line in evidence.directory.lines:
        for days in SILENT_DAYS:
            yield _silent(evidence, line, days)


def _silent(evidence: Evidence, line: Line, length: int) -> Look:
    days = evidence.days(evidence.last - timedelta(days=length - 1), evidence.last)
    before = [
        Seen(evidence.sum("calls_in", block, "line", line.number), evidence.open_hours(block, [line]))
        for block in _weeks_before(days, evidence.begun)
    ]
    known = [seen for seen in before if seen.whole > 0]
    whole = evidence.open_hours(days, [line])
    if whole <= 0 or len(known) < BEFORE_LEAST:
        return NOTHING
    now, usual = evidence.sum("calls_in", days, "line", line.number), number_expected(whole, known)
    # On a day that is quiet everywhere (a holiday that nobody told of) no line is silent of itself.
    usual = Number(usual.mean * _others(evidence, line, days), usual.size)
    if now > SILENT * usual.mean or usual.mean - now < LOST_LEAST:
        return Look(chance=usual.at_most(now))
    part = per_period(evidence, length)
    return look(
        "line_silent",
        usual.at_most(now),
        (usual.mean - now) * part,
        {"line": line.number, "calls": now, "usual": usual.mean, "days": length},
        link=behind_of(evidence, "calls_in", days, line=line.number),
        actions=(Action(key="check_line", values={"line": line.number}, link=f"/admin/lines/{line.number}"),),
        excess=[
            Fact(evidence.last, count, line.team, line.number, "", "", -missing * part)
            for count, missing in (("calls_in", usual.mean - now), ("leads_in", _fewer(evidence, line, days)))
        ],
        lines=[line.number],
    )


def not_called_back(evidence: Evidence) -> Iterator[Look]:
    """Whether more of the audience's promises to call back are open at the end than usually are."""
    day, own = evidence.last, evidence.own
    usual = [
        Seen(own.sum("open_promises", days[-1:]))
        for days in blocks_before(day, day, evidence.begun)
        if evidence.open_hours(days) > 0
    ]
    waiting = own.sum("open_promises", [day])
    if len(usual) < BEFORE_LEAST or evidence.passed < MOSTLY_OVER or evidence.open_hours([day]) <= 0:
        yield NOTHING
        return
    found = spread_expected(1.0, usual, least=1.0)
    never = own.sum("never_called_back", evidence.period)
    if waiting - found.usual < LOST_LEAST or waiting < 2 * found.usual:
        yield Look(chance=found.at_least(waiting))
        return
    yield look(
        "not_called_back",
        found.at_least(waiting),
        waiting - found.usual,
        {"calls": never, "usual": max(found.usual, 0.0), "open": waiting},
        link=behind_of(evidence, "open_promises", [day]),
        actions=(call_back(evidence),),
        excess=[
            Fact(day, "never_called_back", fact.team, fact.line, fact.person, "", fact.value)
            for fact in own.of("open_promises")
            if fact.day == day
        ],
    )


def _incident(evidence: Evidence, day: date) -> IncidentTold | None:
    """The incident that day that explains such calls, the one that cost most; None when none was kept."""
    zone = ZoneInfo(evidence.directory.company.time_zone)
    that_day = [
        told
        for told in evidence.incidents
        if told.started_at.astimezone(zone).date() <= day
        and (told.ended_at is None or told.ended_at.astimezone(zone).date() >= day)
        and told.kind in KINDS
        and _INTEGRATION & set(KINDS[told.kind].causes)
    ]
    return max(that_day, key=lambda told: (told.calls_lost, told.started_at), default=None)


def _hours(evidence: Evidence, day: date) -> tuple[int, int]:
    """From which hour to which it went on."""
    hours: dict[int, float] = {}
    for fact in evidence.day_hours:
        if fact.count == "missed_integration" and fact.day == day and fact.hour is not None:
            hours[fact.hour] = hours.get(fact.hour, 0.0) + fact.value
    many = [hour for hour, calls in hours.items() if calls >= max(hours.values()) / 4]
    return (min(many), max(many)) if many else (0, 23)


def _weeks_before(days: Sequence[date], begun: date) -> list[list[date]]:
    """The same weekdays of eight weeks before."""
    weeks = ([day - timedelta(weeks=week) for day in days] for week in range(1, 9))
    return [week for week in weeks if week and week[0] >= begun]


def _others(evidence: Evidence, line: Line, days: Sequence[date]) -> float:
    """Which part of their usual calls all other lines had, 1 at most."""
    before = _weeks_before(days, evidence.begun)

    def others(of: Sequence[date]) -> float:
        return evidence.sum("calls_in", of) - evidence.sum("calls_in", of, "line", line.number)

    usual = sum(others(week) for week in before) / len(before)
    now = others(days) / (evidence.passed if len(days) == 1 else 1.0)
    return min(1.0, now / usual) if usual >= LOST_LEAST else 1.0


def _fewer(evidence: Evidence, line: Line, days: Sequence[date]) -> float:
    """How many leads of the line did not come."""
    before = _weeks_before(days, evidence.begun)
    usual = sum(evidence.sum("leads_in", week, "line", line.number) for week in before) / len(before)
    return max(usual - evidence.sum("leads_in", days, "line", line.number), 0.0)
