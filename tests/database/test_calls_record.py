"""The one transaction: what it promises against a real PostgreSQL."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls import events as e
from calls.database import ensure_partitions
from calls.due import Change, Job
from calls.rebuild import rebuild
from calls.record import record, record_all
from recordings.fact_rows import write_talk_facts
from recordings.tables import recordings, transcripts, unmasked_transcripts
from recordings.talk_facts import measure

T0 = datetime.now(UTC).replace(microsecond=0)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def created(uid: str, linkedid: str, seconds: float, **told: Any) -> e.Event:
    return e.ChannelCreated(pbx="pbx", channel=uid, linkedid=linkedid, at=at(seconds), **told)


def hung_up(uid: str, linkedid: str, seconds: float) -> e.Event:
    return e.ChannelHungUp(pbx="pbx", channel=uid, linkedid=linkedid, at=at(seconds), cause=16)


CALL = [
    created("1.1", "1.1", 0, name="PJSIP/trunk-1", number="79161234567", dialed="74951234567", incoming=True),
    created("1.2", "1.1", 1, name="PJSIP/anna-desk-2", number="101", dialed="s", incoming=False),
    e.BridgeEntered(pbx="pbx", channel="1.1", linkedid="1.1", at=at(3), bridge="b"),
    e.BridgeEntered(pbx="pbx", channel="1.2", linkedid="1.1", at=at(3), bridge="b"),
    hung_up("1.2", "1.1", 9),
    hung_up("1.1", "1.1", 9),
]


async def told(engine: AsyncEngine, sql: str) -> list[Any]:
    async with engine.connect() as connection:
        return list((await connection.execute(text(sql))).all())


async def write(engine: AsyncEngine, events: Iterable[e.Event]) -> list[Change]:
    return await record_all(engine, list(events))


async def test_one_call_is_one_row_however_its_events_are_cut(engine: AsyncEngine) -> None:
    """Three transactions, one call, its legs and every event once."""
    for part in (CALL[:1], CALL[1:4], CALL[4:]):
        await write(engine, part)
    rows = await told(engine, "select direction, status, caller_number, talk_seconds from calls")
    assert [tuple(row) for row in rows] == [("inbound", "answered", "79161234567", 6.0)]
    assert [tuple(row) for row in await told(engine, "select device, outcome from legs")] == [
        ("PJSIP/anna-desk", "answered")
    ]
    assert len(await told(engine, "select 1 from call_events")) == len(CALL)


async def test_an_event_told_twice_changes_nothing(engine: AsyncEngine) -> None:
    """AMI told it, catch-up tells it again: one event, the same call."""
    await write(engine, CALL)
    before = await told(engine, "select id, state, talk_seconds from calls")
    changes = await write(engine, CALL)
    assert changes[0].before == changes[0].after
    assert await told(engine, "select id, state, talk_seconds from calls") == before
    assert len(await told(engine, "select 1 from call_events")) == len(CALL)


async def test_calls_that_turn_out_to_be_one_join_into_the_older(engine: AsyncEngine) -> None:
    """A channel shows up under another call's linkedid: the older row stays, the younger points to it."""
    (older,) = await write(engine, [created("1.1", "1.1", 0, name="PJSIP/trunk-1", incoming=True)])
    (younger,) = await write(engine, [created("2.1", "2.1", 5, name="PJSIP/anna-desk-2", incoming=True)])
    bridge = e.BridgeEntered(pbx="pbx", channel="2.1", linkedid="1.1", at=at(8), bridge="b")
    (joined,) = await write(engine, [bridge])
    assert joined.call_id == older.call_id != younger.call_id
    pointers = {row.id: row.joined_into for row in await told(engine, "select id, joined_into from calls")}
    assert pointers == {older.call_id: None, younger.call_id: older.call_id}
    assert {row[0] for row in await told(engine, "select call_id from call_events")} == {older.call_id}


