"""The ledger against a real PostgreSQL and a strict receiver: each effect once, in order, whatever goes wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls import events as e
from calls import spans
from calls.record import record
from calls.spans import Span
from crm_sync import connections
from crm_sync.book.locks import lock_book
from crm_sync.connection_tables import crm_heard
from crm_sync.connections import Connection
from crm_sync.crm import Done, Effect
from crm_sync.erasing import forget_effects
from crm_sync.errors import AuthDeadError, TransientError
from crm_sync.http import Http
from crm_sync.ledger.planning import release, revive
from crm_sync.ledger.upkeep import plan_told, tidy
from crm_sync.secrets import Keeper, SecretKeyError
from crm_sync.told import CrmCall, CrmRecording, CrmTranscript
from crm_sync.webhook.adapter import Endpoint, Webhook
from tests.fakes.ledger import LOOPBACK, OWES, SECRET_KEY, Ledger, add_connection, open_ledger, open_webhook
from tests.fakes.recorded import LINE, T0, settled_call
from tests.fakes.webhooks import KEY, OK, SECRET, Said

NUMBER = "79161234567"


@pytest.fixture
async def ledger(engine: AsyncEngine) -> AsyncIterator[Ledger]:
    async with open_ledger(engine) as told:
        yield told


async def test_a_call_is_told_as_it_goes_in_order_with_what_is_known(ledger: Ledger) -> None:
    """Ringing, answered, over: three webhooks, verified by the receiver, with the number, the line and the times."""
    events = sorted(settled_call(), key=lambda event: event.at or T0)
    for event in events:
        await ledger.happen([event])
    await ledger.run()
    assert ledger.receiver.types() == ["call.started", "call.answered", "call.ended"]
    assert ledger.receiver.refused == []
    ended = ledger.receiver.order[-1]
    data = ended["data"]
    assert (data["number"], data["line"], data["direction"], data["status"]) == (NUMBER, LINE, "inbound", "answered")
    assert (data["talk_seconds"], ended["timestamp"]) == (6.0, (T0 + timedelta(seconds=9)).isoformat())
    assert await ledger.states() == [("call_started", "done"), ("call_answered", "done"), ("call_finished", "done")]


async def test_effects_are_there_when_and_only_when_the_change_is(ledger: Ledger) -> None:
    """A transaction that is rolled back owes nothing; the job is committed with the row."""
    async with ledger.engine.connect() as connection:
        await record(connection, settled_call(), OWES)
        await connection.rollback()
    assert await ledger.states() == []
    await ledger.happen(settled_call())
    (job,) = await ledger.rows("select j.*, e.key from procrastinate_jobs j, crm_effects e")
    assert (job.task_name, job.queue_name, job.args["effect"]) == ("crm_sync.send_effect", "effects", str(job.key))
    assert NUMBER[-10:] not in str(job.args) + job.lock


async def test_what_is_told_twice_is_planned_once(ledger: Ledger) -> None:
    """Changes come again from CEL and after outages."""
    call = await ledger.happen(settled_call(answered=False))
    late = e.Recovered(pbx="pbx", channel="1795427050.1", linkedid="1795427050.1", at=T0 + timedelta(seconds=20))
    settled = e.Settled(pbx="pbx", channel="1795427050.1", linkedid="1795427050.1", at=T0 + timedelta(seconds=21))
    assert await ledger.happen([late, settled]) == call
    await ledger.run()
    assert ledger.receiver.types() == ["call.missed"]


async def test_the_same_is_told_at_every_attempt(ledger: Ledger) -> None:
    """The receiver took it and nobody heard so: the row says unknown, and the second time it knows the id."""
    ledger.receiver.script = lambda count, _told: Said(takes=True, cut=True) if count == 1 else OK
    call = await ledger.happen(settled_call())
    await ledger.run()
    assert await ledger.states() == [("call_finished", "unknown")]
    async with ledger.engine.begin() as connection:
        await connection.execute(text("update calls set caller_name = 'Другое' where id = :id"), {"id": call})
    ledger.later(60)
    await ledger.run()
    assert await ledger.states() == [("call_finished", "done")]
    assert len(ledger.receiver.requests) == 2
    assert len(ledger.receiver.taken) == 1
    assert ledger.receiver.refused == []


ANSWERS = [
    (Said(status=500), "planned", "transient"),
    (Said(status=404), "planned", "transient"),
    (Said(status=302, headers={"Location": "http://127.0.0.1:1/"}), "planned", "transient"),
    (Said(status=429, headers={"Retry-After": "77"}), "planned", "rate_limited"),
    (Said(status=422, body=f"no such field: {NUMBER} {SECRET}".encode()), "dead", "permanent"),
    (Said(status=410), "dead", "gone"),
    (Said(status=401), "planned", "auth_dead"),
    (Said(cut=True), "unknown", "unknown"),
]


def always(said: Said) -> Callable[[int, dict[str, Any]], Said]:
    """The same answer to everything."""
    return lambda _count, _told: said


async def test_each_answer_has_its_consequence(ledger: Ledger) -> None:
    """Kept with the effect, with what was said, for a person."""
    for number, (said, state, kind) in enumerate(ANSWERS):
        ledger.receiver.script = always(said)
        at = datetime.now(UTC)  # what happens before a connection is started again is not owed to it
        call = await ledger.happen(settled_call(f"{number}.1", number=f"7916000000{number}", at=at))
        (row,) = await ledger.rows("select key from crm_effects where call_id = :call", call=call)
        ledger.waits.clear()
        await ledger.send(row.key)
        (row,) = await ledger.rows("select * from crm_effects where call_id = :call", call=call)
        assert (row.state, row.error, row.attempts) == (state, kind, 1)
        assert SECRET not in str(row)
        if said.status == 422:
            assert row.answer == {"reason": "status 422", "status": 422, "text": f"no such field: …67 …{SECRET[-2:]}"}
        if said.status == 429:
            ((_, seconds),) = ledger.waits
            assert 77 <= seconds < 78
        async with ledger.engine.begin() as connection:
            await connections.start(connection, "site")
    assert len(ledger.receiver.requests) == len(ANSWERS)


@pytest.mark.parametrize("does, told", [("start", ("active", None)), ("stop", ("stopped", "hand"))])
async def test_a_late_answer_to_what_was_before_does_not_undo_what_a_person_did(
    ledger: Ledger, does: str, told: tuple[str, str | None]
) -> None:
    """One whose access was just mended goes on, and what was to be told is; one that was just stopped stays so."""

    class Old(Webhook):
        """Is refused, after a person has acted."""

        async def call_finished(self, effect: Effect, call: CrmCall) -> Done:
            async with ledger.engine.begin() as connection:
                await getattr(connections, does)(connection, "site")
            ledger.jobs.open_crm = open_webhook
            raise AuthDeadError("status 401")

    ledger.jobs.open_crm = lambda _to: Old(Endpoint(url=ledger.receiver.url, keys=[KEY]), Http(LOOPBACK))
    await ledger.happen(settled_call())
    await ledger.run(2)
    (row,) = await ledger.rows("select state, stopped_by from crm_connections")
    assert tuple(row) == told
    assert len(ledger.receiver.order) == (does == "start")


async def test_an_address_that_is_gone_ends_the_connection_until_a_person_starts_it(ledger: Ledger) -> None:
    """What was planned before goes out then; what happened meanwhile is nobody's debt."""
    await ledger.happen(settled_call("1.1"))
    await ledger.happen(settled_call("2.1", number="79160000001"))
    ledger.receiver.script = lambda _count, _told: Said(status=410)
    await ledger.run()
    await ledger.happen(settled_call("3.1", number="79160000002"))
    await ledger.run()
    assert await ledger.states() == [("call_finished", "dead"), ("call_finished", "planned")]
    (row,) = await ledger.rows("select state, stopped_by from crm_connections")
    assert (row.state, row.stopped_by) == ("stopped", "gone")
    ledger.receiver.script = lambda _count, _told: OK
    async with ledger.engine.begin() as connection:
        await connections.start(connection, "site")
        assert await connections.retry(connection, "site") == 1
    await ledger.run()
    assert await ledger.states() == [("call_finished", "done"), ("call_finished", "done")]


