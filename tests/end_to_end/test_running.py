"""The service ends in order: whoever asked is answered, whoever waits takes over, and nothing is left behind."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine

from directory.store import apply
from service.demo_world import OutsideWorld, answer, ring_out
from service.pbx import Pbx, Phone
from service.settings import CrmSettings, TracesSettings
from service.traces import root_of
from tests.end_to_end.stage import DIRECTORY, FALLBACK, LINE, ROUTED, Served, Stage, environment, until
from tests.fakes.collector import open_collector
from tests.fakes.command import begin, switchhook
from tests.fakes.crm import TOKEN, open_crm
from web import sessions, users

PROMISED_SECONDS = 10


@pytest.fixture(scope="module")
async def pbx() -> AsyncIterator[Pbx]:
    """The company's PBX, served by nobody yet."""
    async with Pbx([Phone(ROUTED, "101"), Phone(FALLBACK, "102")]) as running:
        yield running


@pytest.fixture
async def stage(
    pbx: Pbx, world: OutsideWorld, engine: AsyncEngine, database_url: str, tmp_path: Path
) -> AsyncIterator[Stage]:
    """A fresh store with the directory in it; afterwards nobody is on the line."""
    async with engine.begin() as connection:
        await apply(connection, DIRECTORY)
    for phone in (ROUTED, FALLBACK):
        await world.phone(phone).behave(ring_out())
    yield Stage(pbx, world, engine, database_url, tmp_path)
    await world.quiet()


def lines(log: Path) -> list[dict[str, Any]]:
    """The lines of a log that are whole."""
    text = log.read_text() if log.exists() else ""
    return [json.loads(line) for line in text.splitlines() if line.endswith("}")]


async def says(log: Path, event: str, times: int = 1) -> dict[str, Any]:
    """Wait until a log says that so often; the last such line."""

    async def found() -> list[dict[str, Any]]:
        told = [line for line in lines(log) if line["event"] == event]
        return told if len(told) >= times else []

    return (await until(found, f"it says {event!r} {times} times", 60))[-1]


async def not_ready(served: Served) -> None:
    """Wait until it says that it ends, still answering."""

    async def ending() -> bool:
        status, parts = await served.readiness()
        assert status != 0, "it ended before it said so"
        return (status, parts.get("service")) == (503, "ending")

    await until(ending, "it is ready no more")


async def ended(served: Served) -> int:
    """How it ended; twice what is promised is the machine's, which others use too."""
    return await asyncio.wait_for(served.process.wait(), 2 * PROMISED_SECONDS)


async def test_who_is_being_decided_about_gets_the_plan_and_the_standby_takes_over(stage: Stage) -> None:
    """SIGTERM while a CRM is asked whose the caller is: they ring by the plan, the next one by the standby's.

    The page that looks on is told when to come back.
    """
    world = stage.world
    await world.phone(ROUTED).behave(answer(0.1, speak=(60.0,)))
    async with open_crm() as crm:
        crm.answer = crm.never
        settings = stage.settings()
        pbx = settings.pbx[0].model_copy(update={"budget_seconds": 10.0})
        slow = CrmSettings(owner_url=crm.url, token=SecretStr(TOKEN), budget_seconds=1.0)
        settings = settings.model_copy(update={"pbx": [pbx], "crm": slow})
        async with (
            stage.serve(settings=settings, role="all") as first,
            stage.serve(answering=False) as second,
            page_of(stage, first, settings.web.port) as browser,
            browser.get("/desk/stream") as stream,
        ):
            await stream.content.readuntil(b"data:")
            call = await world.call("79161236001", "Ждёт", LINE, speak=(60.0,))

            async def asked() -> bool:
                return crm.asked == ["79161236001"]

            await until(asked, "the CRM is asked whose the caller is")
            first.process.send_signal(signal.SIGTERM)
            await not_ready(first)
            assert await world.phone(ROUTED).rings() == "79161236001"
            await call.answered()
            assert not world.phone(FALLBACK).has_rung
            last = await asyncio.wait_for(stream.content.read(), 30)
            assert last.splitlines()[-2].startswith(b"retry: ")
            assert await ended(first) == 0
            order = [line["event"] for line in lines(first.said)]
            assert order.index("stopping") < order.index("nobody is asked to ask us any more")
            await says(second.said, "the other service is gone; taking over")
            await until(stage.asked, "the standby attends the PBX")
            await call.hangup()
            record = await stage.record("79161236001")
            assert [event["outcome"] for event in await stage.told(record, "Routed")] == ["from_cache"]
            later = await world.call("79161236002", "Следом", LINE, speak=(60.0,))
            assert await world.phone(ROUTED).rings() == "79161236002"
            await later.answered()
            await later.hangup()
            assert (await second.readiness())[0] == 200


