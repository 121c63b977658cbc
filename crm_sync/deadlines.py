"""By when a lead must go on, in the working time of the line it came by (pure)."""

from __future__ import annotations

from datetime import datetime

from directory.model import Directory
from directory.working_time import after_working


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
