"""What the ledger of CRMs needs of other rooms, and the loop that keeps it moving."""

from __future__ import annotations

import asyncio
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from crm_sync import connections
from crm_sync.connections import Connection
from crm_sync.ledger import upkeep
from crm_sync.ledger.subjects import NotThereYet, Rooms
from crm_sync.secrets import Keeper, SecretKeyError
from crm_sync.told import CrmRecording, CrmSegment, CrmTranscript
from directory import store
from recordings.archive_rows import archiving_failed
from recordings.audit import Actor
from recordings.rows import is_removed, transcript_of
from reports.nps_links import path_of
from reports.nps_rows import asked_by
from routing.requests import wish_of
from service.rounds import come_round
from service.settings import Settings
from web import links
from web.hearing import archive_for_all, given_up

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

EVERY_SECONDS: Final = 2.0
TIDY_SECONDS: Final = 30.0
_TEXT_MOST: Final = 15_000


def maker(key: str) -> Actor:
    """Who makes the links of a connection: they end when it is removed."""
    return Actor(login=f"crm {key}")


def rooms(settings: Settings) -> Rooms:
    """What the ledger asks of recordings and links."""
    base = settings.web.public_url or ""

    async def recording(connection: AsyncConnection, call_id: UUID, to: Connection) -> CrmRecording | None:
        archive = await archive_for_all(connection, call_id, await store.read(connection))
        if archive is None:
            if await given_up(connection, call_id):
                return None  # it has no text, so nobody knows what must be muted: never for everybody
            if await is_removed(connection, call_id) or await archiving_failed(connection, call_id):
                return None
            raise NotThereYet
        seconds = round(archive.seconds, 1)
        if to.state == "shadow":
            return CrmRecording(call=call_id, seconds=seconds, expires_at=None, link=None)
        link = await links.make(connection, maker(to.key), call_id, to.link_days)
        return CrmRecording(call=call_id, seconds=seconds, expires_at=link.expires_at, link=link.id)

    async def address(connection: AsyncConnection, link: int) -> str | None:
        path = await links.path_of(connection, link)
        return path and base + path

    async def transcript(connection: AsyncConnection, call_id: UUID) -> CrmTranscript | None:
        told = await transcript_of(connection, call_id)
        if told is None:
            return None
        text = told.text[:_TEXT_MOST]
        segments = tuple(
            CrmSegment(side=one["side"], begins=one["start"], ends=one["end"], text=one["text"])
            for one in told.segments
        )
        is_whole = len(text) == len(told.text)
        return CrmTranscript(call=call_id, language=told.language, text=text, is_whole=is_whole, segments=segments)

    async def link(connection: AsyncConnection, event: int) -> str | None:
        ask = await asked_by(connection, event)
        return base + await path_of(connection, ask) if ask else None

    return Rooms(recording=recording, address=address, transcript=transcript, wish=wish_of, link=link)


async def mend_connections(engine: AsyncEngine, settings: Settings) -> None:
    """Seal what earlier versions kept in clear, and name accounts that they named otherwise; it waits for the key."""
    try:
        keeper = Keeper(settings.secret_key.get_secret_value())
    except SecretKeyError:
        return
    async with engine.begin() as connection:
        if count := await connections.seal_addresses(connection, keeper):
            log.info("addresses of connections are sealed now", count=count)
        if count := await connections.name_accounts(connection, keeper):
            log.info("accounts of connections are named anew", count=count)


async def keep_telling(
    engine: AsyncEngine, settings: Settings, every: float = EVERY_SECONDS, tidy_every: float = TIDY_SECONDS
) -> None:
    """Plan what no change of a call owes, and put what got lost on its way again, until cancelled."""

    async def planned() -> None:
        await upkeep.plan_told(engine)

    async def tidied() -> None:
        await upkeep.tidy(engine)
        await mend_connections(engine, settings)

    async with asyncio.TaskGroup() as group:
        group.create_task(come_round("the planning of what CRMs are told", planned, every))
        group.create_task(come_round("the upkeep of the ledger", tidied, tidy_every))
