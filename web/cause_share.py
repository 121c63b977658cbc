"""Of which causes calls were missed, day by day or week by week: shares as bars that are drawn on the server (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Literal

Step = Literal["day", "week"]

STEPS: Final[Mapping[Step, int]] = {"day": 14, "week": 12}
"""How many of them are shown."""

NAMED_MOST: Final = 6
"""Causes with a colour of their own; the others are one part."""

OTHERS: Final = "others"
WIDTH: Final = 40
HEIGHT: Final = 160
_GAP: Final = 8


@dataclass(frozen=True, slots=True)
class Part:
    """The calls of one period that were missed for one cause; `hue` numbers its colour."""

    cause: str
    count: int
    share: float
    hue: int
    x: int
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """One period, from `since` to the day `until`: its parts in the order of the causes, from the bottom."""

    since: date
    until: date
    total: int
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Shares:
    """`causes`: those with a colour, by how many calls they cost, OTHERS last where there are others."""

    step: Step
    causes: tuple[str, ...]
    bars: tuple[Bar, ...]
    total: int

    @property
    def width(self) -> int:
        """Of the drawing."""
        return len(self.bars) * WIDTH


def first_day(step: Step, today: date) -> date:
    """The first day of the first period that is shown."""
    return _start(step, today) - (STEPS[step] - 1) * _length(step)


def shares(step: Step, today: date, counted: Iterable[tuple[date, str, int]]) -> Shares:
    """The bars of `counted`: of which day, for which cause, how many."""
    found: dict[date, Counter[str]] = {}
    every = Counter[str]()
    for day, cause, count in counted:
        found.setdefault(_start(step, day), Counter())[cause] += count
        every[cause] += count
    named = [cause for cause, _ in sorted(every.items(), key=lambda one: (-one[1], one[0]))]
    causes = tuple(named if len(named) <= NAMED_MOST + 1 else [*named[:NAMED_MOST], OTHERS])
    first, length = first_day(step, today), _length(step)
    starts = [first + number * length for number in range(STEPS[step])]
    bars = tuple(
        _bar(place, start, min(start + length - timedelta(days=1), today), found.get(start, Counter()), causes)
        for place, start in enumerate(starts)
    )
    return Shares(step, causes, bars, sum(bar.total for bar in bars))


def _bar(place: int, since: date, until: date, counts: Counter[str], causes: Sequence[str]) -> Bar:
    total, parts, top = sum(counts.values()), [], float(HEIGHT)
    others = total - sum(counts[cause] for cause in causes)
    for hue, cause in enumerate(causes):
        count = others if cause == OTHERS else counts[cause]
        share = count / total if total else 0.0
        top -= share * HEIGHT
        height = round(share * HEIGHT, 2)
        parts.append(Part(cause, count, share, hue, place * WIDTH + _GAP // 2, round(top, 2), height))
    return Bar(since, until, total, tuple(parts))


def _start(step: Step, day: date) -> date:
    return day if step == "day" else day - timedelta(days=day.weekday())


def _length(step: Step) -> timedelta:
    return timedelta(days=1 if step == "day" else 7)
