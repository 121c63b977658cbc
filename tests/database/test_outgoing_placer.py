"""Placing calls at a PBX of one socket: its answer counts whenever it comes, and a lost one leaves nothing for ever."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.events import Event
from crm_sync.book.owners import owners
from directory import store
from routing.memory import Memory
from routing.requests import ALONE, Wish, ask
from service import placer as placing_calls
from service.listening import Listening
from service.outgoing import Outgoing
from service.recorder import Recorder
from service.recovery import Recovery
from telephony import devices
from telephony.buffer import EventBuffer
from telephony.link import Link
from telephony.pbx import LinkSettings, Message
from tests.end_to_end.stage import until
from tests.fakes.directories import OFFICE


class OneSocket:
    """Says yes to every action; to an Originate what `told` says of it comes in the same bytes as the yes."""

    def __init__(self, told: str) -> None:
        self._told = told
        self.originated: list[dict[str, str]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"Asterisk Call Manager/11.0.0\r\n")
        try:
            while True:
                block = (await reader.readuntil(b"\r\n\r\n")).decode()
                fields = dict(line.split(": ", 1) for line in block.strip().split("\r\n"))
                answer = f"Response: Success\r\nActionID: {fields['ActionID']}\r\n\r\n"
                if fields["Action"] == "Login":
                    answer += (
                        "Event: FullyBooted\r\nPrivilege: system,all\r\nTimestamp: 1.5\r\nStatus: Fully Booted\r\n\r\n"
                    )
                if fields["Action"] == "Originate":
                    self.originated.append(fields)
                    answer += self._told.format(id=fields["ActionID"], at=time.time())
                writer.write(answer.encode())
        except asyncio.IncompleteReadError:
            writer.close()


@asynccontextmanager
async def placing(engine: AsyncEngine, told: str) -> AsyncIterator[tuple[Outgoing, OneSocket]]:
    """The calls out of a PBX that is connected; anna's phone is free."""
    async with engine.begin() as connection:
        lines = tuple(replace(line, trunk="PJSIP/trunk") for line in OFFICE.lines)
        await store.apply(connection, replace(OFFICE, lines=lines))
        free = devices.DeviceState("PJSIP/anna-desk", "not_inuse", reachable=True)
        await devices.store(connection, "main", [free])
    pbx = OneSocket(told)
    server = await asyncio.start_server(pbx.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    memory = Memory(engine, devices=devices.read, owners=owners)
    memory._devices["main"] = {}
    await memory.load()
    heard: list[Outgoing] = []

    def hear(message: Message) -> None:
        heard[0].heard(message)

    link = Link(LinkSettings("main", port=port), hear)
    buffer: EventBuffer[Event] = EventBuffer()

    recovery = Recovery(link, Recorder(engine, lambda _change: (), lambda _change: None), buffer, None)
    listening = Listening(engine)
    outgoing = Outgoing(link, memory, engine, listening, recovery, buffer.put, ALONE, budget_seconds=1.0)
    heard.append(outgoing)
    tasks = [asyncio.create_task(work) for work in (link.run(), listening.run(), outgoing.run())]
    try:
        yield outgoing, pbx
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        server.close()


async def click(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await ask(connection, Wish(to="79161234567", person="anna", purpose="click", asked_by="anna"), ALONE)


async def became(engine: AsyncEngine, state: str) -> Any:
    async def there() -> Any:
        async with engine.connect() as connection:
            asked = text("select * from outgoing_calls where state = :state")
            return (await connection.execute(asked, {"state": state})).one_or_none()

    return await until(there, f"the call is {state}")


async def test_an_answer_that_comes_with_the_pbxs_yes_is_not_lost(engine: AsyncEngine) -> None:
    """Both are in one packet, as of a phone that is gone: the call has failed, and is not left `placed` for ever."""
    failed = (
        "Event: OriginateResponse\r\nPrivilege: call,all\r\nTimestamp: {at:.6f}\r\n"
        "ActionID: {id}\r\nResponse: Failure\r\nReason: 5\r\n\r\n"
    )
    async with placing(engine, failed) as (_, pbx):
        await click(engine)
        row = await became(engine, "failed")
    assert (row.reason, row.device) == ("busy", "PJSIP/anna-desk")
    (told,) = pbx.originated
    assert told["ActionID"] == str(row.id)


async def test_an_answer_that_never_comes_leaves_no_call_placed(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of a call that this service placed itself: after the ring and a while it is settled by the record."""
    async with placing(engine, "") as (outgoing, _):
        await click(engine)
        await became(engine, "placed")
        await outgoing.placer.settle_left_behind()
        assert (await became(engine, "placed")).reason is None
        monkeypatch.setattr(placing_calls, "_ANSWER_SECONDS", -1.0)
        async with engine.begin() as connection:
            await connection.execute(text("update outgoing_calls set changed_at = now() - interval '1 minute'"))
        assert (await became(engine, "failed")).reason == "interrupted"


async def test_a_call_that_cannot_be_settled_keeps_no_other_from_it(engine: AsyncEngine) -> None:
    """The database refuses a word on the first one left behind; the second is settled, the third placed."""
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "create function refuse() returns trigger language plpgsql as $$ begin"
                " if old.number = '79160000001' then raise 'not this one'; end if; return new; end $$"
            )
        )
        await connection.execute(
            text("create trigger refuse before update on outgoing_calls for each row execute function refuse()")
        )
        for number in ("79160000001", "79160000002"):
            left = (
                "insert into outgoing_calls (purpose, state, number, person, pbx, channel, asked_at, changed_at)"
                " values ('click', 'placed', :number, 'anna', 'main', :number, now() - interval '1 hour',"
                " now() - interval '1 hour')"
            )
            await connection.execute(text(left), {"number": number})
    try:
        async with placing(engine, "") as (_, pbx):
            assert (await became(engine, "failed")).number == "79160000002"
            await click(engine)

            async def placed() -> bool:
                return bool(pbx.originated)

            await until(placed, "the next call is placed")
    finally:
        async with engine.begin() as connection:
            await connection.execute(text("drop function refuse() cascade"))
