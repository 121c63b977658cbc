"""The directory as the pages need it: read once, then again at most every few seconds."""

from typing import Final

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncEngine

from directory import store
from directory.model import EMPTY, Directory
from web.lately import Lately

FRESH_SECONDS: Final = 5.0


class House:
    """Remembers the directory; a change shows on the pages within FRESH_SECONDS."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._directory = Lately(EMPTY)

    @property
    def known(self) -> Directory:
        """The directory as it was read last."""
        return self._directory.known

    async def read(self) -> Directory:
        """The directory, at most FRESH_SECONDS old. Raises what the database raises."""
        return await self._directory.get(self._read, FRESH_SECONDS)

    async def _read(self) -> Directory:
        async with self._engine.connect() as connection:
            return await store.read(connection)


HOUSE: Final = web.AppKey("house", House)
