"""Looks on: what this process knows to be wrong and what the database knows, every few seconds, kept as incidents.

Rules kept here:
1. A PBX is judged by who attends it: it was away since it was heard last.
2. While the database is away nothing can be written; how long it was is written when it is back.
3. The sign of life is written at every look. A process that finds an old one when it begins to look writes that there
   was no service until now; whether it was ended is another kind than that it broke.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, Never

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.incident_rows import keep, nobody_looked, read, sign_of_life
from calls.incidents import Fault
from service.attendant import Attendant
from service.incidents import costs, stored
from service.incidents.telling import tell_of
from service.readiness import database_part, store_part
from service.rounds import come_round
from service.telephony_role import Telephony
from telephony.link import Link

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

EVERY_SECONDS: Final = 5.0
COUNT_EVERY: Final = timedelta(minutes=1)
LATE_FACTS: Final = timedelta(hours=1)
"""For so long after its end an incident's calls are counted again: CEL of an outage is read after it."""

_GONE: Final = timedelta(seconds=3 * EVERY_SECONDS)
"""Where nobody looked for so long there was no service; a shorter pause is a restart."""
_FIRST: Final = timedelta(seconds=10)
"""So long a process may take to log in to a PBX before that is a fault."""


class Looking:
    """The looks of one telephony role; `run` ends only by cancellation."""

    def __init__(self, telephony: Telephony, every_seconds: float = EVERY_SECONDS) -> None:
        self._telephony = telephony
        self._house = telephony.house
        self._every = every_seconds
        self._began = datetime.now(UTC)
        self._looks_since: datetime | None = None
        self._counting = costs.Counting(self._house.engine)
        self._counted_at: datetime | None = None
        self._away_since: datetime | None = None
        self._lost: dict[str, int] = {}
        self._cuts: dict[str, datetime] = {}
        for one in telephony.attendants:
            one.link.on_disconnect.append(partial(self._cut, one.settings.name))

    async def run(self) -> Never:
        """Look for ever."""
        await come_round("incidents", self.look, self._every)

    async def look(self) -> None:
        """Look once: write what is wrong and what is over, and tell of it."""
        now = datetime.now(UTC)
        if not (await database_part(self._house)).ready:
            self._away_since = self._away_since or now
            return
        found = [*self._of_process(now)]
        store = await asyncio.to_thread(store_part, self._house.settings)
        if not store.ready or store.reason:
            found.append(Fault("disk" if store.ready else "recordings", reason=store.reason))
        async with self._house.engine.begin() as connection:
            now, self._looks_since = await self._keep(connection, found)
        self._away_since = None
        self._cuts.clear()
        self._lost = {one.settings.name: _lost(one) for one in self._telephony.attendants}
        if self._counted_at is None or now - self._counted_at >= COUNT_EVERY:
            self._counted_at = now
            await self._counting.again(now - LATE_FACTS, now)

    async def _keep(self, connection: AsyncConnection, found: list[Fault]) -> tuple[datetime, datetime]:
        """Give the time by the database's clock, and since when this process looks."""
        now, before, ended = await sign_of_life(connection)
        if self._looks_since is None:
            if before is not None and now - before > _GONE:
                found.append(nobody_looked(before, now, ended=ended))
            looks_since = now
        elif self._was_away(now):
            looks_since = now  # what others wrote stopped as well
        else:
            looks_since = self._looks_since
        found += await stored.faults(
            connection, self._telephony.memory.directory, self._left_to_others(now - looks_since)
        )
        for what, number in await keep(connection, found, now, looks_since):
            if what == "closed":
                await self._count_ended(connection, number, now)
            incident = await read(connection, number)
            await tell_of(connection, what, incident)
            about = {"incident": number, "kind": incident.kind, "subject": incident.subject}
            log.warning("incident", what=what, lost=incident.calls_lost, saved=incident.calls_saved, **about)
        return now, looks_since

    async def _count_ended(self, connection: AsyncConnection, number: int, now: datetime) -> None:
        """Whoever is told of its end is told what it cost; where that cannot be counted, what was known of it."""
        try:
            async with connection.begin_nested():
                await costs.count(connection, await read(connection, number), now)
        except SQLAlchemyError as error:
            log.warning("calls of an incident not counted", incident=number, error=type(error).__name__)

    def _was_away(self, now: datetime) -> bool:
        return self._away_since is not None and now - self._away_since >= timedelta(seconds=self._every)

    def _left_to_others(self, looked: timedelta) -> list[str]:
        """PBXes that another process attends, once it had the time to show that it does."""
        if looked <= stored.UNATTENDED_AFTER:
            return []
        return [pbx for pbx, duty in self._telephony.duties.items() if duty.standby]

    def _of_process(self, now: datetime) -> Iterator[Fault]:
        if self._was_away(now):
            yield Fault("database", since=self._away_since, until=now)
        for one in self._telephony.attendants:
            pbx = one.settings.name
            if self._telephony.duties[pbx].standby:
                continue
            yield from self._of_link(one, now)
            lost = _lost(one) - self._lost.get(pbx, 0)
            if lost:
                yield Fault("events", pbx, since=now - timedelta(seconds=self._every), until=now, count=lost)

    def _of_link(self, one: Attendant, now: datetime) -> Iterator[Fault]:
        pbx, state = one.settings.name, one.link.state
        cut = self._cuts.get(pbx)
        if not state.connected and (cut is not None or now - self._began > _FIRST):
            yield Fault("pbx", pbx, since=cut or state.last_event_at or state.since or self._began, reason=state.reason)
        elif state.connected and cut is not None:
            yield Fault("pbx", pbx, since=cut, until=state.since)

    def _cut(self, pbx: str, link: Link) -> None:
        """Note since when nothing is heard of a PBX, also where it is back before the next look."""
        self._cuts.setdefault(pbx, link.state.last_event_at or datetime.now(UTC))


def _lost(one: Attendant) -> int:
    return one.buffer.lost_total + one.link.state.deliver_errors_total
