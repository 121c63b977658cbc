"""How the value of a plan is written by people: 45 for 45 %, 1 200, 12,5, 1:30 of seconds (pure)."""

from __future__ import annotations

import re
from typing import Final

from reports.measures import Unit
from reports.plans import measure_of

COUNT_MOST: Final = 1e9
_POINTS: Final = 100.0
_PERCENT: Final = 100.0
_SPACES: Final = re.compile(r"[\s\u00a0\u202f]")
_NUMBER: Final = re.compile(r"[+-]?\d+(?:[.,]\d+)?")
_THOUSANDS: Final = re.compile(r"[+-]?\d{1,3},\d{3}")
_CLOCK: Final = re.compile(r"(?:(\d{1,3}):)?(\d{1,2}):([0-5]\d)")

VALUE_FAULTS: Final = ("number", "thousands", "below", "above", "part_or_percent")
"""No number; a number in which a comma may stand for thousands or for a fraction; too small; too large; a share that
may be meant as 0 to 1 or as percent."""


class PlanValueError(ValueError):
    """A text that is no value of a plan; `why` is of VALUE_FAULTS."""

    def __init__(self, why: str) -> None:
        """Keep why."""
        self.why = why
        super().__init__(why)


def unit_of(measure: str) -> Unit:
    """The unit of a plan's values."""
    found = measure_of(measure)
    return found.unit if found else "count"


def read_value(text: str, measure: str, *, of_file: bool = False) -> float:
    """The value that somebody wrote; a share as 0 to 1. Raises PlanValueError.

    In a file Excel may have made 0.45 of 45 %, and 10 hours of 10:00: there a share of 1 or less needs its sign, and
    seconds are seconds.
    """
    unit, plain = unit_of(measure), _SPACES.sub("", text).replace("\u2212", "-")
    clock = None if of_file or unit != "seconds" else _CLOCK.fullmatch(plain)
    if clock:
        hours, minutes, seconds = (int(part or 0) for part in clock.groups())
        return checked(float((hours * 60 + minutes) * 60 + seconds), measure)
    signed = plain.endswith("%") and unit == "share"
    plain = plain.removesuffix("%") if signed else plain
    if not _NUMBER.fullmatch(plain):
        raise PlanValueError("number")
    if _THOUSANDS.fullmatch(plain) and not plain.lstrip("+-").startswith("0"):
        raise PlanValueError("thousands")
    value = float(plain.replace(",", "."))
    if unit == "share" and of_file and not signed and 0 < value <= 1:
        raise PlanValueError("part_or_percent")
    return checked(value / _PERCENT if unit == "share" else value, measure)


def checked(value: float, measure: str) -> float:
    """The value if it can be planned: shares up to 1, points -100 to 100, all else from 0. Raises PlanValueError."""
    unit = unit_of(measure)
    if not value >= (-_POINTS if unit == "points" else 0.0):
        raise PlanValueError("below")
    if value > {"share": 1.0, "points": _POINTS}.get(unit, COUNT_MOST):
        raise PlanValueError("above")
    return value


def write_value(value: float, measure: str) -> str:
    """A value as it stands in a field: a share in percent, no needless zeros."""
    scaled = value * _PERCENT if unit_of(measure) == "share" else value
    return f"{round(scaled, 4):.10g}"


def cell_of(value: float, measure: str) -> float | str:
    """A value as it stands in a file, where `read_value` gives it again."""
    if unit_of(measure) != "share":
        return value
    text = write_value(value, measure)
    return f"{text}%" if 0 < float(text) <= 1 else float(text)