async def test_who_is_started_again_is_told_at_once_what_waits_to_be_tried_again(ledger: Ledger) -> None:
    """A person has mended it; what waits for another connection waits on."""
    await ledger.happen(settled_call())
    waiting = text("update procrastinate_jobs set scheduled_at = now() + interval '10 minutes'")
    started = {}
    for key in ("other", "site"):
        async with ledger.engine.begin() as connection:
            await connection.execute(waiting)
            with suppress(connections.ConnectionRefused):
                await connections.start(connection, key)
        (row,) = await ledger.rows(
            "select scheduled_at from procrastinate_jobs where task_name = 'crm_sync.send_effect'"
        )
        started[key] = row.scheduled_at is None
    assert started == {"other": False, "site": True}


async def test_while_nobody_is_there_nothing_else_is_tried(ledger: Ledger) -> None:
    """One attempt an outage, not one a call: workers have other work; the first that is taken lets all go on."""
    ledger.receiver.script = lambda _count, _told: Said(status=503)
    for number in range(5):
        await ledger.happen(settled_call(f"{number}.1", number=f"7916000000{number}"))
    await ledger.run()
    assert len(ledger.receiver.requests) == 1
    assert [reason for reason, _ in ledger.waits] == ["transient", *["paused"] * 4]
    ledger.receiver.script = lambda _count, _told: OK
    ledger.later(2)
    await ledger.run()
    assert len(ledger.receiver.order) == 5


