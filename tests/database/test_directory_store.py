"""The directory in PostgreSQL: kept whole, replaced all or nothing."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from directory import store, tables
from directory.model import EMPTY, Directory
from tests.fakes.directories import OFFICE, directories


async def applied(engine: AsyncEngine, directory: Directory) -> list[str]:
    async with engine.begin() as connection:
        return await store.apply(connection, directory)


async def stored(engine: AsyncEngine) -> Directory:
    async with engine.connect() as connection:
        return await store.read(connection)


async def test_a_new_database_holds_an_empty_directory(engine: AsyncEngine) -> None:
    assert await stored(engine) == EMPTY


async def test_what_is_applied_is_read_back_and_applied_again_changes_nothing(engine: AsyncEngine) -> None:
    changes = await applied(engine, OFFICE)
    assert any(line.startswith("+ person anna (name Анна Смирнова") for line in changes)
    assert await stored(engine) == OFFICE
    assert await applied(engine, OFFICE) == []


@given(before=directories(), after=directories())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_directory_can_follow_any_other(engine: AsyncEngine, before: Directory, after: Directory) -> None:
    await applied(engine, before)
    changes = await applied(engine, after)
    assert await stored(engine) == after
    assert bool(changes) == (before != after)


async def test_the_difference_is_told_and_nothing_is_written(engine: AsyncEngine) -> None:
    await applied(engine, OFFICE)
    boris = replace(OFFICE.people[1], name="Борис Орлов", hours=None)
    changed = replace(OFFICE, people=(OFFICE.people[0], boris, OFFICE.people[2]), blocked=())
    async with engine.connect() as connection:
        assert await store.difference(connection, changed) == [
            "~ person boris: name Борис Козлов -> Борис Орлов",
            "~ person boris: hours office -> none",
            "- blocked 79160009999 (note спам)",
        ]
    assert await stored(engine) == OFFICE


async def test_a_directory_that_contradicts_itself_changes_nothing(engine: AsyncEngine) -> None:
    await applied(engine, OFFICE)
    lost = replace(OFFICE, teams=())
    with pytest.raises(store.DirectoryRefused, match=r"lines\[0\]\.team: there is no team 'sales'"):
        await applied(engine, lost)
    assert await stored(engine) == OFFICE


async def test_a_failure_half_way_leaves_the_directory_as_it_was(engine: AsyncEngine) -> None:
    """PostgreSQL refuses the last of the rows; the people written before it are gone with it."""
    await applied(engine, OFFICE)
    line = replace(OFFICE.lines[0], ring_seconds=0)
    broken = replace(OFFICE, people=(replace(OFFICE.people[0], name="Новое имя"), *OFFICE.people[1:]), lines=(line,))
    with pytest.raises(DBAPIError, match="ring_seconds"):
        await applied(engine, broken)
    assert await stored(engine) == OFFICE


async def test_a_login_stays_tied_to_its_person_and_outlives_him(engine: AsyncEngine) -> None:
    await applied(engine, OFFICE)
    async with engine.begin() as connection:
        await connection.execute(insert(tables.users).values(login="vera", role="head", person_key="vera"))
    await applied(engine, replace(OFFICE, company=replace(OFFICE.company, name="Лютик")))
    query = select(tables.users.c.person_key)
    async with engine.connect() as connection:
        assert await connection.scalar(query) == "vera"
    await applied(engine, replace(OFFICE, people=OFFICE.people[:2], teams=OFFICE.teams[:1], lines=OFFICE.lines[:1]))
    async with engine.connect() as connection:
        assert (await connection.execute(query)).all() == [(None,)]


async def test_a_device_may_move_from_one_person_to_another(engine: AsyncEngine) -> None:
    await applied(engine, OFFICE)
    anna, boris, vera = OFFICE.people
    swapped = replace(
        OFFICE,
        people=(replace(anna, devices=boris.devices), replace(boris, devices=anna.devices), vera),
    )
    await applied(engine, swapped)
    assert await stored(engine) == swapped


async def test_two_applies_at_once_leave_one_whole_directory(engine: AsyncEngine) -> None:
    other = replace(OFFICE, people=OFFICE.people[:2], teams=OFFICE.teams[:1], lines=OFFICE.lines[:1], blocked=())
    await asyncio.gather(*(applied(engine, directory) for directory in (OFFICE, other) * 3))
    assert await stored(engine) in (OFFICE, other)


async def test_listeners_hear_of_a_change_and_of_nothing_else(engine: AsyncEngine) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()

    def listen(_driver: Any, _process: int, channel: str, _payload: str) -> None:
        heard.put_nowait(channel)

    async with engine.connect() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        await driver.add_listener(store.CHANNEL, listen)
        await driver.add_listener("marker", listen)
        await applied(engine, OFFICE)
        await applied(engine, OFFICE)
        async with engine.begin() as other:
            await other.execute(text("select pg_notify('marker', '')"))
        async with asyncio.timeout(10):
            assert [await heard.get(), await heard.get()] == [store.CHANNEL, "marker"]
        await connection.invalidate()
