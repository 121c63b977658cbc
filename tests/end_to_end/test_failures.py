"""What fails in real life, made to fail: no caller is lost, and every call is in the store once, whole."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
from aiohttp import ClientSession
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from calls.database import connect
from calls.differences import NEAR_SECONDS
from calls.queue import Crew, make_app, work
from directory.store import apply
from recordings.store import Store
from recordings.storing import StoringJobs
from service.database import upgrade
from service.demo_world import OutsideWorld, answer, ring_out
from service.doctor.examine import examine
from service.pbx import Pbx, Phone
from service.postgres import Postgres
from service.settings import RecordingsSettings
from service.telephony_role import Telephony
from service.wiring import owes
from tests.end_to_end.stage import DIRECTORY, FALLBACK, LINE, ROUTED, Stage, readiness, until
from tests.fakes.ami_proxy import AmiProxy
from tests.fakes.full_disk import small_disk

BUDGET_SECONDS = 1.5
SPEECH = ("ru/hello",)


@pytest.fixture(scope="module")
async def pbx() -> AsyncIterator[Pbx]:
    """The company's PBX, served by nobody yet."""
    async with Pbx([Phone(ROUTED, "101"), Phone(FALLBACK, "102")]) as running:
        yield running


@pytest.fixture
async def stage(
    pbx: Pbx, world: OutsideWorld, engine: AsyncEngine, database_url: str, tmp_path: Path
) -> AsyncIterator[Stage]:
    """A fresh store with the directory in it; both phones ring; afterwards nobody is on the line."""
    async with engine.begin() as connection:
        await apply(connection, DIRECTORY)
    for phone in (ROUTED, FALLBACK):
        await world.phone(phone).behave(ring_out())
    yield Stage(pbx, world, engine, database_url, tmp_path)
    await world.quiet()


async def test_a_service_killed_while_a_caller_waits_costs_the_budget_and_not_the_call(stage: Stage) -> None:
    """The fallback rings within the budget, both talk, and the next start finds the whole call in CEL."""
    world = stage.world
    await world.phone(FALLBACK).behave(answer(0.2, speak=SPEECH))
    async with stage.serve() as service:
        service.hang()  # it takes the arrival and cannot answer it
        began = time.monotonic()
        call = await world.call("79161230001", "Пётр", LINE, speak=(1.0, *SPEECH))
        await call.ringing()
        await service.kill()
        await world.phone(FALLBACK).rings()
        waited = time.monotonic() - began
        assert waited > BUDGET_SECONDS - 0.2
        await call.answered()
        assert not world.phone(ROUTED).has_rung
        await call.ended()
    async with stage.serve(answering=False):
        record = await stage.record("79161230001")
        assert (record.answered_by, record.person, record.recovered) == ([f"PJSIP/{FALLBACK}"], "boris", True)
        assert (record.direction, record.line) == ("inbound", LINE)
        assert 1.2 < record.wait_seconds < waited + 2
        assert record.talk_seconds > 0.5
        (leg,) = await stage.rows("select * from legs where call_id = :call", call=record.id)
        assert (leg.device, leg.outcome) == (f"PJSIP/{FALLBACK}", "answered")


