"""The directory as the pages need it: read once, then again at most every few seconds."""

import asyncio
from contextlib import suppress
from time import monotonic
from typing import Final

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncEngine

from directory import store
from directory.model import EMPTY, Directory
from web.lately import Lately

FRESH_SECONDS: Final = 5.0
RENEWED_SECONDS: Final = 3.0
"""While it is asked for it is read anew at this age, so that no page waits for it: all of them would, at once."""
PAUSE_SECONDS: Final = 1.0


class House:
    """Remembers the directory; a change shows on the pages within FRESH_SECONDS. `run` reads it ahead of who asks."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._directory = Lately(EMPTY)
        self._asked = asyncio.Event()

    @property
    def known(self) -> Directory:
        """The directory as it was read last."""
        return self._directory.known

    async def read(self) -> Directory:
        """The directory, at most FRESH_SECONDS old. Raises what the database raises."""
        self._asked.set()
        return await self._directory.get(self._read, FRESH_SECONDS)

    async def run(self) -> None:
        """Read it in time for as long as it is asked for, until cancelled."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            due = self._directory.read_at + RENEWED_SECONDS - monotonic()
            await asyncio.sleep(max(PAUSE_SECONDS, due))
            with suppress(Exception):  # whatever the driver raises: whoever asks when it is too old is told
                await self._directory.get(self._read, RENEWED_SECONDS)

    async def _read(self) -> Directory:
        async with self._engine.connect() as connection:
            fresh = await store.read(connection)
        return self.known if fresh == self.known else fresh  # what was drawn from it stands as long as it is the same


HOUSE: Final = web.AppKey("house", House)
