"""Puts owed work into the job queue inside the transaction that owes it (procrastinate's own SQL function)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.due import Job

FIRST: Final = 2**31 - 1
"""The highest priority that there is."""

_ENQUEUE = text(
    """
    select procrastinate_defer_jobs_v1(array(
        select row(j->>'queue', j->>'task', (j->>'priority')::integer, j->>'lock', j->>'queueing_lock', j->'args', null)
               ::procrastinate_job_to_defer_v1
        from jsonb_array_elements(cast(:jobs as jsonb)) as j
        where j->>'queueing_lock' is null or not exists (
            select from procrastinate_jobs
            where queueing_lock = j->>'queueing_lock' and status = 'todo')))
    """
)


async def enqueue(connection: AsyncConnection, jobs: Sequence[Job]) -> None:
    """Enqueue `jobs`; they exist when and only when the caller's transaction commits."""
    if jobs:
        await connection.execute(_ENQUEUE, {"jobs": json.dumps([asdict(job) for job in jobs], default=dict)})


async def passed_on(connection: AsyncConnection, call_id: UUID, job: Job) -> bool:
    """Whether `job` is another call's, the one that `call_id` was joined into: then it is enqueued, and committed.

    So it comes in turn with the other work at that call, whose lock is not that of `call_id`.
    """
    if job.args["call_id"] == str(call_id):
        return False
    await enqueue(connection, [job])
    await connection.commit()
    return True


_HURRY = text(
    """
    update procrastinate_jobs set priority = :most
    where queue_name = :queue and status = 'todo' and priority < :most and args->>'call_id' = :call_id
    """
)


async def hurry(connection: AsyncConnection, queue: str, call_id: UUID) -> None:
    """Let what waits in `queue` for this call run before all else there: somebody looks at the call."""
    await connection.execute(_HURRY, {"queue": queue, "call_id": str(call_id), "most": FIRST})
