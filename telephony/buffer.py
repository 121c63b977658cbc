"""A bounded place between the link, which may never wait, and the recorder, which waits for the database."""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Gap:
    """A period whose events we did not keep; CEL's rows of it must be read. `lost_count` is 0 when nobody can count."""

    began_at: datetime
    ended_at: datetime
    lost_count: int = 0


class EventBuffer(Generic[T]):
    """Keeps up to `most` items in order.

    When it is full the oldest item goes: the newest tell of calls that are alive now, and CEL, which Asterisk writes by
    itself, tells the old ones again. What went is counted, and its period is kept until somebody takes it.
    """

    def __init__(self, most: int = 50_000) -> None:
        self._most = most
        self._items: deque[tuple[datetime, T]] = deque()
        self._filled = asyncio.Event()
        self._gaps: list[Gap] = []
        self._losing: Gap | None = None
        self.lost_total = 0

    def __len__(self) -> int:
        return len(self._items)

    def put(self, at: datetime, item: T) -> None:
        """Add one item of PBX time `at`; never waits, never raises."""
        self._items.append((at, item))
        if len(self._items) > self._most:
            self._drop()
        self._filled.set()

    async def take(self, most: int = 500, gather_seconds: float = 0.0) -> list[tuple[datetime, T]]:
        """Wait for at least one item, let more gather, then remove and return up to `most` of the oldest, in order."""
        while not self._items:
            self._filled.clear()
            await self._filled.wait()
        if gather_seconds:
            await asyncio.sleep(gather_seconds)
        return [self._items.popleft() for _ in range(min(most, len(self._items)))]

    def give_back(self, items: Sequence[tuple[datetime, T]]) -> None:
        """Put items that could not be written in front again; what does not fit is lost as the oldest."""
        self._items.extendleft(reversed(items))
        while len(self._items) > self._most:
            self._drop()
        if self._items:
            self._filled.set()

    def note_gap(self, began_at: datetime, ended_at: datetime) -> None:
        """Remember a period in which nothing could be heard, as when the link was down."""
        self._gaps.append(Gap(began_at, ended_at))

    def take_gaps(self) -> list[Gap]:
        """Remove and return the periods to catch up on from CEL."""
        gaps = self._gaps + ([self._losing] if self._losing else [])
        self._gaps, self._losing = [], None
        return gaps

    def return_gaps(self, gaps: Iterable[Gap]) -> None:
        """Keep periods whose catch-up failed for the next attempt."""
        self._gaps.extend(gaps)

    def _drop(self) -> None:
        at, _ = self._items.popleft()
        self.lost_total += 1
        so_far = self._losing or Gap(at, at)
        self._losing = Gap(min(so_far.began_at, at), max(so_far.ended_at, at), so_far.lost_count + 1)