async def test_a_hung_service_is_passed_by_and_comes_back_without_harm(stage: Stage) -> None:
    """Callers fall back, at once when it hangs for long; what it does when it lives again breaks no conversation."""
    world = stage.world
    await world.phone(ROUTED).behave(answer(0.1, speak=SPEECH))
    await world.phone(FALLBACK).behave(answer(0.1, speak=(30.0,)))
    async with stage.serve() as service:
        service.hang()
        first = await world.call("79161230002", "Первый", LINE, speak=(60.0,))
        await first.answered()
        assert await world.phone(FALLBACK).rings() == "79161230002"

        async def stale() -> bool:
            return time.time() - int(await stage.variable("SWITCHHOOK_ALIVE")) > 4

        await until(stale, "the sign of life is stale")
        second = await world.call("79161230003", "Второй", LINE, speak=(60.0,))
        assert await world.phone(FALLBACK).rings() == "79161230003"
        await second.answered()
        service.go_on()
        await until(stage.asked, "the PBX asks the service again")
        assert not first.is_ended
        assert not second.is_ended
        third = await world.call("79161230004", "Третий", LINE, speak=SPEECH)
        assert await world.phone(ROUTED).rings() == "79161230004"
        await third.ended()
        assert not first.is_ended
        assert not second.is_ended
        await first.hangup()
        await second.hangup()
        reasons = []
        for number in ("79161230002", "79161230003"):
            record = await stage.record(number)
            assert (record.answered_by, record.person) == ([f"PJSIP/{FALLBACK}"], "boris")
            reasons += [event["reason"] for event in await stage.told(record, "FallbackTaken")]
        assert reasons == ["late", "down"]
        record = await stage.record("79161230004")
        assert record.answered_by == [f"PJSIP/{ROUTED}"]


async def test_a_call_without_any_service_rings_at_once_and_is_known_later(stage: Stage) -> None:
    """No caller waits for a service that is known to be down; its first start learns who answered."""
    world = stage.world
    await stage.forget_mark()
    await stage.pbx.cli(f"dialplan set global SWITCHHOOK_FALLBACK_{LINE} PJSIP/{FALLBACK}")
    await world.phone(FALLBACK).behave(answer(0.1, speak=SPEECH))
    call = await world.call("79161230005", "Ранний", LINE, speak=(0.5, *SPEECH))
    await world.phone(FALLBACK).rings()
    await call.ended()
    async with stage.serve(answering=False):
        record = await stage.record("79161230005")
        assert (record.answered_by, record.recovered, record.line) == ([f"PJSIP/{FALLBACK}"], True, LINE)
        assert record.wait_seconds < BUDGET_SECONDS
        assert record.talk_seconds > 0.3


async def test_a_second_service_stands_by_and_takes_over(stage: Stage) -> None:
    """An arrival is answered once; when the service that attends is killed, the other one attends within seconds."""
    world = stage.world
    await world.phone(ROUTED).behave(answer(0.1, speak=SPEECH))
    async with stage.serve() as first, stage.serve(answering=False) as second:

        async def standing_by() -> bool:
            return "standing by" in (await second.readiness())[1].get("pbx pbx", "")

        await until(standing_by, "the second service stands by")
        call = await world.call("79161230006", "Один", LINE, speak=SPEECH)
        assert await world.phone(ROUTED).rings() == "79161230006"
        await call.ended()
        record = await stage.record("79161230006")
        assert len(await stage.told(record, "Routed")) == 1
        await first.kill()
        await stage.forget_mark()
        await until(stage.asked, "the second service attends", 10)
        assert (await second.readiness())[0] == 200
        call = await world.call("79161230007", "Два", LINE, speak=SPEECH)
        assert await world.phone(ROUTED).rings() == "79161230007"
        await call.ended()
        record = await stage.record("79161230007")
        (routed,) = await stage.told(record, "Routed")
        assert (routed["outcome"], record.recovered) == ("in_time", False)


async def test_a_wrong_secret_is_said_once_and_the_rest_of_the_service_lives(stage: Stage) -> None:
    """/readyz tells the remedy, the page answers, the doctor says the same, and the PBX is not asked every second."""
    settings = stage.settings(secret="wrong")
    with capture_logs() as logs:
        async with stage.open(settings, "all") as (_, telephony):
            state = telephony.attendants[0].link.state

            async def refused() -> bool:
                return state.login_refusals_total > 0

            await until(refused, "the PBX refuses the login")
            refused_at = time.monotonic()
            status, parts = await readiness(settings.metrics.port)
            assert status == 503
            assert "put the same secret into manager.conf" in parts["pbx pbx"]
            async with ClientSession() as http, http.get(f"http://127.0.0.1:{settings.web.port}/login") as page:
                assert page.status == 200
            checks = {check.name: check for check in await examine(settings, ("pbx",))}
            assert (checks["pbx pbx"].state, "manager.conf" in checks["pbx pbx"].why) == ("fail", True)

            async def later() -> bool:
                return time.monotonic() - refused_at > 2.5

            await until(later, "two and a half seconds pass")
            assert state.login_refusals_total == 1
    said = [line for line in logs if line["event"] == "not connected" and "secret" in line["reason"]]
    assert len(said) == 2  # the service's, and the doctor's own


