"""Whom of a team to ring first: each strategy is an order of people who can be rung (pure).

Equals keep the order of the team. How fair each is stands in tests/pure/test_routing_strategies.py.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from directory.model import Person
from routing.arrival import Load

_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_NOTHING: Final = Load()

Order = Callable[[Sequence[Person], Mapping[str, Load], Sequence[str]], list[Person]]
"""(people who can be rung, in the team's order; load by person; who had a turn, the latest last) -> the order."""


def as_written(people: Sequence[Person], _load: Mapping[str, Load], _turns: Sequence[str]) -> list[Person]:
    """The order of the team: ring_all, which rings everybody at once, and hunt."""
    return list(people)


def round_robin(people: Sequence[Person], _load: Mapping[str, Load], turns: Sequence[str]) -> list[Person]:
    """Whose turn is longest ago; who never had one comes first."""
    latest = {key: place for place, key in enumerate(turns)}
    return sorted(people, key=lambda person: latest.get(person.key, -1))


def longest_idle(people: Sequence[Person], load: Mapping[str, Load], _turns: Sequence[str]) -> list[Person]:
    """Whose last talk ended longest ago; who has not talked today comes first."""
    return sorted(people, key=lambda person: _idle_since(load, person))


def fewest_calls(people: Sequence[Person], load: Mapping[str, Load], _turns: Sequence[str]) -> list[Person]:
    """Who has talked least often today, among equals whoever is idle longest."""
    return sorted(people, key=lambda person: (_of(load, person).calls_today, _idle_since(load, person)))


def weighted(people: Sequence[Person], load: Mapping[str, Load], _turns: Sequence[str]) -> list[Person]:
    """Who has least leads in work for their plan, counting the one that this call may bring; then fewest calls."""

    def share(person: Person) -> tuple[float, float, datetime]:
        own = _of(load, person)
        return (
            (own.leads_open + 1) / person.plan,
            (own.calls_today + 1) / person.plan,
            _idle_since(load, person),
        )

    return sorted(people, key=share)


ORDERS: Final[Mapping[str, Order]] = {
    "ring_all": as_written,
    "hunt": as_written,
    "round_robin": round_robin,
    "longest_idle": longest_idle,
    "fewest_calls": fewest_calls,
    "weighted": weighted,
}


def _of(load: Mapping[str, Load], person: Person) -> Load:
    return load.get(person.key, _NOTHING)


def _idle_since(load: Mapping[str, Load], person: Person) -> datetime:
    return _of(load, person).idle_since or _NEVER
