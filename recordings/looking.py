"""Looks again for recordings that were told missing: a network was away, or the PBX's machine (a worker's loop)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.jobs import enqueue
from recordings.due import look
from recordings.files import PbxFolder
from recordings.uploads import Inbox

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

EVERY_SECONDS: Final = 300.0

_MISSING = text(
    """
    select distinct call_id, calls.pbx, channel from recordings join calls on calls.id = call_id
    where recordings.state = 'missing' and stored_at > clock_timestamp() - interval '30 days'
    """
)


async def keep_looking(engine: AsyncEngine, folders: Mapping[str, Path | None], every: float = EVERY_SECONDS) -> None:
    """Look again and again, until cancelled; a database that is away costs a turn."""
    while True:
        try:
            await look_again(engine, folders)
        except (SQLAlchemyError, OSError) as error:
            log.warning("missing recordings cannot be looked for", error=type(error).__name__)
        await asyncio.sleep(every)


async def look_again(engine: AsyncEngine, folders: Mapping[str, Path | None]) -> int:
    """Owe a look at each call of 30 days that lacks a file which is there now; how many. Old parts of uploads go."""
    async with engine.connect() as connection:
        missing = (await connection.execute(_MISSING)).all()
    found = await asyncio.to_thread(_there, missing, folders)
    async with engine.begin() as connection:
        # One that waits already is enough.
        await enqueue(connection, [replace(look(str(one)), queueing_lock=f"recording {one}") for one in sorted(found)])
    if found:
        log.info("recordings told missing are there", calls=len(found))
    return len(found)


def _there(missing: Sequence[Any], folders: Mapping[str, Path | None]) -> set[UUID]:
    for root in folders.values():
        if root is not None:
            Inbox(root).sweep()
    found = set()
    for row in missing:
        root = folders.get(row.pbx)
        if root is not None and PbxFolder(root).has(row.channel):
            found.add(row.call_id)
    return found
