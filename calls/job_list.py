"""What the job queue holds: what waits, runs, or was given up; and another try for what was given up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

STATES: Final = {"waiting": "todo", "running": "doing", "given_up": "failed"}
"""A job's states in words -> as the queue's table has them; what is done is told by metrics alone."""


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """How many jobs of a queue are in each of STATES."""

    queue: str
    waiting: int
    running: int
    given_up: int


@dataclass(frozen=True, slots=True)
class JobLine:
    """One job. `tries` so far; `owed_at`: when it was enqueued; `again_at`: when it is to run, None for at once."""

    id: int
    queue: str
    task: str
    state: str
    call: str | None
    tries: int
    owed_at: datetime | None
    again_at: datetime | None


_COUNTS: Final = text(
    """
    select queue, count(*) filter (where status = 'todo'), count(*) filter (where status = 'doing'),
           count(*) filter (where status = 'failed')
    from unnest(cast(:queues as text[])) as queue left join procrastinate_jobs on queue_name = queue
    group by queue order by queue
    """
)
_JOBS: Final = text(
    """
    select job.id, queue_name, task_name, cast(status as text) as status, args->>'call_id' as call, attempts, owed_at,
           case when status = 'todo' then scheduled_at end as again_at
    from procrastinate_jobs as job
    left join (
        select job_id, min(at) as owed_at from procrastinate_events where type = 'deferred' group by job_id
    ) as told on told.job_id = job.id
    where queue_name = any(cast(:queues as text[])) and status = any(cast(:states as procrastinate_job_status[]))
    order by array_position(array['failed', 'doing', 'todo'], cast(status as text)), job.id limit :most
    """
)
_GIVEN_UP: Final = text(
    """
    select id from procrastinate_jobs
    where status = 'failed' and queue_name = any(cast(:queues as text[])) and id = coalesce(cast(:id as bigint), id)
    order by id for update
    """
)
_RETRY: Final = text(
    """
    select procrastinate_retry_job_v2(id, clock_timestamp(), priority, queue_name, lock)
    from procrastinate_jobs where id = :id
    """
)


async def count_jobs(connection: AsyncConnection, queues: Sequence[str]) -> list[QueueCounts]:
    """How many jobs there are of each queue."""
    rows = await connection.execute(_COUNTS, {"queues": list(queues)})
    return [QueueCounts(*row) for row in rows]


async def list_jobs(
    connection: AsyncConnection, queues: Sequence[str], states: Sequence[str], most: int
) -> list[JobLine]:
    """The jobs of these queues in these states (of STATES): what was given up first, then what runs; by age."""
    words = {told: word for word, told in STATES.items()}
    told = {"queues": list(queues), "states": [STATES[state] for state in states], "most": most}
    return [
        JobLine(
            row.id, row.queue_name, row.task_name, words[row.status], row.call, row.attempts, row.owed_at, row.again_at
        )
        for row in await connection.execute(_JOBS, told)
    ]


async def try_again(
    connection: AsyncConnection, queues: Sequence[str], job: int | None = None
) -> tuple[list[int], list[int]]:
    """Have what was given up run again, or one `job` of it: (those that will, those whose same work waits already).

    Every task may run twice without harm.
    """
    told: dict[str, Any] = {"queues": list(queues), "id": job}
    again, waits = list[int](), list[int]()
    for one in list((await connection.execute(_GIVEN_UP, told)).scalars()):
        try:
            async with connection.begin_nested():
                await connection.execute(_RETRY, {"id": one})
            again.append(one)
        except IntegrityError:  # one with its queueing lock
            waits.append(one)
    return again, waits