@asynccontextmanager
async def page_of(stage: Stage, served: Served, port: int) -> AsyncIterator[ClientSession]:
    """A browser in which Анна is logged in."""
    async with stage.engine.begin() as connection:
        user = await users.add(connection, "anna", "manager", person="anna")
        cookie = await sessions.begin(connection, user, "")
    async with ClientSession(f"http://127.0.0.1:{port}", cookies={sessions.COOKIE: cookie}) as browser:
        yield browser


class Slow:
    """Somebody whose request takes long to be sent."""

    BODY = b"login=anna&password=wrong"

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    @classmethod
    async def begin(cls, port: int) -> Slow:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = f"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: {len(cls.BODY)}\r\n"
        writer.write(head.encode() + b"Content-Type: application/x-www-form-urlencoded\r\n\r\n" + cls.BODY[:5])
        await writer.drain()
        return cls(reader, writer)

    async def end(self) -> bytes:
        """Send the rest; the first line of the answer."""
        self.writer.write(self.BODY[5:])
        return await asyncio.wait_for(self._reader.readline(), 30)


async def test_an_open_stream_ends_with_a_hint_and_a_long_request_gets_its_answer(stage: Stage) -> None:
    """A page is told when to come back; nobody's request is cut off; then the process is gone by itself."""
    settings = stage.settings()
    async with (
        stage.serve(settings=settings, role="web", answering=False) as served,
        page_of(stage, served, settings.web.port) as browser,
        browser.get("/desk/stream") as stream,
    ):
        await stream.content.readuntil(b"data:")
        async with browser.get("/healthz") as known:  # by a connection that stays, as those of a proxy do
            assert known.status == 200
        slow = await Slow.begin(settings.web.port)
        served.process.send_signal(signal.SIGTERM)
        await not_ready(served)
        async with browser.get("/healthz") as still:
            assert still.status == 200
        last = await asyncio.wait_for(stream.content.read(), 30)
        assert last.splitlines()[-2].startswith(b"retry: ")
        assert (await slow.end()).startswith(b"HTTP/1.1 403")
        assert await ended(served) == 0
        slow.writer.close()


async def test_a_second_signal_does_not_wait(stage: Stage) -> None:
    """Somebody who wants it to end now, whatever is unanswered, says so again."""
    settings = stage.settings()
    async with stage.serve(settings=settings, role="web", answering=False) as served:
        slow = await Slow.begin(settings.web.port)
        served.process.send_signal(signal.SIGTERM)
        served.process.send_signal(signal.SIGTERM)  # as to a group of processes: the same wish
        await not_ready(served)
        await asyncio.sleep(1.1)
        served.process.send_signal(signal.SIGTERM)
        assert await ended(served) == -signal.SIGTERM
        slow.writer.close()


async def test_a_call_is_told_by_its_id_and_as_one_trace_and_nobody_is_named(stage: Stage, tmp_path: Path) -> None:
    """Each line of its changes, its decision and its jobs has its id; PBX, routing and workers tell one trace.

    Of the service, which nobody takes over from, is written that it was ended.
    """
    world, number, name = stage.world, "79161236010", "Аделаида"
    await world.phone(ROUTED).behave(answer(0.1, speak=(60.0,)))
    async with open_collector() as collector:
        # Without CEL: it has the calls of other tests too.
        settings = stage.settings(cel=False).model_copy(update={"traces": TracesSettings(endpoint=collector.url)})
        done, queues = tmp_path / "worker.log", ("--queue=crm", "--queue=follow_ups")
        async with stage.serve(settings=settings) as served:
            worker = await begin("worker", *queues, said=done, room=None, **environment(settings))
            try:
                call = await world.call(number, name, LINE, speak=(60.0,))
                await call.answered()
                await call.hangup()
                record = await stage.record(number)

                async def worked() -> bool:
                    jobs = "select status from procrastinate_jobs where task_name in"
                    jobs += " ('crm_sync.link_call', 'calls.follow_up')"
                    return [row.status for row in await stage.rows(jobs)] == ["succeeded"] * 2

                await until(worked, "the call is linked and followed up", 60)
                for one in (worker, served.process):
                    one.send_signal(signal.SIGTERM)
                    assert await asyncio.wait_for(one.wait(), 2 * PROMISED_SECONDS) == 0
            finally:
                if worker.returncode is None:
                    worker.send_signal(signal.SIGKILL)
            assert [row.ended for row in await stage.rows("select ended from signs_of_life")] == [True]

        told, id_ = [*lines(served.said), *lines(done)], str(record.id)
        about = [line for line in told if line["event"].startswith(("call ", "job ")) or "task" in line]
        assert {line.get("call") for line in about} == {id_}
        assert {"call routed", "call changed", "call linked", "call followed up", "job done"} <= {
            line["event"] for line in about
        }
        assert [line["task"] for line in about if line["event"] == "job done"].count("crm_sync.link_call") == 1
        assert [line["settled"] for line in about if line["event"] == "call changed"].count(True) == 1

        spans = {span.id: span for span in collector.heard}
        assert {span.call for span in spans.values()} == {record.id}
        whole = spans[root_of(record.id)]
        assert [span for span in spans.values() if span.parent is None] == [whole]
        assert {span.parent for span in spans.values() if span is not whole} <= set(spans)
        assert {
            "call",
            "routing",
            "routing decided",
            "ring",
            "talk",
            "job crm_sync.link_call",
            "job calls.follow_up",
        } <= {span.name for span in spans.values()}
        (routing,), (talk,) = collector.named("routing"), collector.named("talk")
        assert whole.began_at <= routing.began_at < talk.began_at < talk.ended_at <= whole.ended_at
        assert {span.service for span in spans.values()} == {"switchhook"}

        everything = served.said.read_bytes() + done.read_bytes() + b"".join(collector.bodies)
        assert [word for word in (number, number[1:], name) if word.encode() in everything] == []
        assert ascii(name)[1:-1].encode() not in everything


