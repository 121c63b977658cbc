"""Calls to the outside on a real PBX: asked for by a click, dialled on a phone, refused, and each placed once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from directory.model import Device, DoNotCall, Person
from directory.outgoing import Callback, Outgoing, Reach
from directory.store import apply
from routing.requests import Answered, Wish, ask
from service.demo_world import OutsideWorld, answer, busy, reject, ring_out
from service.doctor.examine import examine
from service.pbx import Pbx, Phone
from service.telephony_role import Telephony
from service.wiring import outgoing_desk
from service.worker_role import work_queues
from tests.end_to_end.stage import DIRECTORY, FALLBACK, LINE, ROUTED, Stage, until
from tests.fakes.command import switchhook

CLIENT = "79161230100"
SPEECH = ("ru/hello",)
UNWANTED = "79161230199"
FALLBACK_NUMBER = "102"


@pytest.fixture(scope="module")
async def pbx() -> AsyncIterator[Pbx]:
    """The company's PBX."""
    async with Pbx([Phone(ROUTED, "101"), Phone(FALLBACK, "102")]) as running:
        yield running


@pytest.fixture
async def stage(
    pbx: Pbx, world: OutsideWorld, engine: AsyncEngine, database_url: str, tmp_path: Path
) -> AsyncIterator[Stage]:
    """A fresh store with the directory in it; both phones ring; afterwards nobody is on the line."""
    policy = Outgoing(everybody=Reach(deny=("7916999",)))
    async with engine.begin() as connection:
        await apply(connection, replace(DIRECTORY, outgoing=policy, do_not_call=(DoNotCall(number=UNWANTED),)))
    for phone in (ROUTED, FALLBACK):
        await world.phone(phone).behave(ring_out())
    yield Stage(pbx, world, engine, database_url, tmp_path)
    await world.quiet()


async def click(stage: Stage, to: str = CLIENT, person: str = "anna") -> Answered:
    """Somebody asks for a call, as the web role does."""
    async with stage.engine.begin() as connection:
        return await ask(connection, Wish(to=to, person=person, purpose="click", asked_by="anna"), outgoing_desk())


async def became(stage: Stage, asked: Answered, state: str, seconds: float = 20.0) -> Any:
    """The row of a call once it is in this state."""

    async def there() -> Any:
        found = await stage.rows("select * from outgoing_calls where id = :id and state = :s", id=asked.id, s=state)
        return found[0] if found else None

    return await until(there, f"the call is {state}", seconds)


async def record_of(stage: Stage, asked: Any) -> Any:
    """The record of a placed call, once it has ended; there is one."""

    async def ended() -> list[Any]:
        sql = "select c.* from calls c join call_names n on call_id = id where name = :name and ended_at is not null"
        return await stage.rows(sql, name=f"switchhook-{asked.id}")

    (record,) = await until(ended, "the call is in the store, ended")
    return record


async def test_a_click_rings_the_person_then_the_client_who_sees_the_line(stage: Stage) -> None:
    """Both talk; the call is in the record as hers, with who asked for it."""
    world = stage.world
    await world.phone(ROUTED).behave(answer(0.2, speak=SPEECH, hangup_after=2.0))
    await world.mobile(CLIENT).behave(answer(0.2, speak=SPEECH))
    async with stage.open(stage.settings()):
        asked = await click(stage, "8 916 123-01-00")
        assert await world.phone(ROUTED).rings() == CLIENT
        assert await world.mobile(CLIENT).rings() == LINE
        row = await became(stage, asked, "connected")
        assert (row.device, row.reason) == (f"PJSIP/{ROUTED}", None)
        record = await record_of(stage, asked)
        assert (record.direction, record.status, record.dialed) == ("outbound", "answered", CLIENT)
        assert record.talk_seconds > 0.5
        (event,) = await stage.told(record, "OutgoingJudged")
        assert (event["purpose"], event["person"], event["number"], event["shown"]) == ("click", "anna", CLIENT, LINE)


async def test_a_click_that_cannot_be_says_why(stage: Stage) -> None:
    """The person's phone is gone, or they talk on it; the client is not called."""
    world = stage.world
    await world.mobile(CLIENT).behave(ring_out())
    async with stage.open(stage.settings()) as (_, telephony):
        await world.phone(FALLBACK).unplug()
        await until(lambda: _state(telephony, FALLBACK, "unavailable"), "the phone is known to be gone")
        assert (await became(stage, await click(stage, person="boris"), "failed")).reason == "unreachable"
        await world.phone(FALLBACK).plug()
        call = await world.phone(ROUTED).dial(FALLBACK_NUMBER)
        await world.phone(FALLBACK).rings()
        await until(lambda: _state(telephony, ROUTED, "inuse"), "the phone is known to be in use")
        assert (await became(stage, await click(stage), "failed")).reason == "busy"
        assert not world.mobile(CLIENT).has_rung
        await call.hangup()


