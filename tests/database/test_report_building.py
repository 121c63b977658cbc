"""Days are counted anew when something of them changes: marked by whatever writes, whole, once, whoever is killed."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from calls.database import connect
from calls.joining import join_rows
from calls.record import record
from crm_sync.book.leads import By, move_lead, open_lead, set_deadline
from crm_sync.book.lifecycle import Move
from directory import store
from directory.lead_policy import FunnelStep, LeadPolicy
from directory.model import Directory
from metrics.gauges import DatabaseGauges
from reports import building
from reports.building import build
from reports.evidence import source_of
from reports.fact_rows import built, read_facts, read_hours
from reports.facts import total, totals
from reports.listing import Listed, count_items
from reports.registry import COUNTS
from reports.report import Audience
from tests.fakes import days as told
from tests.fakes.recorded import settled_call
from tests.fakes.story import HOUSE, LINE
from web.reports.behind import number, read_question

T0 = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
NOW = datetime(2026, 11, 23, 18, 0, tzinfo=UTC)
DAYS = [date(2026, 11, day) for day in (20, 21, 22, 23)]
A_DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
async def house(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await store.apply(connection, HOUSE)


async def do(engine: AsyncEngine, sql: str) -> None:
    async with engine.begin() as connection:
        await connection.execute(text(sql))


async def facts_of(engine: AsyncEngine, day: date) -> list[Any]:
    async with engine.connect() as connection:
        return [sorted(map(str, await read(connection, day, day))) for read in (read_facts, read_hours)]


async def counted(engine: AsyncEngine, count: str, day: date) -> float:
    async with engine.connect() as connection:
        return total(await read_facts(connection, day, day), count)


_CHANGES: list[tuple[str, set[tuple[str, bool]]]] = [
    ("update calls set missed_cause = 'all_busy' where status = 'missed'", {("2026-11-20", True)}),
    ("update calls set party_id = null", {("2026-11-20", False)}),
    ("update calls set joined_into = id where status = 'missed'", {("2026-11-20", False)}),
    ("update calls set recovered = true, updated_at = now()", set()),
    (
        "update calls set started_at = started_at + interval '1 day' where status = 'missed'",
        {("2026-11-20", False), ("2026-11-21", False)},
    ),
    ("update calls set settled_at = now() where settled_at is null", {("2026-11-22", True)}),
    ("update calls set status = 'talking' where settled_at is null", set()),
    ("delete from calls where settled_at is null", set()),
    ("delete from calls where status = 'missed'", {("2026-11-20", False), ("2026-11-20", True)}),
    (
        "update follow_ups set closed_at = '2026-11-23 12:00Z', closed_by = 'talk'",
        {("2026-11-20", False), ("2026-11-23", True)},
    ),
    ("update follow_ups set priority = 7, due_at = now()", set()),
    (
        """
        insert into lead_events (lead_id, at, by, kind, after)
        select id, '2026-11-22 12:00Z', 'anna', 'stage', 'won' from leads
        """,
        {("2026-11-22", True)},
    ),
    ("insert into lead_events (lead_id, at, by, kind) select id, now(), 'anna', 'fields' from leads", set()),
    ("delete from parties", {("2026-11-20", True), ("2026-11-21", True)}),
    ("update talk_facts set staff_seconds = 7", {("2026-11-20", False)}),
    ("delete from transcripts", set()),
    ("update desk_cards set told_at = '2026-11-23 12:00Z', told_by = 'anna'", {("2026-11-23", False)}),
    ("update desk_cards set note = 'yes'", set()),
    ("update tasks set done_at = '2026-11-22 12:00Z'", {("2026-11-21", True), ("2026-11-22", True)}),
    ("update tasks set text = 'call'", set()),
]


async def until_somebody_waits(looking: AsyncConnection, many: int = 1) -> None:
    """Until so many wait for another's lock."""
    waits = text("select count(*) from pg_stat_activity where wait_event_type = 'Lock'")
    while (await looking.execute(waits)).scalar_one() < many:
        await looking.rollback()
        await asyncio.sleep(0.02)


