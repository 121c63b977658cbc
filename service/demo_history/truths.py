"""What is planted in a history, about whom, and on which days; reports are to find it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

OUTAGE_HOURS: Final = range(13, 17)
"""By the clock of the house."""


class Truth(StrEnum):
    """One thing that is so in the house, and that a head should be told."""

    BAD_MANAGER = "bad_manager"
    """A manager disqualifies far more than colleagues on the same lines, and marks long good talks as spam."""
    DEAD_PHONE = "dead_phone"
    """A manager's phone cannot be reached on Tuesdays."""
    OUTAGE = "outage"
    """The service is away for some hours of one day."""
    SILENT_LINE = "silent_line"
    """Nobody calls a line any more."""
    GOOD_SOURCE = "good_source"
    """The leads of a line's campaign qualify far better than others."""
    FALLING_STEP = "falling_step"
    """Far fewer leads get from one step of the funnel to the next."""
    OVERLOAD = "overload"
    """Most new leads of a team go to one manager."""


ALL: Final = frozenset(Truth)


@dataclass(frozen=True, slots=True)
class Planted:
    """A truth about `key` (a person, a line, a kind of incident, a step), true on `days`."""

    truth: Truth
    key: str
    days: tuple[date, ...]


class Truths:
    """The planted ones, asked by day."""

    def __init__(self, planted: Iterable[Planted] = ()) -> None:
        """Without any: nothing is planted."""
        self.planted: Mapping[Truth, Planted] = {one.truth: one for one in planted}
        self._days = {one.truth: frozenset(one.days) for one in self.planted.values()}

    def key(self, truth: Truth, day: date) -> str | None:
        """About whom it is true on a day; None: it is not."""
        return self.planted[truth].key if day in self._days.get(truth, ()) else None
