"""What is wanted of a PBX is done as soon as the database tells of it: one listening connection, one loop."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.database import listening
from telephony.link import Link

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 1.0
"""While the database does not tell, what is wanted is found after so long."""
_AWAY_SECONDS: Final = 1.0


class Listening:
    """One connection that listens for all PBXes of a process, however often the database goes away."""

    def __init__(self, engine: AsyncEngine) -> None:
        """Everybody is to ask for their `wake` before `run` begins."""
        self._engine = engine
        self._woken: defaultdict[str, list[asyncio.Event]] = defaultdict(list)

    def wake(self, channel: str) -> asyncio.Event:
        """An event that is set at each notice on a channel, and when notices may have been lost."""
        event = asyncio.Event()
        self._woken[channel].append(event)
        return event

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            with suppress(Exception):  # whatever the driver raises
                await self._listen()
            await asyncio.sleep(_AWAY_SECONDS)

    async def _listen(self) -> None:
        """Wake until the database closes the connection. Raises what the driver raises."""
        lost = asyncio.Event()
        told = {channel: partial(self._set, channel) for channel in self._woken}
        async with listening(self._engine, told, lost.set):
            for channel in told:
                self._set(channel)
            await lost.wait()

    def _set(self, channel: str, _payload: str = "") -> None:
        for event in self._woken[channel]:
            event.set()


async def keep_doing(what: str, wake: asyncio.Event, link: Link, *works: Callable[[], Awaitable[None]]) -> None:
    """Do all works whenever woken, and every LOOK_SECONDS, while the PBX is connected; ends only by cancellation."""
    while True:
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                await wake.wait()
        wake.clear()
        if link.state.connected:
            for work in works:
                await attempt(what, link, work())


async def attempt(what: str, link: Link, work: Awaitable[None]) -> None:
    """One wish must not end the service: what is not done is found at the next look."""
    try:
        await work
    except Exception as error:  # noqa: BLE001  # whatever the driver raises
        log.warning(
            "what is wanted could not be done now", what=what, pbx=link.settings.name, error=type(error).__name__
        )
