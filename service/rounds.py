"""Work that comes round for ever beside the routing of calls: no fault of it ends what calls need."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Never

import structlog

from service.tracebacks import place_of

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


async def come_round(what: str, once: Callable[[], Awaitable[None]], every_seconds: float) -> Never:
    """Do `once` for ever; whatever it raises is logged by its type and place, and the next round is a new try."""
    while True:
        try:
            await once()
        except Exception as error:  # noqa: BLE001  # whatever one row, or the database, does to it
            told = {"error": type(error).__name__, "at": place_of(error)}
            log.error("a round could not be done", work=what, **told)  # noqa: TRY400  # no words of rows
        await asyncio.sleep(every_seconds)