async def test_what_is_owed_is_enqueued_with_the_call_or_not_at_all(engine: AsyncEngine) -> None:
    """A transaction that fails leaves neither a call nor a job."""

    def owes(change: Change) -> list[Job]:
        return [Job("crm_sync.link_call", "crm", {"call_id": str(change.call_id)}, queueing_lock="one")]

    async def failing() -> None:
        async with engine.begin() as connection:
            await record(connection, CALL[:1], owes)
            raise RuntimeError("the power went")

    with pytest.raises(RuntimeError):
        await failing()
    assert await told(engine, "select 1 from calls") == []
    assert await told(engine, "select 1 from procrastinate_jobs") == []
    for event in CALL:
        async with engine.begin() as connection:
            await record(connection, [event], owes)
    assert len(await told(engine, "select 1 from procrastinate_jobs")) == 1


@pytest.mark.parametrize("turn", range(3))
async def test_recorders_of_the_same_joining_calls_neither_deadlock_nor_lose(engine: AsyncEngine, turn: int) -> None:
    """Many connections tell pieces of calls that join: in the end one call knows all of it."""
    uids = [f"{n}.1" for n in range(1, 7)]
    pieces: list[list[e.Event]] = [
        [created(uid, uid, n, name=f"PJSIP/p{n}-{n}", incoming=True)] for n, uid in enumerate(uids)
    ]
    pieces += [
        [e.BridgeEntered(pbx="pbx", channel=one, linkedid=other, at=at(20), bridge="b")]
        for one, other in itertools.permutations(uids[turn : turn + 4], 2)
    ]
    pieces += [[e.Dialed(pbx="pbx", channel=uids[0], target=uid, at=at(30))] for uid in uids[1:]]
    async with asyncio.timeout(40):
        await asyncio.gather(*(write(engine, piece) for piece in pieces))
    alive = await told(engine, "select id, state from calls where joined_into is null")
    assert len(alive) == 1
    assert set(alive[0].state["channels"]) == set(uids)
    assert len(await told(engine, "select 1 from call_events")) == len(pieces)
    assert {row[0] for row in await told(engine, "select call_id from call_names")} == {alive[0].id}


async def test_rebuild_changes_nothing_on_a_healthy_store_and_mends_a_torn_one(engine: AsyncEngine) -> None:
    """Events are the truth: a row that disagrees with them is folded anew."""
    await write(engine, CALL)
    async with engine.begin() as connection:
        assert await rebuild(connection) == 0
        await connection.execute(text("""update calls set status = 'ringing', state = '{"pbx": "pbx"}'"""))
        assert await rebuild(connection) == 1
        assert await rebuild(connection) == 0
    assert (await told(engine, "select status from calls"))[0].status == "answered"


async def test_whoever_watches_is_told_after_the_commit(engine: AsyncEngine, database_url: str) -> None:
    """NOTIFY carries the call's id, and only when the call is there to be read."""
    import asyncpg

    heard: asyncio.Queue[str] = asyncio.Queue()
    listener = await asyncpg.connect(database_url.replace("+asyncpg", ""))
    try:
        await listener.add_listener("switchhook_calls", lambda *message: heard.put_nowait(message[-1]))
        (change,) = await write(engine, CALL)
        assert await asyncio.wait_for(heard.get(), 30) == str(change.call_id)
    finally:
        await listener.close()


async def test_batches_that_share_calls_crosswise_neither_deadlock_nor_lose(engine: AsyncEngine) -> None:
    """One batch tells of a and z, then m; the other of m and z: whoever comes second waits for the first."""

    def up(uid: str, other: str, seconds: float) -> e.Event:
        return e.BridgeEntered(pbx="pbx", channel=uid, linkedid=other, at=at(seconds), bridge="b")

    for turn in range(15):
        a, m, z = (f"{name}{turn}" for name in "amz")
        async with asyncio.timeout(20):
            await asyncio.gather(
                write(engine, [up(a, z, 1), created(m, m, 1)]),
                write(engine, [up(m, z, 2)]),
                write(engine, [up(z, a, 3)]),
            )
    alive = await told(engine, "select state from calls where joined_into is null")
    assert len(alive) == 15
    assert all(len(row.state["channels"]) == 3 for row in alive)


