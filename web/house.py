"""The directory as the pages need it: read once, then again at most every few seconds."""

import asyncio
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
    """Remembers the directory; a change shows on the pages within FRESH_SECONDS. Many who ask make the work of one."""

    engine: AsyncEngine
    known: Directory = EMPTY
    _read_at: float = field(default=float("-inf"))
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def read(self) -> Directory:
        """The directory, at most FRESH_SECONDS old. Raises what the database raises."""
        if self._is_fresh():
            return self.known
        async with self._reading:
            if not self._is_fresh():
                began = monotonic()
                async with self.engine.connect() as connection:
                    self.known = await store.read(connection)
                self._read_at = began
        return self.known

    def _is_fresh(self) -> bool:
        return monotonic() - self._read_at <= FRESH_SECONDS


HOUSE: Final = web.AppKey("house", House)
