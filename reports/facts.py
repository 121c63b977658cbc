"""Day facts: what was counted on a day, by team, line, person and detail; and the same by hour (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from typing import Literal, TypeVar

import msgspec

Key = TypeVar("Key")

Dimension = Literal["day", "team", "line", "person", "detail", "hour"]


class Fact(msgspec.Struct, frozen=True, gc=False):
    """So much of `count` on `day`; `team`, `line` and `person` are keys of the directory, "" where there is none.

    `line` is also the number of one that the directory does not have, or not any more.
    `hour` is None in facts by person and detail; facts by hour have no person and no detail. Both add up to the same.
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
