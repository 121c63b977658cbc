"""The lead book against a real PostgreSQL: once per call, whatever runs beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Interval, insert, literal, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from calls import events as e
from calls.due import owe_nothing
from calls.follow_ups import FollowUpJobs
from calls.record import record
from crm_sync.book.locks import lock_book
from crm_sync.book.owners import owner_of, owners
from crm_sync.book.parties import numbers_of
from crm_sync.jobs import CrmJobs
from crm_sync.tables import leads
from directory import tables as d
from directory.store import read
from routing.arrival import Arrival
from routing.gather import caller
from telephony import clocks
from tests.fakes.recorded import LINE, T0, settled_call

NUMBER = "79161234567"
_OURS = "(select oid from pg_database where datname = current_database())"


async def directory(engine: AsyncEngine) -> None:
    """Anna with a desk phone and a mobile, one line, one blocked number."""
    async with engine.begin() as connection:
        await connection.execute(
            insert(d.company).values(name="Ромашка", region="RU", time_zone="Europe/Moscow", language="ru")
        )
        await connection.execute(insert(d.people).values(key="anna", name="Анна", role="manager", position=0))
        phones: Sequence[dict[str, Any]] = [
            {"address": "PJSIP/anna-desk", "person": "anna", "kind": "desk", "number": "101", "position": 0},
            {"address": "79160000011", "person": "anna", "kind": "mobile", "number": None, "position": 1},
        ]
        await connection.execute(insert(d.devices), phones)
        await connection.execute(insert(d.teams).values(key="sales", name="Продажи", strategy="hunt", position=0))
        await connection.execute(
            insert(d.lines).values(number=LINE, name="Основная", team="sales", ring_seconds=20, position=0)
        )
        await connection.execute(insert(d.blocked_numbers).values(number="79169999999", position=0))


async def happen(engine: AsyncEngine, uid: str, **told: Any) -> UUID:
    async with engine.begin() as connection:
        (change,) = await record(connection, settled_call(uid, **told))
    return change.call_id


async def linked(engine: AsyncEngine, uid: str, **told: Any) -> UUID:
    call_id = await happen(engine, uid, **told)
    await CrmJobs(engine=engine, owes=owe_nothing).link_call(call_id, 0)
    return call_id


async def asked(engine: AsyncEngine, sql: str) -> list[tuple[Any, ...]]:
    async with engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(text(sql))]


async def test_an_unknown_caller_becomes_a_party_with_a_lead_of_who_answered(engine: AsyncEngine) -> None:
    """The client enters the funnel by calling."""
    await directory(engine)
    call_id = await linked(engine, "1.1")
    async with engine.connect() as connection:
        assert await owner_of(connection, NUMBER) == "anna"
        assert await owners(connection) == {NUMBER: "anna"}
        assert await numbers_of(connection, NUMBER) == (NUMBER,)
    ((lead, party, *told),) = await asked(engine, "select id, party_id, stage, owner, source_line from leads")
    assert told == ["qualifying", "anna", LINE]
    assert await asked(engine, "select id, party_id, lead_id from calls") == [(call_id, party, lead)]


async def test_a_missed_caller_gets_a_lead_that_nobody_owns_until_someone_talks(engine: AsyncEngine) -> None:
    """The first to talk takes it; nobody after that does."""
    await directory(engine)
    await linked(engine, "1.1", answered=False)
    assert await asked(engine, "select stage, owner, deadline_at from leads") == [
        ("new", None, T0 + timedelta(hours=1))
    ]
    await linked(engine, "2.1", at=T0 + timedelta(minutes=5))
    assert await asked(engine, "select stage, owner from leads") == [("qualifying", "anna")]


async def test_a_known_caller_is_linked_to_the_open_lead(engine: AsyncEngine) -> None:
    """Two calls, one party, one lead."""
    await directory(engine)
    await linked(engine, "1.1")
    await linked(engine, "2.1")
    assert await asked(engine, "select count(*), count(distinct lead_id) from calls") == [(2, 1)]
    assert await asked(
        engine, "select coalesce(body->>'created', 'nothing') from call_events where kind = 'PartyLinked' order by 1"
    ) == [
        ("nothing",),
        ("party_and_lead",),
    ]


async def test_ten_calls_at_once_from_a_new_number_make_one_party(engine: AsyncEngine) -> None:
    """A burst, each call's job run twice at the same time: one party, one lead, every call linked once."""
    await directory(engine)
    ids = [await happen(engine, f"{n}.1") for n in range(1, 11)]
    jobs = CrmJobs(engine=engine, owes=owe_nothing)
    await asyncio.gather(*(jobs.link_call(call_id, 0) for call_id in ids * 2))
    assert await asked(engine, "select (select count(*) from parties), (select count(*) from leads)") == [(1, 1)]
    assert await asked(engine, "select count(*), count(lead_id) from calls") == [(10, 10)]
    assert await asked(engine, "select count(*) from call_events where kind = 'PartyLinked'") == [(10,)]