async def test_whatever_changes_what_was_counted_marks_its_days(engine: AsyncEngine) -> None:
    """In its own transaction, whoever writes; what changes nothing marks none."""
    marks = text("select distinct cast(timezone('UTC', moment) as date) as day, onward from report_marks")
    async with engine.begin() as connection:
        lead = await told.lead(connection, T0)
        party = (await connection.execute(text("select party_id from leads"))).scalar_one()
        call = await told.call(connection, T0, party_id=party, lead_id=lead)
        await told.hear(connection, call)
        await told.write(connection, "desk_cards", call_id=call, person="anna")
        times = {"made_at": T0 + A_DAY, "made_by": "anna"}
        await told.write(connection, "tasks", party_id=party, lead_id=lead, text="", **times)
        missed = await told.call(connection, T0, status="missed", person=None, missed_cause="rang_out")
        await told.promise(connection, missed, T0)
        await told.call(connection, T0 + 2 * A_DAY, settled_at=None)
        await connection.execute(text("delete from report_marks"))
        for change, expected in _CHANGES:
            attempt = await connection.begin_nested()
            await connection.execute(text(change.replace(":00Z", "\\:00Z")))
            assert {(str(day), onward) for day, onward in await connection.execute(marks)} == expected, change
            await attempt.rollback()


async def test_a_late_event_is_counted_on_its_day_and_stands_on_all_since(engine: AsyncEngine) -> None:
    """Days are counted once; then those alone that it changes, and the end of one that is over once more."""
    async with engine.begin() as connection:
        await told.call(connection, T0)
    assert sorted((await build(engine, NOW)).days) == DAYS
    assert (await build(engine, NOW)).days == ()
    async with engine.begin() as connection:
        await record(connection, settled_call("1.1", at=T0 + A_DAY, answered=False))
    assert sorted((await build(engine, NOW)).days) == DAYS[1:]
    assert [await counted(engine, "missed", day) for day in DAYS] == [0, 1, 0, 0]
    async with engine.begin() as connection:
        await told.lead(connection, T0 + A_DAY)
    assert sorted((await build(engine, NOW)).days) == DAYS[1:]
    assert [await counted(engine, "leads_in", day) for day in DAYS] == [0, 1, 0, 0]
    assert [await counted(engine, "in_work", day) for day in DAYS] == [0, 1, 1, 1]
    assert sorted((await build(engine, NOW + A_DAY)).days) == [DAYS[3], DAYS[3] + A_DAY]
    assert (await build(engine, NOW + A_DAY)).days == ()


async def test_to_count_twice_changes_nothing_also_at_once(engine: AsyncEngine) -> None:
    """Several builders share the days, and leave what one would have left."""
    async with engine.begin() as connection:
        await told.some_days(connection, random.Random(3), T0 - A_DAY, 3, 6)
    await build(engine, NOW)
    days = [date(2026, 11, day) for day in range(19, 24)]
    before = [await facts_of(engine, day) for day in days]
    assert all(facts for facts, _ in before)
    await do(engine, "update report_days set waiting = true")
    rounds = await asyncio.gather(*(build(engine, NOW) for _ in range(3)))
    assert {day for one in rounds for day in one.days} == set(days)
    assert [await facts_of(engine, day) for day in days] == before
    async with engine.connect() as connection:
        assert (await built(connection)).days_waiting == 0


async def test_a_builder_that_is_killed_loses_nothing(engine: AsyncEngine, database_url: str) -> None:
    """Its day has the facts of before, and waits: marks that it took are not lost with it."""
    async with engine.begin() as connection:
        await told.call(connection, T0)
    await build(engine, NOW)
    await do(engine, "update calls set status = 'missed'")
    other = connect(database_url, pool=1)
    async with other.connect() as lock, engine.connect() as looking:
        await lock.execute(text("lock table report_hours in exclusive mode"))
        killed = asyncio.create_task(build(engine, NOW))
        at_work = text(
            "select pid from pg_stat_activity where wait_event_type = 'Lock' and query like '%report_hours%'"
        )
        while (pid := (await looking.execute(at_work)).scalar()) is None:
            await looking.rollback()
            await asyncio.sleep(0.02)
        await looking.execute(text("select pg_terminate_backend(:pid)"), {"pid": pid})
        with pytest.raises(DBAPIError):
            await killed
    await other.dispose()
    async with engine.connect() as connection:
        assert (await built(connection)).days_waiting == 1
        assert (await connection.execute(text("select count(*) from report_marks"))).scalar_one() == 0
    assert (await counted(engine, "answered", DAYS[0]), await counted(engine, "missed", DAYS[0])) == (1, 0)
    assert (await build(engine, NOW)).days == (DAYS[0],)
    assert (await counted(engine, "answered", DAYS[0]), await counted(engine, "missed", DAYS[0])) == (0, 1)


