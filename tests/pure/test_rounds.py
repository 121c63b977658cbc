"""Loops beside the routing of calls outlive whatever one round meets."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from service.rounds import come_round


async def test_a_round_that_fails_is_logged_by_its_type_and_the_next_one_comes() -> None:
    rounds, third = list[int](), asyncio.Event()

    async def once() -> None:
        rounds.append(len(rounds))
        if len(rounds) >= 3:
            third.set()
            return
        raise ValueError("79161234567")

    with capture_logs() as logs:
        task = asyncio.create_task(come_round("the work", once, 0))
        await asyncio.wait_for(third.wait(), 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    told = {"event": "a round could not be done", "work": "the work", "error": "ValueError", "log_level": "error"}
    at = f"test_rounds.py:{once.__code__.co_firstlineno + 5} once"
    assert logs == [told | {"at": at}] * 2
