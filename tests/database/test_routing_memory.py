"""The facts in memory: true while the database tells, and still useful when it does not."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from calls.tables import calls
from directory import store, tables
from routing import look_up
from routing.arrival import Arrival, DeviceState
from routing.controller import Router
from routing.dry_run import dry_run
from routing.memory import Memory
from routing.owner import Copy
from routing.plan import Plan
from tests.fakes.directories import LINE, OFFICE

CALLER = "79161234567"
MONDAY = datetime(2026, 11, 23, 12, tzinfo=ZoneInfo("Europe/Moscow"))
ARRIVAL = Arrival(
    pbx="main", channel="1.1", line=LINE, caller_number=CALLER, caller_name="", at=MONDAY, name="PJSIP/trunk-1"
)


class Books:
    """What the other rooms would tell: device states and owners."""

    def __init__(self) -> None:
        self.devices: dict[str, DeviceState] = {}
        self.owners: dict[str, str] = {}

    async def read_devices(self, _connection: AsyncConnection, _pbx: str) -> Mapping[str, DeviceState]:
        return dict(self.devices)

    async def read_owners(self, _connection: AsyncConnection, numbers: Collection[str] | None) -> Mapping[str, str]:
        return {number: key for number, key in self.owners.items() if numbers is None or number in numbers}


class Hall:
    """Takes plans instead of a PBX."""

    def __init__(self, answer: str = "sent") -> None:
        self.answer = answer
        self.plans: list[Plan] = []

    async def send(self, _arrival: Arrival, plan: Plan, _until: float | None) -> str:
        self.plans.append(plan)
        return self.answer


@pytest.fixture
def books() -> Books:
    return Books()


@pytest.fixture
async def office(engine: AsyncEngine) -> AsyncEngine:
    async with engine.begin() as connection:
        await store.apply(connection, OFFICE)
    return engine


@contextlib.asynccontextmanager
async def running(engine: AsyncEngine, books: Books) -> AsyncIterator[Memory]:
    memory = Memory(engine, devices=books.read_devices, owners=books.read_owners)
    task = asyncio.create_task(memory.run())
    try:
        await until(lambda: memory.fresh)
        yield memory
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.005)


async def talk(engine: AsyncEngine, person: str, *, ago: timedelta = timedelta(), **columns: Any) -> None:
    values: dict[str, Any] = {"direction": "inbound", "caller_number": CALLER, "dialed": LINE} | columns
    row = {"pbx": "main", "state": {}, "status": "answered", "person": person, **values}
    async with engine.begin() as connection:
        added = insert(calls).values(started_at=datetime.now(UTC) - ago, **row).returning(calls.c.id)
        call_id = await connection.scalar(added)
        await connection.execute(text("select pg_notify('switchhook_calls', :id)"), {"id": str(call_id)})


async def test_a_call_just_recorded_is_known_to_the_next_decision(office: AsyncEngine, books: Books) -> None:
    async with running(office, books) as memory:
        assert memory.facts(ARRIVAL).last_talked is None
        await talk(office, "anna")
        await until(lambda: memory.facts(ARRIVAL).last_talked == "anna")
        await talk(office, "boris", ago=timedelta(days=1))
        await talk(office, "vera")
        await until(lambda: memory.facts(ARRIVAL).last_talked == "vera")


async def test_the_last_who_talked_is_known_from_the_start_in_either_direction(
    office: AsyncEngine, books: Books
) -> None:
    await talk(office, "anna", ago=timedelta(hours=2))
    out: dict[str, Any] = {"direction": "outbound", "caller_number": "102", "dialed": "89161234567"}
    await talk(office, "boris", ago=timedelta(hours=1), **out)
    await talk(office, "vera", status="failed", **out)  # called, and nobody answered
    async with running(office, books) as memory:
        assert memory.facts(ARRIVAL).last_talked == "boris"


async def test_an_owner_follows_the_call_that_made_him_one(office: AsyncEngine, books: Books) -> None:
    books.owners[CALLER] = "vera"
    async with running(office, books) as memory:
        assert memory.facts(ARRIVAL).owner == "vera"
        books.owners[CALLER] = "boris"
        await talk(office, "anna")
        await until(lambda: memory.facts(ARRIVAL).owner == "boris")


async def test_where_a_crm_is_asked_its_word_and_not_our_lead_book_says_whose_a_caller_is(
    office: AsyncEngine, books: Books
) -> None:
    """Whoever holds is served by the same owner as they would have been sent to at once."""
    books.owners[CALLER] = "vera"
    copies = {CALLER: Copy("boris", datetime.now(UTC))}
    memory = Memory(office, devices=books.read_devices, owners=books.read_owners, copies=copies)
    await memory.load()
    assert memory.facts(ARRIVAL).owner == (await memory.ask(ARRIVAL)).owner == "boris"
    copies.clear()
    assert memory.facts(ARRIVAL).owner is None
    assert "owner" in memory.facts(ARRIVAL).missing


def test_copies_in_memory_are_so_many_and_the_oldest_go() -> None:
    copies: dict[str, Copy] = {}
    for number in ("1", "2", "1", "3"):
        look_up.put(copies, number, Copy(None, datetime.now(UTC)), most=2)
    assert list(copies) == ["1", "3"]


async def test_a_directory_just_applied_is_what_the_next_decision_reads(office: AsyncEngine, books: Books) -> None:
    async with running(office, books) as memory:
        async with office.begin() as connection:
            await connection.execute(update(tables.company).values(name="Лютик"))
            await connection.execute(text("select pg_notify('switchhook_directory', '')"))
        await until(lambda: memory.directory is not None and memory.directory.company.name == "Лютик")


async def test_device_states_follow_their_notifications(office: AsyncEngine, books: Books) -> None:
    gone = DeviceState("unavailable", reachable=False)
    async with running(office, books) as memory:
        await memory.ask(ARRIVAL)
        books.devices["PJSIP/anna-desk"] = gone
        async with office.begin() as connection:
            await connection.execute(text("select pg_notify('switchhook_devices', 'main PJSIP/anna-desk')"))
        await until(lambda: memory.facts(ARRIVAL).devices.get("PJSIP/anna-desk") == gone)


async def test_live_device_states_come_before_stored_ones(office: AsyncEngine, books: Books) -> None:
    live = {"PJSIP/anna-desk": DeviceState("inuse", reachable=True)}
    memory = Memory(office, devices=books.read_devices, owners=books.read_owners, live_devices=lambda _pbx: live)
    facts = await memory.ask(ARRIVAL)
    assert facts.devices is live


async def test_the_memory_follows_again_after_the_database_dropped_it(office: AsyncEngine, books: Books) -> None:
    """Meanwhile the arrival is answered by asking the database."""
    async with running(office, books) as memory:
        async with office.begin() as connection:
            await connection.execute(
                text("select pg_terminate_backend(pid) from pg_stat_activity where query like 'LISTEN%'")
            )
        await until(lambda: not memory.fresh)
        hall = Hall()
        decision = await Router(memory, hall.send).route(ARRIVAL)
        assert decision.outcome == "in_time"
        await until(lambda: memory.fresh)
        await talk(office, "anna")
        await until(lambda: memory.facts(ARRIVAL).last_talked == "anna")


async def test_a_decision_names_the_plan_and_its_reasons_in_one_event(office: AsyncEngine, books: Books) -> None:
    books.owners[CALLER] = "anna"
    async with running(office, books) as memory:
        await memory.ask(ARRIVAL)
        hall = Hall()
        decision = await Router(memory, hall.send).route(ARRIVAL)
    assert decision.outcome == "in_time"
    assert hall.plans == [decision.plan]
    event = decision.event
    assert (event.rule, event.channel, event.name, event.outcome) == ("owner", "1.1", "PJSIP/trunk-1", "in_time")
    assert event.at is not None
    assert event.at >= ARRIVAL.at
    assert '"owner"' in event.plan


@pytest.mark.parametrize(
    "answer, outcome", [("too_late", "late"), ("channel_gone", "refused"), ("link_down", "refused")]
)
async def test_what_the_pbx_says_of_the_plan_is_its_outcome(
    office: AsyncEngine, books: Books, answer: str, outcome: str
) -> None:
    async with running(office, books) as memory:
        assert (await Router(memory, Hall(answer).send).route(ARRIVAL)).outcome == outcome


async def test_a_database_that_hangs_costs_the_budget_and_the_rest_comes_from_memory(
    office: AsyncEngine, books: Books
) -> None:
    """Another transaction holds the directory's rows; what was known before is used, and said to be so."""
    books.owners[CALLER] = "anna"
    memory = Memory(office, devices=books.read_devices, owners=books.read_owners)
    await memory.load()
    async with office.begin() as other:
        await other.execute(text("lock table company in access exclusive mode"))
        hall = Hall()
        decision = await Router(memory, hall.send, budget_seconds=0.1).route(ARRIVAL)
    assert decision.outcome == "from_cache"
    assert decision.plan.rule == "owner"
    stranger = Arrival(pbx="main", channel="1.2", line=LINE, caller_number="79167654321", caller_name="", at=MONDAY)
    assert memory.facts(stranger).missing == {"owner", "last_talked"}


