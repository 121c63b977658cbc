"""Deadlines of leads are told before and after, once each; what needs attention is found and told once a day."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import insert, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_sync.book.attention import attention, tell_daily
from crm_sync.book.reminding import remind
from crm_sync.tables import leads, parties, tasks
from directory import store
from directory.lead_policy import FunnelStep, LeadPolicy
from directory.model import Directory
from metrics.gauges import DatabaseGauges
from tests.fakes.directories import LINE, OFFICE

POLICY = LeadPolicy(funnel=(FunnelStep(key="meeting", name="Встреча", minutes=600),), leads_most=2)
HOUSE = replace(OFFICE, leads=POLICY)


def at(told: str) -> datetime:
    """A moment of March 2026 in Moscow; the 2nd is a Monday, the office works 9 to 18, on Saturdays 10 to 15."""
    return datetime.fromisoformat(f"2026-03-{told}+03:00")


async def furnish(engine: AsyncEngine, house: Directory = HOUSE) -> None:
    async with engine.begin() as connection:
        await store.apply(connection, house)


async def lead(engine: AsyncEngine, opened: str, due: str | None = None, **more: Any) -> int:
    """An open lead of Anna's in qualification."""
    values = {"stage": "qualifying", "owner": "anna", "source_line": LINE, **more}
    times = {"opened_at": at(opened), "stage_at": at(opened), "deadline_at": at(due) if due else None}
    async with engine.begin() as connection:
        party = (await connection.execute(insert(parties).values(name=None).returning(parties.c.id))).scalar_one()
        made = insert(leads).values(party_id=party, **(times | values)).returning(leads.c.id)
        return int((await connection.execute(made)).scalar_one())


async def rows(engine: AsyncEngine, sql: str) -> list[tuple[Any, ...]]:
    async with engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(text(sql))]


TOLD = "select person, kind, subject_id from notices order by kind, person, subject_id"


async def test_a_deadline_is_told_before_and_after_to_owner_and_head_once_each(engine: AsyncEngine) -> None:
    """Whoever asks again, or at once, or after a restart, tells nothing new; half an hour is of working time."""
    await furnish(engine)
    number = str(await lead(engine, "06T12:00", "07T10:10"))
    assert await remind(engine, at("06T17:39")) == 0
    assert sum(await asyncio.gather(*(remind(engine, at("06T17:40")) for _ in range(4)))) == 2
    assert await remind(engine, at("07T10:09")) == 0
    assert sum(await asyncio.gather(*(remind(engine, at("07T10:10")) for _ in range(4)))) == 2
    assert await remind(engine, at("07T11:00")) == 0
    assert await rows(engine, TOLD) == [
        ("anna", "deadline_near", number),
        ("vera", "deadline_near", number),
        ("anna", "deadline_passed", number),
        ("vera", "deadline_passed", number),
    ]
    ((values,),) = await rows(engine, "select values from notices where kind = 'deadline_near' and person = 'vera'")
    assert values == {"deadline": "qualifying", "due_at": "2026-03-07T07:10:00+00:00", "owner": "anna"}


async def test_a_new_deadline_is_told_anew_and_a_closed_lead_not_at_all(engine: AsyncEngine) -> None:
    await furnish(engine)
    moved, closed = await lead(engine, "02T10:00", "02T12:00"), await lead(engine, "02T10:00", "02T12:00")
    async with engine.begin() as connection:
        await connection.execute(update(leads).where(leads.c.id == closed).values(stage="won"))
    await remind(engine, at("02T12:00"))
    async with engine.begin() as connection:
        await connection.execute(update(leads).where(leads.c.id == moved).values(deadline_at=at("02T15:00")))
    await remind(engine, at("02T15:00"))
    assert [row[1:] for row in await rows(engine, TOLD) if row[0] == "vera"] == [("deadline_passed", str(moved))] * 2


async def test_what_passed_days_ago_is_only_listed(engine: AsyncEngine) -> None:
    """Who begins to use deadlines is not told of a year at once; after a week-end of outage all is told."""
    await furnish(engine)
    await lead(engine, "02T10:00", "02T12:00")
    assert await remind(engine, at("05T12:01")) == 0
    assert await remind(engine, at("05T11:59")) == 2


