"""The right device of the right person: by what the PBX knows before anything rings, and by what people answer on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.queue import Crew, make_app, work
from calls.tables import calls, legs
from directory.file import loads
from directory.model import Directory
from directory.store import apply
from routing import answers
from routing.answers import AnswerJobs
from routing.due import QUEUE
from service.demo_world import OutsideWorld, ring_out
from service.pbx import Pbx, Phone
from service.settings import CrmSettings, Settings
from service.telephony_role import Telephony
from tests.end_to_end.stage import Stage, until
from tests.fakes.crm import TOKEN, Crm, open_crm

LINE, OTHER = "74951234567", "74951234568"
DESK, SOFT, BORIS, MOBILE = "anna-desk", "anna-soft", "boris-desk", "79160000011"

DIRECTORY: Directory = loads(
    f"""
company: {{name: Ромашка, region: RU, time_zone: Europe/Moscow, language: ru}}
people:
  - key: anna
    name: Анна
    role: manager
    order: learned
    ring: in_turn
    devices:
      - {{kind: desk, address: PJSIP/{DESK}, number: "101"}}
      - {{kind: soft, address: PJSIP/{SOFT}}}
      - {{kind: mobile, address: "{MOBILE}", trunk: PJSIP/trunk, mobile_seconds: 5}}
  - {{key: boris, name: Борис, role: manager, devices: [{{kind: desk, address: PJSIP/{BORIS}, number: "102"}}]}}
teams:
  - {{key: anna, name: Анна, strategy: hunt, members: [anna]}}
  - {{key: both, name: Обе, strategy: hunt, members: [anna, boris]}}
lines:
  - {{number: "{LINE}", name: Анна, trunk: PJSIP/trunk, team: anna, mobile_shows: caller, fallback: [PJSIP/{BORIS}]}}
  - {{number: "{OTHER}", name: Обе, trunk: PJSIP/trunk, team: both, fallback: [PJSIP/{BORIS}]}}
"""
)


@pytest.fixture(scope="module")
async def pbx() -> AsyncIterator[Pbx]:
    """The company's PBX."""
    async with Pbx([Phone(DESK, "101"), Phone(SOFT), Phone(BORIS, "102")]) as running:
        yield running


@pytest.fixture
async def stage(
    pbx: Pbx, world: OutsideWorld, engine: AsyncEngine, database_url: str, tmp_path: Path
) -> AsyncIterator[Stage]:
    """A fresh store; every phone rings; afterwards nobody is on the line."""
    async with engine.begin() as connection:
        await apply(connection, DIRECTORY)
    for name in (DESK, SOFT, BORIS):
        await world.phone(name).plug()
        await world.phone(name).behave(ring_out())
    await world.mobile(MOBILE).behave(ring_out())
    yield Stage(pbx, world, engine, database_url, tmp_path)
    await world.quiet()


@asynccontextmanager
async def asked(stage: Stage, settings: Settings | None = None) -> AsyncIterator[Telephony]:
    """The service in this process, asked by the PBX."""
    async with stage.open(settings or stage.settings()) as (_, telephony):
        await telephony.answering()
        yield telephony


async def state(telephony: Telephony, device: str, wanted: str) -> None:
    """Wait until the service knows the device in that state."""

    async def known() -> bool:
        devices = telephony.attendants[0].live_devices() or {}
        return device in devices and devices[device].state == wanted

    await until(known, f"{device} is {wanted}")


async def decision(stage: Stage, number: str) -> dict[str, Any]:
    """The plan of the call of that number, once it is in the store."""

    async def routed() -> list[Any]:
        sql = "select e.body from call_events e join calls c on c.id = e.call_id where e.kind = 'Routed'"
        return await stage.rows(sql + " and c.caller_number = :number", number=number)

    (row,) = await until(routed, "the decision is in the store")
    plan: dict[str, Any] = json.loads(row.body["plan"])
    return plan


def refused(plan: dict[str, Any]) -> dict[str, str]:
    return {one["device"].removeprefix("PJSIP/"): one["key"] for one in plan["considered"] if not one["taken"]}


async def test_an_unplugged_phone_is_not_rung(stage: Stage) -> None:
    """Nor when it was unplugged while nobody watched; plugged in again, it rings."""
    world = stage.world
    await world.phone(DESK).unplug()
    async with asked(stage) as telephony:
        call = await world.call("79161232001", "Клиент", LINE)
        assert await world.phone(SOFT).rings() == "79161232001"
        assert refused(await decision(stage, "79161232001")) == {DESK: "unreachable"}
        await call.hangup()
        await world.phone(SOFT).unplug()
        await state(telephony, f"PJSIP/{SOFT}", "unavailable")
        call = await world.call("79161232002", "Клиент", LINE)
        assert await world.mobile(MOBILE).rings() == "79161232002"
        assert refused(await decision(stage, "79161232002")) == {DESK: "unreachable", SOFT: "unreachable"}
        assert not world.phone(DESK).has_rung
        await call.hangup()
        await world.phone(DESK).plug()
        await state(telephony, f"PJSIP/{DESK}", "not_inuse")
        call = await world.call("79161232003", "Клиент", LINE)
        assert await world.phone(DESK).rings() == "79161232003"
        await call.hangup()