async def test_a_click_whose_person_declines_or_is_busy_says_so(stage: Stage) -> None:
    """Nobody takes a telephone that rang for one that is unreachable; the client is not called."""
    await stage.world.mobile(CLIENT).behave(ring_out())
    async with stage.open(stage.settings()):
        for behaviour, why in ((reject(), "rejected"), (busy(), "busy")):
            await stage.world.phone(ROUTED).behave(behaviour)
            assert (await became(stage, await click(stage), "failed")).reason == why
        assert not stage.world.mobile(CLIENT).has_rung


async def _state(telephony: Any, phone: str, state: str) -> bool:
    known = telephony.attendants[0].live_devices() or {}
    return f"PJSIP/{phone}" in known and known[f"PJSIP/{phone}"].state == state


async def test_what_is_dialled_on_a_phone_is_judged_by_the_service(stage: Stage) -> None:
    """Allowed numbers see the line; denied ones, and who does not want to be called, are refused and written down."""
    world = stage.world
    for number in (CLIENT, UNWANTED, "79169990000"):
        await world.mobile(number).behave(ring_out())
    async with stage.open(stage.settings()):
        await until(stage.asked, "the PBX asks the service")
        call = await world.phone(ROUTED).dial(CLIENT)
        assert await world.mobile(CLIENT).rings() == LINE
        await call.hangup()
        for number, why in ((UNWANTED, "do_not_call"), ("79169990000", "destination_denied")):
            refused = await world.phone(ROUTED).dial(number, stay=True)
            await refused.ended()
            assert not world.mobile(number).has_rung
            asked = "select * from outgoing_calls where number = :number"
            (row,) = await stage.rows(asked, number=number)
            assert (row.state, row.reason, row.person, row.device) == ("refused", why, "anna", f"PJSIP/{ROUTED}")

            async def event(number: str = number) -> list[Any]:
                told = "select body from call_events where kind = 'OutgoingJudged' and body->>'number' = :number"
                return await stage.rows(told, number=number)

            (told,) = await until(event, "the refusal is on the call")
            assert (told.body["allowed"], told.body["reason"]) == (False, why)


async def test_a_service_killed_before_it_reached_the_pbx_leaves_the_call_to_the_next_one(stage: Stage) -> None:
    """Taken, and not placed: the next service finds no trace of it at the PBX, and places it, once."""
    world = stage.world
    await world.mobile(CLIENT).behave(ring_out())
    asked = await click(stage)
    async with stage.engine.begin() as connection:  # as a service does that is killed before it writes to the PBX
        taken = "update outgoing_calls set state = 'placing', pbx = 'pbx', channel = 'switchhook-' || id"
        await connection.execute(text(taken))
    async with stage.serve():
        assert await world.phone(ROUTED).rings(30) == CLIENT
        await became(stage, asked, "placed")
        assert not world.phone(ROUTED).has_rung


async def test_a_service_killed_after_it_reached_the_pbx_places_nothing_twice(stage: Stage) -> None:
    """The phone rings once whatever the next service finds: the call goes on, and is told as what it became."""
    world = stage.world
    await world.mobile(CLIENT).behave(answer(0.2, speak=SPEECH))
    async with stage.serve() as service:
        asked = await click(stage)
        assert await world.phone(ROUTED).rings() == CLIENT
        await service.kill()
    async with stage.engine.begin() as connection:  # as if it was killed before it could say so
        await connection.execute(text("update outgoing_calls set state = 'placing'"))
    await world.phone(ROUTED).behave(answer(0.1, speak=SPEECH))  # from the next ring on
    async with stage.serve():
        await world.cli("channel request hangup all")  # nobody picks up
        row = await became(stage, asked, "failed", 40)
        assert row.reason == "no_answer"
        assert not world.phone(ROUTED).has_rung


