"""Day facts: what was counted on a day, by team, line, person and detail; the same by hour, and of periods (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from typing import Literal, TypeVar

import msgspec

Key = TypeVar("Key")

Dimension = Literal["day", "team", "line", "person", "detail"]


class Fact(msgspec.Struct, frozen=True, gc=False):
    """So much of `count` on `day`; `team`, `line` and `person` are keys of the directory, "" where there is none.

    `line` is also the number of one that the directory does not have, or not any more.
    `hour` is None in facts by person and detail; facts by hour have no person and no detail, and are kept of few
    counts. Both add up to the same.
    """

    day: date
    count: str
    team: str
    line: str
    person: str
    detail: str
    value: float
    hour: int | None = None

    def of(self, value: float) -> Fact:
        """The same of another value."""
        return msgspec.structs.replace(self, value=value)


class Sums(msgspec.Struct, frozen=True, gc=False):
    """How much there was in each of some periods: `values`, in their order; all else as in a fact."""

    count: str
    team: str
    line: str
    person: str
    detail: str
    values: tuple[float, ...]
    hour: int | None = None


def facts_of(sums: Iterable[Sums], at: int, day: date) -> Iterator[Fact]:
    """What there is in one of the periods (its place among them), told as of `day`."""
    for one in sums:
        if one.values[at]:
            yield Fact(day, one.count, one.team, one.line, one.person, one.detail, one.values[at], one.hour)


def total(facts: Iterable[Fact], count: str) -> float:
    """All of one count."""
    return sum(fact.value for fact in facts if fact.count == count)


def totals(facts: Iterable[Fact], count: str, key: Callable[[Fact], Key]) -> dict[Key, float]:
    """All of one count, apart by what `key` gives."""
    found: dict[Key, float] = {}
    for fact in facts:
        if fact.count == count:
            at = key(fact)
            found[at] = found.get(at, 0.0) + fact.value
    return found