async def test_a_settled_call_that_a_live_one_joins_is_not_settled_any_more(engine: AsyncEngine) -> None:
    """Follow-up work waits for the end of the whole call."""
    await write(engine, CALL)
    (settled,) = await write(engine, [e.Settled(pbx="pbx", channel="1.1", at=at(9))])
    assert settled.just_settled
    ringing = created("3.1", "3.1", 20, name="PJSIP/anna-desk-3", incoming=True)
    await write(engine, [ringing])
    (joined,) = await write(engine, [e.BridgeEntered(pbx="pbx", channel="3.1", linkedid="1.1", at=at(21), bridge="c")])
    assert (joined.just_settled, joined.after.settled_at, joined.after.ended_at) == (False, None, None)
    await write(engine, [hung_up("3.1", "3.1", 30)])
    (again,) = await write(engine, [e.Settled(pbx="pbx", channel="1.1", at=at(30))])
    assert again.just_settled


async def test_what_other_rooms_keep_of_a_call_follows_it_into_the_older(engine: AsyncEngine) -> None:
    """A recording of the younger call is the older call's after they join, through chains of joins too."""
    (older,) = await write(engine, [created("1.1", "1.1", 0, name="PJSIP/trunk-1", incoming=True)])
    (middle,) = await write(engine, [created("2.1", "2.1", 5, name="PJSIP/trunk-2", incoming=True)])
    (younger,) = await write(engine, [created("3.1", "3.1", 9, name="PJSIP/trunk-3", incoming=True)])
    async with engine.begin() as connection:
        row = {"call_id": younger.call_id, "channel": "3.1", "side": "caller", "state": "missing", "reason": "gone"}
        await connection.execute(recordings.insert().values(row))
    await write(engine, [e.BridgeEntered(pbx="pbx", channel="3.1", linkedid="2.1", at=at(10), bridge="b")])
    await write(engine, [e.BridgeEntered(pbx="pbx", channel="2.1", linkedid="1.1", at=at(11), bridge="b")])
    assert [tuple(row) for row in await told(engine, "select call_id from recordings")] == [(older.call_id,)]
    pointers = {row.id: row.joined_into for row in await told(engine, "select id, joined_into from calls")}
    assert pointers == {older.call_id: None, middle.call_id: older.call_id, younger.call_id: older.call_id}


async def becomes_text(engine: AsyncEngine, call_id: UUID) -> None:
    """A text with its facts and its unmasked words, as the job leaves them."""
    row = {"call_id": call_id, "language": "ru", "text": "слово", "words": [], "segments": [], "model": "m"}
    async with engine.begin() as connection:
        await connection.execute(transcripts.insert().values(row | {"audio_seconds": 1.0, "took_seconds": 1.0}))
        await connection.execute(unmasked_transcripts.insert().values(call_id=call_id, words=[]))
        await write_talk_facts(connection, call_id, measure({"caller": [], "staff": []}))


@pytest.mark.parametrize("texts", [("younger",), ("older",), ("older", "younger")])
async def test_calls_that_became_text_join_all_the_same(engine: AsyncEngine, texts: tuple[str, ...]) -> None:
    """The text of either, with its facts and its original, is the joined call's; no second one hinders joining."""
    (older,) = await write(engine, [created("1.1", "1.1", 0, name="PJSIP/trunk-1", incoming=True)])
    (younger,) = await write(engine, [created("2.1", "2.1", 5, name="PJSIP/trunk-2", incoming=True)])
    for name in texts:
        await becomes_text(engine, {"older": older, "younger": younger}[name].call_id)
    await write(engine, [e.BridgeEntered(pbx="pbx", channel="2.1", linkedid="1.1", at=at(8), bridge="b")])
    for table in ("transcripts", "unmasked_transcripts", "talk_facts"):
        found = {row.call_id for row in await told(engine, f"select call_id from {table}")}
        assert older.call_id in found, table
        assert len(found) == len(texts), table