async def test_the_command_line_calls_and_says_what_became_of_it(stage: Stage) -> None:
    world = stage.world
    await world.phone(ROUTED).behave(answer(0.2, speak=SPEECH, hangup_after=2.0))
    await world.mobile(CLIENT).behave(answer(0.2, speak=SPEECH))
    settings = stage.settings()
    async with stage.open(settings):
        told = await command(stage, "call", "--person", "anna", "--to", CLIENT, "--json")
        assert told[0] == 0
        assert '"state": "connected"' in told[1]
        told = await command(stage, "call", "--person", "anna", "--to", UNWANTED)
        assert (told[0], "do_not_call" in told[2]) == (2, True)
        told = await command(stage, "do-not-call", "79160009900")
        assert (told[0], "NUMBER" in told[2]) == (2, True)


async def command(stage: Stage, *words: str) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of a command on the stage's database."""
    settings = {"DATABASE_URL": stage.url, "SWITCHHOOK_DATA_DIR": str(stage.folder / "command")}
    done = await asyncio.to_thread(switchhook, *words, **settings)
    return done.returncode, done.stdout, done.stderr


# --- called back by itself --------------------------------------------------------------------------------------------


@asynccontextmanager
async def calling_back(stage: Stage, callback: Callback) -> AsyncIterator[Telephony]:
    """The service and its worker, with a line that calls back."""
    line = replace(DIRECTORY.lines[0], callback=callback)
    async with stage.engine.begin() as connection:
        await apply(connection, replace(DIRECTORY, lines=(line,)))
    async with stage.open(stage.settings()) as (running, telephony):
        await until(stage.asked, "the PBX asks the service")
        stop = asyncio.Event()
        worker = asyncio.create_task(work_queues(running.house, ("follow_ups",), stop))
        try:
            yield telephony
        finally:
            stop.set()
            await worker


async def misses(stage: Stage, number: str) -> None:
    """A client calls, hears it ring, and gives up."""
    call = await stage.world.call(number, "Клиент", LINE)
    await stage.world.phone(ROUTED).rings()
    await call.hangup()


async def kept(stage: Stage, number: str) -> Any:
    """The promise to this client, once a talk has closed it."""
    asked = "select * from follow_ups where number = :number and closed_by = 'talk'"
    (promise,) = await until(lambda: stage.rows(asked, number=number), "the promise is kept", 40)
    return promise


async def test_a_missed_caller_is_called_back_and_the_promise_is_kept(stage: Stage) -> None:
    """The manager's phone rings, then the client's; after their talk nobody is called again."""
    world, client = stage.world, "79161230111"
    await world.mobile(client).behave(answer(0.2, speak=SPEECH))
    async with calling_back(stage, Callback(after_seconds=0, pause_seconds=1)) as telephony:
        await misses(stage, client)
        await world.phone(ROUTED).behave(answer(0.2, speak=SPEECH, hangup_after=6.0))
        assert await world.phone(ROUTED).rings(30) == client
        assert await world.mobile(client).rings() == LINE
        promise = await kept(stage, client)
        (row,) = await stage.rows("select * from outgoing_calls where number = :number", number=client)
        assert (row.purpose, row.person, row.state, row.follow_up) == ("callback", "anna", "connected", promise.id)
        record = await record_of(stage, row)
        assert (record.direction, record.dialed, promise.closed_by_call) == ("outbound", client, record.id)
        (event,) = await stage.told(record, "OutgoingJudged")
        assert event["purpose"] == "callback"
        directory = telephony.memory.directory
        assert directory is not None
        assert await telephony.attendants[0].callbacks.call_back(directory) == []


async def test_the_client_may_be_called_first(stage: Stage) -> None:
    """By setting: the client answers, who sees the line, then the manager's phone rings and shows the client."""
    world, client = stage.world, "79161230112"
    await world.mobile(client).behave(answer(0.2, speak=SPEECH))
    async with calling_back(stage, Callback(first="client", after_seconds=0, pause_seconds=30)):
        await misses(stage, client)
        await world.phone(ROUTED).behave(answer(0.2, speak=SPEECH, hangup_after=6.0))
        assert await world.mobile(client).rings(30) == LINE
        assert await world.phone(ROUTED).rings() == client
        promise = await kept(stage, client)
        (row,) = await stage.rows("select * from outgoing_calls where number = :number", number=client)
        record = await record_of(stage, row)
        assert (record.direction, record.dialed, record.id) == ("outbound", client, promise.closed_by_call)


