"""The stored states of devices: complete after a connect, then changed row by row, and told to whoever listens."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from telephony import devices
from telephony.devices import DeviceState

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def state(name: str, value: str, second: int = 0, *, reachable: bool = True) -> DeviceState:
    return DeviceState(f"PJSIP/{name}", value, reachable, NOON + timedelta(seconds=second))


async def stored(engine: AsyncEngine, pbx: str = "main") -> dict[str, tuple[str, bool]]:
    async with engine.connect() as connection:
        return {name: (one.state, one.reachable) for name, one in (await devices.read(connection, pbx)).items()}


async def store(engine: AsyncEngine, *states: DeviceState, pbx: str = "main") -> None:
    async with engine.begin() as connection:
        await devices.store(connection, pbx, states)


@pytest.fixture
async def news(database_url: str) -> AsyncIterator["asyncio.Queue[str]"]:
    """What a listener on `switchhook_devices` is told."""
    told: asyncio.Queue[str] = asyncio.Queue()
    connection = await asyncpg.connect(database_url.replace("+asyncpg", ""))
    await connection.add_listener(devices.CHANNEL, lambda *call: told.put_nowait(call[3]))
    yield told
    await connection.close()


async def test_the_list_at_connect_replaces_what_was_known(engine: AsyncEngine) -> None:
    """A device that the PBX no longer has is forgotten; another PBX's devices are not touched."""
    await store(engine, state("gone", "inuse"), state("anna", "inuse"))
    await store(engine, state("far", "inuse"), pbx="branch")
    async with engine.begin() as connection:
        await devices.replace(connection, "main", [state("anna", "not_inuse", 1), state("boris", "unavailable", 1)])
    assert await stored(engine) == {"PJSIP/anna": ("not_inuse", True), "PJSIP/boris": ("unavailable", True)}
    assert await stored(engine, "branch") == {"PJSIP/far": ("inuse", True)}


async def test_an_older_state_never_overwrites_a_newer_one(engine: AsyncEngine) -> None:
    """A write that was tried again late changes nothing."""
    await store(engine, state("anna", "inuse", 5))
    await store(engine, state("anna", "not_inuse", 4))
    assert await stored(engine) == {"PJSIP/anna": ("inuse", True)}


async def test_listeners_are_told_of_changes_only(engine: AsyncEngine, news: "asyncio.Queue[str]") -> None:
    """The same state again wakes nobody."""
    await store(engine, state("anna", "inuse", 1), state("boris", "inuse", 1))
    await store(engine, state("anna", "inuse", 2), state("boris", "inuse", 2, reachable=False))
    async with engine.begin() as connection:
        await devices.replace(connection, "main", [state("anna", "inuse", 3)])
    told = [await asyncio.wait_for(news.get(), 30) for _ in range(4)]
    assert told == ["main PJSIP/anna", "main PJSIP/boris", "main PJSIP/boris", "main PJSIP/boris"]
    assert news.empty()


async def test_the_last_of_several_states_of_one_device_is_kept(engine: AsyncEngine) -> None:
    """A batch may hold a whole call of one phone."""
    await store(
        engine, *[state("anna", value, second) for second, value in enumerate(("ringing", "inuse", "not_inuse"))]
    )
    assert await stored(engine) == {"PJSIP/anna": ("not_inuse", True)}


async def test_nothing_to_store_is_fine(engine: AsyncEngine) -> None:
    """A PBX without devices has an empty list."""
    async with engine.begin() as connection:
        await devices.replace(connection, "main", [])
    assert await stored(engine) == {}