async def test_work_that_waits_follows_its_call_into_the_older(engine: AsyncEngine) -> None:
    """Under the older's id and in turn with its other work; what is being done already, or is another's, stays."""
    (older,) = await write(engine, [created("1.1", "1.1", 0, name="PJSIP/trunk-1", incoming=True)])
    (younger,) = await write(engine, [created("2.1", "2.1", 5, name="PJSIP/trunk-2", incoming=True)])
    job = (
        "insert into procrastinate_jobs (queue_name, task_name, status, lock, queueing_lock, args) values"
        " ('q', 't', cast(cast(:status as text) as procrastinate_job_status), 'recording ' || :call, 'look ' || :call,"
        " jsonb_build_object('call_id', cast(:call as text)))"
    )
    stranger = str(uuid4())
    async with engine.begin() as connection:
        for call, status in ((older.call_id, "todo"), (younger.call_id, "todo"), (younger.call_id, "doing")):
            await connection.execute(text(job), {"call": str(call), "status": status})
        await connection.execute(text(job), {"call": stranger, "status": "todo"})
    await write(engine, [e.BridgeEntered(pbx="pbx", channel="2.1", linkedid="1.1", at=at(8), bridge="b")])
    rows = await told(engine, "select args->>'call_id', lock from procrastinate_jobs order by id")
    ids = [str(older.call_id), str(older.call_id), str(younger.call_id), stranger]
    assert [tuple(row) for row in rows] == [(one, f"recording {one}") for one in ids]


async def test_rebuild_rewrites_rows_that_read_wrong_even_when_the_facts_are_right(engine: AsyncEngine) -> None:
    """After the reading of calls changed, rebuild brings the rows up to it."""
    await write(engine, CALL)
    async with engine.begin() as connection:
        await connection.execute(text("update calls set status = 'missed', talk_seconds = 1"))
        assert await rebuild(connection) == 1
        assert await rebuild(connection) == 0


async def test_rebuild_and_a_recorder_at_one_call_do_not_wait_for_each_other(engine: AsyncEngine) -> None:
    """A recorder that holds the row which rebuild is to rewrite goes on, and rebuild after it."""
    await write(engine, CALL)
    async with engine.begin() as connection:
        await connection.execute(text("update calls set status = 'missed'"))

    async def rebuilt() -> int:
        async with engine.begin() as connection:
            return await rebuild(connection)

    waiting = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    async with engine.begin() as connection:
        await connection.execute(text("select 1 from calls for no key update"))
        rebuilding = asyncio.create_task(rebuilt())
        async with asyncio.timeout(10):
            while not await told(engine, waiting):
                await asyncio.sleep(0.01)
        await record(connection, [hung_up("1.2", "1.1", 8)])
    assert await rebuilding in {0, 1}
    assert (await told(engine, "select status from calls"))[0].status == "answered"


async def test_an_event_of_a_month_to_come_does_not_stop_that_month(engine: AsyncEngine) -> None:
    """A PBX clock that jumped ahead once leaves events in the default partition; their month's partition takes them."""
    ahead = (T0.replace(day=1) + timedelta(days=100)).replace(day=15)
    await write(engine, [e.ChannelCreated(pbx="pbx", channel="9.9", linkedid="9.9", at=ahead)])
    async with engine.begin() as connection:
        await ensure_partitions(connection, ahead)
        await ensure_partitions(connection, ahead)
    assert await told(engine, "select 1 from only call_events_other") == []
    assert len(await told(engine, "select 1 from call_events")) == 1
