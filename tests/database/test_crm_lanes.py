"""What goes wrong with one connection or one effect stays there, and no doubt is forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from calls import events as e
from calls.jobs import enqueue
from calls.queue import Crew, make_app, work
from calls.record import Owing, record
from crm_sync import answers, connections
from crm_sync.connections import Connection
from crm_sync.crm import Crm, Done, Effect
from crm_sync.due import due
from crm_sync.errors import CrmError, PermanentError, TransientError, UnknownOutcomeError
from crm_sync.jobs import CrmJobs
from crm_sync.ledger.owed import Owed
from crm_sync.ledger.planning import plan, plan_changes
from crm_sync.ledger.retry import GIVE_UP_SECONDS
from crm_sync.ledger.sending import OTHER_NUMBER_SECONDS
from crm_sync.ledger.subjects import NotThereYet, Rooms
from crm_sync.ledger.turns import AT_ONCE, Turns
from crm_sync.ledger.upkeep import tidy
from crm_sync.secrets import Keeper
from crm_sync.told import CrmRecording
from recordings.due import archive_job
from service.crm import ledger as crms
from service.settings import Settings
from tests.fakes.ledger import OWES, ROOMS, SECRET_KEY, Ledger, add_connection, open_ledger, open_webhook
from tests.fakes.recorded import T0, settled_call
from tests.fakes.webhooks import OK, SECRET, Said, open_receiver

LANES = 16


@pytest.fixture
async def ledger(engine: AsyncEngine) -> AsyncIterator[Ledger]:
    async with open_ledger(engine) as told:
        yield told


class Scripted:
    """An adapter that does what the test says, by operation; `asked` are the operations in their order."""

    capabilities: frozenset[Any] = frozenset()

    def __init__(self, answer: Callable[[str], Done | None]) -> None:
        self.answer = answer
        self.asked: list[str] = []

    async def read_back(self, _step: str, _effect: object) -> Done | None:
        return self._say("read_back")

    async def call_finished(self, _effect: object, _call: object) -> Done | None:
        return self._say("call_finished")

    async def close(self) -> None:
        """Nothing is open."""

    def _say(self, operation: str) -> Done | None:
        self.asked.append(operation)
        return self.answer(operation)


def speak(ledger: Ledger, answer: Callable[[str], Done | None]) -> Scripted:
    """Let the ledger speak to a scripted adapter."""
    adapter: Any = Scripted(answer)
    opened: Crm = adapter
    ledger.jobs.open_crm = lambda _to: opened
    return adapter  # type: ignore[no-any-return]


def fails(**errors: CrmError | Exception) -> Callable[[str], Done | None]:
    """These operations fail so; the others go well, and nothing is read back."""

    def answer(operation: str) -> Done | None:
        if operation in errors:
            raise errors[operation]
        return None if operation == "read_back" else Done(remote_id="there")

    return answer


async def lead_to(ledger: Ledger, url: str) -> None:
    """Give the connection another address."""
    sealed = Keeper(SECRET_KEY).seal("site", {"keys": [SECRET], "url": url})
    async with ledger.engine.begin() as connection:
        await connections.set_secrets(connection, "site", connections.settled(url, {}), sealed)


_JOINED = """
    insert into crm_effects (key, connection, call_id, step, lane, waits, state)
    select gen_random_uuid(), connection, call_id, step, lane, false, 'planned' from crm_effects