async def test_who_was_tried_for_a_day_is_a_dead_letter_and_a_person_sends_it_again(ledger: Ledger) -> None:
    """With what was asked and what was said; retried it begins anew, under the same id."""
    ledger.receiver.script = lambda _count, _told: Said(status=500, body=b"oops")
    await ledger.happen(settled_call())
    await ledger.run()
    ledger.later(24 * 3600)
    await ledger.run()
    async with ledger.engine.begin() as connection:
        (dead,) = await connections.effects_of(connection, "site", "dead")
        assert (dead.request["told"]["number"], dead.answer["text"]) == (NUMBER, "oops")
        assert await connections.retry(connection, "site", dead.key) == 1
    ledger.receiver.script = lambda _count, _told: OK
    await ledger.run()
    assert list(ledger.receiver.taken) == [dead.key.hex]


async def test_a_connection_in_shadow_shows_what_it_would_be_told_and_is_told_nothing(ledger: Ledger) -> None:
    """Beside a connector that is there already."""
    await add_connection(ledger.engine, ledger.receiver.url, "beside", ("call_finished",), state="shadow")
    await ledger.happen(settled_call())
    await ledger.run()
    assert ledger.receiver.types() == ["call.ended"]  # of the other connection
    async with ledger.engine.connect() as connection:
        (row,) = await connections.effects_of(connection, "beside")
    assert (row.state, row.attempts, row.request["told"]["status"]) == ("shadow", 0, "answered")


async def test_connections_are_told_what_each_wants_and_none_waits_for_another(ledger: Ledger) -> None:
    """One is away; the other has its own effects, keys and lanes."""
    await add_connection(ledger.engine, "http://127.0.0.1:9/", "away", steps=("call_finished",))
    for event in sorted(settled_call(), key=lambda event: event.at or T0):
        await ledger.happen([event])
    await ledger.run()
    assert len(ledger.receiver.order) == 3
    told = await ledger.rows("select connection, step, state, error from crm_effects where connection = 'away'")
    assert [tuple(row) for row in told] == [("away", "call_finished", "planned", "transient")]
    locks = await ledger.rows("select distinct lock from procrastinate_jobs")
    assert len(locks) == 2


