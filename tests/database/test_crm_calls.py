"""Calls into the book by the house's own rules, against a real PostgreSQL, whatever runs beside."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace
from pydantic import SecretStr
from sqlalchemy import insert, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from calls import events as e
from calls.due import owe_nothing
from calls.record import record
from crm_sync.book.leads import By, give_lead
from crm_sync.book.lifecycle import SERVICE
from crm_sync.jobs import CrmJobs
from crm_sync.tables import leads, parties, party_numbers
from directory import presence_store
from directory.file import loads
from directory.presence import Absence
from directory.store import apply
from service.commands.lead_rules import replay_rules
from service.faults import UserFault
from service.settings import load
from tests.fakes.recorded import LINE, T0, outgoing_call, settled_call

NUMBER, OTHER = "79161234567", "79161234568"

HOUSE = """
company: {name: Ромашка, follow_up: {person: vera}}
people:
  - {key: anna, name: Анна, role: manager, plan: 2, devices: [{kind: desk, address: PJSIP/anna-desk, number: "101"}]}
  - {key: boris, name: Борис, role: manager, devices: [{kind: desk, address: PJSIP/boris-desk, number: "102"}]}
  - {key: vera, name: Вера, role: head}
teams: [{key: sales, name: Продажи, members: [anna, boris, vera]}]
lines: [{number: "74951234567", name: Основная, team: sales}]
"""


async def house(engine: AsyncEngine, leads_section: str = "") -> None:
    async with engine.begin() as connection:
        await apply(connection, loads(HOUSE + leads_section))


@pytest.fixture
def jobs(engine: AsyncEngine) -> CrmJobs:
    """The room's jobs; what is applied before decides what they do."""
    return CrmJobs(engine=engine, owes=owe_nothing)


async def happen(engine: AsyncEngine, events: Sequence[e.Event]) -> UUID:
    async with engine.begin() as connection:
        (change,) = await record(connection, events)
    return change.call_id


async def asked(engine: AsyncEngine, sql: str) -> list[tuple[Any, ...]]:
    async with engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(text(sql))]


async def linked(jobs: CrmJobs, events: Sequence[e.Event]) -> UUID:
    call_id = await happen(jobs.engine, events)
    await jobs.link_call(call_id, 0)
    return call_id


async def history(engine: AsyncEngine) -> list[tuple[Any, ...]]:
    return await asked(
        engine, "select kind, before, after, reason from lead_events where kind in ('stage', 'owner') order by id"
    )


async def test_a_missed_caller_is_called_back_and_the_lead_is_of_who_did(jobs: CrmJobs) -> None:
    """Nobody's until somebody talks with them, whoever called; each change tells the rule that made it."""
    await house(jobs.engine)
    await linked(jobs, settled_call("1.1", answered=False))
    await linked(jobs, outgoing_call("2.1", device="PJSIP/boris-desk", answered=False, at=T0 + timedelta(minutes=1)))
    assert await asked(jobs.engine, "select stage, owner from leads") == [("new", None)]
    await linked(jobs, outgoing_call("3.1", device="PJSIP/boris-desk", at=T0 + timedelta(minutes=2)))
    assert await asked(jobs.engine, "select stage, owner from leads") == [("qualifying", "boris")]
    assert await history(jobs.engine) == [
        ("stage", "new", "qualifying", "called"),
        ("owner", None, "boris", "called/answered"),
    ]
    assert await asked(jobs.engine, "select count(*) from calls where lead_id is not null") == [(3,)]


async def test_whom_we_call_without_having_heard_of_them_is_nobodys(jobs: CrmJobs) -> None:
    """A supplier who is called is no lead, unless a rule of the house says so."""
    await house(jobs.engine)
    await linked(jobs, outgoing_call("1.1"))
    assert await asked(jobs.engine, "select count(*) from parties") == [(0,)]
    await house(jobs.engine, "leads: {rules: [{name: cold, types: [outbound_answered], owner: [answered]}]}")
    await linked(jobs, outgoing_call("2.1", number="8 916 123-45-67"))
    assert await asked(jobs.engine, "select stage, owner, source_line from leads") == [("qualifying", "anna", LINE)]
    assert await asked(jobs.engine, "select number from party_numbers") == [(NUMBER,)]


