"""Calling back in the database: each promise once, whoever looks, and never while the client is reached otherwise."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from crm_sync.book.owners import owners
from directory import store
from directory.outgoing import Callback
from directory.presence_store import set_status
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
    return len(await (await service(engine)).call_back(CALLING_BACK))


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
    """The party's own word counts too; the refusal is written down."""
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
    assert len(await (await service(engine)).call_back(HOUSE)) == 0


async def test_late_facts_of_an_earlier_talk_do_not_stop_the_calls_back(engine: AsyncEngine, missed: Told) -> None:
    """They talked before the miss; what is learned of that talk now changes nothing, whatever the PBX's clock says."""
    earlier = Told(engine, number=CLIENT, at=datetime.now(UTC) - timedelta(hours=2))
    await earlier.arrives()
    await earlier.rings("PJSIP/anna-desk")
    await earlier.answers("PJSIP/anna-desk")
    await earlier.hangs_up(60)
    async with engine.begin() as connection:
        late = "update calls set settled_at = now(), updated_at = now() where id = :id"
        await connection.execute(text(late), {"id": earlier.id})
        await connection.execute(text("insert into pbx_clocks (pbx, ahead) values ('main', interval '-3 hours')"))
    assert await looks(engine) == 0
    async with engine.begin() as connection:
        await connection.execute(text("update pbx_clocks set ahead = interval '0'"))
    assert await looks(engine) == 1


@pytest.mark.usefixtures("missed")
async def test_who_was_never_dialled_was_not_tried(engine: AsyncEngine) -> None:
    """Nobody answered inside: the attempts are kept, the pauses are held, and there is an end to it all the same."""
    for _ in range(3):
        assert await looks(engine) == 1
        await settle(engine, "failed", 61)
    async with engine.begin() as connection:
        more = (
            "insert into outgoing_calls (purpose, state, number, follow_up, changed_at)"
            " select 'callback', 'failed', number, follow_up, changed_at"
            " from outgoing_calls, generate_series(1, 9) where state = 'failed'"
        )
        await connection.execute(text(more))
    assert await looks(engine) == 0


@pytest.mark.usefixtures("missed")
async def test_promises_that_cannot_be_kept_now_do_not_stand_before_those_that_can(engine: AsyncEngine) -> None:
    """More of them than one look takes, all more urgent: they were tried as often as they may be."""
    async with engine.begin() as connection:
        many = (
            "insert into follow_ups (number, line, origin, call_id, attempt_count, priority, opened_at, last_missed_at)"
            " select '7916200' || lpad(n::text, 4, '0'), line, origin, call_id, 1, 99, opened_at, last_missed_at"
            " from follow_ups, generate_series(1, 250) n returning id, number"
        )
        tried = (
            f"with many as ({many}) insert into outgoing_calls"
            " (purpose, state, number, follow_up, asked_at, changed_at) select 'callback', 'connected', number, id,"
            " now() - interval '1 day', now() - interval '1 day' from many, generate_series(1, 2)"
        )
        await connection.execute(text(tried))
    assert await looks(engine) == 1
    assert CLIENT in {row[0] for row in await rows(engine) if row[4] == "wanted"}


@pytest.mark.usefixtures("missed")
async def test_a_call_that_cannot_be_asked_for_keeps_no_other_from_it(engine: AsyncEngine) -> None:
    """The first fails in the database; the second is asked for, and the look ends well."""
    other = Told(engine, number="79161230000", at=datetime.now(UTC) - timedelta(seconds=50))
    await other.arrives()
    await other.rings("PJSIP/anna-desk")
    await other.hangs_up(20)
    await other.is_promised()

    async def fails(connection: AsyncConnection, number: str) -> bool:
        if number == CLIENT:
            await connection.execute(text("insert into outgoing_calls (purpose) values (null)"))
        return False

    looking = await service(engine)
    looking._desk = replace(looking._desk, flagged=fails)
    (told,) = await looking.call_back(CALLING_BACK)
    assert (told.number, told.state) == ("79161230000", "wanted")


async def test_people_are_free_by_our_clock_whatever_the_pbx_says(engine: AsyncEngine, missed: Told) -> None:
    """The PBX is five hours ahead; anna and boris are away at this moment, and will not be then."""
    ahead = timedelta(hours=5)
    memory = Memory(engine, devices=devices.read, owners=owners, ahead=lambda _pbx: ahead)
    link = Link(LinkSettings("main"), lambda _message: None)
    link.state.clock_offset_seconds = ahead.total_seconds()
    async with engine.begin() as connection:
        for person in ("anna", "boris"):
            await set_status(connection, person, "away", datetime.now(UTC) + timedelta(hours=1))
    await memory.load()
    assert await Callbacks(link, memory, engine, outgoing_desk()).call_back(CALLING_BACK) == []
    async with engine.begin() as connection:
        await set_status(connection, "anna", "available")
    await memory.load()
    assert len(await Callbacks(link, memory, engine, outgoing_desk()).call_back(CALLING_BACK)) == 1


@pytest.mark.usefixtures("missed")
async def test_people_of_another_pbx_stand_before_nobody_here(engine: AsyncEngine) -> None:
    """Its own service calls back by them; here the next one of the team is asked."""
    async with engine.begin() as connection:
        await devices.store(connection, "branch", [devices.DeviceState("PJSIP/anna-desk", "not_inuse")])
        await devices.store(connection, "main", [devices.DeviceState("PJSIP/boris-soft", "not_inuse", reachable=True)])
    assert await looks(engine) == 1
    ((_, person, *_),) = await rows(engine)
    assert person == "boris"
