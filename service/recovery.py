"""Finds out what happened while nobody listened: compares CEL with the store, and asks the PBX who lives.

What was read is remembered by this process alone, and begins again with what the store tells (decision 0019): at the
start from the last call that began before we listened, and the day before it, in case an earlier process could not read
all of it. From then on CEL is read several times a minute up to a few seconds ago, so that neither an outage nor a
single lost event stays; what cannot be read now is read once it can.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NamedTuple

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from calls.call import facts
from calls.events import ChannelHungUp, Event, QueueJoined
from calls.record import state_call
from service.comparison import record_differing
from service.recorder import Recorder
from telephony import snapshot
from telephony.buffer import EventBuffer
from telephony.cel_source import CelSource
from telephony.cel_table import CelTableError
from telephony.link import Link
from telephony.pbx import ActionRefused, LinkError, Reply

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_LAST_BEGUN = text(
    "select started_at from calls where pbx = :pbx and started_at < :before and joined_into is null"
    " order by started_at desc limit 1"
)
_OPEN = text(
    """
    select n.name, c.state->'channels'->n.name->>'ended_at' as ended_at
    from calls c join call_names n on n.call_id = c.id
    where c.pbx = :pbx and c.ended_at is null and c.settled_at is null and c.joined_into is null
      and jsonb_exists(c.state->'channels', n.name)
    """
)
_STATES = text(
    """
    select state from calls where joined_into is null and id in (
        select call_id from call_names where pbx = :pbx and name = any(cast(:names as text[])))
    """
)
_DAY = timedelta(hours=24)
"""A store that never heard of this PBX learns the calls of the last day, not its whole history."""
_OVERLAP = timedelta(seconds=15)
"""A database writer that was away for a moment, as cel_pgsql's, writes its rows late."""
_AGAIN_SECONDS, _AGAIN_MOST_SECONDS = 5.0, 60.0
CAUSES = (SQLAlchemyError, OSError, CelTableError, LinkError)
"""Why CEL cannot be read, or the PBX not asked, now."""


class Span(NamedTuple):
    """A period of the PBX's time to read CEL for. `outage`: nobody listened, so its calls are marked as recovered."""

    since: datetime
    until: datetime
    outage: bool


