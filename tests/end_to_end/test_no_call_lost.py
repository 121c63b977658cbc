"""The service stopped, hung and killed under ten calls a second: every caller is answered, and every call recorded."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from directory.file import loads
from directory.store import apply
from service.demo_world import OutsideWorld
from tests.end_to_end.stage import LINE, Served, Stage, until
from tests.fakes.telephones import Callers, telephone_pbx

CALLS, RATE = 90, 10
FAULT_AT, BACK_AT = 30, 75
"""Which call meets the fault, and which the service that is back."""
ROUTED = [f"answers-{number}" for number in range(1, 9)]
FALLBACK = "answers-fallback"

DIRECTORY = loads(
    "company: {name: Ромашка, region: RU, time_zone: Europe/Moscow, language: ru}\n"
    "people:\n"
    + "".join(
        f"  - {{key: p{n}, name: Сотрудник {n}, role: manager, devices: [{{kind: desk, address: PJSIP/{name}}}]}}\n"
        for n, name in enumerate(ROUTED)
    )
    + f"teams:\n  - {{key: sales, name: Продажи, strategy: hunt, members: {[f'p{n}' for n in range(len(ROUTED))]}}}\n"
    f"lines:\n  - {{number: '{LINE}', name: Продажи, team: sales, fallback: [PJSIP/{FALLBACK}]}}\n"
)


async def stop(served: Served) -> None:
    """Ask it to end, and see it end in order."""
    served.process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(served.process.wait(), 20) == 0


async def hang(served: Served) -> None:
    served.hang()


async def kill(served: Served) -> None:
    await served.kill()


async def call_once(callers: Callers, number: str) -> float:
    """One caller's call; returns after how long it was answered."""
    began = time.monotonic()
    call = callers.invite(number, LINE)
    await asyncio.wait_for(call.answered.wait(), 15)
    waited = time.monotonic() - began
    await asyncio.sleep(0.3)  # a short talk
    callers.bye(call)
    await asyncio.wait_for(call.over.wait(), 15)
    return waited


async def place(callers: Callers, first: int, until_: int) -> list[asyncio.Task[float]]:
    """Callers at the steady rate."""
    tasks = []
    for count in range(first, until_):
        tasks.append(asyncio.create_task(call_once(callers, str(79163000000 + count))))
        await asyncio.sleep(1 / RATE)
    return tasks


@pytest.mark.parametrize("fault", [stop, hang, kill])
async def test_no_call_is_lost(
    fault: Callable[[Served], Coroutine[None, None, None]], engine: AsyncEngine, database_url: str, tmp_path: Path
) -> None:
    """Nobody waits longer than the budget and what an overload adds, and each call is in the record once, answered."""
    async with engine.begin() as connection:
        await apply(connection, DIRECTORY)
    async with telephone_pbx({}, [*ROUTED, FALLBACK]) as (pbx, callers), OutsideWorld(pbx) as world:
        stage = Stage(pbx, world, engine, database_url, tmp_path)
        async with stage.serve() as served:
            calls = await place(callers, 0, FAULT_AT)
            faulty = asyncio.create_task(fault(served))
            calls += await place(callers, FAULT_AT, BACK_AT)
            await faulty
            if fault is hang:
                served.go_on()
                await end(stage, callers, calls)
            else:
                async with stage.serve(answering=False):
                    await end(stage, callers, calls)


async def end(stage: Stage, callers: Callers, calls: list[asyncio.Task[float]]) -> None:
    """The service is back: the last callers come, and the store must have them all."""
    calls += await place(callers, BACK_AT, CALLS)
    waits = await asyncio.gather(*calls)
    assert max(waits) < 8

    async def recorded() -> bool:
        (row,) = await stage.rows(
            "select count(*) as count from calls where ended_at is not null and status = 'answered'"
        )
        return bool(row.count >= CALLS)

    await until(recorded, "every call is in the store", 60)
    rows = await stage.rows(
        "select caller_number, status, direction, answered_by, line from calls where joined_into is null"
    )
    assert len({row.caller_number for row in rows}) == len(rows) == CALLS
    assert {(row.status, row.direction, row.line) for row in rows} == {("answered", "inbound", LINE)}
    reached = Counter(FALLBACK in row.answered_by[0] for row in rows)
    assert reached[True] > 0  # the fault was felt
    assert reached[False] >= FAULT_AT // 2
