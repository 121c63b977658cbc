"""What people answer on, kept in PostgreSQL: the same whether learned call by call or anew, and told to the router."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import delete, insert
from sqlalchemy.event import listen
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from calls.tables import calls, legs
from crm_sync.book.owners import owners
from directory import store
from directory.model import Order
from routing import answers
from routing.answers import AnswerJobs
from routing.arrival import Arrival
from routing.learned import REMEMBERED, Answers, Ring, hour_of_week, tally
from routing.memory import Memory
from routing.tables import device_answers
from telephony import devices
from tests.fakes.directories import LINE, OFFICE

DESK, SOFT, MOBILE, BORIS = "PJSIP/anna-desk", "PJSIP/anna-soft", "79160000011", "PJSIP/boris-desk"
NOON = datetime(2026, 11, 26, 9, 10, tzinfo=UTC)  # 12:10 in Moscow, a Thursday
HOUR = hour_of_week(NOON, "Europe/Moscow")


@dataclass(frozen=True)
class Rang:
    """One leg of a call; a mobile's has the trunk's address and its own number, as the PBX tells it."""

    device: str
    outcome: str

    def row(self) -> dict[str, object]:
        mobile = self.device == MOBILE
        person = "boris" if self.device == BORIS else "anna"
        device = "PJSIP/trunk" if mobile else self.device
        return {
            "channel": self.device,
            "device": device,
            "number": MOBILE if mobile else "",
            "person": person,
            "outcome": self.outcome,
            "rang": self.outcome not in {"busy", "unavailable"},
        }


@pytest.fixture
async def office(engine: AsyncEngine) -> AsyncEngine:
    await ordered(engine, "learned")
    return engine


async def ordered(engine: AsyncEngine, order: Order) -> None:
    people = tuple(replace(person, order=order) for person in OFFICE.people)
    async with engine.begin() as connection:
        await store.apply(connection, replace(OFFICE, people=people))


async def call(
    engine: AsyncEngine, at: datetime, *rang: Rang, direction: str = "inbound", settled: bool = True
) -> UUID:
    row = {"pbx": "main", "state": {}, "status": "answered", "direction": direction, "started_at": at}
    async with engine.begin() as connection:
        added = insert(calls).values(**row, settled_at=at if settled else None).returning(calls.c.id)
        call_id: UUID = (await connection.execute(added)).scalar_one()
        for leg in rang:
            await connection.execute(insert(legs).values(call_id=call_id, started_at=at, **leg.row()))
    return call_id


async def learn(engine: AsyncEngine, *call_ids: UUID) -> None:
    for call_id in call_ids:
        await AnswerJobs(engine=engine).learn(call_id, 0)


async def known(engine: AsyncEngine) -> dict[str, Answers]:
    async with engine.connect() as connection:
        return await answers.read(connection)


async def rebuilt(engine: AsyncEngine) -> int:
    async with engine.begin() as connection:
        return await answers.rebuild(connection)


async def test_a_settled_call_is_learned_by_device_and_hour_of_the_persons_week(office: AsyncEngine) -> None:
    first = await call(office, NOON, Rang(DESK, "no_answer"), Rang(MOBILE, "answered"))
    second = await call(office, NOON + timedelta(minutes=5), Rang(MOBILE, "rejected"))
    await learn(office, first, second)
    told = await known(office)
    assert told.keys() == {DESK, MOBILE}
    assert (told[DESK].week[HOUR].share, told[DESK].week[HOUR].rang > 0) == (0.0, True)
    rings = [Ring(NOON, answered=True), Ring(NOON + timedelta(minutes=5), answered=False)]
    assert told[MOBILE].week == {HOUR: tally(rings)}


@pytest.mark.parametrize(
    "rang",
    [
        [Rang(DESK, "cancelled")],
        [Rang(DESK, "busy")],
        [Rang(DESK, "unavailable")],
        [Rang(DESK, "answered_elsewhere"), Rang(BORIS, "answered")],
    ],
)
async def test_a_ring_that_others_ended_tells_nothing_of_the_device(office: AsyncEngine, rang: Sequence[Rang]) -> None:
    await learn(office, await call(office, NOON, *rang))
    assert DESK not in await known(office)


async def test_who_answers_on_another_of_the_own_devices_did_not_answer_here(office: AsyncEngine) -> None:
    await learn(office, await call(office, NOON, Rang(DESK, "answered_elsewhere"), Rang(SOFT, "answered")))
    told = await known(office)
    assert (told[DESK].ever.share, told[SOFT].ever.share) == (0.0, 1.0)


@pytest.mark.parametrize("direction, settled", [("outbound", True), ("internal", True), ("inbound", False)])
async def test_only_settled_calls_of_callers_are_learned_from(
    office: AsyncEngine, direction: str, *, settled: bool
) -> None:
    await learn(office, await call(office, NOON, Rang(DESK, "answered"), direction=direction, settled=settled))
    assert await known(office) == {}
    assert await rebuilt(office) == 0


async def test_learned_call_by_call_is_what_is_learned_anew(office: AsyncEngine) -> None:
    """In any order, twice, several at once, with calls so old that they are forgotten."""
    chance = random.Random(7)
    outcomes = ("answered", "no_answer", "rejected", "answered_elsewhere", "cancelled")
    ids = []
    for _ in range(60):
        at = NOON - chance.random() * 1.2 * REMEMBERED
        rang = [
            Rang(device, chance.choice(outcomes)) for device in (DESK, SOFT, MOBILE, BORIS) if chance.random() > 0.3
        ]
        ids.append(await call(office, at.replace(minute=0), *rang))
    ids += ids[:10]
    chance.shuffle(ids)
    for begin in range(0, len(ids), 5):
        await asyncio.gather(*(learn(office, call_id) for call_id in ids[begin : begin + 5]))
    by_call = await known(office)
    assert await rebuilt(office) == 0
    assert await known(office) == by_call
    async with office.begin() as connection:
        await connection.execute(delete(device_answers))
    assert await rebuilt(office) > 0
    assert await known(office) == by_call


async def test_a_call_that_reads_otherwise_later_is_learned_anew(office: AsyncEngine) -> None:
    """A leg that joined another call takes its ring away; the emptied hour is forgotten."""
    call_id = await call(office, NOON, Rang(DESK, "answered"))
    await learn(office, call_id)
    async with office.begin() as connection:
        await connection.execute(delete(legs))
    assert await rebuilt(office) == 1
    assert await known(office) == {}


async def test_the_router_knows_what_was_just_learned(office: AsyncEngine) -> None:
    memory = Memory(office, devices=devices.read, owners=owners)
    arrival = Arrival(pbx="main", channel="1.1", line=LINE, caller_number="79161234567", caller_name="", at=NOON)
    following = asyncio.create_task(memory.run())
    async with asyncio.timeout(10):
        while not memory.fresh:
            await asyncio.sleep(0.005)
        await learn(office, await call(office, NOON, Rang(DESK, "answered")))
        while DESK not in memory.facts(arrival).answers:
            await asyncio.sleep(0.005)
        assert memory.facts(arrival).answers == await known(office)
        async with office.begin() as connection:
            await connection.execute(delete(legs))
            await answers.rebuild(connection)
        while memory.facts(arrival).answers:
            await asyncio.sleep(0.005)
    following.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await following
    assert (await memory.ask(arrival)).answers == {}


async def test_nothing_is_learned_of_a_fixed_order_and_everything_when_it_is_learned_again(office: AsyncEngine) -> None:
    """The next call after the change counts all that the person was rung on meanwhile."""
    await learn(office, await call(office, NOON, Rang(DESK, "answered")))
    await ordered(office, "fixed")
    before = await call(office, NOON - timedelta(days=2), Rang(SOFT, "answered"))
    await learn(office, before)
    assert await known(office) == {}
    assert await rebuilt(office) == 0
    await ordered(office, "learned")
    await learn(office, await call(office, NOON + timedelta(days=1), Rang(DESK, "no_answer")))
    told = await known(office)
    assert {device: sorted(told[device].week) for device in told} == {
        DESK: [HOUR, HOUR + 24],
        SOFT: [HOUR - 48],
    }
    assert await rebuilt(office) == 0


async def test_only_the_hour_and_the_devices_that_rang_are_read(office: AsyncEngine) -> None:
    """A call costs a few rows, not half a year of its people's calls."""
    for days in range(40):
        for hours in (0, 1, 2):
            await call(office, NOON - timedelta(days=days, hours=hours), Rang(DESK, "answered"))
    await learn(office, await call(office, NOON, Rang(DESK, "answered")))
    read: list[int] = []
    listen(office.sync_engine, "after_cursor_execute", lambda *told: read.append(told[1].rowcount))
    await learn(office, await call(office, NOON, Rang(DESK, "answered")))
    assert max(read) < 30


async def test_a_device_that_left_the_directory_is_not_learned(office: AsyncEngine) -> None:
    call_id = await call(office, NOON, Rang("PJSIP/gone", "answered"))
    await learn(office, call_id)
    assert await known(office) == {}


async def test_thousands_of_hours_are_learned_anew_at_once(office: AsyncEngine) -> None:
    """More cells than one statement takes values."""

    async def fill(connection: AsyncConnection) -> set[answers.Cell]:
        cells = {(f"PJSIP/{n}", hour): tally([Ring(NOON, answered=True)]) for n in range(60) for hour in range(168)}
        return await answers._write(connection, cells)

    async with office.begin() as connection:
        assert len(await fill(connection)) == 60 * 168
        assert await fill(connection) == set()
    assert await rebuilt(office) == 60 * 168