async def test_calls_go_on_while_the_database_is_away_and_are_whole_after_it(stage: Stage) -> None:
    """Routing uses what it knows, what happens waits in the buffer, and nothing is half-written."""
    world, folder = stage.world, Path(tempfile.mkdtemp(prefix="switchhook-away-"))
    await world.phone(ROUTED).behave(answer(0.1, speak=(30.0,)))
    try:
        async with Postgres(folder) as server, AsyncExitStack() as stack:
            await upgrade(server.url)
            own = Stage(stage.pbx, world, connect(server.url), server.url, stage.folder)
            stack.push_async_callback(own.engine.dispose)
            async with own.engine.begin() as connection:
                await apply(connection, DIRECTORY)
            settings = own.settings()
            _, telephony = await stack.enter_async_context(own.open(settings))
            await telephony.answering()

            before = await world.call("79161230011", "До", LINE, speak=(60.0,))
            await before.answered()
            await server.stop()
            await before.hangup()
            await _free(telephony)
            during = await world.call("79161230012", "Во время", LINE, speak=(60.0,))
            assert [await world.phone(ROUTED).rings() for _ in range(2)] == ["79161230011", "79161230012"]
            await during.answered()
            status, parts = await readiness(settings.metrics.port)
            assert status == 503
            assert parts["database"]
            assert parts["recorder"]
            await during.hangup()
            await _free(telephony)
            across = await world.call("79161230013", "Через край", LINE, speak=(60.0,))
            await across.answered()
            await server.start()
            await across.hangup()

            outcomes = []
            for number in ("79161230011", "79161230012", "79161230013"):
                record = await own.record(number)
                assert (record.status, record.answered_by, record.line) == ("answered", [f"PJSIP/{ROUTED}"], LINE)
                assert (record.recovered, record.talk_seconds > 0) == (False, True)
                legs = await own.rows("select outcome from legs where call_id = :call", call=record.id)
                assert [leg.outcome for leg in legs] == ["answered"]
                outcomes += [event["outcome"] for event in await own.told(record, "Routed")]
            assert outcomes == ["in_time", "from_cache", "from_cache"]
            assert telephony.attendants[0].buffer.lost_total == telephony.recorder.refused_total == 0

            async def ready() -> bool:
                return (await readiness(settings.metrics.port))[0] == 200

            await until(ready, "the service is ready again")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def test_a_full_disk_costs_no_call_and_raises_the_alarm_until_there_is_room(stage: Stage) -> None:
    """Calls are answered as ever; their audio is told missing, stays with the PBX, and comes when the disk has room."""
    world, numbers = stage.world, ("79161230021", "79161230022")
    store = stage.folder / "recordings"
    settings = stage.settings().model_copy(update={"recordings": RecordingsSettings(folder=store)})
    await world.phone(ROUTED).behave(answer(0.1, speak=SPEECH))
    stop = asyncio.Event()
    with small_disk(store, 1 << 20) as disk:
        jobs = StoringJobs(
            engine=stage.engine,
            owes=owes,
            store=Store.in_folder(store),
            folders={"pbx": stage.pbx.recordings},
            waits=(0.1,),
        )
        async with stage.serve(room=1000, settings=settings) as service, AsyncExitStack() as stack:
            disk.fill()
            worker = asyncio.create_task(work(make_app(stage.url, jobs.tasks()), [Crew(("recordings",), 1)], stop))
            stack.callback(worker.cancel)
            with capture_logs():
                for number in numbers:
                    call = await world.call(number, "Полный диск", LINE, speak=SPEECH)
                    assert await world.phone(ROUTED).rings() == number
                    await call.ended()
                    assert await stage.told(await stage.record(number), "Routed")
                records = [await stage.record(number) for number in numbers]
                for record in records:
                    why = "disk full: no room left in the recordings store"
                    await until(partial(_audio_is, stage, record, ("missing", why)), "the recording is told")
                    assert len(await stage.told(record, "RecordingMissing")) == 2
                    left = {path.name.rpartition("-")[2] for path in _left(stage, record)}
                    assert left == {"caller.wav", "staff.wav"}
            assert [path.name for path in store.rglob("*") if path.is_file()] == ["filler"]
            assert 'switchhook_store_disk{level="full"} 1.0' in await service.metrics()
            assert await service.readiness() == (503, ANY)
            assert service.said.stat().st_size == 1000  # not even the log had room
            disk.make_room()
            for record in records:
                await jobs.store_recording(record.id, 2)  # as five minutes later
                assert await _audio_is(stage, record, ("stored", None))
                assert _left(stage, record) == []
            assert 'switchhook_store_disk{level="room"} 1.0' in await service.metrics()
            stop.set()
            await worker