async def test_an_address_inside_the_house_is_not_spoken_to(ledger: Ledger) -> None:
    """Neither by its number nor by a name that leads there; the receiver hears nothing."""
    for url in (ledger.receiver.url, ledger.receiver.url.replace("127.0.0.1", "localhost"), "http://10.0.0.1/"):
        crm = Webhook(Endpoint(url=url, keys=[b"k" * 24]), Http())
        with pytest.raises(TransientError, match="network"):
            await crm.probe()
        await crm.close()
    assert (ledger.receiver.requests, ledger.receiver.refused) == ([], [])


async def test_while_a_key_is_replaced_a_receiver_that_knows_either_verifies(ledger: Ledger) -> None:
    """One header, a signature of each."""
    for knows in (b"a" * 24, b"b" * 24):
        ledger.receiver.keys = (knows,)
        crm = Webhook(Endpoint(url=ledger.receiver.url, keys=[b"a" * 24, b"b" * 24]), Http(LOOPBACK))
        await crm.probe()
        await crm.close()
    assert ledger.receiver.types() == ["switchhook.ping"] * 2


async def test_the_recording_is_told_when_it_is_there_by_a_link_that_is_not_stored(ledger: Ledger) -> None:
    """Planned with the sound, sent with the archive; the signed address is made at each attempt."""
    call = await ledger.happen(settled_call())
    where: Any = {"pbx": "pbx", "channel": "1795427050.1", "linkedid": "1795427050.1", "at": T0}
    await ledger.happen([e.RecordingStored(**where, side="caller")])
    await ledger.happen([e.Transcribed(**where, model="base")])
    await ledger.run()
    assert ("recording", "planned") in await ledger.states()
    async with ledger.engine.begin() as connection:
        await release(connection, call)
    ledger.receiver.script = lambda count, _told: Said(cut=True) if count == 3 else OK
    await ledger.run(1)
    ledger.later(60)
    await ledger.run(1)
    assert ledger.receiver.types() == ["call.ended", "transcript.ready", "recording.ready"]
    assert ledger.receiver.order[-1]["data"] == {
        "call": str(call),
        "seconds": 6.0,
        "expires_at": "2027-01-30T00:00:00Z",
        "url": "https://calls.example.com/linked/17.signature",
    }
    (row,) = await ledger.rows("select cast(request as text) as kept from crm_effects where step = 'recording'")
    assert "signature" not in row.kept


async def test_secrets_are_sealed_and_open_with_the_key_alone(ledger: Ledger) -> None:
    """Not in clear in the database; another key, and another connection's row, open nothing."""
    (row,) = await ledger.rows("select * from crm_connections")
    assert SECRET.encode() not in row.secrets
    assert Keeper(SECRET_KEY).open("site", row.secrets) == {"keys": [SECRET], "url": ledger.receiver.url}
    other = SECRET_KEY.replace("c3", "d3")
    for key, name in ((other, "site"), (SECRET_KEY, "another")):
        with pytest.raises(SecretKeyError, match="SWITCHHOOK_SECRET_KEY"):
            Keeper(key).open(name, row.secrets)
    for wrong in ("", "short", "не ключ"):
        with pytest.raises(SecretKeyError, match="SWITCHHOOK_SECRET_KEY"):
            Keeper(wrong)


async def test_a_job_that_got_lost_is_put_on_its_way_again_once(ledger: Ledger) -> None:
    """The row says what is so, the job is only its engine."""
    await ledger.happen(settled_call())
    async with ledger.engine.begin() as connection:
        await connection.execute(text("delete from procrastinate_jobs"))
        assert await revive(connection) == 1
        assert await revive(connection) == 0
    await ledger.run()
    assert await tidy(ledger.engine) == 0