async def test_a_moment_too_short_for_the_database_still_gives_a_plan(office: AsyncEngine, books: Books) -> None:
    memory = Memory(office, devices=books.read_devices, owners=books.read_owners)
    await memory.load()
    decision = await Router(memory, Hall().send).route(ARRIVAL, time.monotonic())
    assert decision.outcome == "from_cache"


async def test_without_a_directory_the_fallback_in_the_pbx_is_left_to_ring(engine: AsyncEngine, books: Books) -> None:
    memory = Memory(engine, devices=books.read_devices, owners=books.read_owners)
    hall = Hall()
    decision = await Router(memory, hall.send).route(ARRIVAL)
    assert (decision.plan.rule, decision.outcome, hall.plans) == ("not_ready", "refused", [])


async def test_a_database_that_is_not_there_leaves_the_fallback_to_ring(books: Books) -> None:
    nowhere = create_async_engine("postgresql+asyncpg://nobody@127.0.0.1:1/nothing")
    memory = Memory(nowhere, devices=books.read_devices, owners=books.read_owners)
    decision = await Router(memory, Hall().send).route(ARRIVAL)
    assert decision.outcome == "refused"
    await nowhere.dispose()


async def test_a_dry_run_shows_the_plan_and_its_reasons_and_sends_nothing(office: AsyncEngine, books: Books) -> None:
    await talk(office, "boris")
    books.devices["PJSIP/anna-desk"] = DeviceState("unavailable", reachable=False)
    shown = await dry_run(office, ARRIVAL, devices=books.read_devices, owners=books.read_owners)
    assert shown.plan.rule == "last_talked"
    assert shown.text.splitlines() == [
        "line +7 495 123-45-67 (Основная), decided by rule last_talked",
        "rules that were not for this call:",
        "  blocked: its condition 'blocked' does not hold",
        "  outside_hours: its condition 'open' does not hold",
        "  owner: its condition 'owner' does not hold",
        "reasons:",
        "  line Основная is open",
        "  the owner of this caller's lead: there is nobody",
        "  Борис Козлов is the last who talked with this caller",
        "  everybody of team Продажи who can be rung",
        "steps:",
        "  1. ring PJSIP/boris-desk of Борис Козлов for 20 s: Борис Козлов is the last who talked with this caller",
        "  2. ring PJSIP/anna-soft of Анна Смирнова for 20 s: everybody of team Продажи who can be rung",
        "  3. ring +7 916 000-00-11 of Анна Смирнова for 30 s: their next devices",
        "considered:",
        "  + Борис Козлов PJSIP/boris-desk: its state is not known; tried all the same",
        "  - Анна Смирнова PJSIP/anna-desk: not registered, or does not respond",
        "  + Анна Смирнова PJSIP/anna-soft: its state is not known; tried all the same",
        "  + Анна Смирнова +7 916 000-00-11: called through the trunk, with confirmation by pressing 1",
    ]


async def test_a_dry_run_without_a_directory_says_so(engine: AsyncEngine, books: Books) -> None:
    shown = await dry_run(engine, ARRIVAL, devices=books.read_devices, owners=books.read_owners)
    assert shown.plan.rule == "not_ready"
    assert "there is no directory yet" in shown.text
