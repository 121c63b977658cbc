"""Puts owed work into the job queue inside the transaction that owes it (procrastinate's own SQL function)."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.due import Job

_ENQUEUE = text(
    """
    select procrastinate_defer_jobs_v1(array(
        select row(j->>'queue', j->>'task', 0, j->>'lock', j->>'queueing_lock', j->'args', null)
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
        told = [
            {"queue": j.queue, "task": j.task, "lock": j.lock, "queueing_lock": j.queueing_lock, "args": dict(j.args)}
            for j in jobs
        ]
        await connection.execute(_ENQUEUE, {"jobs": json.dumps(told)})