async def test_what_was_told_long_ago_is_forgotten_but_not_that_it_was(ledger: Ledger) -> None:
    """After thirty days the words go, of dead letters too, and of what a person stopped before it was told."""
    said = {1: OK, 2: Said(status=422), 3: Said(status=500)}
    ledger.receiver.script = lambda count, _told: said[count]
    for number in range(3):
        await ledger.happen(settled_call(f"{number}.1", number=f"7916000000{number}"))
    await ledger.run()
    asked = "select state, request is null, answer is null from crm_effects order by number"
    for stopped_by in ("auth_dead", "hand"):
        async with ledger.engine.begin() as connection:
            long_ago = "now() - interval '31 days'"
            await connection.execute(text(f"update crm_effects set ended_at = {long_ago} where ended_at is not null"))
            await connection.execute(text(f"update crm_effects set sent_at = {long_ago}, planned_at = {long_ago}"))
            await connections.stop(connection, "site", stopped_by)
        await tidy(ledger.engine)
        gone = stopped_by == "hand"
        told = [("done", True, True), ("dead", True, True), ("planned", gone, gone)]
        assert [tuple(row) for row in await ledger.rows(asked)] == told
    async with ledger.engine.begin() as connection:
        await connections.start(connection, "site")
    ledger.receiver.script = lambda _count, _told: OK
    await ledger.run()
    assert len(ledger.receiver.order) == 2


async def test_what_was_said_is_in_no_effect_and_is_read_at_each_attempt(ledger: Ledger) -> None:
    """A text that was removed between two attempts is not told at the second."""
    texts: list[str | None] = ["Добрый день", "Добрый день", None]

    async def transcript(_connection: object, call_id: UUID) -> CrmTranscript | None:
        told = texts.pop(0)
        return CrmTranscript(call=call_id, language="ru", text=told, is_whole=True) if told else None

    ledger.jobs.rooms = replace(ledger.jobs.rooms, transcript=transcript)
    ledger.receiver.script = lambda _count, told: Said(status=500) if told["type"] == "transcript.ready" else OK
    await ledger.happen(settled_call())
    where: Any = {"pbx": "pbx", "channel": "1795427050.1", "linkedid": "1795427050.1", "at": T0}
    await ledger.happen([e.Transcribed(**where, model="base")])
    await ledger.run()
    assert ledger.receiver.requests[-1]["data"]["text"] == "Добрый день"
    (row,) = await ledger.rows("select cast(crm_effects as text) as kept from crm_effects where step = 'transcript'")
    assert "Добрый" not in row.kept
    ledger.later(60)
    await ledger.run()
    (row,) = await ledger.rows("select state, answer from crm_effects where step = 'transcript'")
    assert (tuple(row), len(ledger.receiver.requests)) == (("done", {"not_told": "removed"}), 2)


async def test_what_an_effect_keeps_is_there_at_its_next_attempt(ledger: Ledger) -> None:
    """Where it takes two requests and the second fails, or this process dies before it: the first is not done twice."""
    kept: list[str | None] = []

    class Twice(Webhook):
        """Keeps an id after its first request."""

        async def call_finished(self, effect: Effect, call: CrmCall) -> Done:
            kept.append(effect.remote.get("call_finished"))
            if kept[-1] is None:
                await effect.keep("first")
                raise TransientError("the second request was not taken")
            return Done(kept[-1])

    ledger.jobs.open_crm = lambda to: Twice(Endpoint(url=ledger.receiver.url, keys=[KEY]), Http(LOOPBACK))
    await ledger.happen(settled_call())
    await ledger.run(2)
    (row,) = await ledger.rows("select state, remote_id from crm_effects")
    assert (kept, tuple(row)) == ([None, "first"], ("done", "first"))


@pytest.mark.parametrize("said", [OK, Said(status=422, body=b"no"), Said(cut=True)])
async def test_what_is_erased_while_it_is_on_its_way_stays_erased(ledger: Ledger, said: Said) -> None:
    """Whatever is answered then, none of it is written, and the job ends."""
    call = await ledger.happen(settled_call())

    async def erases() -> None:
        async with ledger.engine.begin() as connection:
            assert await forget_effects(connection, call) == 1

    ledger.receiver.script, ledger.receiver.meanwhile = always(said), erases
    await ledger.run(2)
    (row,) = await ledger.rows("select state, request, answer, error, remote_id from crm_effects")
    assert tuple(row) == ("done", None, {"not_told": "erased"}, None, None)
    assert len(ledger.receiver.requests) == 1