"""
"""The same step of a call that became part of this one was planned before."""


@pytest.mark.parametrize(
    "error, states, asked",
    [
        (None, [("done", "there"), ("done", "there")], 1),
        (PermanentError("status 422"), [("dead", None), ("dead", None)], 2),
        (TransientError("status 503"), [("planned", None), ("planned", None)], 1),
    ],
)
async def test_a_call_that_became_part_of_another_is_told_unless_the_other_was(
    ledger: Ledger, error: CrmError | None, states: list[tuple[str, str | None]], asked: int
) -> None:
    """What was given up told nothing, and what is on its way is waited for."""
    await ledger.happen(settled_call())
    async with ledger.engine.begin() as connection:
        await connection.execute(text(_JOINED))
    adapter = speak(ledger, fails(**({"call_finished": error} if error else {})))
    await ledger.run()
    rows = await ledger.rows("select state, remote_id from crm_effects order by number")
    assert ([tuple(row) for row in rows], len(adapter.asked)) == (states, asked)


async def test_what_is_told_again_by_hand_is_looked_for_first(ledger: Ledger) -> None:
    """Also what was taken: it is told again only where it is not there any more."""
    await ledger.happen(settled_call())
    adapter = speak(ledger, fails())
    await ledger.run()
    (row,) = await ledger.rows("select key from crm_effects")
    async with ledger.engine.begin() as connection:
        assert await connections.retry(connection, "site", row.key) == 1
    await ledger.run()
    assert adapter.asked == ["call_finished", "read_back", "call_finished"]


async def connection_of(ledger: Ledger) -> Any:
    (row,) = await ledger.rows("select * from crm_connections where key = 'site'")
    return row


async def test_one_that_hangs_holds_up_neither_the_leads_nor_another_connection(
    ledger: Ledger, database_url: str
) -> None:
    """With more callers than the worker has hands: two requests hang there, and all else is done meanwhile."""
    told, stop = asyncio.Event(), asyncio.Event()

    def script(count: int, _told: dict[str, Any]) -> Said:
        if count == LANES:
            told.set()
        return OK

    ledger.receiver.script = lambda _count, _told: Said(hang=True)
    ledger.jobs.turns, ledger.jobs.open_crm = Turns(room=3), partial(open_webhook, seconds=60)
    async with open_receiver() as other:
        other.script = script
        await add_connection(ledger.engine, other.url, "other", steps=("call_finished",))
        events = [
            event
            for one in range(LANES)
            for event in settled_call(f"17954{one:05}.1", number=f"7916{one:07}", at=T0 + timedelta(seconds=one))
        ]
        async with ledger.engine.begin() as connection:
            await record(connection, events, Owing(due, plan_changes))
        links = CrmJobs(engine=ledger.engine, owes=OWES)
        crews = [Crew(("crm",), 4), Crew(("effects",), 8)]
        app = make_app(database_url, [*ledger.jobs.tasks(), *links.tasks()])
        working = asyncio.create_task(work(app, crews, stop))
        try:
            async with asyncio.timeout(30):
                await told.wait()
            linked = "select count(*) from procrastinate_jobs where queue_name = 'crm' and status <> 'succeeded'"
            async with asyncio.timeout(30):
                while (await ledger.rows(linked))[0][0]:
                    await asyncio.sleep(0.05)
            assert len(ledger.receiver.requests) == AT_ONCE
        finally:
            ledger.receiver.over.set()
            stop.set()
            await working


async def test_the_end_of_a_call_is_told_with_its_party_and_lead(ledger: Ledger) -> None:
    """Both are found by a job beside it, ended or not: a CRM keeps a call where it was told first."""
    owes = Owing(due, plan_changes)
    async with ledger.engine.begin() as connection:
        (change,) = await record(connection, settled_call(), owes)
    await ledger.run()
    assert ([why for why, _ in ledger.waits], ledger.receiver.order) == (["the call is not linked yet"], [])
    await CrmJobs(engine=ledger.engine, owes=owes).link_call(change.call_id, 0)
    await ledger.run()
    (told,) = ledger.receiver.order
    assert told["data"]["party"] is not None
    assert told["data"]["lead"] is not None


async def test_a_doubt_stays_until_it_was_read_back(ledger: Ledger) -> None:
    """It was sent and nobody knows; then nobody could be asked: it is not sent again before somebody was."""
    await ledger.happen(settled_call())
    speak(ledger, fails(call_finished=UnknownOutcomeError("")))
    await ledger.run()
    away = speak_again(ledger, fails(read_back=TransientError("")))
    await ledger.run(2)
    assert (away.asked, await ledger.states()) == (["read_back"] * 2, [("call_finished", "unknown")])
    ledger.later(GIVE_UP_SECONDS)
    await ledger.run()
    async with ledger.engine.begin() as connection:
        assert await connections.retry(connection, "site") == 1
    found = speak_again(ledger, lambda _operation: Done(remote_id="found"))
    await ledger.run()
    assert (found.asked, await ledger.states()) == (["read_back"], [("call_finished", "done")])


def speak_again(ledger: Ledger, answer: Callable[[str], Done | None]) -> Scripted:
    """The same after a while, when no pause is left."""
    ledger.later(60)
    ledger.jobs._open.clear()
    return speak(ledger, answer)


async def test_an_error_that_nobody_foresaw_is_a_fault_and_in_the_end_a_dead_letter(ledger: Ledger) -> None:
    """It is counted, tried again as others are, and read back first; no job fails."""
    await ledger.happen(settled_call())
    speak(ledger, fails(call_finished=KeyError("id")))
    await ledger.run()
    (row,) = await ledger.rows("select state, error, answer from crm_effects")
    assert tuple(row) == ("unknown", "fault", {"reason": "the adapter failed: KeyError"})
    (counted,) = await ledger.rows("select operation, result from crm_requests")
    assert tuple(counted) == ("call_finished", "fault")
    speak_again(ledger, fails(call_finished=KeyError("id")))
    ledger.later(GIVE_UP_SECONDS)
    await ledger.run()
    assert await ledger.states() == [("call_finished", "dead")]


async def test_an_effect_whose_job_failed_is_a_dead_letter_until_a_person_sends_it_again(ledger: Ledger) -> None:
    """Another job would only fail again; the failed one ends nothing that was begun after it."""
    await ledger.happen(settled_call())
    async with ledger.engine.begin() as connection:
        await connection.execute(text("update procrastinate_jobs set status = 'failed'"))
    assert await tidy(ledger.engine) == 0
    (row,) = await ledger.rows("select state, error, answer from crm_effects")
    assert tuple(row) == ("dead", "fault", {"reason": "its job failed"})
    async with ledger.engine.begin() as connection:
        assert await connections.retry(connection, "site") == 1
    assert await tidy(ledger.engine) == 0
    await ledger.run()
    assert await ledger.states() == [("call_finished", "done")]


async def test_what_cannot_even_be_begun_is_a_fault_and_in_the_end_a_dead_letter(ledger: Ledger) -> None:
    """A text that cannot be read: said with the effect, no job fails, and it is told when that is mended."""
    there = ledger.jobs.rooms

    async def transcript(_connection: object, _call: UUID) -> Any:
        raise LookupError("79161234567")

    ledger.jobs.rooms = replace(there, transcript=transcript)
    await ledger.happen([*settled_call(), e.Transcribed(pbx="pbx", channel="1795427050.1", at=T0, model="base")])
    await ledger.run(2)
    asked = "select state, error, attempts, answer from crm_effects where step = 'transcript'"
    said = {"reason": "it could not be begun: LookupError"}
    assert [tuple(row) for row in await ledger.rows(asked)] == [("planned", "fault", 2, said)]
    assert [reason for reason, _ in ledger.waits] == ["fault", "fault"]
    ledger.later(GIVE_UP_SECONDS)
    await ledger.run()
    assert [tuple(row) for row in await ledger.rows(asked)] == [("dead", "fault", 3, said)]
    ledger.jobs.rooms = there
    async with ledger.engine.begin() as connection:
        await connections.retry(connection, "site")
    await ledger.run()
    assert ledger.receiver.types() == ["call.ended", "transcript.ready"]


async def test_a_step_of_a_newer_version_is_left_for_a_process_that_knows_it(ledger: Ledger) -> None:
    """While machines are upgraded one after another an older worker takes it too: nothing is ended untold."""
    async with ledger.engine.begin() as connection:
        await connection.execute(text("alter table crm_effects drop constraint ck_crm_effects_step"))
        await plan(connection, [Owed(None, "", "call_finished", "lane")])
        await connection.execute(text("update crm_effects set step = 'of_a_newer_version'"))
    await ledger.run()
    assert await ledger.states() == [("of_a_newer_version", "planned")]
    assert [reason for reason, _ in ledger.waits] == ["fault"]


async def test_what_was_sent_before_a_pause_does_not_end_it(ledger: Ledger) -> None:
    """A success that was on its way says nothing of a limit that was told after it; a later one does."""
    async with ledger.engine.begin() as connection:
        to = await connections.read(connection, "site")
        assert to is not None
        await answers.pause(connection, to, ledger.at, 600)
        await answers.pause(connection, to, ledger.at, 1)
        await answers.resume(connection, "site", ledger.at - timedelta(seconds=1))
    row = await connection_of(ledger)
    assert (row.paused_until, row.failures) == (ledger.at + timedelta(seconds=600), 1)
    async with ledger.engine.begin() as connection:
        await answers.resume(connection, "site", ledger.at + timedelta(seconds=1))
    row = await connection_of(ledger)
    assert (row.paused_until, row.failures) == (None, 0)


async def test_the_pauses_of_a_connection_grow_with_its_failures_and_not_with_those_of_an_effect(
    ledger: Ledger,
) -> None:
    """Each effect fails for the first time, and the second pause is longer; what is taken begins anew."""
    ledger.receiver.script = lambda count, _told: OK if count == 3 else Said(status=503)
    for number in range(3):
        call = await ledger.happen(settled_call(f"{number}.1", number=f"7916000000{number}"))
        (row,) = await ledger.rows("select key from crm_effects where call_id = :call", call=call)
        await ledger.send(row.key)
        to = await connection_of(ledger)
        if number < 2:
            paused = (to.paused_until - ledger.at).total_seconds()
            assert (to.failures, 1 <= paused / (1, 5)[number] < 1.3) == (number + 1, True)
        ledger.later(10)
    to = await connection_of(ledger)
    assert (to.failures, to.paused_until) == (0, None)


async def test_an_address_that_leads_astray_for_a_while_kills_no_effect(ledger: Ledger) -> None:
    """A wrong answer of DNS or a wrong setting is the connection's fault: what is owed waits."""
    await lead_to(ledger, "http://10.0.0.1/")
    await ledger.happen(settled_call())
    await ledger.run()
    (effect,) = await ledger.rows("select state, answer from crm_effects")
    assert effect.state == "planned"
    assert "crm.networks" in effect.answer["reason"]
    await lead_to(ledger, ledger.receiver.url)
    async with ledger.engine.begin() as connection:
        await connections.start(connection, "site")
    await ledger.run()
    assert await ledger.states() == [("call_finished", "done")]