async def test_a_rule_begins_a_lead_where_it_says_with_its_deadline_and_task(jobs: CrmJobs) -> None:
    """Stage, first deadline, owner and task of one rule; its task is owed once until it is done."""
    await house(
        jobs.engine,
        "leads: {rules: [{name: hot, types: [inbound_missed], stage: qualified, minutes: 5, owner: [line_person],"
        " task: {text: Перезвонить, minutes: 10}}]}",
    )
    await linked(jobs, settled_call("1.1", answered=False))
    await linked(jobs, settled_call("2.1", answered=False, at=T0 + timedelta(minutes=1)))
    assert await asked(jobs.engine, "select stage, owner, deadline_at from leads") == [
        ("qualified", "vera", T0 + timedelta(minutes=5))
    ]
    assert await asked(jobs.engine, "select text, assignee, due_at, split_part(made_because, '/', 2) from tasks") == [
        ("Перезвонить", "vera", T0 + timedelta(minutes=10), "hot")
    ]
    async with jobs.engine.begin() as connection:
        await connection.execute(text("update tasks set done_at = now(), done_by = 'vera'"))
    await linked(jobs, settled_call("3.1", answered=False, at=T0 + timedelta(minutes=2)))
    assert await asked(jobs.engine, "select count(*) from tasks") == [(2,)]
    told = "select person, count(*) from notices where kind = 'task_given' group by person"
    assert await asked(jobs.engine, told) == [("vera", 2)]


async def test_a_rule_may_make_a_party_alone_or_nothing_at_all(jobs: CrmJobs) -> None:
    """A party without a lead is linked to its later calls, and gets a lead when another rule says so."""
    await house(
        jobs.engine,
        "leads: {rules: [{name: quiet, types: [inbound_missed], known: false, make: party}, {name: no, known: true,"
        " types: [inbound_answered], make: nothing}]}",
    )
    await linked(jobs, settled_call("1.1", answered=False))
    await linked(jobs, settled_call("2.1"))
    assert await asked(jobs.engine, "select (select count(*) from parties), (select count(*) from leads)") == [(1, 0)]
    assert await asked(jobs.engine, "select count(*) from calls where party_id is not null") == [(2,)]
    told = "select body->>'created' from call_events where kind = 'PartyLinked' order by 1"
    assert await asked(jobs.engine, told) == [("party",), (None,)]
    await linked(jobs, settled_call("3.1", answered=False))
    assert await asked(jobs.engine, "select stage from leads") == [("new",)]


async def test_calls_both_ways_at_once_with_a_new_number_make_one_party_and_one_lead(jobs: CrmJobs) -> None:
    """Ten calls, in and out, answered and not, each job run twice at the same time."""
    await house(jobs.engine, "leads: {rules: [{name: all, owner: [answered, rung_last]}]}")
    told = [settled_call(f"{n}.1", answered=n % 2 == 0) for n in range(1, 6)]
    told += [outgoing_call(f"{n}.1", answered=n % 2 == 0, number="89161234567") for n in range(6, 11)]
    ids = [await happen(jobs.engine, events) for events in told]
    await asyncio.gather(*(jobs.link_call(call_id, 0) for call_id in ids * 2))
    assert await asked(jobs.engine, "select (select count(*) from parties), (select count(*) from leads)") == [(1, 1)]
    assert await asked(jobs.engine, "select count(*), count(lead_id) from calls") == [(10, 10)]
    assert await asked(jobs.engine, "select count(*) from lead_events where kind = 'linked'") == [(10,)]
    assert await asked(jobs.engine, "select count(*) from lead_events where kind = 'owner'") == [(1,)]


