"""A worker of the queue `effects` in a process of its own, quick to try again, that a test may kill at any moment."""

from __future__ import annotations

import asyncio
from multiprocessing.process import BaseProcess

from calls.database import connect
from calls.queue import Crew, Timing, make_app, work
from crm_sync.ledger.retry import Policy
from crm_sync.ledger.sending import SendingJobs
from service.children import die_with_parent
from tests.fakes.chaos import ROOMS, open_adapter
from tests.fakes.command import PROGRAM


async def begin_worker(url: str) -> BaseProcess:
    """Start it on the database `url`; the test ends it."""
    process = PROGRAM.Process(target=_work, args=(url,))
    await asyncio.to_thread(process.start)
    return process


async def kill(worker: BaseProcess) -> None:
    """SIGKILL."""
    worker.kill()
    await asyncio.to_thread(worker.join)


def _work(url: str) -> None:
    die_with_parent()
    asyncio.run(_send(url))


async def _send(url: str) -> None:
    policy, engine = Policy(waits=(0.02,), doubt_seconds=0.0, banned_seconds=0.02), connect(url)
    jobs = SendingJobs(engine=engine, rooms=ROOMS, open_crm=open_adapter(engine), policy=policy)
    timing = Timing(heartbeat=0.2, stalled=1.0, upkeep=0.3)
    await work(make_app(url, jobs.tasks()), [Crew(("effects",), 64)], asyncio.Event(), timing)
