"""Recovery on a real PBX: what nobody heard is in the store once, whatever breaks while it is read."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.due import owe_nothing
from calls.events import Arrived, ChannelCreated, Event
from calls.record import state_call
from directory.store import apply
from service.demo_world import OutsideWorld, answer
from service.pbx import Pbx
from service.recorder import Recorder
from service.recovery import Recovery, read_period
from service.settings import PbxSettings
from telephony.buffer import EventBuffer
from telephony.link import Link
from telephony.pbx import LinkSettings
from tests.fakes.directories import OFFICE
from tests.fakes.office import QUICK, until

MOMENT = timedelta(minutes=1)


class Listener:
    """A recovery with what it needs, and nobody who records what is told live."""

    def __init__(self, pbx: Pbx, engine: AsyncEngine, cel_file: Path | None) -> None:
        self.settings = PbxSettings(port=pbx.ami_port, secret=SecretStr(pbx.ami_secret), cel_file=cel_file)
        self.recorder = Recorder(engine, owe_nothing, lambda _change: None)
        self.buffer: EventBuffer[Event] = EventBuffer()
        settings = LinkSettings("pbx", port=pbx.ami_port, username="switchhook", secret=pbx.ami_secret, **QUICK)
        self.link = Link(settings, lambda _message: None)
        self.recovery = Recovery(self.settings, self.link, self.recorder, self.buffer)
        self.link.on_disconnect.append(self.recovery.disconnected)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """With the link up while the body runs."""
        running = asyncio.create_task(self.link.run())
        try:
            await until(lambda: self.link.state.connected)
            yield
        finally:
            running.cancel()
            await asyncio.wait({running})


async def calls_of(engine: AsyncEngine, number: str) -> list[Any]:
    """Records of a caller."""
    sql = "select * from calls where caller_number = :number and joined_into is null"
    async with engine.connect() as connection:
        return list((await connection.execute(text(sql), {"number": number})).all())


async def unheard_call(outside: OutsideWorld, number: str, line: str) -> None:
    """A call to a line that rings its fallback and is answered, from begin to CEL's last word about it."""
    await outside.pbx.cli("dialplan set global SWITCHHOOK_ALIVE 0")
    await outside.pbx.cli(f"dialplan set global SWITCHHOOK_FALLBACK_{line} PJSIP/anna-desk")
    await outside.phone("anna-desk").behave(answer(0.1, speak=("ru/hello",)))
    call = await outside.call(number, "Клиент", line, speak=("ru/hello",))
    await call.ended()
    await outside.quiet()
    await until(lambda: told_to_the_end(outside.pbx.cel_file, number))


def told_to_the_end(cel_file: Path, number: str) -> bool:
    """Whether CEL has the end of the number's call; Asterisk writes it a moment after the last channel is gone."""
    with cel_file.open(newline="") as rows:
        told = [(row[0], row[3], row[15]) for row in csv.reader(rows)]
    linkedids = {linkedid for _, caller, linkedid in told if caller == number}
    return any(kind == "LINKEDID_END" and linkedid in linkedids for kind, _, linkedid in told)


@pytest.mark.timeout(60)
async def test_a_period_read_twice_is_told_once(
    pbx: Pbx, outside: OutsideWorld, engine: AsyncEngine, line: str
) -> None:
    """The first reading recovers the call, the second changes nothing, not even the mark."""
    await unheard_call(outside, "79161231001", line)
    listener, now = Listener(pbx, engine, pbx.cel_file), datetime.now(UTC)
    assert await read_period(listener.settings, listener.recorder, now - MOMENT, now + MOMENT) >= 1
    (first,) = await calls_of(engine, "79161231001")
    assert (first.recovered, first.answered_by, first.status) == (True, ["PJSIP/anna-desk"], "answered")
    assert await read_period(listener.settings, listener.recorder, now - MOMENT, now + MOMENT) == 0
    (second,) = await calls_of(engine, "79161231001")
    assert state_call(second.state) == state_call(first.state)


@pytest.mark.timeout(60)
async def test_a_gap_outlives_a_connection_that_breaks_before_it_was_looked_into(
    pbx: Pbx, outside: OutsideWorld, engine: AsyncEngine, line: str
) -> None:
    """What happened before the short connection is still read at the next one."""
    async with engine.begin() as connection:
        await apply(connection, OFFICE)
    listener = Listener(pbx, engine, pbx.cel_file)
    await listener.recovery.remember()
    async with listener.connected():
        await listener.recovery.connected(listener.link)
    await unheard_call(outside, "79161231002", line)
    async with listener.connected():
        pass  # broken before the PBX had booted: nobody asked for the gap
    async with listener.connected():
        assert await calls_of(engine, "79161231002") == []
        await listener.recovery.connected(listener.link)
    (record,) = await calls_of(engine, "79161231002")
    assert (record.recovered, record.answered_by) == (True, ["PJSIP/anna-desk"])


@pytest.mark.timeout(60)
async def test_a_channel_the_pbx_does_not_know_is_ended(pbx: Pbx, engine: AsyncEngine, outside: OutsideWorld) -> None:
    """Without CEL too: a call believed alive, of which the PBX has no channel, is over; a living one is not."""
    listener, at = Listener(pbx, engine, None), datetime.now(UTC)
    gone: list[Event] = [
        ChannelCreated(
            pbx="pbx", channel="1795427050.1", at=at, number="79161231003", incoming=True, name="PJSIP/trunk-1"
        ),
        Arrived(pbx="pbx", channel="1795427050.1", at=at, line="74951234567", number="79161231003"),
    ]
    await listener.recorder.write(gone)
    await outside.pbx.cli("dialplan set global SWITCHHOOK_ALIVE 0")
    alive = await outside.call("79161231004", "Живой", "74950009999", speak=(30.0,))
    await alive.ringing()
    await listener.recovery.remember()
    async with listener.connected():
        await listener.recovery.connected(listener.link)
    (record,) = await calls_of(engine, "79161231003")
    assert (record.status, record.ended_at is not None) == ("missed", True)
    assert not alive.is_ended
    assert all(record.ended_at is None for record in await calls_of(engine, "79161231004"))
