"""The job queue against a real PostgreSQL: work owed is work done, whoever dies."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg_pool.pool_async import WaitingClient
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.due import Job
from calls.jobs import enqueue, hurry
from calls.queue import Crew, GiveUp, Task, Timing, TryAgain, make_app, waiting, work
from recordings.due import transcribe_job

QUICK = Timing(heartbeat=0.3, stalled=1.5, upkeep=0.3, grace=0.3)
RUN = Callable[[UUID, int], Awaitable[None]]


def job(call_id: UUID, lock: str | None = None) -> Job:
    return Job("room.do_it", "crm", {"call_id": str(call_id)}, lock=lock)


async def owe(engine: AsyncEngine, *jobs: Job) -> None:
    async with engine.begin() as connection:
        await enqueue(connection, jobs)


@asynccontextmanager
async def working(url: str, run: RUN, concurrency: int = 4) -> AsyncIterator[None]:
    """Workers of this process while the body runs."""
    stop = asyncio.Event()
    app = make_app(url, [Task("room.do_it", "crm", run)])
    task = asyncio.create_task(work(app, [Crew(("crm",), concurrency)], stop, QUICK))
    try:
        yield
    finally:
        stop.set()
        async with asyncio.timeout(15):
            await task


async def until(engine: AsyncEngine, sql: str, wanted: Any) -> None:
    """Wait until the query says so."""
    async with asyncio.timeout(30):
        while True:
            async with engine.connect() as connection:
                if (await connection.execute(text(sql))).scalar() == wanted:
                    return
            await asyncio.sleep(0.05)


DONE = "select count(*) from procrastinate_jobs where status = 'succeeded'"
FAILED = "select count(*) from procrastinate_jobs where status = 'failed'"


async def test_a_job_exists_when_and_only_when_its_transaction_commits(engine: AsyncEngine, database_url: str) -> None:
    """A rolled-back transaction owes nothing; a committed one is done within moments."""
    ran: list[UUID] = []

    async def run(call_id: UUID, attempt: int) -> None:
        ran.append(call_id)

    kept = uuid4()
    async with working(database_url, run):
        with contextlib.suppress(ZeroDivisionError):
            async with engine.begin() as connection:
                await enqueue(connection, [job(uuid4())])
                raise ZeroDivisionError
        await owe(engine, job(kept))
        await until(engine, DONE, 1)
    assert ran == [kept]


async def test_a_job_that_asks_runs_again_and_knows_its_attempt(engine: AsyncEngine, database_url: str) -> None:
    """TryAgain is no failure."""
    attempts: list[int] = []

    async def run(call_id: UUID, attempt: int) -> None:
        attempts.append(attempt)
        if attempt < 2:
            raise TryAgain("not yet", 0.05)

    async with working(database_url, run):
        await owe(engine, job(uuid4()))
        await until(engine, DONE, 1)
    assert attempts == [0, 1, 2]


async def test_a_job_that_waited_for_days_is_done_when_it_can_be(engine: AsyncEngine, database_url: str) -> None:
    """A store was away over a weekend: no number of runs makes an outage a failure."""
    attempts: list[int] = []

    async def run(call_id: UUID, attempt: int) -> None:
        attempts.append(attempt)
        if len(attempts) < 2:
            raise TryAgain("the store is away", 0.05)

    await owe(engine, job(uuid4()))
    async with engine.begin() as connection:
        await connection.execute(text("update procrastinate_jobs set attempts = 5000"))
    async with working(database_url, run):
        await until(engine, DONE, 1)
    assert attempts == [5000, 5001]


async def test_a_job_given_up_fails_at_once_and_stays_visible(engine: AsyncEngine, database_url: str) -> None:
    """What no run can help is for a person to see."""

    async def run(call_id: UUID, attempt: int) -> None:
        raise GiveUp("the file is no sound")

    async with working(database_url, run):
        await owe(engine, job(uuid4()))
        await until(engine, FAILED, 1)
    async with engine.connect() as connection:
        state = {one.queue: (one.waiting, one.failed) for one in await waiting(connection)}
    assert state == {
        "recordings": (0, 0),
        "transcription": (0, 0),
        "crm": (0, 1),
        "effects": (0, 0),
        "routing": (0, 0),
        "follow_ups": (0, 0),
        "notices": (0, 0),
    }


async def test_an_unexpected_error_is_tried_again(engine: AsyncEngine, database_url: str) -> None:
    """A fault that passes costs a second."""

    async def run(call_id: UUID, attempt: int) -> None:
        if not attempt:
            raise RuntimeError("a fault that passes")

    async with working(database_url, run):
        await owe(engine, job(uuid4()))
        await until(engine, DONE, 1)


async def test_jobs_of_one_lock_run_in_order_even_through_a_retry(engine: AsyncEngine, database_url: str) -> None:
    """The second call of a number waits for the first."""
    first, second = uuid4(), uuid4()
    ran: list[tuple[UUID, int]] = []

    async def run(call_id: UUID, attempt: int) -> None:
        ran.append((call_id, attempt))
        if call_id == first and not attempt:
            raise TryAgain("not yet", 0.3)

    async with working(database_url, run):
        await owe(engine, job(first, "party x"), job(second, "party x"))
        await until(engine, DONE, 2)
    assert ran == [(first, 0), (first, 1), (second, 0)]


async def test_the_jobs_of_a_killed_worker_are_done_by_another(engine: AsyncEngine, database_url: str) -> None:
    """SIGKILL in the middle of a job: it is rescued and run again, and nothing is lost."""
    await owe(engine, *(job(uuid4()) for _ in range(3)))
    script = (
        "import asyncio, sys; from calls.queue import *\n"
        "async def run(call_id, attempt):\n    print('began', flush=True); await asyncio.sleep(600)\n"
        "app = make_app(sys.argv[1], [Task('room.do_it', 'crm', run)])\n"
        "asyncio.run(work(app, [Crew(('crm',), 2)], asyncio.Event()))\n"
    )
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", script, database_url, stdout=pipe)
    assert process.stdout is not None
    async with asyncio.timeout(30):
        while (await process.stdout.readline()).strip() != b"began":
            pass
    process.send_signal(signal.SIGKILL)
    await process.wait()
    ran: list[UUID] = []

    async def run(call_id: UUID, attempt: int) -> None:
        ran.append(call_id)

    async with working(database_url, run):
        await until(engine, DONE, 3)
    assert len(set(ran)) == len(ran) == 3


async def test_a_job_cut_by_the_stop_goes_back_to_the_queue(engine: AsyncEngine, database_url: str) -> None:
    """Ctrl-C ends in moments, and the work is there at the next start."""
    began = asyncio.Event()

    async def run(call_id: UUID, attempt: int) -> None:
        began.set()
        await asyncio.sleep(600)

    async with working(database_url, run):
        await owe(engine, job(uuid4()))
        async with asyncio.timeout(20):
            await began.wait()
    await until(engine, "select count(*) from procrastinate_jobs where status = 'todo'", 1)


async def test_workers_live_through_an_outage_of_the_database(engine: AsyncEngine, database_url: str) -> None:
    """Every connection is cut; jobs owed afterwards are done."""

    async def run(call_id: UUID, attempt: int) -> None:
        return

    async with working(database_url, run):
        await owe(engine, job(uuid4()))
        await until(engine, DONE, 1)
        async with engine.begin() as connection:
            await connection.execute(
                text("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()"
                     " and pid <> pg_backend_pid()")
            )  # fmt: skip
        await owe(engine, job(uuid4()))
        await until(engine, DONE, 2)


async def test_a_worker_with_a_busy_job_keeps_its_heartbeat(engine: AsyncEngine, database_url: str) -> None:
    """A job longer than the stalled limit is not taken for dead and runs once."""
    ran: list[int] = []

    async def run(call_id: UUID, attempt: int) -> None:
        ran.append(os.getpid())
        await asyncio.sleep(QUICK.stalled * 2)

    async with working(database_url, run):
        await owe(engine, job(uuid4()))
        await until(engine, DONE, 1)
    assert len(ran) == 1


async def test_the_newest_call_is_next_before_a_backlog_and_one_that_is_looked_at_before_all(
    engine: AsyncEngine, database_url: str
) -> None:
    """Twenty calls of yesterday wait; one of now overtakes them, and then an old one whose page is opened."""
    order: list[UUID] = []

    async def run(call_id: UUID, attempt: int) -> None:
        order.append(call_id)

    old, opened, new = [uuid4() for _ in range(20)], uuid4(), uuid4()
    at = datetime(2026, 11, 25, tzinfo=UTC)
    calls = [(call, at + timedelta(minutes=place)) for place, call in enumerate([opened, *old])]
    jobs = [transcribe_job(str(call), ended_at) for call, ended_at in [*calls, (new, at + timedelta(days=1))]]
    await owe(engine, *(replace(job, task="room.do_it", queue="crm") for job in jobs))
    async with engine.begin() as connection:
        await hurry(connection, "crm", opened)
    async with working(database_url, run, concurrency=1):
        await until(engine, DONE, 22)
    assert order == [opened, new, *reversed(old)]


@pytest.mark.parametrize("moments", range(5))
async def test_a_worker_ends_that_is_asked_to_while_its_first_connection_comes(
    database_url: str, monkeypatch: pytest.MonkeyPatch, moments: int
) -> None:
    """At some of these moments cancelling alone is lost on Python 3.11: what is awaited with a limit has just come.

    The worker would never end, and neither would `switchhook worker` on SIGTERM or a reload.
    """
    stop, give = asyncio.Event(), WaitingClient.set

    async def give_as_it_ends(client: WaitingClient[Any], connection: Any) -> bool:
        stop.set()
        for _ in range(moments):
            await asyncio.sleep(0)
        return await give(client, connection)

    monkeypatch.setattr(WaitingClient, "set", give_as_it_ends)
    async with asyncio.timeout(15):
        await work(make_app(database_url, []), [Crew(("crm",), 1)], stop, QUICK)
