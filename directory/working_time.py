"""Deadlines in working time: minutes that count only while somebody works (pure)."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from directory.hours import next_open, open_at
from directory.model import Hours

_MINUTE = timedelta(minutes=1)
_HORIZON = timedelta(days=400)


def after_working(hours: Hours | None, time_zone: str, at: datetime, minutes: int) -> datetime | None:
    """Give the moment when ``minutes`` of these hours have passed since ``at``, in UTC; None when they never do.

    Hours begin and end with whole minutes everywhere, so a minute counts whole where it begins in them.
    """
    moment: datetime | None = at
    for _ in range(minutes):
        moment = next_open(hours, time_zone, moment) if moment else None
        moment = moment + _MINUTE if moment else None
    return moment


def before_working(hours: Hours | None, time_zone: str, at: datetime, minutes: int) -> datetime | None:
    """Give the moment since which ``minutes`` of these hours have passed at ``at``; None: not within 400 days."""
    moment, left = at, minutes
    while left:
        moment -= _MINUTE
        if at - moment > _HORIZON:
            return None
        left -= open_at(hours, time_zone, moment)
    return moment


def before_days(hours: Hours | None, time_zone: str, at: datetime, days: int) -> datetime | None:
    """Give the beginning of the working day ``days`` such days before that of ``at``; None: not within 400 days.

    A working day is one on whose date these hours open.
    """
    zone = ZoneInfo(time_zone)
    here = at.astimezone(zone).date()
    for ago in range(1, _HORIZON.days):
        day = here - timedelta(days=ago)
        starts, ends = (datetime.combine(it, time(), zone) for it in (day, day + timedelta(days=1)))
        opens = next_open(hours, time_zone, starts)
        days -= opens is not None and opens < ends
        if not days:
            return starts.astimezone(UTC)
    return None