async def test_a_call_waits_while_the_whole_book_is_taken(engine: AsyncEngine) -> None:
    """An import and a call from one of its numbers make one party, whichever begins first."""
    await directory(engine)
    call_id = await happen(engine, "1.1")
    waits = "select count(*) from pg_locks where locktype = 'advisory' and not granted and database = " + _OURS
    async with engine.begin() as importing:
        await lock_book(importing)
        linking = asyncio.create_task(CrmJobs(engine=engine, owes=owe_nothing).link_call(call_id, 0))
        async with asyncio.timeout(10):
            while await asked(engine, waits) != [(1,)]:
                await asyncio.sleep(0.01)
        party = await importing.execute(text("insert into parties (name) values ('Иван') returning id"))
        number = {"number": NUMBER, "party": party.scalar_one()}
        await importing.execute(text("insert into party_numbers values (:number, :party)"), number)
    await linking
    assert await asked(engine, "select name, (select count(*) from leads) from parties") == [("Иван", 1)]


async def test_a_job_that_runs_again_does_nothing(engine: AsyncEngine) -> None:
    """The worker died after the commit and before the mark."""
    await directory(engine)
    call_id = await linked(engine, "1.1")
    before = await asked(engine, "select * from leads")
    await CrmJobs(engine=engine, owes=owe_nothing).link_call(call_id, 1)
    assert await asked(engine, "select * from leads") == before
    assert await asked(engine, "select count(*) from call_events where kind = 'PartyLinked'") == [(1,)]


async def test_the_book_and_the_event_are_one_transaction(engine: AsyncEngine) -> None:
    """What the event owes cannot be queued: then there is no party either, and the next run makes both."""
    await directory(engine)
    call_id = await happen(engine, "1.1")

    def refuse(_change: object) -> Any:
        raise RuntimeError("refused")

    with pytest.raises(RuntimeError, match="refused"):
        await CrmJobs(engine=engine, owes=refuse).link_call(call_id, 0)
    assert await asked(engine, "select count(*) from parties") == [(0,)]
    await CrmJobs(engine=engine, owes=owe_nothing).link_call(call_id, 1)
    assert await asked(engine, "select count(*) from parties") == [(1,)]


async def test_staff_lines_and_blocked_numbers_are_never_parties(engine: AsyncEngine) -> None:
    """A colleague's mobile, our own line, a blocked number: nobody enters the funnel."""
    await directory(engine)
    for n, number in enumerate(("79160000011", LINE, "79169999999")):
        await linked(engine, f"{n}.1", number=number)
    assert await asked(engine, "select count(*) from parties") == [(0,)]


async def test_a_number_in_national_spelling_is_the_same_party(engine: AsyncEngine) -> None:
    """One trunk sends 8916…, another 7916…: one person."""
    await directory(engine)
    await linked(engine, "1.1", number="89161234567")
    await linked(engine, "2.1", number="+79161234567")
    assert await asked(engine, "select number from party_numbers") == [(NUMBER,)]


async def test_a_caller_of_a_line_abroad_is_one_number_everywhere(engine: AsyncEngine) -> None:
    """A line of Great Britain tells 020…, ours +44…: one in the book, the promises, the calls."""
    await directory(engine)
    abroad = "442079460001"
    async with engine.begin() as connection:
        values = {"number": abroad, "name": "London", "team": "sales", "ring_seconds": 20, "position": 1}
        await connection.execute(insert(d.lines).values(region="GB", **values))
        house = await read(connection)
    told = [{"number": "020 7946 0018", "line": abroad}, {"number": "+442079460018"}]
    for n, one in enumerate(told):
        call_id = await linked(engine, f"{n}.1", answered=False, **one)
        jobs = FollowUpJobs(engine=engine, numbers=numbers_of, lead_owner=owner_of, ahead=clocks.AHEAD)
        await jobs.follow_up(call_id, 0)
        line, number = one.get("line", LINE), one["number"]
        came = Arrival(pbx="pbx", channel="1", line=line, caller_number=number, caller_name="", at=T0)
        assert caller(came, house) == "442079460018"
    assert await asked(engine, "select number from party_numbers") == [("442079460018",)]
    assert await asked(engine, "select distinct caller_number from calls") == [("442079460018",)]
    assert await asked(engine, "select distinct number from follow_ups") == [("442079460018",)]


