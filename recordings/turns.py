"""Which of the recordings that wait are heard next, and which together (pure).

The highest rank is first. What was in hand when a listening process died is heard alone, so that a recording that kills
harms no other.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from recordings.heard import Talk

TOGETHER: Final = 32
"""Recordings that one process hears at once, at most."""

TOGETHER_SECONDS: Final = 600.0
"""More than so much sound is not heard together: whoever comes next shall not wait for long."""

Ticket = TypeVar("Ticket")


@dataclass(slots=True, order=True)
class Turn(Generic[Ticket]):
    """A recording that waits, and whatever its owner knows it by. `tries`: how often its process died under it."""

    order: tuple[float, int]
    talk: Talk = field(compare=False)
    ticket: Ticket = field(compare=False)
    tries: int = field(default=0, compare=False)


class Turns(Generic[Ticket]):
    """The recordings that wait."""

    def __init__(self) -> None:
        self._waiting: list[Turn[Ticket]] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, talk: Talk, ticket: Ticket) -> None:
        """Let a recording wait; of equal ranks the first to come is heard first."""
        self._count += 1
        self.add_again(Turn((-talk.rank, self._count), talk, ticket))

    def add_again(self, turn: Turn[Ticket]) -> None:
        """Let one wait again, at its old place."""
        heapq.heappush(self._waiting, turn)

    def take(self) -> list[Turn[Ticket]]:
        """Those that are heard next; empty when none wait."""
        together: list[Turn[Ticket]] = []
        seconds = 0.0
        while self._waiting and len(together) < TOGETHER:
            first = self._waiting[0]
            if together and (first.tries or seconds + first.talk.seconds > TOGETHER_SECONDS):
                break
            together.append(heapq.heappop(self._waiting))
            seconds += first.talk.seconds
            if first.tries:
                break
        return together