async def test_a_new_owner_is_told_though_the_head_was_and_many_of_nobody_keep_nobody_behind_them(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Leads go by pages: two of somebody who left, of a house without heads, come first."""
    monkeypatch.setattr("crm_sync.book.reminding._BATCH", 1)
    await furnish(engine)
    moved = await lead(engine, "02T10:00", "02T12:00")
    assert await remind(engine, at("02T12:00")) == 2
    async with engine.begin() as connection:
        await connection.execute(update(leads).where(leads.c.id == moved).values(owner="boris"))
    assert await remind(engine, at("02T12:01")) == 1
    await furnish(engine, replace(HOUSE, people=tuple(replace(one, role="manager") for one in HOUSE.people)))
    for due in ("02T12:10", "02T12:20"):
        await lead(engine, "02T10:00", due, owner="left")
    last = await lead(engine, "02T10:00", "02T12:30")
    await remind(engine, at("02T12:30"))
    assert ("anna", "deadline_passed", str(last)) in await rows(engine, TOLD)


async def test_a_lead_of_nobody_is_told_the_heads(engine: AsyncEngine) -> None:
    await furnish(engine)
    await lead(engine, "02T10:00", "02T12:00", owner=None)
    assert await remind(engine, at("02T12:00")) == 1


async def test_forgotten_is_who_had_no_contact_and_has_no_task_for_three_working_days(engine: AsyncEngine) -> None:
    await furnish(engine)
    silent = await lead(engine, "02T10:00")
    talked = await lead(engine, "02T10:00", contact_at=at("05T10:00"))
    planned = await lead(engine, "02T10:00")
    async with engine.begin() as connection:
        party = text("select party_id from leads where id = :id")
        owed = {"party_id": (await connection.execute(party, {"id": planned})).scalar_one(), "lead_id": planned}
        await connection.execute(insert(tasks).values(text="Позвонить", made_at=at("02T10:00"), made_by="anna", **owed))
        for moment, ids in ((at("05T23:00"), []), (at("06T00:00"), [silent]), (at("10T12:00"), [silent, talked])):
            found = await attention(connection, HOUSE, moment)
            assert [one.id for one in found.forgotten] == ids
            assert found.counts["forgotten"] == len(ids)


async def test_long_is_who_stays_longer_than_the_target_of_the_stage_or_step(engine: AsyncEngine) -> None:
    """In working time: qualification has eight hours of it, a meeting ten, and what has no target takes its time."""
    await furnish(engine)
    qualifying = await lead(engine, "06T12:00")
    meeting = await lead(engine, "06T12:00", stage="in_work", step="meeting")
    await lead(engine, "06T12:00", stage="qualified")
    async with engine.connect() as connection:
        for moment, ids in (("07T12:00", []), ("07T12:01", [qualifying]), ("07T14:01", [qualifying, meeting])):
            assert [one.id for one in (await attention(connection, HOUSE, at(moment))).long] == ids


async def test_the_heads_are_told_once_a_day_and_the_metrics_say_the_same(engine: AsyncEngine) -> None:
    """However many services look; not before nine, and not where nothing needs anybody."""
    await furnish(engine)
    assert await tell_daily(engine, at("03T12:00")) is True
    for _ in range(3):
        await lead(engine, "04T10:00", "04T12:00")
    assert await tell_daily(engine, at("10T08:59")) is False
    assert sorted(await asyncio.gather(*(tell_daily(engine, at("10T09:00")) for _ in range(4)))) == [False] * 3 + [True]
    assert await rows(engine, TOLD) == [("vera", "attention", "")]
    assert await rows(engine, "select overdue, forgotten, long, overloaded from attention_days order by day") == [
        (0, 0, 0, 0),
        (3, 3, 3, 1),
    ]
    told = {family.name: family.samples[0].value for family in await DatabaseGauges(engine).read() if family.samples}
    assert (told["switchhook_leads_forgotten"], told["switchhook_leads_overloaded_people"]) == (3, 1)
    async with engine.connect() as connection:
        (one,) = (await attention(connection, HOUSE, at("10T09:00"))).overloaded
    assert one.to_json() == {"person": "anna", "open": 3, "limit": 2, "plan": 1}


@pytest.mark.parametrize("limit, count", [(None, 1), (3, 0), (1, 1)])
async def test_a_persons_own_limit_comes_before_the_houses(engine: AsyncEngine, limit: int | None, count: int) -> None:
    house = replace(HOUSE, people=(replace(HOUSE.people[0], leads_most=limit), *HOUSE.people[1:]))
    await furnish(engine, house)
    for _ in range(3):
        await lead(engine, "02T10:00")
    async with engine.connect() as connection:
        assert len((await attention(connection, house, at("02T12:00"))).overloaded) == count
