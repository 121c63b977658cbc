"""How many sends to one connection are in flight at once, so that one which hangs holds up no other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from calls.queue import TryAgain

AT_ONCE: Final = 2
"""Sends in flight for each connection and worker process."""

ROOM: Final = 64
"""Jobs of a connection that wait here for their turn; the others come again, one after another."""

_SOON: Final = 0.02
_SLOW: Final = 0.5
"""Seconds between those who come again, while sends go on and while they hang."""

_LATEST: Final = 60.0
_HANGS: Final = 1.0


@dataclass(slots=True)
class _Desk:
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    waiting: int = 0
    began: float = 0.0
    taken_until: float = 0.0

    def again(self, now: float) -> float:
        """Seconds until somebody who finds no room may come again: each has a moment of their own."""
        step = _SLOW if now - self.began > _HANGS else _SOON
        self.taken_until = min(max(self.taken_until, now) + step, now + _LATEST)
        return self.taken_until - now


@dataclass(slots=True)
class Turns:
    """The turns of every connection, by its key; `room` for so many jobs of each to wait."""

    room: int = ROOM
    _desks: dict[str, _Desk] = field(default_factory=dict)

    @asynccontextmanager
    async def turn(self, key: str) -> AsyncIterator[None]:
        """Wait for a turn with this connection and hold it. Raises TryAgain when too many wait already."""
        desk, clock = self._desks.setdefault(key, _Desk()), asyncio.get_running_loop().time
        if desk.waiting >= self.room:
            raise TryAgain("others are before it", desk.again(clock()))
        desk.waiting += 1
        try:
            await desk.turns.acquire()
        finally:
            desk.waiting -= 1
        try:
            desk.began = clock()
            yield
        finally:
            desk.turns.release()
