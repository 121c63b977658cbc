"""Five hundred calls are told to a receiver that fails in every way, by a worker that is killed in the middle."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.record import record
from tests.fakes.ledger import OWES, add_connection
from tests.fakes.recorded import T0, settled_call
from tests.fakes.webhooks import OK, Said, open_receiver

CALLS = 500
KILLS = 2
_WORKER = """
import asyncio, sys
from functools import partial
from calls.database import connect
from calls.queue import Crew, Timing, make_app, work
from crm_sync.retry import Policy
from crm_sync.sending import SendingJobs
from tests.fakes.ledger import ROOMS, open_webhook

async def main(url):
    policy = Policy(waits=(0.02,), doubt_seconds=0.0, banned_seconds=0.02)
    jobs = SendingJobs(engine=connect(url), rooms=ROOMS, open_crm=partial(open_webhook, seconds=0.5), policy=policy)
    timing = Timing(heartbeat=0.2, stalled=1.0, upkeep=0.3)
    print("ready", flush=True)
    await work(make_app(url, jobs.tasks()), [Crew(("crm",), 8)], asyncio.Event(), timing)

asyncio.run(main(sys.argv[1]))
"""
FAULTS = (
    Said(status=500), Said(status=500, takes=True), Said(status=429, headers={"Retry-After": "0"}), Said(status=302),
    Said(cut=True), Said(cut=True, takes=True), Said(status=504, takes=True),
)  # fmt: skip


async def begin(url: str) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _WORKER, url, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    while (await process.stdout.readline()).strip() != b"ready":
        assert process.returncode is None
    return process


@pytest.mark.timeout(120)
async def test_five_hundred_calls_are_each_told_once_whatever_fails(engine: AsyncEngine, database_url: str) -> None:
    """Errors, limits, answers lost before and after it was taken, hanging, SIGKILL: one record a call, in the end."""
    chance = random.Random(500)
    reached = asyncio.Event()

    def script(count: int, _told: dict[str, Any]) -> Said:
        if count % 200 == 0:
            reached.set()
        if count % 250 == 0:
            return Said(hang=True, takes=chance.random() < 0.5)
        return chance.choice(FAULTS) if chance.random() < 0.15 else OK

    async with open_receiver() as receiver:
        receiver.script = script
        await add_connection(engine, receiver.url, steps=("call_finished",))
        made: set[str] = set()
        async with engine.begin() as connection:
            for number in range(0, CALLS, 50):
                events = [
                    event
                    for one in range(number, number + 50)
                    for event in settled_call(
                        f"17954{one:05}.1", number=f"7916{one % 300:07}", at=T0 + timedelta(seconds=one)
                    )
                ]
                made |= {str(change.call_id) for change in await record(connection, events, OWES)}
        worker = await begin(database_url)
        try:
            for _ in range(KILLS):
                async with asyncio.timeout(60):
                    await reached.wait()
                reached.clear()
                worker.send_signal(signal.SIGKILL)
                await worker.wait()
                worker = await begin(database_url)
            async with asyncio.timeout(90):
                while await left(engine):
                    await asyncio.sleep(0.1)
        finally:
            worker.send_signal(signal.SIGKILL)
            await worker.wait()
        assert receiver.refused == []
        assert len(receiver.requests) > CALLS  # some were sent more than once
        assert len(made) == CALLS
        assert sorted(told["data"]["id"] for told in receiver.order) == sorted(made)
        by_number: dict[str, list[str]] = {}
        for told in receiver.order:
            by_number.setdefault(told["data"]["number"], []).append(told["data"]["started_at"])
        assert all(times == sorted(times) for times in by_number.values())  # of one number in their order


async def left(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        asked = await connection.execute(text("select count(*) from crm_effects where state <> 'done'"))
        return int(asked.scalar_one())
