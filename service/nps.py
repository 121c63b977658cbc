"""Plans whom to ask how willing they are to recommend the house, sends links, and keeps what calls and clients told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final, Never

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from crm_sync.book.leads import By, send_words
from crm_sync.book.lifecycle import SERVICE
from crm_sync.book.reviving import is_sent_on
from crm_sync.told import LINK_PLACE
from directory import store
from directory.model import Directory
from reports import nps_rows as rows
from reports.nps import line_of, open_from
from service.rounds import come_round
from service.tracebacks import place_of
from web.words import say

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

EVERY_SECONDS: Final = 10.0
NPS: Final = "nps"
"""What the message of a lead is about."""


async def keep(engine: AsyncEngine, public_url: str, every_seconds: float = EVERY_SECONDS) -> Never:
    """Come round for ever; `public_url` is where clients reach our pages, empty for nowhere."""

    async def once() -> None:
        await look(engine, public_url)

    await come_round("the asking of clients", once, every_seconds)


async def look(engine: AsyncEngine, public_url: str) -> None:
    """One round: end what is over, plan, send the links that are due; what cannot be done keeps nothing else back."""
    async with engine.connect() as connection:
        directory = await store.read(connection)

    async def send(connection: AsyncConnection) -> int:
        due = await rows.due_links(connection)
        for row in due:
            await _send(connection, directory, row, public_url)
        return len(due)

    ended = await _tried(engine, "what calls told", rows.follow)
    expired = await _tried(engine, "what is over", rows.expire)
    planned = await _tried(engine, "plans", lambda connection: rows.plan(connection, directory))
    await _tried(engine, "links", send)
    if planned or ended or expired:
        log.info("clients are asked", judged=planned, ended=ended, expired=expired)


async def _tried(engine: AsyncEngine, part: str, do: Callable[[AsyncConnection], Awaitable[int]]) -> int:
    """Do one part in a transaction of its own; one that fails is logged, and tried again with the next round."""
    try:
        async with engine.begin() as connection:
            return await do(connection)
    except Exception as error:  # noqa: BLE001  # whatever one row does to it
        told = {"error": type(error).__name__, "at": place_of(error)}
        log.error("a part of the asking of clients could not be done", part=part, **told)  # noqa: TRY400
        return 0


async def _send(connection: AsyncConnection, directory: Directory, row: Any, public_url: str) -> None:
    """Have one link sent by whoever takes messages for clients, or note why not."""
    now = datetime.now(UTC)
    line = line_of(directory, row.line)
    verdict = await rows.judge(connection, directory, row, now, own=row.id)
    opens = open_from(directory, line, now) if line else None
    why = verdict.why
    if not directory.nps.asks or directory.nps.way != "link" or opens is None:
        why = why or "policy"
    elif not await is_sent_on(connection):
        why = why or "no_channel"
    elif not public_url:
        why = why or "no_address"
    if why:
        await rows.decline(connection, row.id, why)
    elif opens is not None and opens > now:
        await rows.put_off(connection, row.id, opens)
    else:
        words = say(directory.language_of(line), "nps.message", company=directory.company.name, link=LINK_PLACE)
        message = await send_words(connection, row.lead_id, NPS, words, By(who=SERVICE, at=now))
        await rows.sent(connection, row.id, message)
