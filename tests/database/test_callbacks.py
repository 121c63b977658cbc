"""Calling back in the database: each promise once, whoever looks, and never while the client is reached otherwise."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_sync.owners import owners
from directory import store
from directory.outgoing import Callback
from routing.memory import Memory
from service.callbacks import Callbacks
from service.wiring import outgoing_desk
from telephony import devices
from telephony.link import Link
from telephony.pbx import LinkSettings
from tests.fakes.story import HOUSE, LINE, Told, furnish

CLIENT = "79161234567"
CALLING_BACK = replace(
    HOUSE,
    lines=(replace(HOUSE.lines[0], callback=Callback(attempts=2, after_seconds=0, pause_seconds=60)), *HOUSE.lines[1:]),
)


async def service(engine: AsyncEngine) -> Callbacks:
    """What one service knows, from the database alone."""
    memory = Memory(engine, devices=devices.read, owners=owners)
    await memory.load()
    return Callbacks(Link(LinkSettings("main"), lambda _message: None), memory, engine, outgoing_desk())


@pytest.fixture
async def missed(engine: AsyncEngine) -> Told:
    """A call that nobody answered, ended a moment ago, promised a call back."""
    await furnish(engine)
    async with engine.begin() as connection:
        await store.apply(connection, CALLING_BACK)
    call = Told(engine, number=CLIENT, at=datetime.now(UTC) - timedelta(seconds=60))
    await call.arrives()
    await call.rings("PJSIP/anna-desk")
    await call.hangs_up(20)
    await call.is_promised()
    return call


async def rows(engine: AsyncEngine) -> list[Any]:
    async with engine.connect() as connection:
        asked = "select number, person, line, purpose, state, follow_up from outgoing_calls order by asked_at"
        return [tuple(row) for row in await connection.execute(text(asked))]


async def looks(engine: AsyncEngine) -> int:
    """A service that was just started looks once; how many calls it asked for."""
    return len(await (await service(engine)).call_back(CALLING_BACK, [LINE]))


async def settle(engine: AsyncEngine, state: str, seconds_ago: int) -> None:
    """All calls out came to this, so long ago."""
    async with engine.begin() as connection:
        sql = "update outgoing_calls set state = :state, changed_at = now() - make_interval(secs => :ago)"
        await connection.execute(text(sql), {"state": state, "ago": seconds_ago})


@pytest.mark.usefixtures("missed")
async def test_services_that_look_at_once_call_back_once(engine: AsyncEngine) -> None:
    """Five that know nothing of each other; and a promise that is being kept is not kept twice after a restart."""
    found = await asyncio.gather(*(looks(engine) for _ in range(5)))
    assert sorted(found) == [0, 0, 0, 0, 1]
    assert await looks(engine) == 0
    ((number, person, line, purpose, state, follow_up),) = await rows(engine)
    assert (number, person, line, purpose, state) == (CLIENT, "anna", LINE, "callback", "wanted")
    async with engine.connect() as connection:
        asked = "select follow_up_id, what, why from follow_up_actions order by id desc limit 1"
        assert tuple((await connection.execute(text(asked))).one()) == (follow_up, "tried", "callback")


@pytest.mark.usefixtures("missed")
async def test_attempts_are_limited_and_apart(engine: AsyncEngine) -> None:
    assert await looks(engine) == 1
    await settle(engine, "failed", 59)
    assert await looks(engine) == 0
    await settle(engine, "failed", 61)
    assert await looks(engine) == 1
    await settle(engine, "connected", 600)
    assert await looks(engine) == 0
    assert len(await rows(engine)) == 2


async def test_who_calls_again_is_not_called_back_meanwhile(engine: AsyncEngine, missed: Told) -> None:
    """While they wait, while they talk, and before the talk is settled; afterwards the promise is kept."""
    again = Told(engine, number=CLIENT, at=datetime.now(UTC) - timedelta(seconds=20))
    await again.arrives()
    assert await looks(engine) == 0
    await again.rings("PJSIP/anna-desk")
    await again.answers("PJSIP/anna-desk")
    assert await looks(engine) == 0
    await again.hangs_up(10)
    assert await looks(engine) == 0
    await again.is_promised()
    assert await looks(engine) == 0
    assert await rows(engine) == []
    async with engine.connect() as connection:
        assert (await connection.execute(text("select closed_by from follow_ups"))).scalar() == "talk"


@pytest.mark.usefixtures("missed")
async def test_who_does_not_want_to_be_called_is_refused_once_a_pause(engine: AsyncEngine) -> None:
    """The party's own word counts too; the refusal is written down and uses up an attempt."""
    async with engine.begin() as connection:
        await connection.execute(text("insert into parties (name, do_not_call_at) values ('Пётр', now())"))
        numbered = "insert into party_numbers select cast(:number as text), id from parties"
        await connection.execute(text(numbered), {"number": CLIENT})
    assert await looks(engine) == 1
    assert await looks(engine) == 0
    assert [row[4] for row in await rows(engine)] == ["refused"]


async def test_a_line_that_does_not_want_it_calls_nobody_back(engine: AsyncEngine, missed: Told) -> None:
    async with engine.begin() as connection:
        await store.apply(connection, HOUSE)
    assert len(await (await service(engine)).call_back(HOUSE, [LINE])) == 0
