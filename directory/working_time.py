"""Deadlines in working time: minutes that count only while somebody works (pure)."""

from datetime import datetime, timedelta

from directory.hours import next_open
from directory.model import Hours

_MINUTE = timedelta(minutes=1)


def after_working(hours: Hours | None, time_zone: str, at: datetime, minutes: int) -> datetime | None:
    """Give the moment when ``minutes`` of these hours have passed since ``at``, in UTC; None when they never do.

    Hours begin and end with whole minutes everywhere, so a minute counts whole where it begins in them.
    """
    moment: datetime | None = at
    for _ in range(minutes):
        moment = next_open(hours, time_zone, moment) if moment else None
        moment = moment + _MINUTE if moment else None
    return moment
