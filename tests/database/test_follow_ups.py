"""Promises to call back against a real PostgreSQL: made once, closed only by a talk or a person with a reason."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls import events as e
from calls.follow_up import due
from calls.follow_ups import FollowUpJobs, FollowUpRefused, close_by_hand, escalate
from calls.rebuild import rebuild
from calls.record import record
from crm_sync.book.owners import owner_of
from crm_sync.book.parties import numbers_of
from directory import store
from directory.model import FollowUpPolicy
from routing import look_up
from routing.owner import Copy
from service.overdue import tell_overdue
from service.settings import CrmSettings
from service.wiring import lead_owner
from telephony import clocks
from tests.fakes.recorded import LINE, T0, settled_call
from tests.fakes.story import HOUSE

NUMBER = "79161234567"
OTHER = "79161234568"


@pytest.fixture(autouse=True)
async def house(engine: AsyncEngine) -> None:
    """Anna and Boris sell on the line, Vera is the head."""
    async with engine.begin() as connection:
        await store.apply(connection, HOUSE)


def jobs(engine: AsyncEngine) -> FollowUpJobs:
    return FollowUpJobs(engine=engine, numbers=numbers_of, lead_owner=owner_of, ahead=clocks.AHEAD)


async def happen(engine: AsyncEngine, uid: str, *, at: datetime = T0, run: bool = True, **told: Any) -> UUID:
    """A whole call, and the work that it owes."""
    async with engine.begin() as connection:
        (change,) = await record(connection, settled_call(uid, at=at, **told), due)
    if run:
        await jobs(engine).follow_up(change.call_id, 0)
    return change.call_id


async def asked(engine: AsyncEngine, sql: str) -> list[tuple[Any, ...]]:
    async with engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(text(sql))]


async def party(engine: AsyncEngine, *numbers: str, owner: str | None = None) -> None:
    """A party with these numbers and an open lead."""
    async with engine.begin() as connection:
        made = await connection.execute(text("insert into parties (name) values ('Пётр') returning id"))
        told = {"party": made.scalar_one(), "owner": owner}
        for number in numbers:
            sql = "insert into party_numbers (number, party_id) values (:number, :party)"
            await connection.execute(text(sql), told | {"number": number})
        sql = "insert into leads (party_id, stage, owner, opened_at) values (:party, 'in_work', :owner, now())"
        await connection.execute(text(sql), told)


async def test_a_missed_call_is_promised_once_however_often_its_job_runs(engine: AsyncEngine) -> None:
    """Two workers at once, one again later: one promise, one call in it, one word in its history."""
    call_id = await happen(engine, "1.1", answered=False, run=False)
    await asyncio.gather(*(jobs(engine).follow_up(call_id, 0) for _ in range(5)))
    await jobs(engine).follow_up(call_id, 1)
    assert await asked(engine, "select number, line, origin, attempt_count, call_id from follow_ups") == [
        (NUMBER, LINE, "missed", 1, call_id)
    ]
    assert await asked(engine, "select what, why from follow_up_actions order by id") == [
        ("opened", "rang_out"),
        ("given", "last_rung"),
    ]


async def test_a_burst_of_calls_of_one_caller_is_one_promise_that_grows_urgent(engine: AsyncEngine) -> None:
    """Repeat attempts raise count and priority, told at once or not."""
    ids = [await happen(engine, f"{n}.1", at=T0 + timedelta(minutes=n), answered=False, run=False) for n in range(1, 7)]
    await asyncio.gather(*(jobs(engine).follow_up(call_id, 0) for call_id in ids))
    sql = "select attempt_count, priority, opened_at, last_missed_at from follow_ups"
    first, last = T0 + timedelta(minutes=1, seconds=9), T0 + timedelta(minutes=6, seconds=9)
    assert await asked(engine, sql) == [(6, 5, first, last)]
    assert await asked(engine, "select count(*) from follow_up_calls") == [(6,)]


async def test_another_number_of_the_same_party_is_the_same_promise(engine: AsyncEngine) -> None:
    await party(engine, NUMBER, OTHER)
    await happen(engine, "1.1", answered=False)
    await happen(engine, "2.1", answered=False, number=OTHER, at=T0 + timedelta(minutes=1))
    assert await asked(engine, "select number, attempt_count from follow_ups") == [(NUMBER, 2)]


async def test_a_conversation_that_the_client_begins_closes_it(engine: AsyncEngine) -> None:
    await happen(engine, "1.1", answered=False)
    talk = await happen(engine, "2.1", at=T0 + timedelta(minutes=5))
    at = T0 + timedelta(minutes=5, seconds=3)
    sql = "select closed_at, closed_by, closed_by_call from follow_ups"
    assert await asked(engine, sql) == [(at, "talk", talk)]


async def test_a_conversation_that_we_begin_closes_it_from_another_of_their_numbers_too(engine: AsyncEngine) -> None:
    await party(engine, NUMBER, OTHER)
    await happen(engine, "1.1", answered=False)
    await outgoing(engine, "3.1", f"8{OTHER[1:]}", talk_seconds=30)
    assert await asked(engine, "select closed_by from follow_ups") == [("talk",)]


async def test_a_ring_and_a_mailbox_that_greets_close_nothing(engine: AsyncEngine) -> None:
    """Nobody answered; then something did for three seconds."""
    await happen(engine, "1.1", answered=False)
    await outgoing(engine, "3.1", NUMBER, talk_seconds=0)
    await outgoing(engine, "4.1", NUMBER, talk_seconds=3)
    assert await asked(engine, "select closed_at, attempt_count from follow_ups") == [(None, 1)]


async def test_a_miss_that_is_told_after_the_later_talk_is_closed_at_once(engine: AsyncEngine) -> None:
    """An outage is read again after the caller got through: nobody is to call them, and the measures know how long."""
    talk = await happen(engine, "2.1", at=T0 + timedelta(minutes=5))
    await happen(engine, "1.1", answered=False)
    assert await asked(engine, "select closed_by, closed_by_call from follow_ups") == [("talk", talk)]


async def test_a_talk_does_not_close_the_miss_that_came_after_it(engine: AsyncEngine) -> None:
    talk = await happen(engine, "1.1", run=False)
    await happen(engine, "2.1", answered=False, at=T0 + timedelta(minutes=5))
    await jobs(engine).follow_up(talk, 0)
    assert await asked(engine, "select closed_at from follow_ups") == [(None,)]


async def test_after_it_is_closed_the_next_miss_makes_a_new_one(engine: AsyncEngine) -> None:
    await happen(engine, "1.1", answered=False)
    await happen(engine, "2.1", at=T0 + timedelta(minutes=5))
    await happen(engine, "3.1", answered=False, at=T0 + timedelta(minutes=9))
    assert await asked(engine, "select closed_by, attempt_count from follow_ups order by id") == [
        ("talk", 1),
        (None, 1),
    ]


async def test_staff_and_blocked_callers_are_promised_nothing(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.execute(text("insert into blocked_numbers values ('79169999999', '', 0)"))
    for n, number in enumerate(("79160000011", "79169999999", LINE)):
        await happen(engine, f"{n}.1", answered=False, number=number)
    assert await asked(engine, "select count(*) from follow_ups") == [(0,)]


async def test_the_leads_owner_is_first_then_who_was_rung_then_the_team_in_turn(engine: AsyncEngine) -> None:
    await party(engine, NUMBER, owner="boris")
    await happen(engine, "1.1", answered=False)
    await happen(engine, "2.1", answered=False, number="79161110001")
    by_turn = replace(HOUSE.lines[0], follow_up=FollowUpPolicy(owners=("crm_owner", "round_robin")))
    async with engine.begin() as connection:
        await store.apply(connection, replace(HOUSE, lines=(by_turn, *HOUSE.lines[1:])))
    for n in range(3):
        await happen(engine, f"9{n}.1", answered=False, number=f"7916111001{n}")
    assert await asked(engine, "select owner, owner_by from follow_ups order by id") == [
        ("boris", "crm_owner"),
        ("anna", "last_rung"),
        ("boris", "round_robin"),
        ("anna", "round_robin"),
        ("boris", "round_robin"),
    ]


async def test_what_is_overdue_is_the_heads_business_once(engine: AsyncEngine) -> None:
    await happen(engine, "1.1", answered=False, at=datetime.now(UTC) - timedelta(hours=3))
    await happen(engine, "2.1", answered=False, at=datetime.now(UTC), number=OTHER)
    assert [await escalate(engine), await escalate(engine)] == [1, 0]
    assert await asked(engine, "select number, escalated_to from follow_ups where escalated_at is not null") == [
        (NUMBER, "vera")
    ]
    assert await asked(engine, "select who, why from follow_up_actions where what = 'escalated'") == [
        ("switchhook", "vera")
    ]


async def test_one_promise_that_cannot_be_told_keeps_no_other_from_being(engine: AsyncEngine) -> None:
    """A line as a PBX wrote it is left out, a key may be digits; what nobody can tell of is escalated in silence."""
    for uid, number in (("1.1", NUMBER), ("2.1", OTHER), ("3.1", "79161234569")):
        await happen(engine, uid, answered=False, at=datetime.now(UTC) - timedelta(hours=3), number=number)
    async with engine.begin() as connection:
        await connection.execute(
            text("update follow_ups set line = '#31#', owner = 'anna' where number = :n"), {"n": OTHER}
        )
        await connection.execute(text("update follow_ups set owner = 'Анна' where number = :n"), {"n": NUMBER})
        await connection.execute(text("update follow_ups set owner = '7000001' where number = '79161234569'"))
    assert await escalate(engine, tell_overdue) == 3
    assert await asked(engine, "select count(*) from follow_ups where escalated_to = 'vera'") == [(3,)]
    said = """
        select number, "values"->>'line' from notices join follow_ups on subject_id = follow_ups.id::text
        where notices.person = 'vera' order by number
    """
    assert await asked(engine, said) == [(OTHER, ""), ("79161234569", LINE)]


async def test_a_person_closes_one_only_with_a_reason_and_both_are_kept(engine: AsyncEngine) -> None:
    await happen(engine, "1.1", answered=False)
    ((follow_up,),) = await asked(engine, "select id from follow_ups")
    async with engine.begin() as connection:
        for wrong, reason in ((follow_up, "  "), (follow_up + 1, "спам")):
            with pytest.raises(FollowUpRefused, match=r"reason:|id:"):
                await close_by_hand(connection, wrong, "anna", reason)
        await close_by_hand(connection, follow_up, "anna", " написал в  чат ")
        with pytest.raises(FollowUpRefused, match=f"id: there is no open follow-up {follow_up}"):
            await close_by_hand(connection, follow_up, "anna", "ещё раз")
    assert await asked(engine, "select closed_by from follow_ups") == [("hand",)]
    assert await asked(engine, "select who, why from follow_up_actions where what = 'closed'") == [
        ("anna", "написал в чат")
    ]


async def test_a_call_that_turns_out_to_be_answered_is_owed_nothing(engine: AsyncEngine) -> None:
    """CEL, read later, tells of the talk that AMI lost."""
    call_id = await happen(engine, "1.1", answered=False)
    late = [
        e.BridgeEntered(pbx="pbx", channel=channel, linkedid="1.1", at=T0 + timedelta(seconds=4), bridge="b")
        for channel in ("1.1", "1.12")
    ]
    async with engine.begin() as connection:
        (change,) = await record(connection, late, due)
        owed = await connection.execute(text("select count(*) from procrastinate_jobs where queue_name = 'follow_ups'"))
        assert owed.scalar() == 2
    assert change.call_id == call_id
    await jobs(engine).follow_up(call_id, 0)
    assert await asked(engine, "select closed_by from follow_ups") == [("answered_after_all",)]


async def test_a_call_that_joins_another_takes_its_promise_along(engine: AsyncEngine) -> None:
    """The promise and its count stay one, under the older call's name."""
    first = await happen(engine, "1.1", answered=False)
    await happen(engine, "2.1", answered=False, at=T0 + timedelta(seconds=2))
    async with engine.begin() as connection:
        tie = e.Transferred(pbx="pbx", channel="1.1", linkedid="1.1", at=T0 + timedelta(seconds=8), target="2.1")
        await record(connection, [tie], due)
    await jobs(engine).follow_up(first, 1)
    assert await asked(engine, "select call_id, attempt_count from follow_ups") == [(first, 2)]


