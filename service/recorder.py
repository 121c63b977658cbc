"""Takes events from a PBX's buffer and records them, through every trouble of the database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

import structlog
from sqlalchemy.exc import DBAPIError, InterfaceError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.due import Change, Owes
from calls.events import Event, Routed
from calls.record import Marks, Within, no_marks, nothing_within, record_all
from telephony.buffer import EventBuffer

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

Timed = tuple[datetime, Event]
"""An event with the PBX's time, as the buffer keeps it."""

_BATCH = 200
_GATHER_SECONDS = 0.02
"""What happens to a call comes in bursts of milliseconds: one transaction a burst leaves the loop free for arrivals."""
_AWAY_SECONDS = 0.5
_LAST_SECONDS = 3.0
_WRITE_SECONDS = 20.0
"""A batch takes milliseconds; a server silent for so long is asked anew, for a dead connection never answers."""
_AWAY = (OSError, InterfaceError, PoolTimeoutError)
_PASSING = ("08", "53", "55", "57", "58")
"""SQLSTATE classes that tell of the server's state and not of what was written: no connection, no room, locked,
starting or stopping, input and output (PostgreSQL's appendix A)."""


class Recorder:
    """The one writer of what PBXes tell.

    `within` writes in the transaction of the changes; `seen` is told every change after it (metrics).
    """

    def __init__(
        self, engine: AsyncEngine, owes: Owes, seen: Callable[[Change], None], within: Within = nothing_within
    ) -> None:
        self.engine = engine
        self._owes = owes
        self._seen = seen
        self._within = within
        self.database_reason = ""
        self.refused_total = 0

    async def write(self, events: Sequence[Event], marks: Marks = no_marks) -> list[Change]:
        """Record `events`, and the `marks` of each change they made, in one transaction.

        Raises what the database raises, and then nothing is written.
        """
        changes = await record_all(self.engine, events, self._owes, marks, self._within)
        for change in changes:
            self._seen(change)
            _say(change)
        return changes

    async def drain(self, buffer: EventBuffer[Event]) -> None:
        """Record what comes, for ever. While the database is away events wait in the buffer, which counts any loss."""
        while True:
            batch = await buffer.take(_BATCH, _GATHER_SECONDS)
            try:
                left = await self._store(batch)
            except asyncio.CancelledError:
                buffer.give_back(batch)
                raise
            self._said("the database does not answer" if left else "")
            buffer.give_back(left)
            if left:
                await asyncio.sleep(_AWAY_SECONDS)

    async def finish(self, buffer: EventBuffer[Event]) -> None:
        """Record what is still in the buffer when the service ends; gives up after some seconds, CEL has most of it."""
        try:
            async with asyncio.timeout(_LAST_SECONDS):
                while len(buffer) and not await self._store(await buffer.take(_BATCH)):
                    buffer.give_back()
        except TimeoutError:
            log.warning("events were left at the end", events=len(buffer))

    async def _store(self, batch: Sequence[Timed]) -> Sequence[Timed]:
        """Record the batch and return what is left because the database is away.

        A batch that the database refuses is halved until the one event it cannot take is found, counted and left out.
        """
        try:
            async with asyncio.timeout(_WRITE_SECONDS):
                await self.write([event for _, event in batch])
        except (SQLAlchemyError, OSError, ValueError) as error:
            if _is_away(error):
                return batch
            if len(batch) == 1:
                self.refused_total += 1
                log.exception("an event could not be recorded", kind=batch[0][1].kind)
                return []
            half = len(batch) // 2
            left = await self._store(batch[:half])
            return [*left, *batch[half:]] if left else await self._store(batch[half:])
        return []

    def _said(self, reason: str) -> None:
        if reason != self.database_reason:
            log.warning("the database is away" if reason else "the database is back", reason=reason)
        self.database_reason = reason


def _say(change: Change) -> None:
    """One line a change, and one a decision: here, where the call has its id, and no caller waits."""
    call, before = str(change.call_id), change.before
    for event in change.events:
        if isinstance(event, Routed):
            told = {"outcome": event.outcome, "rule": event.rule, "seconds": round(event.seconds, 4)}
            log.info("call routed", call=call, channel=event.channel, **told)
    log.info(
        "call changed",
        call=call,
        status=change.after.status,
        was=before.status if before is not None else "",
        told=[event.kind for event in change.events],
        settled=change.just_settled,
    )


def _is_away(error: Exception) -> bool:
    if isinstance(error, DBAPIError):
        state = str(getattr(error.orig, "sqlstate", None) or "")
        return error.connection_invalidated or state.startswith(_PASSING) or isinstance(error, _AWAY)
    return isinstance(error, _AWAY)