async def test_a_change_while_its_day_is_counted_has_it_counted_again(engine: AsyncEngine, database_url: str) -> None:
    """The snapshot of the builder is older than the change, which another round has taken the mark of already."""
    async with engine.begin() as connection:
        await told.call(connection, T0)
    await build(engine, NOW)
    await do(engine, "update report_days set waiting = true where day = '2026-11-20'")
    other = connect(database_url, pool=1)
    async with other.connect() as lock, engine.connect() as looking:
        await lock.execute(text("lock table report_hours in exclusive mode"))
        first = asyncio.create_task(build(engine, NOW))
        await until_somebody_waits(looking)
        async with engine.begin() as connection:
            await told.call(connection, T0)
        second = asyncio.create_task(build(engine, NOW))
        await until_somebody_waits(looking, 2)
        await lock.rollback()
        await asyncio.gather(first, second)
    await other.dispose()
    await build(engine, NOW)
    assert await counted(engine, "calls_in", DAYS[0]) == 2


async def test_a_mark_that_another_takes_before_a_builder_writes_is_not_lost(
    engine: AsyncEngine, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The day waits already, and the builder's snapshot is older than the change: it leaves the day waiting."""
    async with engine.begin() as connection:
        await told.call(connection, T0)
    await build(engine, NOW)
    await do(engine, "update report_days set waiting = true where day = '2026-11-20'")
    gate = "select pg_try_advisory_xact_lock(5062, :day - date '2000-01-01') from pg_advisory_xact_lock_shared(7)"
    monkeypatch.setattr(building, "_LOCK", text(gate))
    monkeypatch.setattr(building, "DAYS_AT_ONCE", 0)
    other = connect(database_url, pool=1)
    async with other.connect() as lock, engine.connect() as looking:
        await lock.execute(text("select pg_advisory_xact_lock(7)"))
        first = asyncio.create_task(building.build_day(engine, HOUSE, DAYS[0], NOW))
        await until_somebody_waits(looking)
        async with engine.begin() as connection:
            await told.call(connection, T0)
        assert (await build(engine, NOW)).waiting == len(DAYS)
        await lock.rollback()
        assert not await first
    await other.dispose()
    async with engine.connect() as connection:
        assert (await built(connection)).days_waiting == len(DAYS)


async def test_a_day_that_cannot_be_counted_keeps_no_other_from_being(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits on."""
    count = building.build_day

    async def fail(engine: AsyncEngine, house: Directory, day: date, now: datetime) -> bool:
        if day == DAYS[2]:
            raise LookupError("a row that nobody thought of")
        return await count(engine, house, day, now)

    monkeypatch.setattr(building, "build_day", fail)
    async with engine.begin() as connection:
        await told.call(connection, T0)
    found = await build(engine, NOW)
    assert (sorted(found.days), found.waiting) == ([DAYS[0], DAYS[1], DAYS[3]], 1)


async def test_metrics_tell_for_how_long_nobody_counts(engine: AsyncEngine) -> None:
    """Though no day is set to wait meanwhile; before the first day was counted there is no age."""

    async def told_now() -> dict[str, float]:
        families = await DatabaseGauges(engine).read()
        return {one.name: one.value for family in families for one in family.samples if "_report_facts" in one.name}

    async with engine.begin() as connection:
        await told.call(connection, T0)
    assert await told_now() == {"switchhook_report_facts_waiting": 0}
    await build(engine, datetime.now(UTC) - timedelta(hours=2))
    found = await told_now()
    assert (found["switchhook_report_facts_waiting"], found["switchhook_report_facts_age_seconds"] // 60) == (0, 120)


async def test_the_counts_of_a_day_are_of_one_moment(engine: AsyncEngine, database_url: str) -> None:
    """A call that comes while the day is counted is in all of them or in none, so that no share is over one."""
    async with engine.begin() as connection:
        await told.call(connection, T0)
    other = connect(database_url, pool=1)
    async with other.connect() as lock, engine.connect() as looking:
        row = f"('2026-11-20', 'answered', 'sales', '{LINE}', 'anna', '', 1)"
        await lock.execute(text(f"insert into report_facts values {row}"))
        first = asyncio.create_task(building.build_day(engine, HOUSE, DAYS[0], NOW))
        await until_somebody_waits(looking)
        async with engine.begin() as connection:
            await told.call(connection, T0)
        await lock.rollback()
        assert await first
    await other.dispose()
    assert [await counted(engine, count, DAYS[0]) for count in ("calls_in", "answerable")] == [1, 1]


async def test_calls_that_join_are_one_and_an_erased_call_stays_counted(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        kept = await told.call(connection, T0)
        gone = await told.call(connection, T0 + timedelta(minutes=1))
        await told.hear(connection, gone)
    await build(engine, NOW)
    assert await counted(engine, "calls_in", DAYS[0]) == 2
    async with engine.begin() as connection:
        await join_rows(connection, kept, gone)
    await build(engine, NOW)
    assert [await counted(engine, count, DAYS[0]) for count in ("calls_in", "heard")] == [1, 1]
    await do(engine, "update calls set erased = true, caller_number = null, party_id = null, lead_id = null")
    await do(engine, "delete from transcripts")
    await do(engine, "update report_days set ground = ''")
    await build(engine, NOW)
    assert [await counted(engine, count, DAYS[0]) for count in ("calls_in", "heard")] == [1, 1]


async def test_a_day_is_the_companys_also_when_the_clocks_change(engine: AsyncEngine) -> None:
    """Of twenty-five hours in Berlin; the PBX's clock is an hour ahead of ours."""
    berlin = replace(HOUSE, company=replace(HOUSE.company, time_zone="Europe/Berlin"))
    async with engine.begin() as connection:
        await store.apply(connection, berlin)
        ahead = "insert into pbx_clocks (pbx, ahead) values ('pbx', interval '1 hour')"
        await connection.execute(text(ahead))
        for at in ("2026-10-24 21:59", "2026-10-24 22:00", "2026-10-25 00:30", "2026-10-25 01:30", "2026-10-25 22:59"):
            ours = datetime.fromisoformat(f"{at}+00:00")
            await told.call(connection, ours + timedelta(hours=1))
        await told.call(connection, datetime(2026, 10, 26, 0, 0, tzinfo=UTC))
        await told.lead(connection, datetime(2026, 10, 25, 22, 30, tzinfo=UTC))
    await build(engine, datetime(2026, 10, 26, 12, tzinfo=UTC))
    days = [date(2026, 10, day) for day in (24, 25, 26)]
    assert [await counted(engine, "calls_in", day) for day in days] == [1, 4, 1]
    assert [await counted(engine, "in_work", day) for day in days] == [0, 1, 1]
    async with engine.connect() as connection:
        hours = await read_hours(connection, days[1], days[1], counts=["calls_in"])
        assert totals(hours, "calls_in", lambda fact: fact.hour) == {0: 1, 2: 2, 23: 1}
        asked = Listed(count="calls_in", first=days[1], last=days[1], zone="Europe/Berlin", hour=2)
        listed = await count_items(connection, asked)
    assert listed == (2, 2)


async def test_a_line_of_another_team_has_its_past_there(engine: AsyncEngine) -> None:
    """The directory is a ground of every day: as it is now, for the number and for the list behind it."""
    async with engine.begin() as connection:
        await told.call(connection, T0)
    await build(engine, NOW)
    moved = replace(HOUSE, lines=(replace(HOUSE.lines[0], team="support"), *HOUSE.lines[1:]))
    async with engine.begin() as connection:
        await store.apply(connection, moved)
    assert sorted((await build(engine, NOW)).days) == DAYS
    async with engine.connect() as connection:
        facts = await read_facts(connection, DAYS[0], DAYS[0], counts=["answered"])
        zone = HOUSE.company.time_zone
        found = await count_items(
            connection, Listed(count="answered", first=DAYS[0], last=DAYS[0], zone=zone, team="support")
        )
    assert ([fact.team for fact in facts], found) == (["support"], (1, 1))


async def test_a_line_that_is_given_up_keeps_its_past(engine: AsyncEngine) -> None:
    """By its number and the team and source that it had last, for the figure and for the list behind it."""
    zone, other = HOUSE.company.time_zone, replace(HOUSE.lines[0], number="74957654321", team="support", campaign="ad")
    async with engine.begin() as connection:
        await told.call(connection, T0, line=f"+{LINE}", person="gleb")
        for lines in (
            (replace(HOUSE.lines[0], team="support"), *HOUSE.lines[1:], other),
            (*HOUSE.lines, other),
            (*HOUSE.lines[1:], other),
            HOUSE.lines[1:],
        ):
            await store.apply(connection, replace(HOUSE, lines=lines))
    await build(engine, NOW)
    async with engine.connect() as connection:
        facts = await read_facts(connection, DAYS[0], DAYS[0], counts=["answered"])
        listed = Listed(count="answered", first=DAYS[0], last=DAYS[0], zone=zone, line=LINE, team="sales")
        found = await count_items(connection, listed)
        directory = await store.read(connection)
        sold = read_question({"measure": "answered", "source": "ad"}, directory, Audience("house"), DAYS[0])
        kept = read_question(
            {"measure": "answered", "source": HOUSE.lines[0].name}, directory, Audience("house"), DAYS[0]
        )
        told_of = [await number(connection, directory, asked, asked.side) for asked in (kept, sold)]
    assert ([(fact.line, fact.team) for fact in facts], found) == ([(LINE, "sales")], (1, 1))
    assert [source_of(directory, line) for line in (LINE, other.number)] == [HOUSE.lines[0].name, "ad"]
    assert told_of == [(1, 1), (0, 0)]
    async with engine.begin() as connection:
        await store.apply(connection, replace(HOUSE, lines=HOUSE.lines[1:], teams=HOUSE.teams[1:]))
    await build(engine, NOW)
    async with engine.connect() as connection:
        facts = await read_facts(connection, DAYS[0], DAYS[0], counts=["answered"])
    assert [fact.team for fact in facts] == ["support"]  # the team is no more: the person's own


async def test_another_funnel_is_another_past(engine: AsyncEngine) -> None:
    """A step that is put before another was reached by whoever reached that one."""
    async with engine.begin() as connection:
        lead = await told.lead(connection, T0)
        await told.event(connection, lead, T0, "stage", before="new", after="in_work/contract")
    found = []
    for steps in (("contract", "meeting"), ("meeting", "contract")):
        funnel = LeadPolicy(funnel=tuple(FunnelStep(key=step, name=step) for step in steps))
        async with engine.begin() as connection:
            await store.apply(connection, replace(HOUSE, leads=funnel))
        await build(engine, NOW)
        found.append(await counted(engine, "steps", DAYS[0]))
    assert found == [1, 2]


async def test_a_measure_that_is_added_has_its_past_the_newest_days_first(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some days a round, so that the days of now are never behind those of long ago."""
    async with engine.begin() as connection:
        await told.call(connection, T0)
    monkeypatch.setattr(building, "DAYS_AT_ONCE", 3)
    monkeypatch.setattr(building, "COUNTS", COUNTS[:1])
    for _ in range(2):
        await build(engine, NOW)
    monkeypatch.setattr(building, "COUNTS", COUNTS[:2])
    first = await build(engine, NOW)
    assert (first.days, first.waiting) == ((DAYS[3], DAYS[2], DAYS[1]), 1)
    assert (await build(engine, NOW)).days == (DAYS[0],)
    assert await counted(engine, "answered", DAYS[0]) == 1


async def test_a_deadline_of_then_is_known_when_the_lead_has_another(engine: AsyncEngine) -> None:
    """Whether it was the stage's own, or set by hand: as it stood at the end of each day."""
    at = T0 + timedelta(hours=1)
    async with engine.begin() as connection:
        party = await told.write(connection, "parties", name="Пётр")
        by = By(who="anna", at=at)
        lead = await open_lead(connection, HOUSE, party, by, stage="new", owner="anna", line=LINE, minutes=60)
        await set_deadline(connection, lead, at + 2 * A_DAY, replace(by, at=at + A_DAY))
        later = replace(by, at=at + 3 * A_DAY)
        await move_lead(connection, HOUSE, lead, Move(stage="qualifying"), later)
        await set_deadline(connection, lead, None, later)
    await build(engine, NOW)
    assert [await counted(engine, "overdue", day) for day in DAYS] == [1, 0, 1, 0]
