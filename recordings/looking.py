"""Looks again for recordings that were told missing: a network was away, or the PBX's machine (a worker's loop).

What earlier versions stored is judged here too.
"""

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
from recordings import judging, rows
from recordings.call_audio import audio_of
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

_UNJUDGED = text(
    """
    select id from calls
    where joined_into is null and settled_at is not null and direction <> 'synthetic'
      and exists (select from recordings where call_id = calls.id)
      and not exists (select from call_audio where call_id = calls.id)
    order by id limit :most
    """
)
_JUDGED_THEN = text(
    """
    update call_audio set judged_at = (select max(stored_at) from recordings where recordings.call_id = :call)
    where call_id = :call
    """
)


async def keep_looking(engine: AsyncEngine, folders: Mapping[str, Path | None], every: float = EVERY_SECONDS) -> None:
    """Look again and again, until cancelled; a database that is away costs a turn."""
    while True:
        try:
            await look_again(engine, folders)
            await judge_old(engine)
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


async def judge_old(engine: AsyncEngine, most: int = 500) -> int:
    """Judge the audio of calls that were stored before it was judged, as of when it was stored; how many were left."""
    async with engine.connect() as connection:
        found = list((await connection.execute(_UNJUDGED, {"most": most})).scalars())
    for call_id in found:
        async with engine.begin() as connection:
            row = await rows.call_of(connection, call_id)
            known = await rows.recordings_of(connection, call_id)
            await judging.write(connection, audio_of(row), {}, known)
            await connection.execute(_JUDGED_THEN, {"call": call_id})
    if found:
        log.info("audio of before is judged", calls=len(found))
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