FIRST = """
language = "ru"
[notices.telegram]
token = "first-secret"
"""
SECOND = """
language = "en"
[notices.telegram]
token = "second-secret"
[traces]
endpoint = "http://127.0.0.1:9/v1/traces"
"""


async def test_settings_are_read_again_as_a_whole_and_what_changed_is_told(stage: Stage, tmp_path: Path) -> None:
    """SIGHUP and `switchhook reload`: what can be is in force at once; a wrong file changes nothing."""
    settings, file = stage.settings(), tmp_path / "switchhook.toml"
    file.write_text(FIRST)

    async def language() -> str:
        async with ClientSession() as http, http.get(f"http://127.0.0.1:{settings.web.port}/login") as page:
            return (await page.text()).partition('<html lang="')[2][:2]

    async with stage.serve(settings=settings, role="web", answering=False, file=file) as served:
        assert await language() == "ru"
        file.write_text(SECOND)
        served.process.send_signal(signal.SIGHUP)
        told = await says(served.said, "settings read again")
        assert told["changed"] == ["language: ru -> en", "notices.telegram.token: *** -> ***"]
        assert told["needs_restart"] == ["traces.endpoint: none -> http://127.0.0.1:9/… (needs a restart)"]
        assert await language() == "en"

        file.write_text(FIRST.replace("ru", "fr"))
        served.process.send_signal(signal.SIGHUP)
        wrong = await says(served.said, "the settings are wrong, nothing is changed")
        assert ("language" in wrong["reason"], "'fr'" in wrong["reason"]) == (True, True)
        assert await language() == "en"

        file.write_text(SECOND.replace('"en"', '"ru"'))
        asked = await asyncio.to_thread(switchhook, "reload", **environment(settings, file))
        assert asked.returncode == 0
        process = f"web-{served.process.pid}"
        assert asked.stdout.splitlines() == [
            f"{process}: language: en -> ru",
            f"{process}: traces.endpoint: none -> http://127.0.0.1:9/… (needs a restart)",
        ]
        assert await language() == "ru"
        assert "second-secret" not in served.said.read_text() + asked.stdout + asked.stderr
        await served.kill()
    asked = await asyncio.to_thread(switchhook, "reload", **environment(settings, file))
    assert (asked.returncode, "runs on this machine" in asked.stderr) == (2, True)


async def test_a_worker_goes_on_by_other_settings(stage: Stage, tmp_path: Path) -> None:
    """Its crews end in order and begin anew; the same process, no job lost."""
    settings, file, said = stage.settings(), tmp_path / "switchhook.toml", tmp_path / "worker.log"
    file.write_text(FIRST)
    worker = await begin("worker", "--queue=crm", said=said, room=None, **environment(settings, file))
    try:
        await says(said, "working")
        file.write_text(SECOND)
        worker.send_signal(signal.SIGHUP)
        await says(said, "working", 2)
        worker.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(worker.wait(), 2 * PROMISED_SECONDS) == 0
    finally:
        if worker.returncode is None:
            worker.send_signal(signal.SIGKILL)
