"""Who is there: a wrap-up after a real talk, a substitute, and a meeting in a calendar, on a real PBX."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from directory import presence_store
from directory.file import loads
from directory.model import Directory
from directory.presence import Absence, PresenceBook
from directory.presence_store import come_back, send_away, set_status
from directory.store import apply
from service.demo_world import OutsideWorld, answer, ring_out
from service.pbx import Pbx, Phone
from service.settings import CalendarSettings
from service.telephony_role import Telephony
from service.wiring import open_house
from service.worker_role import CALENDARS, work_queues
from tests.end_to_end.stage import Stage, until
from tests.fakes.calendars import calendar, event, feed_server

LINE = "74951234567"
ANNA, BORIS = "anna-desk", "boris-desk"

DIRECTORY: Directory = loads(
    f"""
company: {{name: Ромашка, region: RU, time_zone: Europe/Moscow, language: ru}}
people:
  - {{key: anna, name: Анна, role: manager, devices: [{{kind: desk, address: PJSIP/{ANNA}, number: "101"}}]}}
  - {{key: boris, name: Борис, role: manager, devices: [{{kind: desk, address: PJSIP/{BORIS}, number: "102"}}]}}
teams:
  - {{key: sales, name: Продажи, strategy: hunt, members: [anna], wrap_up_seconds: 600}}
  - {{key: all, name: Все, strategy: hunt, members: [anna, boris]}}
lines:
  - {{number: "{LINE}", name: Продажи, trunk: PJSIP/trunk, team: sales, fallback: [PJSIP/{BORIS}]}}
  - {{number: "74951234568", name: Все, trunk: PJSIP/trunk, team: all, wrap_up_seconds: 600}}
"""
)


@pytest.fixture(scope="module")
async def pbx() -> AsyncIterator[Pbx]:
    """The company's PBX."""
    async with Pbx([Phone(ANNA, "101"), Phone(BORIS, "102")]) as running:
        yield running


@pytest.fixture
async def stage(
    pbx: Pbx, world: OutsideWorld, engine: AsyncEngine, database_url: str, tmp_path: Path
) -> AsyncIterator[Stage]:
    """A fresh store; every phone rings; afterwards nobody is on the line."""
    async with engine.begin() as connection:
        await apply(connection, DIRECTORY)
    for name in (ANNA, BORIS):
        await world.phone(name).plug()
        await world.phone(name).behave(ring_out())
    yield Stage(pbx, world, engine, database_url, tmp_path)
    await world.quiet()


@asynccontextmanager
async def asked(stage: Stage) -> AsyncIterator[Telephony]:
    """The service in this process, asked by the PBX; without CEL, which has the talks of other tests."""
    async with stage.open(stage.settings(cel=False)) as (_, telephony):
        await telephony.answering()
        yield telephony


async def refused(stage: Stage, number: str) -> dict[str, str]:
    """Why each person was not rung for the call of that number."""

    async def routed() -> list[Any]:
        sql = "select e.body from call_events e join calls c on c.id = e.call_id where e.kind = 'Routed'"
        return await stage.rows(sql + " and c.caller_number = :number", number=number)

    (row,) = await until(routed, "the decision is in the store")
    considered = json.loads(row.body["plan"])["considered"]
    return {one["person"]: one["key"] for one in considered if not one["taken"]}


async def known(stage: Stage) -> PresenceBook:
    async with stage.engine.connect() as connection:
        return await presence_store.read(connection)


async def test_after_a_talk_a_person_is_left_alone_until_they_say_that_they_are_ready(stage: Stage) -> None:
    """Through the death of the service too: the wrap-up is in the store."""
    world = stage.world
    await world.phone(ANNA).behave(answer(after=0.5, hangup_after=1.5))
    async with asked(stage):
        call = await world.call("79161233001", "Клиент", "74951234568")
        await call.answered()
        await call.ended()

        async def wrapped_up() -> bool:
            return "anna" in (await known(stage)).statuses

        await until(wrapped_up, "the talk's end began a wrap-up")
        await world.phone(ANNA).behave(ring_out())
    async with asked(stage) as telephony:
        call = await world.call("79161233002", "Клиент", "74951234568")
        assert await world.phone(BORIS).rings() == "79161233002"
        assert (await refused(stage, "79161233002"))["anna"] == "wrap_up"
        await call.hangup()
        async with stage.engine.begin() as connection:
            await set_status(connection, "anna", "available")

        async def ready() -> bool:
            return telephony.memory._presence.statuses["anna"].status == "available"

        await until(ready, "routing knows that she is ready")
        call = await world.call("79161233003", "Клиент", "74951234568")
        assert await world.phone(ANNA).rings() == "79161233003"
        await call.hangup()


async def test_who_stands_in_rings_while_the_other_is_away_and_not_after(stage: Stage) -> None:
    """Boris is of another team: he rings for Anna alone."""
    world, now = stage.world, datetime.now(UTC)
    async with asked(stage) as telephony:
        async with stage.engine.begin() as connection:
            await send_away(connection, "anna", Absence(0, now - timedelta(hours=1), now + timedelta(hours=1), "boris"))

        async def away() -> bool:
            return "anna" in telephony.memory._presence.absences

        await until(away, "routing knows of the absence")
        call = await world.call("79161233011", "Клиент", LINE)
        assert await world.phone(BORIS).rings() == "79161233011"
        assert (await refused(stage, "79161233011"))["anna"] == "absent"
        await call.hangup()
        async with stage.engine.begin() as connection:
            await come_back(connection, "anna")

        async def back() -> bool:
            (told,) = telephony.memory._presence.absences["anna"]
            return told.ends_at < datetime.now(UTC)

        await until(back, "routing knows that she is back")
        call = await world.call("79161233012", "Клиент", LINE)
        assert await world.phone(ANNA).rings() == "79161233012"
        await call.hangup()


async def test_a_meeting_that_the_worker_reads_from_a_feed_keeps_a_phone_quiet(stage: Stage) -> None:
    """The feed stops answering, the copy counts on; the meeting is deleted from it, and the phone rings again."""
    world, now = stage.world, datetime.now(UTC)
    lines = (f"DTSTART:{now - timedelta(hours=1):%Y%m%dT%H%M%SZ}", f"DTEND:{now + timedelta(hours=1):%Y%m%dT%H%M%SZ}")
    async with feed_server(calendar(event(*lines))) as server:
        people = (replace(DIRECTORY.people[0], calendar=server.address()), DIRECTORY.people[1])
        async with stage.engine.begin() as connection:
            await apply(connection, replace(DIRECTORY, people=people))
        kept = CalendarSettings(every_seconds=30, networks=[ip_network("127.0.0.0/8")])
        settings = stage.settings().model_copy(update={"calendars": kept})
        stop = asyncio.Event()
        async with open_house(settings) as house, asyncio.TaskGroup() as group:
            group.create_task(work_queues(house, (CALENDARS,), stop))

            async def read() -> bool:
                return "anna" in (await known(stage)).calendars

            await until(read, "the worker read the calendar", 30)
            async with asked(stage):
                server.status = 503
                call = await world.call("79161233021", "Клиент", "74951234568")
                assert await world.phone(BORIS).rings() == "79161233021"
                assert (await refused(stage, "79161233021"))["anna"] == "calendar_busy"
                await call.hangup()
            stop.set()