async def _audio_is(stage: Stage, record: Any, told: tuple[str, str | None]) -> bool:
    """Whether both sides of the call are told so."""
    sql = "select state, reason from recordings where call_id = :call"
    return [tuple(row) for row in await stage.rows(sql, call=record.id)] == [told] * 2


def _left(stage: Stage, record: Any) -> list[Path]:
    """What the PBX still keeps of the call."""
    return list(stage.pbx.recordings.glob(f"{record.linkedids[0]}-*.wav"))


@pytest.mark.parametrize("cel", [True, False], ids=["with CEL", "without CEL"])
async def test_a_call_is_whole_although_the_connection_broke_in_its_middle(stage: Stage, *, cel: bool) -> None:
    """What ended meanwhile is ended, what lives is followed on, and CEL tells of the calls that nobody heard."""
    world, numbers = stage.world, [f"791612300{31 + cel}{tail}" for tail in ("1", "2")]
    await world.phone(ROUTED).behave(answer(0.1, speak=(30.0,)))
    await world.phone(FALLBACK).behave(answer(0.1, speak=(30.0,)))
    async with AsyncExitStack() as stack:
        between = await stack.enter_async_context(AmiProxy(stage.pbx.host, stage.pbx.ami_port))
        _, telephony = await stack.enter_async_context(stage.open(stage.settings(port=between.port, cel=cel)))
        state = telephony.attendants[0].link.state
        await telephony.answering()
        heard = await world.call(numbers[0], "Слышный", LINE, speak=(60.0,))
        await heard.answered()

        async def talking() -> list[object]:
            return await stage.rows(
                "select 1 from calls where caller_number = :n and answered_at > '2000-01-01'", n=numbers[0]
            )

        await until(talking, "the talk is in the store")
        await between.refuse()
        hung_up_at = datetime.now(UTC)
        await heard.hangup()
        unheard = await world.call(numbers[1], "Неслышный", LINE, speak=(60.0,))
        await unheard.answered()
        await asyncio.sleep(2 * NEAR_SECONDS)  # else the PBX's list of who talks tells the answer as well as CEL does
        await between.listen()

        async def back() -> bool:
            return state.connects_total > 1

        await until(back, "the connection is back")
        record = await stage.record(numbers[0])
        assert (record.answered_by, record.talk_seconds > 0, record.recovered) == ([f"PJSIP/{ROUTED}"], True, cel)
        assert not unheard.is_ended
        if cel:
            unheard_of = "select 1 from calls where caller_number = :n and recovered"
            await until(partial(stage.rows, unheard_of, n=numbers[1]), "CEL tells of whom nobody heard")
        await unheard.hangup()
        if cel:
            ended_at, record = record.ended_at, await stage.record(numbers[1])
            assert hung_up_at < ended_at < record.answered_at
            assert (record.answered_by, record.recovered, record.line) == ([f"PJSIP/{FALLBACK}"], True, LINE)
            assert len(await stage.told(record, "ChannelHungUp")) >= 2