async def test_what_is_sent_again_of_shadow_is_read_anew(ledger: Ledger) -> None:
    """In shadow a recording has no link, and what has none is told to nobody."""
    connection_of: list[str] = []

    async def recording(_connection: object, call_id: UUID, to: Connection) -> CrmRecording | None:
        connection_of.append(to.state)
        link = None if to.state == "shadow" else 17
        return CrmRecording(call=call_id, seconds=6.0, expires_at=T0 if link else None, link=link)

    ledger.jobs.rooms = replace(ledger.jobs.rooms, recording=recording)
    call = await ledger.happen(settled_call())
    where: Any = {"pbx": "pbx", "channel": "1795427050.1", "linkedid": "1795427050.1", "at": T0}
    await ledger.happen([e.RecordingStored(**where, side="caller")])
    async with ledger.engine.begin() as connection:
        await release(connection, call)
        await connections.start(connection, "site", shadow=True)
    await ledger.run()
    async with ledger.engine.begin() as connection:
        (row,) = [row for row in await connections.effects_of(connection, "site", "shadow") if row.step == "recording"]
        assert row.request["told"]["link"] is None
        await connections.start(connection, "site")
        await connections.retry(connection, "site", row.key)
    await ledger.run()
    assert [told["data"]["url"] for told in ledger.receiver.order] == ["https://calls.example.com/linked/17.signature"]
    assert connection_of == ["shadow", "active"]


async def test_promises_and_leads_are_told_from_their_own_histories(ledger: Ledger) -> None:
    """Once each, in their order, also what was written by a transaction that committed late."""
    call = await ledger.happen(settled_call(answered=False))
    async with ledger.engine.begin() as connection:
        await connection.execute(
            text(
                "insert into follow_ups (number, line, origin, cause, call_id, attempt_count, priority, opened_at,"
                " last_missed_at) values (:number, :line, 'missed', 'rang_out', :call, 1, 0, now(), now())"
            ),
            {"number": NUMBER, "line": LINE, "call": call},
        )
        action = (
            "insert into follow_up_actions (follow_up_id, who, what, why) select id, 'x', '{}', 'x' from follow_ups"
        )
        event = (
            "insert into lead_events (lead_id, at, by, kind, after, call_id) select id, now(), 'x', 'opened', 'y', '{}'"
        )
        for sql in (
            action.format("opened"),
            action.format("given"),
            "insert into parties (name) values ('Пётр')",
            f"insert into party_numbers (number, party_id) select '{NUMBER}', id from parties",
            "insert into leads (party_id, stage, opened_at, stage_at) select id, 'new', now(), now() from parties",
            f"{event.format(call)} from leads",
        ):
            await connection.execute(text(sql))
    assert await plan_told(ledger.engine) == 3
    assert await plan_told(ledger.engine) == 0
    await ledger.run()
    assert sorted(ledger.receiver.types()) == ["call.missed", "follow_up.given", "follow_up.opened", "lead.opened"]
    lead = next(told["data"] for told in ledger.receiver.order if told["type"] == "lead.opened")
    assert (lead["numbers"], lead["stage"], lead["call"]) == ([NUMBER], "new", str(call))


_OPENED = """
    insert into lead_events (lead_id, at, by, kind, after)
    select id, clock_timestamp() - cast(:ago as interval), 'x', 'opened', 'new' from leads, generate_series(1, :count)
"""
_LEAD = """
    with party as (insert into parties (name) values ('Пётр') returning id)
    insert into leads (party_id, stage, opened_at, stage_at) select id, 'new', now(), now() from party
"""


async def test_an_import_of_any_size_beside_other_changes_is_told_whole(ledger: Ledger) -> None:
    """It numbers its events first and ends last; nothing of leads is planned meanwhile."""
    async with ledger.engine.begin() as connection:
        await connection.execute(text(_LEAD))
    async with ledger.engine.begin() as importing:
        await lock_book(importing)
        await importing.execute(text(_OPENED), {"ago": timedelta(), "count": 1200})
        async with ledger.engine.begin() as connection:
            await connection.execute(text(_OPENED), {"ago": timedelta(), "count": 1})
        assert await plan_told(ledger.engine) == 0
    assert [await plan_told(ledger.engine) for _ in range(4)] == [500, 500, 201, 0]


