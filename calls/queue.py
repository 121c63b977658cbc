"""The job queue: which tasks there are, the workers that run them, and the upkeep (the one importer of procrastinate).

Rules kept here:
1. A job may run twice (its worker died after the work, before the mark): every task first asks what is done.
2. A task never blocks the loop: a worker whose heartbeat stops is taken for dead and its jobs are given to others.
3. Upkeep is a loop in every worker under one advisory lock, never a job: a job could stall itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import procrastinate
import psycopg
import structlog
from procrastinate.jobs import Job, Status
from procrastinate.retry import BaseRetryStrategy
from procrastinate.schema import SchemaManager
from procrastinate.worker import Worker
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from structlog.contextvars import bind_contextvars

from calls import spans
from calls.database import plain

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

QUEUES: Final = ("recordings", "transcription", "crm", "effects", "routing", "follow_ups", "notices")

MOST_RETRIES = 8
"""Of an unexpected error, with waits of 1, 2, 4 … seconds; then the job is failed and stays visible."""

MOST_RUNS = 300
"""Of a job that takes its worker down with it. One that asks to be run again is so as long as it asks."""

_KEEP_HOURS = 24
_PURGE_SECONDS = 3600.0
_UPKEEP_LOCK = "select pg_try_advisory_xact_lock(5038, 2)"


class TryAgain(spans.Later):
    """Raised by a task: not now, run me again in `seconds`, for days if need be. Its text is the reason.

    Where it is no outage that will end, the task itself counts and gives up.
    """

    def __init__(self, reason: str, seconds: float) -> None:
        super().__init__(reason)
        self.seconds = seconds


class GiveUp(Exception):
    """Raised by a task: no run will help. The job is failed at once and stays visible; its text tells a person why."""


@dataclass(frozen=True, slots=True)
class Task:
    """Work on one call, or on what else `works_on` names among the job's arguments.

    `run(id, attempt)`: attempt counts from 0, once more each time the job runs again.
    """

    name: str
    queue: str
    run: Callable[[UUID, int], Awaitable[None]]
    works_on: str = "call_id"


@dataclass(frozen=True, slots=True)
class Crew:
    """Workers of one process on these queues: `concurrency` jobs at a time."""

    queues: tuple[str, ...]
    concurrency: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Seconds: how often a worker says that it lives, after how long without it its jobs are given to others, how often
    that is looked at, and how long jobs may go on after the stop.
    """

    heartbeat: float = 2.0
    stalled: float = 15.0
    upkeep: float = 5.0
    grace: float = 5.0


@dataclass(frozen=True, slots=True)
class QueueState:
    """What waits in a queue, how long its oldest ready job has waited, and how many jobs were given up."""

    queue: str
    waiting: int
    oldest_seconds: float
    failed: int


_USUAL: Final = Timing()

READY_AT: Final = """
    coalesce(job.scheduled_at,
             (select min(at) from procrastinate_events where job_id = job.id and type = 'deferred'))
"""
"""SQL: since when `job` may run. One that asked to be run again later, since then."""


def schema_sql() -> str:
    """The queue's own tables and functions, for the migration."""
    return str(SchemaManager.get_schema())


def schema_statements() -> list[str]:
    """The same as single statements, for drivers that take one at a time."""
    statements, lines, quoted = [], list[str](), False
    for line in schema_sql().splitlines():
        if not quoted and (not line.strip() or line.lstrip().startswith("--")):
            continue
        lines.append(line)
        quoted ^= line.count("$$") % 2 == 1
        if not quoted and line.split("--")[0].rstrip().endswith(";"):
            statements.append("\n".join(lines).rstrip().removesuffix(";"))
            lines = []
    return statements


