"""Being woken by the database's notices, however often it goes away."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine

_AWAY_SECONDS: Final = 1.0


async def keep_listening(engine: AsyncEngine, channel: str, wake: asyncio.Event) -> None:
    """Set `wake` at each notice on `channel`, until cancelled; notices of an outage are lost."""
    while True:
        with suppress(Exception):  # whatever the driver raises
            await _listen(engine, channel, wake)
        await asyncio.sleep(_AWAY_SECONDS)


async def _listen(engine: AsyncEngine, channel: str, wake: asyncio.Event) -> None:
    """Be woken until the database closes the connection. Raises what the driver raises."""
    lost = asyncio.Event()
    async with engine.connect() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        driver.add_termination_listener(lambda *_: lost.set())
        try:
            await driver.add_listener(channel, lambda *_: wake.set())
            await lost.wait()
        finally:
            await connection.invalidate()