async def test_what_a_connection_owes_is_done_when_the_database_is_back(stage: Stage) -> None:
    """The PBX comes back while the database is away: devices are learnt and the gap is closed as soon as it can be."""
    world, number = stage.world, "79161230041"
    address = make_url(stage.url)
    await world.phone(FALLBACK).behave(answer(0.1, speak=SPEECH))
    async with (
        AmiProxy("127.0.0.1", address.port or 0) as database,
        AmiProxy(stage.pbx.host, stage.pbx.ami_port) as between,
    ):
        url = address.set(host="127.0.0.1", port=database.port).render_as_string(hide_password=False)
        async with stage.open(stage.settings(url=url, port=between.port)) as (_, telephony):
            state = telephony.attendants[0].link.state
            await telephony.answering()
            await until(lambda: stage.rows("select 1 from device_states"), "the devices are in the store")
            await between.refuse()
            await stage.forget_mark()
            call = await world.call(number, "В тишине", LINE, speak=SPEECH)
            await call.ended()
            await database.refuse()
            async with stage.engine.begin() as connection:
                await connection.execute(text("delete from device_states"))
            await between.listen()

            async def back() -> bool:
                return state.connects_total > 1

            await until(back, "the connection is back")
            status, parts = await readiness(telephony.house.settings.metrics.port)
            assert (status, parts["pbx pbx"]) == (503, "")
            assert parts["database"]
            await database.listen()
            record = await stage.record(number)
            assert (record.answered_by, record.recovered) == ([f"PJSIP/{FALLBACK}"], True)
            assert len(await stage.rows("select 1 from device_states")) >= 2
        assert await stage.variable("SWITCHHOOK_ALIVE") == "0"  # the last word: nobody should wait for us


async def test_a_database_that_hangs_holds_no_caller_up(stage: Stage) -> None:
    """It takes every question and answers none: callers are routed in time, and their calls are stored afterwards."""
    world, numbers = stage.world, ("79161230051", "79161230052")
    address = make_url(stage.url)
    await world.phone(ROUTED).behave(answer(0.1, speak=SPEECH))
    async with AmiProxy("127.0.0.1", address.port or 0) as database:
        url = address.set(host="127.0.0.1", port=database.port).render_as_string(hide_password=False)
        async with stage.open(stage.settings(url=url)) as (_, telephony):
            await telephony.answering()
            await until(lambda: stage.rows("select 1 from device_states"), "the devices are in the store")
            database.hang()
            for number in numbers:
                call = await world.call(number, "Терпеливый", LINE, speak=SPEECH)
                assert await world.phone(ROUTED).rings() == number
                await call.ended()
                await _free(telephony)
                telephony.memory.fresh = False  # the second caller's facts must be asked for
            assert await stage.rows("select 1 from calls where caller_number = :number", number=numbers[1]) == []
            database.drop()
            database.resume()
            for number in numbers:
                record = await stage.record(number)
                assert (record.answered_by, record.recovered) == ([f"PJSIP/{ROUTED}"], False)
                (routed,) = await stage.told(record, "Routed")
                assert routed["seconds"] < BUDGET_SECONDS
                # What is known is fresh for a moment only, which a busy machine may let pass before the first caller.
                assert routed["outcome"] in {"from_cache", "in_time" if number == numbers[0] else "from_cache"}


async def _free(telephony: Telephony) -> None:
    """Wait until the service knows that the phone is free again."""

    async def free() -> bool:
        known = telephony.attendants[0].live_devices() or {}
        return known[f"PJSIP/{ROUTED}"].state == "not_inuse"

    await until(free, "the phone is free")