class _Retry(BaseRetryStrategy):
    """The one place where an error becomes run again or give up."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> procrastinate.RetryDecision | None:
        now = datetime.now(UTC)
        if isinstance(exception, asyncio.CancelledError):
            return procrastinate.RetryDecision(retry_at=now)
        if isinstance(exception, GiveUp):
            return None
        if isinstance(exception, TryAgain):
            return _again(now, exception.seconds)
        return _again(now, min(2.0**job.attempts, 300.0)) if job.attempts < MOST_RETRIES else None


def _again(now: datetime, seconds: float) -> procrastinate.RetryDecision:
    return procrastinate.RetryDecision(retry_at=now + timedelta(seconds=seconds))


def make_app(database_url: str, tasks: Iterable[Task]) -> procrastinate.App:
    """The queue on that database with these tasks. It connects when `work` opens it."""
    connector = procrastinate.PsycopgConnector(conninfo=plain(database_url), min_size=1, max_size=8)
    app = procrastinate.App(connector=connector)
    for task in tasks:
        app.task(name=task.name, queue=task.queue, pass_context=True, retry=_Retry())(_runner(task))
    return app


def _runner(task: Task) -> Callable[..., Awaitable[None]]:
    async def run(context: procrastinate.JobContext, **told: str) -> None:
        subject = told[task.works_on]
        works_on, attempt = task.works_on.removesuffix("_id"), context.job.attempts
        # A job has a task of its own, and so what is bound ends with it.
        bind_contextvars(**{"task": task.name, works_on: subject, "attempt": attempt})
        spans.about(UUID(subject) if works_on == "call" else None)
        began = asyncio.get_running_loop().time()
        try:
            with spans.span(f"job {task.name}", queue=task.queue, attempt=attempt):
                await task.run(UUID(subject), attempt)
        except TryAgain as again:
            log.info("job runs again", reason=str(again), seconds=again.seconds)
            raise
        except GiveUp as given_up:
            log.error("job given up", reason=str(given_up))  # noqa: TRY400 - why is all that there is to it
            raise
        except Exception:
            log.exception("job failed")
            raise
        log.info("job done", seconds=round(asyncio.get_running_loop().time() - began, 3))

    return run


async def work(app: procrastinate.App, crews: Sequence[Crew], stop: asyncio.Event, timing: Timing = _USUAL) -> None:
    """Run `crews` and the upkeep until `stop`, through outages of the database; then jobs get a few seconds to end.

    A job that does not end in time goes back to the queue.
    """
    async with app.open_async(), asyncio.TaskGroup() as group:
        group.create_task(_upkeep(app, stop, timing))
        for crew in crews:
            group.create_task(_crew(app, crew, stop, timing))


async def _crew(app: procrastinate.App, crew: Crew, stop: asyncio.Event, timing: Timing) -> None:
    """A worker that comes back: procrastinate's own stops when it loses the database."""
    wait = 0.5
    while not stop.is_set():
        began = asyncio.get_running_loop().time()
        worker = Worker(
            app,
            queues=list(crew.queues),
            concurrency=crew.concurrency,
            fetch_job_polling_interval=1.0,
            shutdown_graceful_timeout=timing.grace,
            install_signal_handlers=False,
            listen_notify=True,
            update_heartbeat_interval=timing.heartbeat,
            stalled_worker_timeout=timing.stalled,
        )
        run: Coroutine[Any, Any, None] = worker.run()  # type: ignore[no-untyped-call] # the library ships no type for it
        working = asyncio.create_task(run)
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            if not working.done():
                worker.stop()  # type: ignore[no-untyped-call] # nor for this
                # Cancelled too: it may still wait for a connection. That alone is lost where one comes at that moment.
                working.cancel()
            (ended,) = await asyncio.gather(working, return_exceptions=True)
        if stop.is_set():
            return
        wait = 0.5 if asyncio.get_running_loop().time() - began > 60 else min(wait * 2, 10.0)
        log.warning("worker lost the database", queues=crew.queues, error=type(ended).__name__, again_in_seconds=wait)
        await _sleep(stop, wait)


async def _upkeep(app: procrastinate.App, stop: asyncio.Event, timing: Timing) -> None:
    """Give the jobs of dead workers to living ones, and forget jobs done long ago."""
    purged_at = float("-inf")
    while not stop.is_set():
        now = asyncio.get_running_loop().time()
        purge = now - purged_at > _PURGE_SECONDS
        try:
            if await _keep_up(app, timing, purge=purge) and purge:
                purged_at = now
        except (psycopg.Error, procrastinate.exceptions.ConnectorException, OSError, TimeoutError) as error:
            log.warning("queue upkeep failed", error=type(error).__name__)
        await _sleep(stop, timing.upkeep)


async def _keep_up(app: procrastinate.App, timing: Timing, *, purge: bool) -> bool:
    """One round of upkeep; False when another worker is at it."""
    connector = app.connector
    assert isinstance(connector, procrastinate.PsycopgConnector)  # noqa: S101 make_app made it so
    async with connector.pool.connection() as connection, connection.transaction():
        row = await (await connection.execute(_UPKEEP_LOCK)).fetchone()
        if row is None or not row[0]:
            return False
        jobs = app.job_manager
        for job in await jobs.get_stalled_jobs(seconds_since_heartbeat=timing.stalled):
            if job.attempts >= MOST_RUNS:
                await jobs.finish_job(job, status=Status.FAILED, delete_job=False)
            else:
                await jobs.retry_job(job, retry_at=datetime.now(UTC))
            log.warning("job of a dead worker rescued", task=job.task_name, job=job.id, attempt=job.attempts)
        if purge:
            await jobs.delete_old_jobs(nb_hours=_KEEP_HOURS, include_cancelled=True, include_aborted=True)
    return True


async def _sleep(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()


_WAITING = text(
    f"""
    select queue_name,
           count(*) filter (where status = 'todo') as waiting,
           count(*) filter (where status = 'failed') as failed,
           coalesce(extract(epoch from clock_timestamp() - min(ready_at)
               filter (where status = 'todo' and ready_at <= clock_timestamp())), 0) as oldest
    from procrastinate_jobs as job
    cross join lateral (select {READY_AT} as ready_at) as told
    where status in ('todo', 'failed')
    group by queue_name
    """  # noqa: S608 - of our own text
)


async def waiting(connection: AsyncConnection) -> list[QueueState]:
    """The state of every queue, also of those with nothing in them."""
    rows = {row.queue_name: row for row in await connection.execute(_WAITING)}
    return [
        QueueState(name, rows[name].waiting, float(rows[name].oldest), rows[name].failed)
        if name in rows
        else QueueState(name, 0, 0.0, 0)
        for name in dict.fromkeys((*QUEUES, *rows))
    ]