async def test_calls_at_once_from_two_numbers_of_one_party_open_one_lead(jobs: CrmJobs) -> None:
    """The party is the same, whichever of its numbers calls; each call changes the owner once at most."""
    await house(
        jobs.engine, "leads: {rules: [{name: takes, types: [inbound_answered], owner: [answered], reassign: true}]}"
    )
    async with jobs.engine.begin() as connection:
        party = (await connection.execute(insert(parties).values(name="Мария").returning(parties.c.id))).scalar_one()
        both = [{"number": number, "party_id": party} for number in (NUMBER, OTHER)]
        await connection.execute(insert(party_numbers), both)
    desks = ("PJSIP/anna-desk", "PJSIP/boris-desk")
    told = [settled_call(f"{n}.1", number=(NUMBER, OTHER)[n % 2], device=desks[n // 2 % 2]) for n in range(8)]
    ids = [await happen(jobs.engine, events) for events in told]
    async with asyncio.timeout(60):
        await asyncio.gather(*(jobs.link_call(call_id, 0) for call_id in ids * 2))
    assert await asked(jobs.engine, "select count(*) from leads") == [(1,)]
    assert await asked(jobs.engine, "select count(distinct lead_id), count(lead_id) from calls") == [(1, 8)]
    changes = await asked(
        jobs.engine, "select call_id, before, after from lead_events where kind = 'owner' order by id"
    )
    assert len({call for call, _, _ in changes}) == len(changes)
    assert [before for _, before, _ in changes] == [None, *(after for _, _, after in changes)][:-1]
    assert (await asked(jobs.engine, "select owner from leads")) == [(changes[-1][2],)]


async def test_the_database_refuses_a_second_owner_by_one_call(jobs: CrmJobs) -> None:
    """Whatever code tries it, and whatever it read before."""
    await house(jobs.engine)
    call_id = await linked(jobs, settled_call("1.1"))
    ((lead,),) = await asked(jobs.engine, "select id from leads")
    with pytest.raises(IntegrityError, match="one_owner_a_call"):
        async with jobs.engine.begin() as connection:
            await give_lead(connection, lead, "boris", By(who=SERVICE, at=T0, call=call_id, rule="again"))
    assert await asked(jobs.engine, "select owner from leads") == [("anna",)]


async def test_leads_of_many_callers_at_once_go_round_by_plan(jobs: CrmJobs) -> None:
    """Anna's plan is twice that of Boris and of Vera; who is away gets none."""
    await house(jobs.engine, "leads: {rules: [{name: missed_ones, owner: [round_robin]}]}")
    async with jobs.engine.begin() as connection:
        now = datetime.now(T0.tzinfo)
        away = Absence(0, T0 - timedelta(days=1), now + timedelta(days=1))
        await presence_store.send_away(connection, "vera", away)
    told = [settled_call(f"{n}.1", answered=False, number=f"791600001{n:02}") for n in range(9)]
    ids = [await happen(jobs.engine, events) for events in told]
    await asyncio.gather(*(jobs.link_call(call_id, 0) for call_id in ids))
    shares = await asked(jobs.engine, "select owner, count(*) from leads group by owner order by owner")
    assert shares == [("anna", 6), ("boris", 3)]


async def test_an_owner_hears_of_a_colleague_who_answered_and_a_head_of_a_device_of_nobody(jobs: CrmJobs) -> None:
    """Each is told once, in the transaction that links the call; a job that runs again tells nobody."""
    await house(jobs.engine)
    await linked(jobs, settled_call("1.1"))
    call_id = await linked(jobs, settled_call("2.1", device="PJSIP/boris-desk"))
    await linked(jobs, settled_call("3.1", device="PJSIP/reception"))
    await linked(jobs, settled_call("4.1", device="PJSIP/reception"))
    await jobs.link_call(call_id, 1)
    assert await asked(jobs.engine, 'select person, kind, "values" from notices order by id') == [
        ("anna", "colleague_answered", {"person": "boris"}),
        ("vera", "device_without_person", {"device": "PJSIP/reception", "line": LINE}),
    ]
    assert await asked(jobs.engine, "select owner from leads") == [("anna",)]


async def test_a_call_by_a_line_that_no_message_can_name_is_booked_and_told(jobs: CrmJobs) -> None:
    """The call itself tells by what it came."""
    await house(jobs.engine)
    events = settled_call("1.1", device="PJSIP/reception")
    await linked(jobs, [replace(one, line="#31#") if isinstance(one, e.Arrived) else one for one in events])
    assert await asked(jobs.engine, "select \"values\"->>'line' from notices") == [("",)]
    assert await asked(jobs.engine, "select count(*) from calls where party_id is not null") == [(1,)]


async def test_a_lost_lead_that_comes_back_is_its_owners_or_by_the_rules_of_return(jobs: CrmJobs) -> None:
    """While Anna is away the line's person has it; the client who did not answer us is no sign of life."""
    await house(jobs.engine, "leads: {return_owner: [line_person]}")
    await linked(jobs, settled_call("1.1"))
    lost = update(leads).values(stage="lost", closed_at=T0 - timedelta(minutes=1), reason="no_contact")
    for n, (device, owner) in enumerate((("PJSIP/boris-desk", "anna"), ("PJSIP/boris-desk", "vera")), 2):
        async with jobs.engine.begin() as connection:
            await connection.execute(lost)
        await linked(jobs, outgoing_call(f"{n}.5", answered=False))
        assert await asked(jobs.engine, "select stage from leads") == [("lost",)]
        await linked(jobs, settled_call(f"{n}.1", device=device))
        assert await asked(jobs.engine, "select stage, owner, reason from leads") == [("in_work", owner, None)]
        async with jobs.engine.begin() as connection:
            away = Absence(0, T0 - timedelta(days=1), datetime.now(T0.tzinfo) + timedelta(days=1))
            await presence_store.send_away(connection, ("anna", "boris")[n - 2], away)


async def test_other_rules_are_tried_on_past_calls_and_change_nothing(
    jobs: CrmJobs, database_url: str, tmp_path: Path
) -> None:
    """By the rules in force all is as it was; others tell which calls would make something else, by no number."""
    await house(jobs.engine)
    first = await linked(jobs, settled_call("1.1", answered=False))
    await linked(jobs, settled_call("2.1", at=T0 + timedelta(minutes=1)))
    cold = await linked(jobs, outgoing_call("3.1", number=OTHER, at=T0 + timedelta(minutes=2)))
    before = await asked(jobs.engine, "select * from lead_events order by id")
    settings = load(database_url=SecretStr(database_url))
    period = (T0 - timedelta(hours=1), T0 + timedelta(hours=1))
    told, _ = await replay_rules(settings, *period, None)
    assert (told["calls"], told["rules"]) == (3, {"answered": 1, "called": 1, "missed": 1})
    assert told["differences"] == []
    other = tmp_path / "other.yaml"
    quiet = "{name: quiet, types: [inbound_missed], make: party}"
    section = f"leads: {{rules: [{{name: cold, types: [outbound_answered]}}, {quiet}]}}"
    other.write_text(HOUSE + section)
    told, words = await replay_rules(settings, *period, other)
    assert [(it["call"], it["was"]["created"], it["would_be"]) for it in told["differences"]] == [
        (str(first), "party_and_lead", {"rule": "quiet", "created": "party"}),
        (str(cold), "nothing", {"rule": "cold", "created": "party_and_lead"}),
    ]
    assert NUMBER not in words + str(told)
    assert await asked(jobs.engine, "select * from lead_events order by id") == before
    with pytest.raises(UserFault, match="--from: must be before --to"):
        await replay_rules(settings, period[1], period[0], None)
