"""Periods of reports: a day, a week, a month, and those before it that it is held against (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from reports.report import Kind

WEEKS_BEFORE: Final = 8
"""A day is held against the same weekday of so many weeks before, a week against so many weeks."""
MONTHS_BEFORE: Final = 6

_CHART_DAYS: Final = {"daily": 28, "weekly": 56, "monthly": 92}


@dataclass(frozen=True, slots=True)
class Period:
    """Days of the company from `first` to `last`, both counted."""

    first: date
    last: date

    def moments(self, zone: str) -> tuple[datetime, datetime]:
        """When it begins, and when it is over."""
        first, after = self.first, self.last + timedelta(days=1)
        return datetime.combine(first, time(), ZoneInfo(zone)), datetime.combine(after, time(), ZoneInfo(zone))


def period_of(kind: Kind, day: date) -> Period:
    """The day itself, its week from Monday to Sunday, or its month."""
    if kind == "daily":
        return Period(day, day)
    if kind == "weekly":
        monday = day - timedelta(days=day.weekday())
        return Period(monday, monday + timedelta(days=6))
    return _month_of(day)


def so_far(period: Period, today: date) -> Period:
    """What of a period there has been: it ends with today at the latest, and has a day at least."""
    return Period(period.first, max(period.first, min(period.last, today)))


def before(kind: Kind, period: Period) -> tuple[Period, ...]:
    """What a period, or what there has been of it, is held against, the nearest first.

    The same weekday of weeks before, the same days of weeks before, or whole months before.
    """
    if kind != "monthly":
        weeks = (timedelta(weeks=number) for number in range(1, WEEKS_BEFORE + 1))
        return tuple(Period(period.first - ago, period.last - ago) for ago in weeks)
    months = [_month_of(period.first - timedelta(days=1))]
    while len(months) < MONTHS_BEFORE:
        months.append(_month_of(months[-1].first - timedelta(days=1)))
    return tuple(months)


def chart_of(kind: Kind, period: Period) -> Period:
    """The days that are drawn: those of the period, and those before it."""
    return Period(period.last - timedelta(days=_CHART_DAYS[kind] - 1), period.last)


def _month_of(day: date) -> Period:
    first = day.replace(day=1)
    return Period(first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1))
