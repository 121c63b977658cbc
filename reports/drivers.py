"""What explains a difference: parts that add up to all of it, and the one that explains most (pure).

A count's difference is the sum of that of its keys. A ratio's is told apart key by key into what its own rate changed
and what its share of the whole changed, each at the mean of both periods (the symmetric, or Shapley, decomposition of
a product of two factors; A. F. Shorrocks, J. Econ. Inequality 11, 2013): these add up too.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from directory.model import Directory
from reports.evidence import source_of
from reports.facts import Fact, totals
from reports.measures import Count, Measure, Ratio, counts_of
from reports.registry import COUNT_OF
from reports.report import By, Driver

Key = TypeVar("Key", bound=Hashable)

LEAST: Final = 0.3
"""A key that explains less of a difference than this explains nothing."""

BEYOND: Final = 0.15
"""By so much a key's share of the difference must exceed what is its share on all days."""

_UNTOLD: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Part:
    """One key's part of a difference. `rate` and `mix` add up to it; of a count `rate` is all."""

    rate: float
    mix: float = 0.0

    @property
    def difference(self) -> float:
        """All of it."""
        return self.rate + self.mix


def count_parts(now: Mapping[Key, float], usual: Mapping[Key, float]) -> dict[Key, Part]:
    """The difference of a count by key; the parts add up to it."""
    return {key: Part(now.get(key, 0.0) - usual.get(key, 0.0)) for key in {**usual, **now}}


def ratio_parts(
    now: Mapping[Key, float], now_of: Mapping[Key, float], usual: Mapping[Key, float], usual_of: Mapping[Key, float]
) -> dict[Key, Part]:
    """The difference of a ratio by key, of which `now` (and `usual`) are the parts of the wholes `now_of`.

    The parts add up to it. A key whose share of the whole grew counts as far as its rate is above that of all. One
    that has no whole in a period has no rate there: its part of the ratio is told as it is. Raises ZeroDivisionError
    when a period has no whole at all.
    """
    whole, whole_usual = sum(now_of.values()), sum(usual_of.values())
    middle = (sum(now.values()) / whole + sum(usual.values()) / whole_usual) / 2
    parts = {}
    for key in {**usual_of, **usual, **now_of, **now}:
        share, before = now_of.get(key, 0.0) / whole, usual_of.get(key, 0.0) / whole_usual
        got, used = now.get(key, 0.0) / whole, usual.get(key, 0.0) / whole_usual
        if share <= 0 or before <= 0:
            parts[key] = Part(0.0, got - used - (share - before) * middle)
            continue
        rate, rate_before = got / share, used / before
        parts[key] = Part(
            (rate - rate_before) * (share + before) / 2,
            (share - before) * ((rate + rate_before) / 2 - middle),
        )
    return parts


def main_driver(
    measure: Measure, now: Sequence[Fact], before: Sequence[Fact], scale: float, directory: Directory
) -> Driver | None:
    """The key of a dimension that explains most of a measure's difference; None: none explains enough.

    `before` are the facts of what it is compared with, together `1 / scale` times as long as the period. Facts by hour
    may be among both. A key that is nearly all of a dimension on any day explains nothing: what counts is by how much
    its share of the difference exceeds its usual share.
    """
    counts = counts_of(measure)
    now, before = ([fact for fact in facts if fact.count in counts] for facts in (now, before))
    best: tuple[float, Driver] | None = None
    for dimension in _dimensions(measure, directory):
        for key, difference, share, usual_share in _explained(measure, now, before, scale, dimension):
            beyond = share - usual_share
            if key and share >= LEAST and beyond >= BEYOND and (best is None or beyond > best[0] + _UNTOLD):
                best = beyond, Driver(by=dimension.by, key=key, difference=difference, share=share)
    return best[1] if best else None


@dataclass(frozen=True, slots=True)
class _Dimension:
    """One way to tell facts apart. `apart`: whether a ratio's whole is told apart by it as its part is."""

    by: By
    key_of: Callable[[Fact], str]
    hourly: bool = False
    apart: bool = True


def _dimensions(measure: Measure, directory: Directory) -> Iterable[_Dimension]:
    """How a measure can be told apart, what says most first: of two that explain as much the first is taken."""
    detail = COUNT_OF[measure.part if isinstance(measure, Ratio) else measure.key].detail
    if detail and detail != "status":
        apart = isinstance(measure, Ratio) and COUNT_OF[measure.whole].detail == detail
        yield _Dimension(detail, lambda fact: fact.detail, apart=apart)
    yield _Dimension("person", lambda fact: fact.person)
    yield _Dimension("line", lambda fact: fact.line)
    yield _Dimension("source", lambda fact: source_of(directory, fact.line) if fact.line else "")
    yield _Dimension("team", lambda fact: fact.team)
    yield _Dimension("hour", lambda fact: f"{fact.hour:02}", hourly=True)


def _explained(
    measure: Measure, now: Sequence[Fact], before: Sequence[Fact], scale: float, dimension: _Dimension
) -> Iterable[tuple[str, float, float, float]]:
    """For each key: its difference, its share of the whole difference, and its share of what is usual."""
    after, earlier = (
        [fact for fact in facts if (fact.hour is not None) == dimension.hourly] for facts in (now, before)
    )
    part = measure.part if isinstance(measure, Ratio) else measure.key
    got, used = totals(after, part, dimension.key_of), totals(earlier, part, dimension.key_of)
    if not any((*got, *used)):
        return  # nothing is known of it by this dimension
    if isinstance(measure, Count):
        weights = {key: value * scale for key, value in used.items()}
        parts = count_parts(got, weights)
    else:
        of, of_before = (totals(facts, measure.whole, dimension.key_of) for facts in (after, earlier))
        whole, whole_before = sum(of.values()), sum(of_before.values())
        if not whole or not whole_before:
            return
        if dimension.apart:
            parts, weights = ratio_parts(got, of, used, of_before), of_before
        else:
            weights = {key: value / whole_before for key, value in used.items()}
            parts = count_parts({key: value / whole for key, value in got.items()}, weights)
    difference, weight = sum(one.difference for one in parts.values()), sum(weights.values())
    if abs(difference) < _UNTOLD:
        return
    times = 100.0 if measure.unit == "points" else 1.0
    for key, one in parts.items():
        share = min(max(one.difference / difference, 0.0), 1.0)
        yield key, one.difference * times, share, weights.get(key, 0.0) / weight if weight else 0.0
