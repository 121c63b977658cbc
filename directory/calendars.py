"""Keeps the last good copy of everybody's calendar feed, and the times that it makes them busy.

A feed is tried when its address is new and then once in a while; whatever fails, the copy stays, with its age. Who
claims a feed writes the time into its row first, so that two processes never fetch the same one.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final

import structlog
from sqlalchemy import and_, delete, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from directory.feed import FeedError, Limits, fetch
from directory.ics import IcsError, Read
from directory.ics_process import read_apart
from directory.presence_store import CHANNEL, PAST
from directory.tables import calendars, company, people

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

AHEAD: Final = timedelta(days=8)
"""How far ahead a copy's events are worked out; once a day anew, for a feed that nobody can fetch any more too."""

AT_ONCE: Final = 4
PARTLY: Final = "partly_read"
_DIGEST: Final = func.sha256(func.convert_to(people.c.calendar, "UTF8"))
_LOOK_SECONDS: Final = 5.0
_AWAY_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Feed:
    """One person's feed to be tried, with the copy there is: its ``etag``, and up to when its times are worked out."""

    person: str
    address: str
    time_zone: str
    etag: str | None
    body: bytes | None
    blocks_until: datetime | None
    partly: bool

    @property
    def digest(self) -> bytes:
        """What the rows tell two addresses apart by."""
        return sha256(self.address.encode()).digest()


@dataclass(frozen=True, slots=True)
class FeedState:
    """How a person's feed stands: ``failure`` is a key of ``feed.FAILURES``, None when the last try went well."""

    person: str
    address: str
    tried_at: datetime | None
    fetched_at: datetime | None
    failure: str | None


async def keep(engine: AsyncEngine, limits: Limits, every_seconds: float) -> None:
    """Keep all feeds for ever; a database that is away is asked again."""
    while True:
        try:
            tried = await refresh(engine, limits, every_seconds)
        except Exception as error:  # noqa: BLE001  # whatever one feed or the driver raised, the feeds are kept on
            log.warning("calendars could not be kept now", error=type(error).__name__)
            await asyncio.sleep(_AWAY_SECONDS)
        else:
            await asyncio.sleep(0 if tried else _LOOK_SECONDS)


async def refresh(engine: AsyncEngine, limits: Limits, every_seconds: float) -> int:
    """Try the feeds that are due, a few at once; gives how many were tried."""
    async with engine.begin() as connection:
        due = await _claim(connection, timedelta(seconds=every_seconds))
    await asyncio.gather(*(_refresh_one(engine, feed, limits) for feed in due))
    return len(due)


async def states(connection: AsyncConnection) -> list[FeedState]:
    """Tell how every feed of the directory stands, in the directory's order."""
    rows = await connection.execute(_feeds(bodies=False).order_by(people.c.position))
    return [FeedState(row.key, row.calendar, row.tried_at, row.fetched_at, row.failure) for row in rows]


def _feeds(*, bodies: bool) -> Any:
    """All addresses with what is known of them; a row of another address is none. A body is megabytes."""
    known = and_(calendars.c.person == people.c.key, calendars.c.address_digest == _DIGEST)
    zone = func.coalesce(people.c.time_zone, select(company.c.time_zone).scalar_subquery()).label("zone")
    columns = [
        column
        for column in calendars.c
        if column.name not in {"person", "blocks"} | ({"body"} if not bodies else set())
    ]
    return (
        select(people.c.key, people.c.calendar, zone, *columns)
        .outerjoin(calendars, known)
        .where(people.c.calendar.is_not(None))
    )


async def _claim(connection: AsyncConnection, every: timedelta) -> list[Feed]:
    """Take some feeds whose turn it is, so that nobody else does; copies of addresses that are no more go."""
    kept = and_(people.c.key == calendars.c.person, calendars.c.address_digest == _DIGEST)
    await connection.execute(delete(calendars).where(~exists(select(people.c.key).where(kept))))
    turn = or_(calendars.c.tried_at.is_(None), calendars.c.tried_at <= func.now() - every)
    rows = await connection.execute(
        _feeds(bodies=True).where(turn).order_by(calendars.c.tried_at.nulls_first()).limit(AT_ONCE)
    )
    found = [
        Feed(row.key, row.calendar, row.zone, row.etag, row.body, row.blocks_until, row.failure == PARTLY)
        for row in rows
    ]
    return [feed for feed in found if await _claim_one(connection, feed, every)]


async def _claim_one(connection: AsyncConnection, feed: Feed, every: timedelta) -> bool:
    row = insert(calendars).values(person=feed.person, address_digest=feed.digest, tried_at=func.now())
    mine = row.on_conflict_do_update(
        index_elements=["person"], set_={"tried_at": func.now()}, where=calendars.c.tried_at <= func.now() - every
    )
    return (await connection.execute(mine.returning(calendars.c.person))).first() is not None


async def _refresh_one(engine: AsyncEngine, feed: Feed, limits: Limits) -> None:
    """Try one feed and write how it went; a copy that cannot be had or read leaves the one before in its place."""
    now = datetime.now(UTC)
    values: dict[str, Any] = {}
    try:
        fetched = await fetch(feed.address, limits, feed.etag)
        body = feed.body if fetched.body is None else fetched.body
        values = {"fetched_at": now, "failure": PARTLY if feed.partly else None, "etag": fetched.etag}
        if body is not None and (body != feed.body or _outdated(feed, now)):
            values |= {"body": body, **_worked_out(await _read(feed, body, now), now)}
    except Exception as error:  # noqa: BLE001  # whatever one feed makes a library raise, the others are kept
        why = str(error) if isinstance(error, FeedError | IcsError) else "failed"
        values = {"failure": why} | await _worked_out_again(feed, now)
        log.warning("a calendar could not be kept", person=feed.person, why=why, error=type(error).__name__)
    async with engine.begin() as connection:
        own = and_(calendars.c.person == feed.person, calendars.c.address_digest == feed.digest)
        await connection.execute(update(calendars).where(own).values(**values))
        await connection.execute(select(func.pg_notify(CHANNEL, feed.person)))


def _outdated(feed: Feed, now: datetime) -> bool:
    return feed.blocks_until is None or feed.blocks_until < now + AHEAD - timedelta(days=1)


async def _read(feed: Feed, body: bytes, now: datetime) -> Read:
    return await read_apart(body, feed.time_zone, now - PAST, now + AHEAD)


def _worked_out(read: Read, now: datetime) -> dict[str, Any]:
    times: Sequence[Any] = read.times
    blocks = [[it.starts_at.isoformat(), it.ends_at.isoformat(), "away" if it.away else "busy"] for it in times]
    return {"blocks": blocks, "blocks_until": now + AHEAD, "failure": None if read.whole else PARTLY}


async def _worked_out_again(feed: Feed, now: datetime) -> dict[str, Any]:
    """Give the coming times of a copy that cannot be made new: its events recur all the same."""
    if feed.body is None or not _outdated(feed, now):
        return {}
    try:
        again = _worked_out(await _read(feed, feed.body, now), now)
    except Exception:  # noqa: BLE001  # why it cannot be read was said when it was new
        return {}
    return {name: again[name] for name in ("blocks", "blocks_until")}
