"""By when a lead must go on, in the working time of the line it came by (pure)."""

from __future__ import annotations

from datetime import datetime

from directory.model import Directory, Hours
from directory.working_time import after_working, before_days, before_working


def due_at(directory: Directory, line: str | None, minutes: int | None, since: datetime) -> datetime | None:
    """`minutes` of working time after `since`, in UTC; None: nobody asks, or the line never opens.

    A line that the directory does not know, or that has no hours, works around the clock.
    """
    if minutes is None:
        return None
    known = directory.line(line) if line else None
    zone = (known.time_zone if known else None) or directory.company.time_zone
    return after_working(directory.hours_of(known.hours if known else None), zone, since, minutes)


def deadline(directory: Directory, line: str | None, stage: str, step: str | None, since: datetime) -> datetime | None:
    """By when a lead that came to `stage` and `step` at `since` must go on."""
    return due_at(directory, line, directory.leads.target(stage, step), since)


def calendar_of(directory: Directory, line: str | None) -> tuple[Hours | None, str]:
    """The hours and the time zone by which leads of a line are worked; around the clock where it has, or is, none."""
    known = directory.line(line) if line else None
    return directory.hours_of(known.hours if known else None), directory.zone_of(known) if known else (
        directory.company.time_zone
    )


def too_long_since(
    directory: Directory, line: str | None, stage: str, step: str | None, now: datetime
) -> datetime | None:
    """Who came to `stage` and `step` before this moment is there for longer than its target; None: nobody can be."""
    minutes = directory.leads.target(stage, step)
    hours, zone = calendar_of(directory, line)
    return None if minutes is None else before_working(hours, zone, now, minutes)


def forgotten_since(directory: Directory, line: str | None, now: datetime) -> datetime | None:
    """With whom nobody spoke since this moment is forgotten, unless a task is open; None: nobody can be."""
    hours, zone = calendar_of(directory, line)
    return before_days(hours, zone, now, directory.leads.forgotten_days)
