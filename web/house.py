"""The directory as the pages need it: read once, then again at most every few seconds."""

from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncEngine

from directory import store
from directory.model import EMPTY, Directory

FRESH_SECONDS: Final = 5.0


@dataclass
class House:
    """Remembers the directory; a change shows on the pages within FRESH_SECONDS."""

    engine: AsyncEngine
    known: Directory = EMPTY
    _read_at: float = field(default=float("-inf"))

    async def read(self) -> Directory:
        """The directory, at most FRESH_SECONDS old. Raises what the database raises."""
        began = monotonic()
        if began - self._read_at <= FRESH_SECONDS:
            return self.known
        async with self.engine.connect() as connection:
            known = await store.read(connection)
        if began > self._read_at:  # of two readings at once the later begun is the newer
            self.known, self._read_at = known, began
        return self.known


HOUSE: Final = web.AppKey("house", House)