async def test_a_recording_is_looked_for_again_when_nobody_told_that_it_is_there(ledger: Ledger) -> None:
    """A wake-up that was lost costs minutes, not the recording."""
    there = False

    async def recording(connection: AsyncConnection, call_id: UUID, to: Connection) -> CrmRecording | None:
        if not there:
            raise NotThereYet
        return await ROOMS.recording(connection, call_id, to)

    ledger.jobs.rooms = Rooms(recording, ROOMS.address, ROOMS.transcript)
    await ledger.happen(settled_call())
    await ledger.happen(
        [e.RecordingStored(pbx="pbx", channel="1795427050.1", linkedid="1795427050.1", at=T0, side="caller")]
    )
    async with ledger.engine.begin() as connection:
        await connection.execute(text("update crm_effects set waits = false"))
    await ledger.run()
    there = True
    await tidy(ledger.engine)
    await ledger.run()
    assert ("recording", "planned") in await ledger.states()
    async with ledger.engine.begin() as connection:
        await connection.execute(text("update crm_effects set next_at = now() - interval '1 second' where waits"))
    await tidy(ledger.engine)
    await ledger.run()
    assert ("recording", "done") in await ledger.states()


async def test_a_connection_that_is_started_again_is_told_all_in_its_order(ledger: Ledger) -> None:
    """However much was planned: what comes now has its job after the whole backlog, and what was begun before it."""
    await ledger.happen(settled_call())
    async with ledger.engine.begin() as connection:
        await connections.stop(connection, "site")
        await connection.execute(text("delete from procrastinate_jobs"))
        await connection.execute(
            text(
                "insert into crm_effects (key, connection, call_id, step, lane, waits, state)"
                " select gen_random_uuid(), connection, call_id, step, lane, false, 'planned'"
                " from crm_effects, generate_series(1, 600)"
            )
        )
        begun = "update crm_effects set first_sent_at = now() where number = (select max(number) from crm_effects)"
        await connection.execute(text(begun))
        assert await connections.start(connection, "site") == 601
    order = await ledger.rows(
        "select e.number from procrastinate_jobs j join crm_effects e on cast(e.key as text) = j.args->>'effect'"
        " order by j.id"
    )
    first, *others = [row.number for row in order]
    assert (first > others[-1], others) == (True, sorted(others))


