"""Counts of a period beside those of the periods before it, by the keys of a dimension (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from directory.model import Directory
from reports.evidence import source_of
from reports.facts import Fact, Sums
from reports.measures import Ratio
from reports.norms import Seen
from reports.registry import COUNT_OF, MEASURES
from reports.report import By

Counts = Mapping[str, float]
"""Of one period: how much of each count."""


def counted(sums: Iterable[Sums], key: Callable[[Sums], str]) -> dict[str, list[Counts]]:
    """The counts of each period in turn, apart by key."""
    found: dict[str, list[dict[str, float]]] = {}
    for one in sums:
        mine = found.setdefault(key(one), [{} for _ in one.values])
        for counts, value in zip(mine, one.values, strict=True):
            counts[one.count] = counts.get(one.count, 0.0) + value
    return {name: list(counts) for name, counts in found.items()}


def seen(measure: str, periods: Sequence[Counts], lengths: Sequence[float]) -> list[Seen]:
    """A measure in each period; the first is the one that is judged, others of no length are not known."""
    of = MEASURES[measure]
    if not isinstance(of, Ratio):
        # What stands at the end of a period is no more when the period is longer.
        length = (float(days > 0) if of.at_end else days for days in lengths)
        return [Seen(counts.get(measure, 0.0), days) for counts, days in zip(periods, length, strict=True)]
    now, *before = (Seen(counts.get(of.part, 0.0), counts.get(of.whole, 0.0)) for counts in periods)
    return [now, *(one if days else Seen(0.0, 0.0) for one, days in zip(before, lengths[1:], strict=True))]


def key_of(by: By, directory: Directory) -> Callable[[Fact | Sums], str]:
    """The key of a dimension that facts have; "" for none."""
    if by == "source":
        return lambda fact: source_of(directory, fact.line) if fact.line else ""
    if by in {"team", "person", "line"}:
        return lambda fact: str(getattr(fact, by))
    if by == "hour":
        return lambda fact: "" if fact.hour is None else f"{fact.hour:02}"
    return lambda fact: fact.detail if COUNT_OF[fact.count].detail == by else ""
