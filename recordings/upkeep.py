"""Keeps the store in order: what no event owes text or an archive gets it, what dead writers left is swept away."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from calls.due import Job
from calls.jobs import enqueue
from recordings.archive_rows import unarchived
from recordings.due import archive_job, transcribe_job
from recordings.store import Store, StoreError

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

EVERY_SECONDS: Final = 60.0
_LATELY_DAYS: Final = 2
_EVER_DAYS: Final = 36_500
_ROUNDS_A_DAY: Final = round(86_400 / EVERY_SECONDS)
_STAGED: Final = timedelta(hours=6)
_ONE_AT_A_TIME: Final = text("select pg_try_advisory_xact_lock(5038, 3)")


async def keep(engine: AsyncEngine, store: Store) -> None:
    """Look every minute, for ever; a database or a store that is away is asked again. All sound there is once a day."""
    turn = 0
    while True:
        try:
            await owe_texts(engine)
            await owe_archives(engine, _EVER_DAYS if turn % _ROUNDS_A_DAY == 0 else _LATELY_DAYS)
            if turn % _ROUNDS_A_DAY == 0:
                swept = await store.tidy(datetime.now(UTC) - _STAGED)
                log.info("store swept", half_written=swept)
            turn += 1
        except (SQLAlchemyError, OSError, StoreError) as error:
            log.warning("the store could not be kept in order now", error=type(error).__name__)
        await asyncio.sleep(EVERY_SECONDS)


_TEXTLESS: Final = text(
    """
    select distinct calls.id, calls.ended_at
    from procrastinate_jobs as job join calls on calls.id = cast(job.args->>'call_id' as uuid)
    where job.task_name = 'recordings.transcribe' and job.status = 'failed'
      and not exists (
          select from procrastinate_events
          where job_id = job.id and type = 'failed' and at > clock_timestamp() - interval '1 day')
      and not exists (
          select from call_events where call_id = calls.id and kind = 'TranscriptionGivenUp')
      and not exists (
          select from procrastinate_jobs as other
          where other.task_name = job.task_name and other.status in ('todo', 'doing') and other.args = job.args)
    limit 200
    """
)

_FORGET_FAILED: Final = text(
    """
    delete from procrastinate_jobs
    where task_name = :task and status = 'failed' and args->>'call_id' = :call_id
    """
)


async def owe_texts(engine: AsyncEngine) -> int:
    """Owe their text anew to calls whose job failed a day ago without a word of why; returns to how many."""
    async with engine.begin() as connection:
        if not (await connection.execute(_ONE_AT_A_TIME)).scalar_one():
            return 0
        owed = (await connection.execute(_TEXTLESS)).all()
        await _owe(connection, [transcribe_job(str(one.id), one.ended_at) for one in owed])
    return len(owed)


async def _owe(connection: AsyncConnection, jobs: Sequence[Job]) -> None:
    """Owe the jobs in place of those that failed before them."""
    for job in jobs:
        await connection.execute(_FORGET_FAILED, {"task": job.task, "call_id": job.args["call_id"]})
    await enqueue(connection, jobs)


async def owe_archives(engine: AsyncEngine, days: int, *, seconds: float = EVERY_SECONDS) -> int:
    """Owe an archive to calls that no event owes it: `archive_rows.unarchived`; returns to how many."""
    async with engine.begin() as connection:
        if not (await connection.execute(_ONE_AT_A_TIME)).scalar_one():
            return 0
        owed = await unarchived(connection, days, seconds=seconds)
        await _owe(connection, [archive_job(str(call_id)) for call_id in owed])
    return len(owed)
