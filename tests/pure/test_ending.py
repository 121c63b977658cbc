"""What runs beside a body ends once, and in its own time."""

from __future__ import annotations

import asyncio

from service.wiring import open_tasks


async def test_what_takes_time_to_end_is_waited_for_and_not_hurried() -> None:
    """A worker process, told to end before its body is over, is not left behind at the end of that."""
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.05)
            ended.append("in order")

    async with open_tasks() as tasks:
        tasks(work())
        await asyncio.sleep(0)
        tasks.end()
        await asyncio.sleep(0)
    assert ended == ["in order"]