async def test_a_phone_with_do_not_disturb_on_at_the_pbx_is_not_rung(stage: Stage) -> None:
    """Switched before the service came, and switched off while it is there."""
    world = stage.world
    await stage.pbx.cli("devstate change Custom:DND101 BUSY")
    async with asked(stage) as telephony:
        await state(telephony, "Custom:DND101", "dnd")
        call = await world.call("79161232011", "Клиент", LINE)
        assert await world.phone(SOFT).rings() == "79161232011"
        assert refused(await decision(stage, "79161232011")) == {DESK: "do_not_disturb"}
        assert not world.phone(DESK).has_rung
        await call.hangup()
        await stage.pbx.cli("devstate change Custom:DND101 NOT_INUSE")
        await state(telephony, "Custom:DND101", "not_inuse")
        call = await world.call("79161232012", "Клиент", LINE)
        assert await world.phone(DESK).rings() == "79161232012"
        await call.hangup()


async def test_a_mobile_that_is_answered_at_this_hour_rings_first_and_its_call_is_learned(stage: Stage) -> None:
    """It shows the caller's number, as the line says; nobody answers there, and the desk phone follows."""
    world, jobs = stage.world, AnswerJobs(engine=stage.engine)
    at = datetime.now(UTC) - timedelta(days=7)
    for outcomes in [("no_answer", "answered")] * 6:
        async with stage.engine.begin() as connection:
            row = {"pbx": "pbx", "state": {}, "status": "answered", "direction": "inbound", "settled_at": at}
            added = insert(calls).values(started_at=at, **row).returning(calls.c.id)
            call_id = (await connection.execute(added)).scalar_one()
            for (device, number), outcome in zip(
                ((f"PJSIP/{DESK}", "101"), ("PJSIP/trunk", MOBILE)), outcomes, strict=True
            ):
                leg = {"channel": device, "device": device, "number": number, "person": "anna", "rang": True}
                await connection.execute(insert(legs).values(call_id=call_id, started_at=at, outcome=outcome, **leg))
        await jobs.learn(call_id, 0)
    before = await rung(stage)
    async with asked(stage):
        call = await world.call("79161232021", "Клиент", LINE)
        assert await world.mobile(MOBILE).rings() == "79161232021"
        plan = await decision(stage, "79161232021")
        (why,) = [one["text"] for one in plan["reasons"] if one["key"].startswith("learned")]
        assert why.startswith("Анна, mobile first: 5 of 5 answered")
        assert await world.phone(DESK).rings(10) == "79161232021"
        await call.hangup()
        await stage.record("79161232021", status="missed")
        stop = asyncio.Event()
        working = asyncio.create_task(work(make_app(stage.url, jobs.tasks()), [Crew((QUEUE,), 1)], stop))

        async def learned() -> bool:
            return await rung(stage) > before

        await until(learned, "the ring that nobody answered is learned", 30)
        stop.set()
        await working


async def rung(stage: Stage) -> float:
    """How often the mobile rang, by weight."""
    async with stage.engine.connect() as connection:
        return (await answers.read(connection))[MOBILE].ever.rang


@pytest.fixture
async def crm() -> AsyncIterator[Crm]:
    """A CRM."""
    async with open_crm() as running:
        yield running


async def test_a_crm_that_is_late_costs_its_budget_and_its_last_word_stands_in(stage: Stage, crm: Crm) -> None:
    """First nobody's, then whose it told in time, then whose it told last; each decision says so."""
    world = stage.world
    settings = stage.settings().model_copy(update={"crm": CrmSettings(owner_url=crm.url, token=SecretStr(TOKEN))})
    crm.owners["79161232031"] = "boris"
    async with asked(stage, settings):
        for number, behaviour, rings, key in (
            ("79161232031", crm.never, DESK, "crm_late"),
            ("79161232032", None, BORIS, "owner"),
            ("79161232032", crm.never, BORIS, "owner_copy_late"),
        ):
            crm.owners["79161232032"], crm.answer = "boris", behaviour
            call = await world.call(number, "Клиент", OTHER)
            assert await world.phone(rings).rings() == number

            async def told(key: str = key) -> bool:
                bodies = await stage.rows("select body from call_events where kind = 'Routed'")
                return any(key in [one["key"] for one in json.loads(row.body["plan"])["reasons"]] for row in bodies)

            await until(told, f"a decision gives the reason {key}")
            await call.hangup()
        assert crm.asked == ["79161232031", "79161232032", "79161232032"]
