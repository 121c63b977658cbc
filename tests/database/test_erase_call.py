"""One call without a person: its statistics stay, and nothing brings the person back."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls import events as e
from calls.erasing import NotYetError, calls_that_tell, erase_call, take
from calls.forgetting import Person, pattern
from calls.rebuild import rebuild
from calls.record import record
from calls.tables import calls, follow_ups
from directory.numbers import Regions
from tests.fakes.story import Told, furnish

NUMBER, NAME = "79165550123", "Мария Ивановна"
PERSON = Person(frozenset({"9165550123"}), frozenset({NAME}), "erased000111222333")
KEPT = (
    *("direction", "status", "line", "started_at", "answered_at", "ended_at", "settled_at", "missed_cause"),
    *("charged_to", "answered_by", "person", "talk_seconds", "wait_seconds", "hold_seconds"),
)


async def missed_call(engine: AsyncEngine) -> Told:
    """A call that nobody answered, and the promise to call back."""
    await furnish(engine)
    call = Told(engine, number=NUMBER, name=NAME)
    await call.arrives()
    await call.rings("PJSIP/anna-desk")
    await call.hangs_up(after=30)
    await call.is_promised()
    return call


async def row_of(engine: AsyncEngine, call: Told) -> Any:
    async with engine.connect() as connection:
        return (await connection.execute(select(calls).where(calls.c.id == call.id))).one()


async def forget(engine: AsyncEngine, call: Told) -> None:
    assert call.id is not None
    async with engine.begin() as connection:
        await take(connection, call.id)
        gone = await erase_call(connection, call.id, lambda _told: PERSON, Regions("RU"))
    assert gone.event_count > 0
    assert gone.promise_count == 1


async def test_a_call_without_the_person_counts_as_before(engine: AsyncEngine) -> None:
    """Who called is a pseudonym; when, where, who rang and why it was missed are as they were; nothing is found."""
    call = await missed_call(engine)
    before = await row_of(engine, call)
    async with engine.connect() as connection:
        assert await calls_that_tell(connection, pattern("9165550123")) == [call.id]
    await forget(engine, call)
    after = await row_of(engine, call)
    assert {name: getattr(after, name) for name in KEPT} == {name: getattr(before, name) for name in KEPT}
    assert (after.caller_number, after.caller_name, after.party_id) == (PERSON.pseudonym, None, None)
    async with engine.connect() as connection:
        assert await calls_that_tell(connection, pattern("9165550123")) == []
        promise = (await connection.execute(select(follow_ups))).one()
    assert (promise.number, promise.closed_by) == (PERSON.pseudonym, "erased")


async def test_neither_rebuild_nor_a_witness_brings_the_person_back(engine: AsyncEngine) -> None:
    """The events themselves are without them, and what is told again is left out, with channels never heard of too."""
    call = await missed_call(engine)
    async with engine.connect() as connection:
        events = (
            await connection.execute(text("select body from call_events where call_id = :id"), {"id": call.id})
        ).all()
    await forget(engine, call)
    before = await row_of(engine, call)
    where = call.base()
    told = [
        e.ChannelCreated(**where, number=NUMBER, caller_name=NAME, dialed=call.line, incoming=True),
        e.ChannelCreated(pbx="main", channel="7.7", linkedid=call.uid, at=call.at, number=NUMBER, incoming=True),
    ]
    async with engine.begin() as connection:
        assert await record(connection, told) is not None
        assert await rebuild(connection) == 0
    assert await row_of(engine, call) == before
    async with engine.connect() as connection:
        count = (await connection.execute(text("select count(*) from call_events"))).scalar_one()
    assert count == len(events) + 1  # all of them, rewritten, and that the person is erased


async def test_a_call_that_goes_on_is_not_touched(engine: AsyncEngine) -> None:
    """Nothing of it goes half: it is to be asked for again when it is over."""
    await furnish(engine)
    call = Told(engine, number=NUMBER, name=NAME)
    await call.arrives()
    assert call.id is not None
    with pytest.raises(NotYetError):
        async with engine.begin() as connection:
            await take(connection, call.id)
    assert (await row_of(engine, call)).caller_number == NUMBER


async def test_a_call_that_a_job_works_on_is_not_touched(engine: AsyncEngine) -> None:
    """What is owed and not begun is called off; what a worker has begun is waited for."""
    call = await missed_call(engine)
    assert call.id is not None
    args = {"call": str(call.id)}
    job = (
        "insert into procrastinate_jobs (queue_name, task_name, status, args)"
        " values ('crm', 'crm_sync.link_call', '{}', jsonb_build_object('call_id', cast(:call as text)))"
    )
    async with engine.begin() as connection:
        await connection.execute(text(job.format("todo")), args)
        await connection.execute(text(job.format("doing")), args)
    with pytest.raises(NotYetError):
        async with engine.begin() as connection:
            await take(connection, call.id)
    async with engine.begin() as connection:
        statuses = (await connection.execute(text("select status from procrastinate_jobs order by id"))).scalars().all()
        assert statuses == ["todo", "doing"]
        await connection.execute(text("update procrastinate_jobs set status = 'succeeded'"))
    await forget(engine, call)
    async with engine.connect() as connection:
        assert (await connection.execute(text("select count(*) from procrastinate_jobs"))).scalar_one() == 0


@pytest.mark.parametrize("status, left", [("todo", 0), ("doing", 1)])
async def test_work_at_a_call_that_became_part_of_it_is_called_off_or_waited_for(
    engine: AsyncEngine, status: str, left: int
) -> None:
    """A worker began before the two were one call, and knows it by its former id."""
    call = await missed_call(engine)
    later = Told(engine, number=NUMBER, at=call.at)
    await later.arrives()
    await later.hangs_up()
    assert call.id is not None
    former = later.id
    where = later.base() | {"linkedid": call.uid}
    assert await later.tell(e.BridgeEntered(**where, bridge="b")) == call.id != former
    await later.tell(e.Settled(**later.base()))
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "insert into procrastinate_jobs (queue_name, task_name, status, args) values"
                f" ('recordings', 'recordings.archive', '{status}', jsonb_build_object('call_id', cast(:id as text)))"
            ),
            {"id": str(former)},
        )
    async with engine.connect() as connection:
        with pytest.raises(NotYetError) if left else nullcontext():
            await take(connection, call.id)
        assert (await connection.execute(text("select count(*) from procrastinate_jobs"))).scalar_one() == left
