"""Finds out what happened while nobody listened: reads CEL for the gap and asks the PBX which channels still live."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from msgspec.structs import replace
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from calls.due import Change
from calls.events import ChannelHungUp, Event, Recovered
from service.recorder import Recorder
from service.settings import PbxSettings
from telephony import ami
from telephony.buffer import EventBuffer
from telephony.catch_up import read_gap
from telephony.link import Link

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_LAST_HEARD = text(
    "select max(greatest(started_at, answered_at, ended_at)) from calls where pbx = :pbx and joined_into is null"
)
_OPEN = text(
    """
    select n.name, c.state->'channels'->n.name->>'ended_at' as ended_at
    from calls c join call_names n on n.call_id = c.id
    where c.pbx = :pbx and c.ended_at is null and c.settled_at is null and c.joined_into is null
      and jsonb_exists(c.state->'channels', n.name)
    """
)
_MARGIN = timedelta(seconds=2)
_FIRST_LOOK = timedelta(hours=24)
"""A store that never heard of this PBX learns the calls of the last day, not its whole history."""
_BATCH = 500


class Recovery:
    """Closes gaps of one PBX. A gap is remembered until CEL was read for it, through any number of failures."""

    def __init__(self, settings: PbxSettings, link: Link, recorder: Recorder, buffer: EventBuffer[Event]) -> None:
        self._settings = settings
        self._link = link
        self._recorder = recorder
        self._buffer = buffer
        self._deaf_since: datetime | None = None
        self._remembered = asyncio.Event()

    async def remember(self) -> None:
        """Read when this PBX was last heard, before anything new is recorded. Raises what the database raises."""
        async with self._recorder.engine.connect() as connection:
            heard = (await connection.execute(_LAST_HEARD, {"pbx": self._settings.name})).scalar()
        self._deaf_since = heard or datetime.now(UTC) - _FIRST_LOOK
        self._remembered.set()

    def disconnected(self, link: Link) -> None:
        """Remember since when nothing is heard, in the PBX's time; a gap not yet looked into goes on."""
        self._deaf_since = self._deaf_since or link.state.last_pbx_event_at

    async def connected(self, link: Link) -> None:
        """Note the gap that ends now, catch up on it, then settle what the PBX no longer knows."""
        now = datetime.fromtimestamp(link.clock.pbx_now(), UTC)
        await self._remembered.wait()
        if self._deaf_since is not None:
            self._buffer.note_gap(self._deaf_since - _MARGIN, now + _MARGIN)
            self._deaf_since = None
        await self._catch_up()
        await self._end_the_gone(link)

    async def run(self) -> None:
        """Try again what could not be caught up at once, and what the full buffer lost since."""
        while True:
            await asyncio.sleep(5)
            await self._catch_up()

    async def _catch_up(self) -> None:
        gaps = self._buffer.take_gaps()
        while gaps:
            gap = gaps[0]
            try:
                count = await read_period(self._settings, self._recorder, gap.began_at, gap.ended_at)
            except (SQLAlchemyError, OSError) as error:
                why = "" if isinstance(error, SQLAlchemyError) else str(error)[:200]  # a database's words repeat rows
                kind = type(error).__name__
                log.warning("a gap could not be caught up now", pbx=self._settings.name, error=kind, why=why)
                self._buffer.return_gaps(gaps)
                return
            log.info("caught up", pbx=self._settings.name, since=gap.began_at, until=gap.ended_at, calls=count)
            gaps.pop(0)

    async def _end_the_gone(self, link: Link) -> None:
        """End channels that we believe alive and the PBX does not know: their hang-up was told to nobody.

        The store is asked first: a channel that begins between the two questions is in neither list.
        """
        async with self._recorder.engine.connect() as connection:
            rows = (await connection.execute(_OPEN, {"pbx": self._settings.name})).all()
        reply = await link.action({"Action": "CoreShowChannels"})
        live = {str(message.get("Uniqueid", message.get("UniqueID", ""))) for message in reply.events}
        now = datetime.fromtimestamp(link.clock.pbx_now(), UTC)
        # The list says who lives, not since when: without an earlier word, now is the best that is known.
        told = [event for message in reply.events for event in ami.translate(self._settings.name, message)]
        events = [event if event.at else replace(event, at=now) for event in told]
        events += [
            ChannelHungUp(pbx=self._settings.name, channel=row.name, at=now)
            for row in rows
            if row.ended_at is None and row.name not in live
        ]
        if events:
            await self._recorder.write(events)


async def read_period(settings: PbxSettings, recorder: Recorder, since: datetime, until: datetime) -> int:
    """Read a PBX's CEL for a period and record it; returns how many calls it changed. Told twice is told once."""
    if settings.cel_file is None:
        return 0
    rows = await asyncio.to_thread(read_gap, settings.name, settings.cel_file, since, until)
    changed: set[UUID] = set()
    for first in range(0, len(rows), _BATCH):
        changes = await recorder.write(rows[first : first + _BATCH], _marks)
        changed |= {change.call_id for change in changes if _tells_more(change)}
    return len(changed)


def _marks(change: Change) -> list[Event]:
    seen = change.after
    if seen.recovered or not _tells_more(change):
        return []
    at = seen.ended_at or seen.started_at
    return [Recovered(pbx=seen.pbx, channel=seen.caller_channel or seen.id, at=at)]


def _tells_more(change: Change) -> bool:
    """CEL told something that changes how the call reads, not only the same by another witness."""
    if change.before is None:
        return True
    before, after = change.before, change.after
    return (before.status, bool(before.ended_at), len(before.legs)) != (
        after.status,
        bool(after.ended_at),
        len(after.legs),
    )