async def test_a_recording_that_will_never_be_there_is_not_waited_for(ledger: Ledger) -> None:
    """Its archive was given up, or its sound was removed; while the archive is being made it is waited for."""
    rooms = crms.rooms(Settings())
    call = await ledger.happen(settled_call())
    async with ledger.engine.begin() as connection:
        to = await connections.read(connection, "site")
        assert to is not None
        with pytest.raises(NotThereYet):
            await rooms.recording(connection, call, to)
        await enqueue(connection, [archive_job(str(call))])
        with pytest.raises(NotThereYet):
            await rooms.recording(connection, call, to)
        failed = "update procrastinate_jobs set status = 'failed' where task_name = 'recordings.archive'"
        await connection.execute(text(failed))
        assert await rooms.recording(connection, call, to) is None
        await enqueue(connection, [archive_job(str(call))])
        with pytest.raises(NotThereYet):
            await rooms.recording(connection, call, to)
        removed = "insert into removals (call_id, kind, cause) values (:call, 'audio', 'policy')"
        await connection.execute(text(removed), {"call": call})
        assert await rooms.recording(connection, call, to) is None


async def two_numbers(ledger: Ledger) -> None:
    """A client with two numbers, of whose calls the ends are told."""
    async with ledger.engine.begin() as connection:
        await connection.execute(text("update crm_connections set steps = '{call_finished}'"))
        await connection.execute(text("insert into parties default values"))
        both = "insert into party_numbers (party_id, number) select id, unnest(array['79161234567', '79261234567'])"
        await connection.execute(text(f"{both} from parties"))