async def test_a_lost_lead_comes_back_by_a_call_and_spam_does_not(engine: AsyncEngine) -> None:
    """The same lead goes on; only a disqualified party calls without one."""
    await directory(engine)
    await linked(engine, "1.1")
    async with engine.begin() as connection:
        await connection.execute(update(leads).values(stage="lost", closed_at=T0 - timedelta(minutes=1)))
    await linked(engine, "2.1")
    assert await asked(engine, "select stage, closed_at from leads") == [("in_work", None)]
    async with engine.begin() as connection:
        await connection.execute(update(leads).where(leads.c.stage == "in_work").values(stage="disqualified"))
    await linked(engine, "3.1")
    assert await asked(engine, "select count(*) from leads") == [(1,)]
    assert await asked(engine, "select count(*) from calls where party_id is not null and lead_id is null") == [(1,)]


@pytest.mark.parametrize("stage", ["won", "lost", "disqualified"])
async def test_a_call_never_undoes_what_was_decided_while_it_lasted(engine: AsyncEngine, stage: str) -> None:
    """Won or lost during the talk, or long after a call that is caught up on: it is linked, and all else stays."""
    await directory(engine)
    await linked(engine, "1.1", answered=False)
    async with engine.begin() as connection:
        await connection.execute(update(leads).values(stage=stage, closed_at=T0 + timedelta(minutes=5, seconds=4)))
    await linked(engine, "2.1", at=T0 + timedelta(minutes=5))
    await linked(engine, "3.1", at=T0 + timedelta(minutes=1), answered=False)
    told = "select stage, owner, contact_at from leads"
    assert await asked(engine, told) == [(stage, None, T0 + timedelta(minutes=5))]
    assert await asked(engine, "select count(*) from calls where lead_id = 1") == [(3,)]
    await linked(engine, "4.1", at=T0 + timedelta(minutes=6))
    open_now = [] if stage == "disqualified" else [("anna",)]
    assert await asked(engine, "select owner from leads where closed_at is null") == open_now


async def test_what_was_decided_and_the_call_are_compared_by_one_clock(engine: AsyncEngine) -> None:
    """The PBX's clock is an hour ahead: the lead that was lost during the talk seems lost long before it."""
    await directory(engine)
    await linked(engine, "1.1")
    async with engine.begin() as connection:
        await connection.execute(update(leads).values(stage="lost", closed_at=T0 + timedelta(seconds=4)))
    call_id = await happen(engine, "2.1", at=T0 + timedelta(hours=1))
    ahead = literal(timedelta(hours=1), Interval)
    await CrmJobs(engine=engine, owes=owe_nothing, ahead=ahead).link_call(call_id, 0)
    assert await asked(engine, "select stage from leads") == [("lost",)]


async def test_a_call_that_waited_for_a_merge_is_the_kept_partys(engine: AsyncEngine) -> None:
    """The number became one of the party that goes just before the merge, which did not know of it."""
    await directory(engine)
    await linked(engine, "1.1")
    call_id = await happen(engine, "2.1")
    async with engine.begin() as merging:
        kept = (await merging.execute(text("insert into parties default values returning id"))).scalar_one()
        await merging.execute(text("update parties set merged_into = :kept where id = 1"), {"kept": kept})
        await merging.execute(text("update leads set party_id = :kept"), {"kept": kept})
        linking = asyncio.create_task(CrmJobs(engine=engine, owes=owe_nothing).link_call(call_id, 0))
        waits = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
        async with asyncio.timeout(10):
            while await asked(engine, waits) != [(1,)]:
                await asyncio.sleep(0.01)
    await linking
    assert await asked(engine, f"select party_id, lead_id from calls where id = '{call_id}'") == [(kept, 1)]


async def test_a_person_who_left_owns_nothing(engine: AsyncEngine) -> None:
    """The caller of a manager who has gone is routed as if nobody owned the lead."""
    await directory(engine)
    await linked(engine, "1.1")
    async with engine.begin() as connection:
        await connection.execute(text("delete from people"))
        assert await owner_of(connection, NUMBER) is None


async def test_a_call_recorded_meanwhile_keeps_its_link(engine: AsyncEngine) -> None:
    """Late facts of the same call arrive while it is being linked: both are kept, neither waits for ever."""
    await directory(engine)
    call_id = await happen(engine, "1.1")
    late = e.RecordingStarted(pbx="pbx", channel="1.1", linkedid="1.1", at=T0, path="x.wav")

    async def tell() -> None:
        async with engine.begin() as connection:
            await record(connection, [late])

    async with asyncio.timeout(20):
        await asyncio.gather(CrmJobs(engine=engine, owes=owe_nothing).link_call(call_id, 0), tell())
    assert await asked(engine, "select count(*) from calls where party_id is not null") == [(1,)]
