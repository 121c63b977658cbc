"""The client enters the funnel by calling: on a real PBX with real telephones, the service and its worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.due import owe_nothing
from calls.queue import Crew, make_app, work
from crm_sync.book.leads import By, move_lead
from crm_sync.book.lifecycle import Move
from crm_sync.jobs import CrmJobs
from directory.file import loads
from directory.model import Directory
from directory.store import apply
from service.demo_world import OutsideWorld, answer, ring_out
from service.pbx import Pbx, Phone
from tests.end_to_end.stage import LINE, Stage, until

CLIENT, LOST = "79161235001", "79161235002"
ANNA, BORIS = "anna-desk", "boris-desk"
HOUSE: Directory = loads(
    f"""
company: {{name: Ромашка, region: RU, time_zone: Europe/Moscow, language: ru}}
people:
  - {{key: anna, name: Анна, role: manager, devices: [{{kind: desk, address: PJSIP/{ANNA}}}]}}
  - {{key: boris, name: Борис, role: manager, devices: [{{kind: desk, address: PJSIP/{BORIS}}}]}}
teams: [{{key: sales, name: Продажи, strategy: ring_all, members: [anna, boris]}}]
lines: [{{number: "{LINE}", name: Продажи, trunk: PJSIP/trunk, team: sales, ring_seconds: 5}}]
"""
)


@pytest.fixture
async def stage(engine: AsyncEngine, database_url: str, tmp_path: Path) -> AsyncIterator[Stage]:
    """A PBX with two phones, the world outside, and a fresh store."""
    async with engine.begin() as connection:
        await apply(connection, HOUSE)
    async with Pbx([Phone(ANNA), Phone(BORIS)]) as pbx, OutsideWorld(pbx) as world:
        yield Stage(pbx, world, engine, database_url, tmp_path)


@asynccontextmanager
async def linking(stage: Stage) -> AsyncIterator[None]:
    """The worker's part of this story: settled calls go into the book."""
    jobs, stop = CrmJobs(engine=stage.engine, owes=owe_nothing), asyncio.Event()
    worker = asyncio.create_task(work(make_app(stage.url, jobs.tasks()), [Crew(("crm",), 2)], stop))
    yield
    stop.set()
    await worker


async def linked(stage: Stage, number: str, count: int) -> Any:
    """The last of the calls of a number, once so many are in the book."""
    sql = "select party_id, lead_id from calls where caller_number = :n and party_id is not null order by started_at"

    async def found() -> list[Any]:
        rows = await stage.rows(sql, n=number)
        return rows if len(rows) == count else []

    return (await until(found, f"{count} calls of {number} are linked", 60.0))[-1]


async def decided(stage: Stage, move: Move) -> None:
    """A head decides about the only lead that is open."""
    ((lead,),) = await stage.rows("select id from leads where closed_at is null")
    by = By(who="vera", at=datetime.now(UTC), head=True)
    async with stage.engine.begin() as connection:
        await move_lead(connection, HOUSE, lead, move, by)


async def test_a_caller_becomes_a_lead_of_who_answered_and_what_people_decide_of_it_stays(stage: Stage) -> None:
    """Unknown, then the owner's; an existing client gets no second lead; who was lost and calls is in work again."""
    anna, boris = stage.world.phone(ANNA), stage.world.phone(BORIS)
    await boris.behave(answer(0.2, speak=(0.5,)))
    await anna.behave(ring_out())
    leads = "select stage, owner from leads order by id"
    async with stage.open(stage.settings(cel=False)) as (_, telephony), linking(stage):
        await telephony.answering()
        first = await stage.world.call(CLIENT, "Клиент", LINE, speak=(1.0,))
        await first.ended()
        await linked(stage, CLIENT, 1)
        assert [tuple(row) for row in await stage.rows(leads)] == [("qualifying", "boris")]

        await anna.behave(ring_out())
        again = await stage.world.call(CLIENT, "Клиент", LINE, speak=(1.0,))
        await again.answered()
        assert not anna.has_rung
        await again.ended()
        await linked(stage, CLIENT, 2)

        await decided(stage, Move(stage="disqualified", reason="existing_client"))
        third = await stage.world.call(CLIENT, "Клиент", LINE, speak=(1.0,))
        await third.ended()
        assert (await linked(stage, CLIENT, 3)).lead_id is None
        assert [tuple(row) for row in await stage.rows(leads)] == [("disqualified", "boris")]

        lost = await stage.world.call(LOST, "Другой", LINE, speak=(1.0,))
        await lost.ended()
        lead = (await linked(stage, LOST, 1)).lead_id
        await decided(stage, Move(stage="lost", reason="no_contact"))
        await boris.behave(ring_out())
        back = await stage.world.call(LOST, "Другой", LINE, speak=(1.0,))
        await boris.rings()
        await back.hangup()
        assert (await linked(stage, LOST, 2)).lead_id == lead
        assert [tuple(row) for row in await stage.rows(leads)] == [("disqualified", "boris"), ("in_work", "boris")]
