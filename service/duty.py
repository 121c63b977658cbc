"""One service at a time attends a PBX; another one stands by and takes over when the first is gone.

Two that answer the same arrival would mix their plans' variables on one channel. Who attends holds an advisory lock of
PostgreSQL, which ends with its session however the process ends. A service that hangs keeps it: its callers ring the
fallback. While the database is away who attends goes on, and whoever stands by waits.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

# The server drops the session of a machine that is gone within 9 s, and the lock with it.
_KEEPALIVE = text(
    "select set_config('tcp_keepalives_idle', '3', false), set_config('tcp_keepalives_interval', '2', false),"
    " set_config('tcp_keepalives_count', '3', false)"
)
_TAKE = text("select pg_try_advisory_lock(5039, hashtext(:pbx))")
_ANSWERS = text("select cast(:pbx as text) is not null")
_LOOK_SECONDS = 1.0
_ANSWER_SECONDS = 5.0
_FIRST_COME_SECONDS = 3.0
"""After an outage of the database, what the service that attends has to take its lock again before another may."""
_OTHERS_SECONDS = 10.0
"""After so long a lock that we cannot take again is another service's, not our own lost session's."""


class Duty:
    """Whether this process attends the PBX; `standby` says that another one does."""

    def __init__(self, engine: AsyncEngine, pbx: str) -> None:
        self.standby = False
        self._engine = engine
        self._pbx = pbx
        self._session: AsyncConnection | None = None

    async def run(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do `work` whenever it is this process's turn, until cancelled; what `work` raises ends this."""
        try:
            while True:
                await self._turn()
                async with asyncio.TaskGroup() as group:
                    task = group.create_task(work())
                    await self._keep()
                    task.cancel()
        finally:
            await self._release()

    async def _turn(self) -> None:
        """Wait until nobody else attends."""
        was_away = False
        while True:
            told = await self._ask(_ANSWERS if was_away else _TAKE)
            if told and not was_away:
                break
            if told is False and not self.standby:
                self.standby = True
                log.warning("another service attends this PBX; standing by", pbx=self._pbx)
            await asyncio.sleep(_FIRST_COME_SECONDS if told else _LOOK_SECONDS)
            was_away = told is None
        if self.standby:
            log.warning("the other service is gone; taking over", pbx=self._pbx)
        self.standby = False

    async def _keep(self) -> None:
        """Hold the lock, in a new session after an outage; ends when another service has taken it meanwhile."""
        held_at = time.monotonic()
        while time.monotonic() - held_at < _OTHERS_SECONDS:
            await asyncio.sleep(_LOOK_SECONDS / 2)
            if await self._ask(_TAKE) is not False:  # in the session that holds it, it is granted again
                held_at = time.monotonic()

    async def _ask(self, question: Any) -> bool | None:
        """What the database says in our session; None when it does not answer."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                if self._session is None:
                    self._session = await self._engine.connect()
                    await self._session.execution_options(isolation_level="AUTOCOMMIT")
                    await self._session.execute(_KEEPALIVE)
                return bool((await self._session.execute(question, {"pbx": self._pbx})).scalar())
        except (SQLAlchemyError, OSError):
            await self._release()
            return None

    async def _release(self) -> None:
        """End the session, and the lock with it: it may not go back to the pool."""
        session, self._session = self._session, None
        if session is not None:
            await session.invalidate()
            await session.close()