async def test_a_client_who_calls_again_first_is_not_called_back(stage: Stage) -> None:
    """They talk before the time comes: the promise is kept, and when its time has come nobody is called."""
    world, client = stage.world, "79161230113"
    async with calling_back(stage, Callback(after_seconds=19, pause_seconds=1)) as telephony:
        await misses(stage, client)
        await world.phone(ROUTED).behave(answer(0.2, speak=SPEECH, hangup_after=6.0))
        again = await world.call(client, "Клиент", LINE, speak=SPEECH, stay=True)
        await again.answered()
        await again.ended()
        promise = await kept(stage, client)
        directory = telephony.memory.directory
        assert directory is not None

        async def over() -> bool:
            return bool(datetime.now(UTC) > promise.last_missed_at + timedelta(seconds=20))

        await until(over, "the time to call back has come", 30)
        assert await telephony.attendants[0].callbacks.call_back(directory) == []
        assert await stage.rows("select * from outgoing_calls where number = :number", number=client) == []


async def test_a_mobile_is_asked_for_a_key_before_the_client_is_called(stage: Stage) -> None:
    """Who has no other phone is called through the trunk; their mailbox would never have the client called."""
    world, mobile, client = stage.world, "79160000013", "79161230114"
    vera = Person(
        key="vera", name="Вера", role="head", devices=(Device(kind="mobile", address=mobile, trunk="PJSIP/trunk"),)
    )
    async with stage.engine.begin() as connection:
        await apply(connection, replace(DIRECTORY, people=(*DIRECTORY.people, vera)))
    await world.mobile(client).behave(answer(0.2, speak=SPEECH))
    async with stage.open(stage.settings()):
        await world.mobile(mobile).behave(answer(0.2, speak=SPEECH, hangup_after=4.0, confirm=True))
        asked = await click(stage, client, "vera")
        assert await world.mobile(mobile).rings() == LINE
        assert not world.mobile(client).has_rung
        assert await world.mobile(client).rings() == LINE
        await became(stage, asked, "connected")
        record = await record_of(stage, asked)
        assert (record.direction, record.status, record.dialed) == ("outbound", "answered", client)
        await world.mobile(mobile).behave(answer(0.2, speak=SPEECH, hangup_after=8.0, confirm=None))
        row = await became(stage, await click(stage, client, "vera"), "failed", 40)
        assert row.reason in {"no_answer", "busy", "rejected", "unreachable"}
        assert not world.mobile(client).has_rung


# --- what fails -------------------------------------------------------------------------------------------------------


async def test_a_database_that_does_not_answer_in_time_leaves_the_judging_to_the_directory(stage: Stage) -> None:
    """Who dials waits a third of the budget for it: what is allowed is called and shows the line, the rest is not."""
    world = stage.world
    for number in (CLIENT, UNWANTED):
        await world.mobile(number).behave(ring_out())
    async with stage.open(stage.settings()):
        await until(stage.asked, "the PBX asks the service")
        async with stage.engine.begin() as connection:  # nobody is judged in it while this is held
            await connection.execute(text("lock table outgoing_calls"))
            refused = await world.phone(ROUTED).dial(UNWANTED, stay=True)
            await refused.ended()
            call = await world.phone(ROUTED).dial(CLIENT)
            assert await world.mobile(CLIENT).rings() == LINE
            await call.hangup()
        assert not world.mobile(UNWANTED).has_rung

        async def written() -> list[Any]:
            told = await stage.rows("select number, state, reason from outgoing_calls order by asked_at")
            return told if len(told) == 2 else []

        found = await until(written, "what was judged is written down once the database answers")
        assert [tuple(row) for row in found] == [(UNWANTED, "refused", "do_not_call"), (CLIENT, "dialled", None)]


class PbxWithoutTheRight(Pbx):
    """Its manager user may not originate."""

    def configuration(self) -> dict[str, str]:
        told = super().configuration()
        told["manager.conf"] = told["manager.conf"].replace(",originate\n", "\n")
        return told


async def test_a_pbx_that_lets_nobody_originate_fails_the_call_and_the_doctor_says_so(
    engine: AsyncEngine, database_url: str, tmp_path: Path
) -> None:
    async with engine.begin() as connection:
        await apply(connection, DIRECTORY)
    async with PbxWithoutTheRight([]) as pbx:
        stage = Stage(pbx, OutsideWorld(pbx), engine, database_url, tmp_path)
        settings = stage.settings()
        async with stage.open(settings):
            row = await became(stage, await click(stage), "failed")
            assert row.reason == "pbx_refused"
            checks = {check.name: check for check in await examine(settings, ("pbx",))}
            assert checks["pbx pbx calls out"].state == "warn"
        stage.world.ports.lock.close()
