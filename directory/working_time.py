"""Deadlines in working time: minutes that count only while somebody works (pure).

Hours begin and end with whole minutes everywhere, so a minute counts whole where it begins in them. Spans are walked,
not minutes: the loops that ask share their event loop with the routing of calls.
"""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from directory.hours import ever_open, next_open, open_spans
from directory.model import Hours

_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)
_HORIZON = timedelta(days=400)


def after_working(hours: Hours | None, time_zone: str, at: datetime, minutes: int) -> datetime | None:
    """Give the moment when ``minutes`` of these hours have passed since ``at``, in UTC; None when they never do."""
    moment, left = at.astimezone(UTC), minutes
    if hours is None:
        return moment + left * _MINUTE
    while left:
        day = next_open(hours, time_zone, moment)
        if day is None:
            return None
        for opens, closes in open_spans(hours, time_zone, day):
            moment = max(moment, opens)
            counted = min(left, max(0, -((moment - closes) // _MINUTE)))
            moment, left = moment + counted * _MINUTE, left - counted
            if not left:
                return moment
        moment = max(moment, day + _DAY)
    return moment


def before_working(hours: Hours | None, time_zone: str, at: datetime, minutes: int) -> datetime | None:
    """Give the moment since which ``minutes`` of these hours have passed at ``at``; None: not within 400 days."""
    now, left = at.astimezone(UTC), minutes
    if hours is None or not left:
        return now - left * _MINUTE if left * _MINUTE <= _HORIZON else None
    if not ever_open(hours):
        return None
    for ago in range(_HORIZON.days):
        for opens, closes in reversed(open_spans(hours, time_zone, now - (ago + 1) * _DAY)):
            last = (now - closes) // _MINUTE  # so many minutes ago, and later, is out of this span
            counted = (now - opens) // _MINUTE - last
            if left <= counted:
                return now - (last + left) * _MINUTE
            left -= counted
    return None


def before_days(hours: Hours | None, time_zone: str, at: datetime, days: int) -> datetime | None:
    """Give the beginning of the working day ``days`` such days before that of ``at``; None: not within 400 days.

    A working day is one on whose date these hours open.
    """
    zone = ZoneInfo(time_zone)
    here = at.astimezone(zone).date()
    for ago in range(1, _HORIZON.days):
        day = here - timedelta(days=ago)
        starts, ends = (datetime.combine(it, time(), zone).astimezone(UTC) for it in (day, day + _DAY))
        days -= hours is None or any(
            opens < ends and closes > starts
            for since in {starts, ends - _DAY}  # a day may last an hour more or less
            for opens, closes in open_spans(hours, time_zone, since)
        )
        if not days:
            return starts
    return None
