"""A client is asked for NPS on a real PBX: called once, heard once, also when nobody of us listened meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from directory.nps import NpsPolicy
from directory.store import apply
from service.demo_world import OutsideWorld
from service.demo_world.behaviour import Behaviour
from service.pbx import Pbx
from service.serve import Service
from service.worker_role import work_queues
from tests.end_to_end.stage import DIRECTORY, LINE, Stage, until

pytestmark = pytest.mark.timeout(180)  # most of it is waiting: for words, for silence, for what settles

CLIENT = "79161230177"
POLICY = NpsPolicy(stages=("won",), prompt="beep", comment_prompt="beep", comment_seconds=20)
WORDS = (1.5, "ru/queue-youarenext", "ru/queue-youarenext")
_PLANNED = text(
    """
    insert into nps_asks (reason, number, line, person, way, state, due_at)
    values ('lead_event 1', :number, :line, 'anna', 'call', 'planned', now())
    """
)


@pytest.fixture(scope="module")
async def pbx() -> AsyncIterator[Pbx]:
    """The company's PBX."""
    async with Pbx([]) as running:
        yield running


@pytest.fixture
async def stage(
    pbx: Pbx, world: OutsideWorld, engine: AsyncEngine, database_url: str, tmp_path: Path
) -> AsyncIterator[Stage]:
    """A client is to be asked."""
    async with engine.begin() as connection:
        await apply(connection, replace(DIRECTORY, nps=POLICY))
        await connection.execute(_PLANNED, {"number": CLIENT, "line": LINE})
    yield Stage(pbx, world, engine, database_url, tmp_path)
    await world.quiet()


@asynccontextmanager
async def working(service: Service, *queues: str) -> AsyncIterator[None]:
    """A worker does these queues."""
    stop = asyncio.Event()
    work = asyncio.create_task(work_queues(service.house, queues, stop))
    yield
    stop.set()
    await work


async def became(stage: Stage, state: str) -> Any:
    """The ask, once it is in this state."""

    async def there() -> Any:
        return next(iter(await stage.rows("select * from nps_asks where state = :state", state=state)), None)

    return await until(there, f"the ask is {state}", 60)


async def test_a_client_is_called_and_what_they_press_and_say_is_kept(stage: Stage) -> None:
    """They see the line's number; the call is in no list, and is nobody's."""
    await stage.world.mobile(CLIENT).behave(Behaviour("answer", 0.1, WORDS, 12.0, digit="10"))
    async with stage.open(stage.settings()) as (service, _), working(service, "reports", "recordings"):
        assert await stage.world.mobile(CLIENT).rings() == LINE
        ask = await became(stage, "answered")
        assert ask.score == 10
        sound = "select side from recordings where call_id = :call and channel like '%-message' and path is not null"
        assert await until(lambda: stage.rows(sound, call=ask.call_id), "what they said is kept", 60)
    (call,) = await stage.rows("select * from calls")
    assert (call.id, call.direction, call.line, call.person) == (ask.call_id, "nps", LINE, None)
    assert (
        await stage.rows("select 1 from follow_ups union all select 1 from leads union all select 1 from parties") == []
    )


async def test_what_was_pressed_while_the_service_was_away_is_read_afterwards(stage: Stage) -> None:
    """And the client is not called again."""
    await stage.world.mobile(CLIENT).behave(Behaviour("answer", 0.1, (), 8.0, digit="6", digit_after=5.0))
    settings = stage.settings()

    async def over() -> bool:
        return "0 active channels" in await stage.pbx.cli("core show channels count")

    async with stage.open(settings):
        await stage.world.mobile(CLIENT).rings()
        await stage.world.mobile(CLIENT).answers()
    await until(over, "the client hung up")
    async with stage.open(settings) as (service, _), working(service, "reports"):
        assert (await became(stage, "answered")).score == 6
    assert not stage.world.mobile(CLIENT).has_rung
