"""Which reports a day ends with: whose, of which period, at which moment, and what was not told before (pure).

Rules kept here:
1. A day ends when the last of what opens on it closes (`working_days` says whose); of who is always there, at 18:00.
2. A day on which nothing opens has no report; a week and a month end with the last day on which something does.
3. Calls come after a day's report too, and on days that have none: the next daily one tells of those days.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from directory.hours import closes_on
from directory.model import Directory, Hours
from reports.periods import Period, chart_of, period_of
from reports.report import Audience, Kind
from reports.working_days import days, hours_of, working_days

KINDS: Final[tuple[Kind, ...]] = ("daily", "weekly", "monthly")

_EVENING: Final = time(18)


@dataclass(frozen=True, slots=True)
class Due:
    """A report that `audience` is owed of the period that `day` is the last working day of, from `at` on."""

    kind: Kind
    day: date
    audience: Audience
    at: datetime


def due(
    directory: Directory, day: date, *, after: datetime | None = None, until: datetime | None = None
) -> Iterator[Due]:
    """All reports that a date ends with: of the house, of each team, of each manager of one.

    Of those alone that are due after `after` and until `until`.
    """
    for audience in audiences(directory):
        at = day_ends(directory, audience, day)
        if at is not None and (after is None or after < at) and (until is None or at <= until):
            yield from (Due(kind, day, audience, at) for kind in KINDS if _is_last(directory, audience, kind, day))


def audiences(directory: Directory) -> tuple[Audience, ...]:
    """Whom reports are for, each once; a house without teams has nobody to count."""
    teams = [Audience("team", team.key) for team in directory.teams]
    members = (person for team in directory.teams for person in directory.members(team.key))
    managers = dict.fromkeys(Audience("person", one.key) for one in members if one.role == "manager")
    return (Audience("house"), *teams, *managers) if teams else ()


def day_ends(directory: Directory, audience: Audience, day: date) -> datetime | None:
    """When their working day ends, in UTC; None: they have none on this date."""
    ends = (_ends(hours, zone, day) for hours, zone in hours_of(directory, audience))
    return max((at for at in ends if at is not None), default=None)


def untold(directory: Directory, audience: Audience, day: date) -> Period | None:
    """The days before `day` that no daily report told whole: their last one of work, and those of rest since.

    A report that is due when the day is over, or later, told the day whole: then they begin with the next. None: there
    are none. They go no further back than a daily report has days. Who is away is told of their days all the same, so
    that absences change nothing.
    """
    first, last = chart_of("daily", Period(day, day)).first, day - timedelta(days=1)
    for one in reversed(list(days(first, last))):
        ends = day_ends(directory, audience, one)
        if ends is not None:
            _, over = Period(one, one).moments(directory.company.time_zone)
            first = one if ends < over else one + timedelta(days=1)
            break
    return Period(first, last) if first <= last else None


def _ends(hours: Hours | None, zone: str, day: date) -> datetime | None:
    if hours is None:
        return datetime.combine(day, _EVENING, ZoneInfo(zone)).astimezone(UTC)
    return closes_on(hours, zone, day)


def _is_last(directory: Directory, audience: Audience, kind: Kind, day: date) -> bool:
    """Whether the period has no working day after this one."""
    return not working_days(directory, audience, day + timedelta(days=1), period_of(kind, day).last)
