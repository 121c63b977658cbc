"""Absences and statuses: what is refused, what is kept, and what routing learns of it at once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from directory import presence_store, store
from directory.model import EMPTY
from directory.presence import Absence, PresenceBook, Status, StatusSet
from directory.presence_store import PresenceRefused, begin_wrap_up, come_back, send_away, set_status
from directory.tables import absences, people
from routing.arrival import Arrival, DeviceState
from routing.memory import Memory
from tests.fakes.directories import LINE, OFFICE

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)
FAR = datetime(9999, 12, 31, 23, 59, tzinfo=UTC)


@pytest.fixture
async def office(engine: AsyncEngine) -> AsyncEngine:
    async with engine.begin() as connection:
        await store.apply(connection, OFFICE)
    return engine


def absence(since: float = -1, until: float = 1, substitute: str | None = None, reason: str = "") -> Absence:
    return Absence(0, NOW + since * HOUR, NOW + until * HOUR, substitute, reason)


async def away(engine: AsyncEngine, person: str, told: Absence) -> int:
    async with engine.begin() as connection:
        return await send_away(connection, person, told)


async def say(engine: AsyncEngine, person: str, status: Status, until: datetime | None = None) -> None:
    async with engine.begin() as connection:
        await set_status(connection, person, status, until)


async def known(engine: AsyncEngine) -> PresenceBook:
    async with engine.connect() as connection:
        return await presence_store.read(connection)


async def test_an_absence_is_kept_with_its_substitute_until_its_end(office: AsyncEngine) -> None:
    number = await away(office, "anna", absence(substitute="boris", reason="отпуск"))
    (kept,) = (await known(office)).absences["anna"]
    assert (kept.id, kept.substitute, kept.reason) == (number, "boris", "отпуск")
    assert (kept.starts_at, kept.ends_at) == (NOW - HOUR, NOW + HOUR)


@pytest.mark.parametrize(
    "person, told, why",
    [
        ("ann", absence(), "person: there is no person 'ann'"),
        ("anna", absence(substitute="bob"), "substitute: there is no person 'bob'"),
        ("anna", absence(substitute="anna"), "substitute: anna -> anna would be a circle"),
        ("anna", absence(2, 1), "to: must be after from"),
        ("anna", absence(-2, -1), "to: must be in the future"),
        ("anna", Absence(0, NOW, FAR), "to: must be within 400 days from now, got 9999-12-31"),
        ("anna", absence(reason="x" * 201), "reason: must be at most 200 printable characters"),
        ("anna", absence(reason="a\nb"), "reason: must be at most 200 printable characters"),
    ],
)
async def test_an_absence_that_cannot_be_is_refused_and_nothing_is_kept(
    office: AsyncEngine, person: str, told: Absence, why: str
) -> None:
    with pytest.raises(PresenceRefused, match=why):
        await away(office, person, told)
    assert (await known(office)).absences == {}


async def test_a_second_absence_at_the_same_time_is_refused(office: AsyncEngine) -> None:
    number = await away(office, "anna", absence(1, 3))
    with pytest.raises(PresenceRefused, match=f"away then already, .*absence {number}"):
        await away(office, "anna", absence(2, 4))
    await away(office, "anna", absence(3, 4))


async def test_substitutes_never_make_a_circle_at_one_time(office: AsyncEngine) -> None:
    """Over three people too; at another time each may stand in for the other."""
    await away(office, "anna", absence(0, 2, "boris"))
    await away(office, "boris", absence(1, 3, "vera"))
    with pytest.raises(PresenceRefused, match="vera -> anna -> boris -> vera"):
        await away(office, "vera", absence(1, 2, "anna"))
    await away(office, "vera", absence(5, 6, "anna"))


async def test_two_who_go_away_for_each_other_at_once_are_not_both_let_go(office: AsyncEngine) -> None:
    """Whichever is first stands; the other is refused."""
    both = (away(office, "anna", absence(0, 2, "boris")), away(office, "boris", absence(0, 2, "anna")))
    ends = await asyncio.gather(*both, return_exceptions=True)
    assert sorted(isinstance(end, PresenceRefused) for end in ends) == [False, True]


async def test_who_comes_back_is_there_at_once(office: AsyncEngine) -> None:
    number = await away(office, "anna", absence())
    async with office.begin() as connection:
        assert await come_back(connection, "anna") == [number]
    (kept,) = (await known(office)).absences["anna"]
    assert kept.ends_at < datetime.now(UTC) + timedelta(seconds=1)


async def test_an_absence_to_come_is_cancelled_by_its_number_alone(office: AsyncEngine) -> None:
    number = await away(office, "anna", absence(1, 2))
    async with office.begin() as connection:
        with pytest.raises(PresenceRefused, match="'anna' is not away now"):
            await come_back(connection, "anna")
        with pytest.raises(PresenceRefused, match="'boris' has no absence"):
            await come_back(connection, "boris", number)
        assert await come_back(connection, "anna", number) == [number]
        assert await connection.scalar(select(func.count()).select_from(absences)) == 0


@pytest.mark.parametrize(
    "person, status, until, why",
    [
        ("ann", "away", None, "person: there is no person"),
        ("anna", "away", NOW - HOUR, "until: must be in the future"),
        ("anna", "away", FAR, "until: must be within 400 days from now, got 9999-12-31"),
        ("anna", "available", NOW + HOUR, "until: available has no end"),
        ("anna", "wrap_up", None, "until: wrap_up needs an end"),
    ],
)
async def test_a_status_that_cannot_be_is_refused(
    office: AsyncEngine, person: str, status: Status, until: datetime | None, why: str
) -> None:
    with pytest.raises(PresenceRefused, match=why):
        await say(office, person, status, until)
    assert (await known(office)).statuses == {}


async def test_a_wrap_up_begins_for_the_available_and_for_no_others(office: AsyncEngine) -> None:
    """What a person said of themselves stands, and a longer wrap-up too; what would be over does not begin."""
    until = datetime.now(UTC) + HOUR
    async with office.begin() as connection:
        assert await begin_wrap_up(connection, "anna", until)
        assert not await begin_wrap_up(connection, "anna", until - HOUR / 2)
        assert await begin_wrap_up(connection, "anna", until + HOUR)
        await set_status(connection, "boris", "do_not_disturb")
        assert not await begin_wrap_up(connection, "boris", until)
        assert not await begin_wrap_up(connection, "vera", NOW - HOUR)
        assert not await begin_wrap_up(connection, "nobody", until)
    assert (await known(office)).statuses == {
        "anna": StatusSet("wrap_up", until + HOUR),
        "boris": StatusSet("do_not_disturb"),
    }


async def test_a_person_who_leaves_the_directory_takes_all_of_it_along(office: AsyncEngine) -> None:
    """And whoever they stood in for is rung no substitute."""
    await away(office, "boris", absence(2, 3))
    await away(office, "vera", absence(substitute="boris"))
    await say(office, "boris", "away")
    async with office.begin() as connection:
        await connection.execute(delete(people).where(people.c.key == "boris"))
    told = await known(office)
    assert (set(told.absences), set(told.statuses)) == ({"vera"}, set())
    assert told.absences["vera"][0].substitute is None


def arrival() -> Arrival:
    """A caller of this moment."""
    at = datetime.now(UTC)
    return Arrival(pbx="main", channel="1.1", line=LINE, caller_number="79161234567", caller_name="", at=at)


async def _devices(_connection: AsyncConnection, _pbx: str) -> Mapping[str, DeviceState]:
    return {}


async def _owners(_connection: AsyncConnection, _numbers: Collection[str] | None) -> Mapping[str, str]:
    return {}


@contextlib.asynccontextmanager
async def remembering(engine: AsyncEngine) -> AsyncIterator[Memory]:
    memory = Memory(engine, devices=_devices, owners=_owners)
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


async def test_the_next_decision_knows_who_went_away_or_does_not_want_to_be_disturbed(office: AsyncEngine) -> None:
    """And who is back; without anybody asking the database."""
    async with remembering(office) as memory:
        assert memory.facts(arrival()).presence["anna"].absence is None
        await away(office, "anna", absence(substitute="boris"))
        await until(lambda: memory.facts(arrival()).presence["anna"].absence is not None)
        await say(office, "boris", "do_not_disturb")
        await until(lambda: memory.facts(arrival()).presence["boris"].status == "do_not_disturb")
        async with office.begin() as connection:
            await come_back(connection, "anna")
        await until(lambda: memory.facts(arrival()).presence["anna"].absence is None)


async def test_an_arrival_that_asks_the_database_is_told_the_same(office: AsyncEngine) -> None:
    await say(office, "boris", "away")
    memory = Memory(office, devices=_devices, owners=_owners)
    facts = await memory.ask(arrival())
    assert facts.presence["boris"].status == "away"


async def test_a_pbx_whose_clock_is_wrong_makes_nobody_absent(office: AsyncEngine) -> None:
    """Its callers come at its own time; absences are told by ours."""
    await away(office, "anna", absence(1, 3))
    ahead = timedelta(hours=2)
    memory = Memory(office, devices=_devices, owners=_owners, ahead=lambda _pbx: ahead)
    await memory.load()
    wrong = replace(arrival(), at=datetime.now(UTC) + ahead)
    assert memory.facts(wrong).presence["anna"].absence is None
    assert (await memory.ask(wrong)).presence["anna"].absence is None
    assert memory.facts(replace(wrong, at=wrong.at + ahead)).presence["anna"].absence is not None


async def test_a_database_without_a_directory_knows_of_nobody(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        assert await store.read(connection) == EMPTY
    assert await known(engine) == PresenceBook()
