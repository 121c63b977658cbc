"""What is wanted of PBXes is done as soon as it is written, over one connection however many PBXes there are."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_sync.book.owners import owners
from metrics.http import new_registry
from recordings import pauses
from recordings.audit import Actor
from routing.memory import Memory
from routing.recent import Recent
from routing.requests import Desk, Wish
from routing.requests import ask as ask_for_a_call
from service import listening
from service.controlling import Controlling
from service.listening import Listening
from service.overhearing import Overhearing
from service.pausing import Pausing
from service.placer import Placer
from service.recorder import Recorder
from service.recovery import Recovery
from service.settings import PbxSettings, Settings
from service.telephony_role import Telephony
from service.wiring import House
from service.wishers import Wishers
from telephony import controls, devices, overhearings
from telephony.buffer import EventBuffer
from telephony.link import Link
from telephony.pbx import Fields, LinkSettings, Reply
from tests.fakes.story import Told, furnish

PBXES = ("main", "second", "third", "fourth", "fifth")
LISTENERS = "from pg_stat_activity where datname = current_database() and query like 'LISTEN%'"


class Obedient(Link):
    """A PBX that does what it is asked."""

    def __init__(self, name: str) -> None:
        super().__init__(LinkSettings(name), lambda _message: None)
        self.state.connected = True
        self.state.since = datetime.now(UTC)
        self.asked: list[str] = []

    async def action(self, fields: Fields, seconds: float | None = None) -> Reply:
        self.asked.append(str(fields["Action"]))
        return Reply(success=True, message="", fields={})


@asynccontextmanager
async def doing(engine: AsyncEngine) -> AsyncIterator[dict[str, Obedient]]:
    """All that does what is wanted of five PBXes."""
    await furnish(engine)
    memory = Memory(engine, devices=devices.read, owners=owners)
    await memory.load()
    told, links = Listening(engine), {name: Obedient(name) for name in PBXES}
    recorder = Recorder(engine, lambda _change: (), lambda _change: None)
    parts: list[Callable[[], Awaitable[None]]] = [told.run]
    for link in links.values():
        recovery = Recovery(link, recorder, EventBuffer(), None)
        parts += [
            Placer(link, memory, engine, told, recovery, lambda _at, _event: None, Recent()).run,
            Pausing(link, engine, told).run,
            Controlling(link, memory, engine, told, Wishers()).run,
            Overhearing(link, engine, told, lambda: memory.directory, dict).run,
        ]
    tasks = [asyncio.ensure_future(part()) for part in parts]
    try:
        yield links
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def rows(engine: AsyncEngine, query: str) -> list[tuple[object, ...]]:
    async with engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(text(query))]


async def until(engine: AsyncEngine, query: str, wanted: list[tuple[object, ...]]) -> None:
    async with asyncio.timeout(20):
        while await rows(engine, query) != wanted:
            await asyncio.sleep(0.02)


async def want_all(engine: AsyncEngine, call: UUID) -> None:
    """Ask for one of each: a pause, a hang-up, a call, and to overhear."""
    desk = Desk(pbx_of=_main)
    async with engine.begin() as connection:
        await pauses.ask(connection, call, paused=True, by=Actor(login="anna"))
        await controls.ask(connection, call, "hang_up", "anna", by="anna")
        await overhearings.ask(connection, call, person="vera", heard="anna", mode="listen", asked_by="vera")
        await ask_for_a_call(connection, Wish(to="79161112233", person="anna", purpose="click", asked_by="anna"), desk)


async def _main(*_of: object) -> str:
    return "main"


WANTED = (
    "select (select count(*) from recording_wishes where outcome is not null),"
    " (select count(*) from call_controls where outcome is not null),"
    " (select count(*) from overhearings where state = 'failed'),"
    " (select count(*) from outgoing_calls where state = 'placed')"
)


async def test_wishes_of_five_pbxes_are_heard_over_one_connection_and_again_after_it_was_lost(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody looks meanwhile without being told: also what was asked for during the outage is done at its end."""
    story = Told(engine)
    await furnish(engine)
    await story.arrives()
    await story.rings("PJSIP/anna-desk")
    call = await story.answers("PJSIP/anna-desk")
    monkeypatch.setattr(listening, "LOOK_SECONDS", 3600.0)
    async with doing(engine) as links:
        await until(engine, f"select count(*) {LISTENERS}", [(1,)])
        await want_all(engine, call)
        await until(engine, WANTED, [(1, 1, 1, 1)])
        assert sorted(links["main"].asked) == ["Hangup", "Originate"]
        await rows(engine, f"select pg_terminate_backend(pid) {LISTENERS}")
        await until(engine, f"select count(*) {LISTENERS}", [(0,)])
        await want_all(engine, call)
        await until(engine, WANTED, [(2, 2, 2, 2)])
        assert await rows(engine, f"select count(*) {LISTENERS}") == [(1,)]
        await want_all(engine, call)
        await until(engine, WANTED, [(3, 3, 3, 3)])
        assert all(not links[name].asked for name in PBXES[1:])


async def test_the_telephony_role_of_five_pbxes_listens_twice(engine: AsyncEngine, database_url: str) -> None:
    """For what is wanted of them, and for what routing remembers."""
    await furnish(engine)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        pbxes = [PbxSettings(name=name, port=deaf.getsockname()[1], secret=SecretStr("x")) for name in PBXES]
        telephony = Telephony(House(Settings(pbx=pbxes), database_url, engine), new_registry())
        task = asyncio.create_task(telephony.run())
        await until(engine, "select count(*) from pg_locks where locktype = 'advisory' and classid = 5039", [(5,)])
        await until(engine, f"select count(*) {LISTENERS}", [(2,)])
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