class Recovery:
    """Keeps the store of one PBX whole; `run` ends only by cancellation. Without a `source` only who lives is asked.

    `quiet_seconds`: what the PBX wrote more recently may still be on its way to us by AMI.
    """

    def __init__(
        self,
        link: Link,
        recorder: Recorder,
        buffer: EventBuffer[Event],
        source: CelSource | None,
        *,
        every_seconds: float = 20.0,
        quiet_seconds: float = 10.0,
    ) -> None:
        self._pbx = link.settings.name
        self._link = link
        self._recorder = recorder
        self._buffer = buffer
        self._source = source
        self._every_seconds = every_seconds
        self._quiet = timedelta(seconds=quiet_seconds)
        self._wake = asyncio.Event()
        self._failures = 0
        self._suspicious = False
        self._heard_since: datetime | None = None
        self._read_until: datetime | None = None
        self._yesterday: Span | None = None
        link.on_connect.append(self._connected)
        link.on_disconnect.append(self._disconnected)
        link.on_lost.append(self._lost)

    async def run(self) -> None:
        """Read what is owed: at once after an outage, soon after a lost heartbeat, and every few seconds."""
        while True:
            try:
                async with asyncio.timeout(self._pause()):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            try:
                await self.read()
                self._failures = 0
            except CAUSES as error:
                self._failures += 1
                # A database's words repeat rows; those of the PBX and the system do not.
                why = "" if isinstance(error, SQLAlchemyError) else str(error)[:200]
                log.warning("CEL could not be read now", pbx=self._pbx, error=type(error).__name__, why=why)
            except Exception as error:  # whatever is in the PBX's words: callers are answered meanwhile
                self._failures += 1
                log.exception("CEL could not be read", pbx=self._pbx, error=type(error).__name__)

    def cel_unread_seconds(self) -> float | None:
        """For how long CEL was not read, by the PBX's clock; None without CEL, or while nothing is known of it."""
        if self._source is None or self._read_until is None:
            return None
        return (self._pbx_now() - self._read_until).total_seconds()

    def caught_up_since(self, seconds_ago: float) -> bool:
        """Whether everything that the PBX wrote until that long ago, and before it was heard, is in the store."""
        read_until, heard_since = self._read_until, self._heard_since
        if self._source is None or read_until is None or heard_since is None:
            return False
        asked = self._pbx_now() - timedelta(seconds=seconds_ago)
        return asked < heard_since <= read_until

    def _pause(self) -> float:
        return min(_AGAIN_SECONDS * self._failures, _AGAIN_MOST_SECONDS) if self._failures else self._every_seconds

    async def read(self) -> None:
        """Read everything that is owed now, and end what the PBX no longer knows. Raises CAUSES.

        Without a connection since the start the PBX's time is not known, and nothing is owed.
        """
        looking, self._suspicious = self._suspicious and self._heard_since is not None, False
        steps: list[Callable[[], Awaitable[None]]] = [self._remember, self._read_cel]
        if looking:  # who is on the line is told at once; CEL knows better since when somebody waits, and what is over
            steps = [
                self._remember,
                partial(self._look, queues=False),
                self._read_cel,
                partial(self._look, queues=True),
            ]
        failures: list[Exception] = []
        for step in steps:
            try:
                await step()
            except CAUSES as error:  # holds up nothing else: no call stays open for want of CEL
                failures.append(error)
        if failures:
            raise failures[0]

    async def _connected(self, link: Link) -> None:
        """Note since when the PBX is heard, in its own time: what is older was heard by nobody."""
        if self._heard_since is None:
            ago = (datetime.now(UTC) - link.state.since).total_seconds() if link.state.since else 0.0
            self._heard_since = self._pbx_now() - timedelta(seconds=ago)
        self._suspicious = True
        self._wake.set()

    def _disconnected(self, _link: Link) -> None:
        self._heard_since = None

    def _lost(self, _link: Link) -> None:
        """A heartbeat did not come back: other events may be lost too. They are old enough to be read soon."""
        self._suspicious = True
        asyncio.get_running_loop().call_later(self._quiet.total_seconds(), self._wake.set)

    def _pbx_now(self) -> datetime:
        return datetime.fromtimestamp(self._link.clock.pbx_now(), UTC)

    async def _read_cel(self) -> None:
        if self._source is None:
            return
        for span in self._owed():
            await self._read_span(self._source, span)
            self._read_until = max(span.until, self._read_until or span.until)
        if self._yesterday is not None:
            await self._read_span(self._source, self._yesterday)
            self._yesterday = None

    async def _remember(self) -> None:
        """What may be missing, as the store tells it before anything new is in it: since the last call that it has."""
        heard_since = self._heard_since
        if self._read_until is not None or heard_since is None:
            return
        async with self._recorder.engine.connect() as connection:
            asked = {"pbx": self._pbx, "before": heard_since}
            begun: datetime | None = (await connection.execute(_LAST_BEGUN, asked)).scalar()
        yesterday = heard_since - _DAY
        self._read_until = begun or yesterday
        if self._read_until > yesterday:
            self._yesterday = Span(yesterday, self._read_until, outage=True)

    def _owed(self) -> list[Span]:
        """The periods to read now, the oldest first."""
        read_until, heard_since = self._read_until, self._heard_since
        if read_until is None:
            return []
        quiet = self._pbx_now() - self._quiet
        if heard_since is None:
            return [Span(read_until - _OVERLAP, quiet, outage=True)]
        spans = []
        if read_until < heard_since:
            spans.append(Span(read_until - _OVERLAP, heard_since, outage=True))
        if max(read_until, heard_since) < quiet:
            spans.append(Span(max(read_until, heard_since) - _OVERLAP, quiet, outage=False))
        return spans

    async def _read_span(self, source: CelSource, span: Span) -> None:
        """Compare one period; first everything that was heard of it is stored, or it would seem to be missing."""
        await self._buffer.stored(span.until)
        began = time.monotonic()
        count = await record_differing(
            self._pbx, source, self._recorder, span.since, span.until, mark=span.outage, first=self._buffer.kept_up_with
        )
        if count or span.outage:
            took = round(time.monotonic() - began, 3)
            log.info("caught up", pbx=self._pbx, since=span.since, until=span.until, calls=count, seconds=took)

    async def _look(self, *, queues: bool) -> None:
        try:
            await self._snapshot(queues=queues)
        except CAUSES:
            self._suspicious = True
            raise

    async def _snapshot(self, *, queues: bool) -> None:
        """Record who is on the line now; with `queues` also who waits, and that the others are gone.

        CEL knows better since when somebody waits, and when a channel ended: those come after it was read. The store is
        asked before the PBX: a channel that begins between the two questions is in neither list.
        """
        async with self._recorder.engine.connect() as connection:
            opened = (await connection.execute(_OPEN, {"pbx": self._pbx})).all()
        asked_at = self._pbx_now()
        replies = await self._link.actions(snapshot.QUESTIONS)
        if not replies[0].success:
            raise ActionRefused("CoreShowChannels", replies[0])
        events = snapshot.snapshot(self._pbx, replies, asked_at)
        events = await self._new(events) if queues else [one for one in events if not isinstance(one, QueueJoined)]
        if queues:
            events += self._gone([row.name for row in opened if row.ended_at is None], replies[0])
        if events:
            await self._recorder.write(events)

    def _gone(self, names: Sequence[str], channels: Reply) -> list[Event]:
        live = snapshot.live_channels(channels)
        if live is None:
            log.warning("the list of channels came in part: no call is taken for over by it", pbx=self._pbx)
            return []
        at = self._pbx_now()
        return [ChannelHungUp(pbx=self._pbx, channel=name, at=at) for name in names if name not in live]

    async def _new(self, events: Sequence[Event]) -> list[Event]:
        """Without the waits that the store knows: the list of who waits tells their begin to the second only."""
        names = sorted({one.channel for one in events if isinstance(one, QueueJoined)})
        async with self._recorder.engine.connect() as connection:
            rows = await connection.execute(_STATES, {"pbx": self._pbx, "names": names})
            joins = [fact for row in rows for fact in facts(state_call(row.state), QueueJoined)]
        known = {(fact.channel, fact.queue) for fact in joins}
        return [one for one in events if not isinstance(one, QueueJoined) or (one.channel, one.queue) not in known]