async def test_rebuilding_calls_leaves_promises_alone(engine: AsyncEngine) -> None:
    await happen(engine, "1.1", answered=False)
    before = await asked(engine, "select * from follow_ups")
    async with engine.begin() as connection:
        assert await rebuild(connection) == 0
    assert await asked(engine, "select * from follow_ups") == before


async def test_times_are_by_our_clock_however_far_the_pbxs_is_ahead(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await clocks.keep(connection, "pbx", 3600.0)
    await happen(engine, "1.1", answered=False)
    assert await asked(engine, "select opened_at from follow_ups") == [(T0 - timedelta(minutes=59, seconds=51),)]


async def outgoing(engine: AsyncEngine, uid: str, number: str, talk_seconds: float) -> UUID:
    """Anna calls out some minutes later; `talk_seconds` 0: nobody answers."""
    at, other = T0 + timedelta(minutes=10), f"{uid}2"

    def told(channel: str, seconds: float, kind: Any, **more: Any) -> e.Event:
        event: e.Event = kind(pbx="pbx", channel=channel, linkedid=uid, at=at + timedelta(seconds=seconds), **more)
        return event

    events = [
        told(uid, 0, e.ChannelCreated, incoming=True, name="PJSIP/anna-desk-1", number="101", dialed=number),
        told(other, 1, e.ChannelCreated, incoming=False, name="PJSIP/trunk-2", number=number),
        told(uid, 1, e.Dialed, target=other, target_name="PJSIP/trunk-2"),
        told(other, 1.2, e.ChannelRang),
    ]
    if talk_seconds:
        events += [told(channel, 3, e.BridgeEntered, bridge="o") for channel in (uid, other)]
    events += [told(channel, 3 + talk_seconds, e.ChannelHungUp, cause=16) for channel in (other, uid)]
    async with engine.begin() as connection:
        (change,) = await record(connection, [*events, told(uid, 10 + talk_seconds, e.Settled)], due)
    await jobs(engine).follow_up(change.call_id, 0)
    return change.call_id


async def test_late_facts_correct_the_cause_of_the_last_call_alone_whatever_the_clock_does(engine: AsyncEngine) -> None:
    """The PBX's clock is measured each minute, so that no time of a call is the same by ours a minute later."""
    first = await happen(engine, "1.1", answered=False)
    last = await happen(engine, "2.1", answered=False, at=T0 + timedelta(minutes=2))
    for call_id, cause in ((first, "other"), (last, "rang_out")):
        async with engine.begin() as connection:
            await clocks.keep(connection, "pbx", 7.0)
            await connection.execute(text("update follow_ups set cause = 'other'"))
        await jobs(engine).follow_up(call_id, 1)
        assert await asked(engine, "select cause, attempt_count from follow_ups") == [(cause, 2)]


async def test_where_a_crm_is_asked_its_last_word_says_whose_lead_it_is(engine: AsyncEngine) -> None:
    """Its copies come first; of whom it never told, our own lead book does."""
    await party(engine, NUMBER, owner="anna")
    async with engine.begin() as connection:
        ours, theirs = lead_owner(CrmSettings()), lead_owner(CrmSettings(owner_url="http://127.0.0.1:9/owner"))
        assert await theirs(connection, NUMBER) == "anna"
        await look_up.keep(connection, NUMBER, Copy("boris", T0))
        assert (await ours(connection, NUMBER), await theirs(connection, NUMBER)) == ("anna", "boris")
        await look_up.keep(connection, NUMBER, Copy(None, T0 + timedelta(seconds=1)))
        assert await theirs(connection, NUMBER) is None
