"""Judges what is dialled on phones in time: in the database, and by what is known in memory when that does not answer.

What was judged without the database is written down once it is back, and counts for the limits meanwhile.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.events import Event, OutgoingJudged, device
from directory.model import Directory, Line
from routing.memory import Memory
from routing.recent import Recent
from routing.requests import Answered, Desk, Wish, ask, judge, keep, midnight_of
from service.wishers import Wishers
from telephony.hand_over import WAKE
from telephony.heartbeat import pbx_time
from telephony.link import Link
from telephony.pbx import LinkError, Message
from telephony.plan_variables import OUT, UnsafeDialError, allow_out, refuse_out

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

AT_ONCE_MOST: Final = 4
"""So many calls are judged in the database at once; who comes while it is slow is judged by memory."""

UNWRITTEN_MOST: Final = 20_000
_LOOK_SECONDS: Final = 1.0
_UNWANTED_SECONDS: Final = 60.0

Tell = Callable[[datetime, Event], None]


class Judge:
    """Answers the dialplan of one PBX; `run` ends only by cancellation."""

    def __init__(
        self,
        link: Link,
        memory: Memory,
        engine: AsyncEngine,
        tell: Tell,
        desk: Desk,
        recent: Recent,
        wishers: Wishers,
        *,
        budget_seconds: float,
    ) -> None:
        """`tell` records an event; `wishers` tells who sent a client on from a channel that is no device of ours;
        `budget_seconds` is how long who dials may wait for the database.
        """
        self._pbx = link.settings.name
        self._link = link
        self._memory = memory
        self._engine = engine
        self._tell = tell
        self._desk = desk
        self._recent = recent
        self._wishers = wishers
        self._budget_seconds = budget_seconds
        self._at_once = asyncio.Semaphore(AT_ONCE_MOST)
        self._asking: set[asyncio.Task[Answered]] = set()
        self._unwanted: frozenset[str] = frozenset()
        self._unwanted_at = -_UNWANTED_SECONDS
        self._unwritten: deque[tuple[Wish, Answered, datetime]] = deque(maxlen=UNWRITTEN_MOST)

    async def run(self) -> None:
        """Write down what was judged without the database, and read who must not be called, until cancelled."""
        while True:
            try:
                await self.catch_up()
            except Exception as error:  # noqa: BLE001  # whatever the driver raises: it is tried again
                log.warning("judged calls are not written down yet", pbx=self._pbx, error=type(error).__name__)
            await asyncio.sleep(_LOOK_SECONDS)

    async def catch_up(self) -> None:
        """Do once what `run` does for ever. Raises what the driver raises."""
        now = time.monotonic()
        if now - self._unwanted_at >= _UNWANTED_SECONDS:
            async with self._engine.connect() as connection:
                self._unwanted = await self._desk.unwanted(connection)
            self._unwanted_at = now
        while self._unwritten and (directory := self._memory.directory) is not None:
            wish, told, at = self._unwritten[0]
            # A row that cannot be written must not keep the others from it.
            with suppress(IntegrityError):
                async with self._engine.begin() as connection:
                    await keep(connection, wish, told, directory, at)
            self._unwritten.popleft()

    async def answer(self, message: Message) -> None:
        """Answer the dialplan that waits: whether the call may be made, to which number, and what it shows."""
        directory = self._memory.directory
        if directory is None:
            return
        to, channel = str(message.get("To", "")), str(message.get("Channel", ""))
        uniqueid = str(message.get("Uniqueid", ""))
        by = str(message.get("By") or channel)
        address = device(by)
        person = directory.person_of_device(address) or directory.person(self._wishers.person(by))
        wish = Wish(
            to=to,
            person=person.key if person else None,
            purpose="dialled",
            asked_by=address,
            pbx=self._pbx,
            channel=uniqueid,
            device=address,
        )
        told = await self.judged(wish, directory)
        line = directory.outgoing_line(person)
        try:
            value = refuse_out(to) if told.reason_key else _allowed(to, told, line)
            setting = {"Action": "Setvar", "Channel": channel, "Variable": OUT, "Value": value}
            written, _ = await self._link.actions([setting, {"Action": "PlayDTMF", "Channel": channel, **WAKE}])
        except (LinkError, UnsafeDialError) as error:
            log.warning("who dialled was not answered", pbx=self._pbx, error=str(error))
            return
        reason = told.reason_key or ""
        log.info("call out judged", purpose="dialled", allowed=not reason, reason=reason, taken=written.success)
        at = time_of(self._link, message)
        judged = OutgoingJudged(
            pbx=self._pbx,
            channel=uniqueid,
            at=at,
            purpose="dialled",
            person=wish.person or "",
            number=told.number,
            allowed=not reason,
            reason=reason,
            shown=shown_by(line),
        )
        self._tell(at, judged)

    async def judged(self, wish: Wish, directory: Directory) -> Answered:
        """Judge what was dialled: in the database when it answers in time, else by memory; nobody waits longer."""
        told = await self._by_database(wish, directory)
        now = datetime.now(UTC)
        if told is None:
            used = self._recent.usage(wish.person, now, midnight_of(directory, now))
            told, _ = judge(wish, directory, used, flagged=directory.normal(wish.to) in self._unwanted)
            self._unwritten.append((wish, told, now))
        if told.reason_key is None:
            self._recent.note(now, wish.person, directory.outgoing.price(told.number))
        return told

    async def _by_database(self, wish: Wish, directory: Directory) -> Answered | None:
        asking = asyncio.create_task(self._ask(wish, directory))
        self._asking.add(asking)
        asking.add_done_callback(self._forget)
        try:
            # The end of a cancelled question is not waited for: the driver takes seconds to give up a dead connection.
            done, _ = await asyncio.wait({asking}, timeout=self._budget_seconds)
            if done:
                return asking.result()
            why = "TimeoutError"
        except Exception as error:  # noqa: BLE001  # somebody waits: whatever went wrong, what is known must do
            why = type(error).__name__
        finally:
            asking.cancel()
        log.warning("a call out was judged without the database", pbx=self._pbx, error=why)
        return None

    async def _ask(self, wish: Wish, directory: Directory) -> Answered:
        async with self._at_once, self._engine.begin() as connection:
            return await ask(connection, wish, self._desk, directory)

    def _forget(self, asking: asyncio.Task[Answered]) -> None:
        self._asking.discard(asking)
        if not asking.cancelled() and (error := asking.exception()) is not None:
            log.debug("a question to the database failed", pbx=self._pbx, error=type(error).__name__)


def _allowed(dialled: str, told: Answered, line: Line | None) -> str:
    return allow_out(dialled, told.number, shown=shown_by(line), trunk=(line.trunk if line else None) or "")


def shown_by(line: Line | None) -> str:
    """The number that the other side sees; empty, the PBX's own choice, for an internal line."""
    number = (line.shows or line.number) if line else ""
    return number if len(number) > 6 else ""


def time_of(link: Link, message: Message) -> datetime:
    """When the PBX raised an event, by its clock."""
    return datetime.fromtimestamp(pbx_time(message) or link.clock.pbx_now(), UTC)