async def test_who_wants_to_be_told_of_leads_later_is_told_of_nothing_before(ledger: Ledger) -> None:
    """Another connection, of before, wants other things."""
    async with ledger.engine.begin() as connection:
        await connection.execute(text(_LEAD))
        old = "update crm_connections set created_at = now() - interval '1 year', steps = array_remove(steps, 'lead')"
        await connection.execute(text(old))
        await connection.execute(text(_OPENED), {"ago": timedelta(days=9), "count": 1})
    assert await plan_told(ledger.engine) == 0
    await add_connection(ledger.engine, "https://later.example/", "later", since=None)
    assert await plan_told(ledger.engine) == 0
    async with ledger.engine.begin() as connection:
        await connection.execute(text(_OPENED), {"ago": timedelta(), "count": 1})
    assert await plan_told(ledger.engine) == 1


async def test_without_a_connection_nothing_is_planned(engine: AsyncEngine) -> None:
    """Nobody pays for what nobody wants."""
    async with engine.begin() as connection:
        await record(connection, settled_call(), OWES)
    assert await plan_told(engine) == 0
    async with engine.connect() as connection:
        assert (await connection.execute(text("select count(*) from crm_effects"))).scalar() == 0


async def test_requests_are_counted_with_what_became_of_them(ledger: Ledger) -> None:
    """By operation and result, with their time; a restart forgets none."""
    ledger.receiver.script = lambda count, _told: Said(status=500) if count == 1 else OK
    await ledger.happen(settled_call())
    await ledger.run(2)
    told: list[Any] = [
        tuple(row) for row in await ledger.rows("select operation, result, request_count from crm_requests order by 2")
    ]
    assert told == [("call_finished", "done", 1), ("call_finished", "transient", 1)]


async def test_each_request_is_a_span_of_its_call(ledger: Ledger) -> None:
    """So a trace tells how long the CRM took of a call, and what it was asked."""
    ledger.receiver.script = lambda count, _told: Said(status=500) if count == 1 else OK
    told: list[Span] = []
    with spans.listening(told.append):
        call = await ledger.happen(settled_call())
        await ledger.run(2)
    assert [(one.call, one.name, one.facts, one.failed) for one in told] == [
        (call, "crm call_finished", {"crm": "site"}, failed) for failed in (True, False)
    ]


async def test_what_two_clicks_share_there_is_of_the_call_that_ended_first(ledger: Ledger) -> None:
    """Bitrix24 gives two clicks on one number one name, also at their rings; the second is told as if it had none."""
    seen: list[str | None] = []

    class Clicked(Webhook):
        """Calls a call what it is told that it is called, else by a name of its own."""

        async def call_started(self, effect: Effect, call: CrmCall) -> Done:
            return Done(effect.remote.get("call_started"))

        async def call_finished(self, effect: Effect, call: CrmCall) -> Done:
            seen.append(effect.remote.get("call_started"))
            return Done(seen[-1] or "its own")

    async def wish(_connection: Any, call: UUID) -> UUID:
        return call

    ledger.jobs.rooms = replace(ledger.jobs.rooms, wish=wish)
    ledger.jobs.open_crm = lambda _to: Clicked(Endpoint(url=ledger.receiver.url, keys=[KEY]), Http(LOOPBACK))
    told = [settled_call(uid) for uid in ("1.1", "2.1")]
    for first, *_ in told:
        call = await ledger.happen([first])
        async with ledger.engine.begin() as connection:
            row = {"id": call, "connection": "site", "kind": "originate", "remote_id": "shared", "wish": call}
            await connection.execute(insert(crm_heard).values(**row))
    await ledger.run()
    for _, *rest in told:
        await ledger.happen(rest)
    await ledger.run()
    names = await ledger.rows("select remote_id from crm_effects where step = 'call_started'")
    assert [row.remote_id for row in names] == ["shared", "shared"]
    assert seen == ["shared", None]