@pytest.mark.parametrize("begun, waits", [("now()", 1), ("null", 0)])
async def test_two_numbers_of_one_client_never_wait_for_each_other(ledger: Ledger, begun: str, waits: int) -> None:
    """One was tried and the other is in doubt: that goes first, unless it was sent again by hand and not begun yet."""
    await two_numbers(ledger)
    await ledger.happen(settled_call())
    speak(ledger, fails(call_finished=TransientError("status 503")))
    await ledger.run()
    other = await ledger.happen(settled_call("1795434567.2", number="79261234567"))
    doubt = f"state = 'unknown', attempts = 1, sent_at = now(), first_sent_at = {begun}"
    async with ledger.engine.begin() as connection:
        await connection.execute(text(f"update crm_effects set {doubt} where call_id = :call"), {"call": other})
    adapter = speak_again(ledger, fails())
    ledger.waits.clear()
    await ledger.run(2)
    assert [why for why, _ in ledger.waits] == ["another number of the client is before it"] * waits
    assert (sorted(adapter.asked), await ledger.states()) == (
        ["call_finished", "call_finished", "read_back"],
        [("call_finished", "done")] * 2,
    )


async def test_of_one_client_one_number_is_told_at_a_time_with_the_others(ledger: Ledger) -> None:
    """Together they would make two cards: a doubt of one holds the other back, which then knows what was made."""
    told: list[Effect] = []

    class Remembering(Scripted):
        async def call_finished(self, effect: Any, _call: object) -> Done | None:
            told.append(effect)
            return self._say("call_finished")

    adapter: Any = Remembering(fails(call_finished=RuntimeError("nobody foresaw it")))
    ledger.jobs.open_crm = lambda _to: adapter
    await two_numbers(ledger)
    for number in ("79161234567", "79261234567", "79160000000"):
        await ledger.happen(settled_call(f"17954{number[-5:]}{number[2]}.1", number=number))
    await ledger.run()
    assert ledger.waits[1] == ("another number of the client is before it", OTHER_NUMBER_SECONDS)
    adapter.answer = fails()
    await ledger.run()
    assert [state for _, state in await ledger.states()] == ["done"] * 3
    assert [(one.numbers, one.lately) for one in told] == [
        (("79261234567",), None), ((), None), (("79261234567",), None), (("79161234567",), "there"), ((), None),
    ]  # fmt: skip
