"""Calls are told to a receiver that fails in every way, by a worker that is killed in the middle.

A hundred and twenty calls, unless another number is asked for:
`SWITCHHOOK_TOLD=500 pytest tests/database/test_crm_killed.py`.
"""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.record import record
from tests.fakes.crm_worker import begin_worker, kill
from tests.fakes.ledger import OWES, add_connection
from tests.fakes.recorded import T0, settled_call
from tests.fakes.webhooks import OK, Said, open_receiver

CALLS = int(os.environ.get("SWITCHHOOK_TOLD", "120"))
KILLS = 2
FAULTS = (
    Said(status=500), Said(status=500, takes=True), Said(status=429, headers={"Retry-After": "0"}), Said(status=302),
    Said(cut=True), Said(cut=True, takes=True), Said(status=504, takes=True),
    Said(hang=True), Said(hang=True, takes=True),
)  # fmt: skip


@pytest.mark.timeout(120)
async def test_calls_are_each_told_once_whatever_fails(engine: AsyncEngine, database_url: str) -> None:
    """Errors, limits, answers lost before and after it was taken, hanging, SIGKILL: one record a call, in the end."""
    reached = asyncio.Event()

    def script(count: int, _told: dict[str, Any]) -> Said:
        """Every seventh answer fails, each way in turn; a worker has its end after two fifths, and after four."""
        if count % (CALLS * 2 // 5) == 0:
            reached.set()
        turn, rest = divmod(count, 7)
        return OK if rest else FAULTS[turn % len(FAULTS)]

    async with open_receiver() as receiver:
        receiver.script = script
        await add_connection(engine, receiver.url, steps=("call_finished",))
        made: set[str] = set()
        async with engine.begin() as connection:
            for number in range(0, CALLS, 50):
                events = [
                    event
                    for one in range(number, min(number + 50, CALLS))
                    for event in settled_call(
                        f"17954{one:05}.1", number=f"7916{one % (CALLS * 3 // 5):07}", at=T0 + timedelta(seconds=one)
                    )
                ]
                made |= {str(change.call_id) for change in await record(connection, events, OWES)}
        worker = await begin_worker(database_url)
        try:
            for _ in range(KILLS):
                async with asyncio.timeout(60):
                    await reached.wait()
                reached.clear()
                await kill(worker)
                worker = await begin_worker(database_url)
            async with asyncio.timeout(90):
                while await left(engine):
                    await asyncio.sleep(0.1)
        finally:
            await kill(worker)
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
