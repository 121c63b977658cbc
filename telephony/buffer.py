"""A bounded place between the link, which may never wait, and the recorder, which waits for the database."""

import asyncio
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from typing import Generic, TypeVar

T = TypeVar("T")

_KEPT_UP = 100


class EventBuffer(Generic[T]):
    """Keeps up to `most` items in order.

    When it is full the oldest item goes: the newest tell of calls that are alive now, and CEL, which Asterisk writes by
    itself, tells the old ones again. What went is counted.
    """

    def __init__(self, most: int = 50_000) -> None:
        self._most = most
        self._items: deque[tuple[datetime, T]] = deque()
        self._filled = asyncio.Event()
        self._taken: datetime | None = None
        self._taken_count = 0
        self._put_total = 0
        self.lost_total = 0

    def __len__(self) -> int:
        return len(self._items)

    @property
    def unstored_since(self) -> datetime | None:
        """PBX time of the oldest item that is not in the store yet, taken ones among them; None when all are."""
        return self._taken or (self._items[0][0] if self._items else None)

    async def stored(self, until: datetime) -> None:
        """Wait until every item of PBX time `until` or earlier is in the store, or lost."""
        while self.unstored_since is not None and self.unstored_since <= until:  # noqa: ASYNC110 - over in milliseconds
            await asyncio.sleep(0.05)

    async def all_stored(self) -> bool:
        """Wait until every item that was put by now is in the store; tells whether none was lost meanwhile."""
        until, lost = self._put_total, self.lost_total
        while self._put_total - len(self._items) - self._taken_count < until:  # noqa: ASYNC110 - over in milliseconds
            await asyncio.sleep(0.02)
        return self.lost_total == lost

    async def kept_up_with(self) -> None:
        """Wait until what comes is stored as it comes: nothing less urgent may hold it up."""
        while len(self._items) > _KEPT_UP:  # noqa: ASYNC110 - over in milliseconds; being told would cost each event
            await asyncio.sleep(0.01)

    def put(self, at: datetime, item: T) -> None:
        """Add one item of PBX time `at`; never waits, never raises."""
        self._items.append((at, item))
        self._put_total += 1
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
        self._taken = self._items[0][0]
        self._taken_count = min(most, len(self._items))
        return [self._items.popleft() for _ in range(self._taken_count)]

    def give_back(self, items: Sequence[tuple[datetime, T]] = ()) -> None:
        """End what `take` began. Items that could not be written come in front again; what is too much is lost."""
        self._taken, self._taken_count = None, 0
        self._items.extendleft(reversed(items))
        while len(self._items) > self._most:
            self._drop()
        if self._items:
            self._filled.set()

    def _drop(self) -> None:
        self._items.popleft()
        self.lost_total += 1
