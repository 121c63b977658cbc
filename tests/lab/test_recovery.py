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
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.due import owe_nothing
from calls.events import Arrived, ChannelCreated, Event
from calls.record import state_call
from calls.view import view
from service.comparison import record_differing
from service.demo_world import OutsideWorld, answer
from service.pbx import Pbx
from service.recorder import Recorder
from service.recovery import CAUSES, Recovery
from telephony import ami
from telephony.buffer import EventBuffer
from telephony.cel_file import CelFile
from telephony.link import Link
from telephony.pbx import LinkSettings, Message
from tests.fakes.ami_proxy import AmiProxy
from tests.fakes.cel import write_cel
from tests.fakes.office import QUICK, until

MOMENT = timedelta(minutes=1)


class Listener:
    """A recovery with what it needs. `records`: what is told live is recorded too, as the service does."""

    def __init__(
        self,
        pbx: Pbx,
        engine: AsyncEngine,
        cel_file: Path | None,
        *,
        records: bool = False,
        port: int = 0,
        every_seconds: float = 0.2,
    ) -> None:
        self.recorder = Recorder(engine, owe_nothing, lambda _change: None)
        self.buffer: EventBuffer[Event] = EventBuffer()
        self.records = records
        settings = LinkSettings("pbx", port=port or pbx.ami_port, username="switchhook", secret=pbx.ami_secret, **QUICK)
        self.link = Link(settings, self._heard)
        source = CelFile(cel_file) if cel_file else None
        self.recovery = Recovery(
            self.link, self.recorder, self.buffer, source, every_seconds=every_seconds, quiet_seconds=0.5
        )
        self.ready = asyncio.Event()
        self.link.on_connect.append(self._ready)

    def _heard(self, message: Message) -> None:
        for event in ami.translate("pbx", message) if self.records else ():
            if event.at:
                self.buffer.put(event.at, event)

    async def _ready(self, _link: Link) -> None:
        self.ready.set()

    @asynccontextmanager
    async def connected(self, *, booted: bool = True) -> AsyncIterator[None]:
        """With the link up (and its first questions asked) while the body runs."""
        self.ready.clear()
        running = [asyncio.create_task(self.link.run())]
        if self.records:
            running.append(asyncio.create_task(self.recorder.drain(self.buffer)))
        try:
            await until(lambda: self.link.state.connected)
            if booted:
                await asyncio.wait_for(self.ready.wait(), 10)
            yield
        finally:
            for task in running:
                task.cancel()
            await asyncio.wait(running)

    @asynccontextmanager
    async def recovering(self) -> AsyncIterator[None]:
        """As the service does it, while the body runs."""
        async with self.connected():
            running = asyncio.create_task(self.recovery.run())
            yield
            running.cancel()
            await asyncio.wait({running})


async def calls_of(engine: AsyncEngine, number: str) -> list[Any]:
    """Records of a caller."""
    sql = "select * from calls where caller_number = :number and joined_into is null"
    async with engine.connect() as connection:
        return list((await connection.execute(text(sql), {"number": number})).all())


async def answered_call(engine: AsyncEngine, number: str) -> Any:
    """The one record of a caller, once it is ended and answered."""
    async with asyncio.timeout(20):
        while True:
            found = [row for row in await calls_of(engine, number) if row.ended_at and row.status == "answered"]
            if found:
                break
            await asyncio.sleep(0.02)
    (record,) = await calls_of(engine, number)
    return record


async def fallback_call(outside: OutsideWorld, number: str, line: str) -> None:
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


async def test_a_period_read_twice_is_told_once(
    pbx: Pbx, outside: OutsideWorld, engine: AsyncEngine, line: str
) -> None:
    """The first reading recovers the call, the second changes nothing, not even the mark."""
    await fallback_call(outside, "79161231001", line)
    recorder, now = Recorder(engine, owe_nothing, lambda _change: None), datetime.now(UTC)
    period = ("pbx", CelFile(pbx.cel_file), recorder, now - MOMENT, now + MOMENT)
    assert await record_differing(*period, mark=True) >= 1
    (first,) = await calls_of(engine, "79161231001")
    assert (first.recovered, first.answered_by, first.status) == (True, ["PJSIP/anna-desk"], "answered")
    assert await record_differing(*period, mark=True) == 0
    (second,) = await calls_of(engine, "79161231001")
    assert state_call(second.state) == state_call(first.state)


async def test_a_gap_outlives_a_connection_that_breaks_before_it_was_looked_into(
    pbx: Pbx, outside: OutsideWorld, engine: AsyncEngine, line: str
) -> None:
    """What happened before the short connection is still read at the next one."""
    listener = Listener(pbx, engine, pbx.cel_file)
    async with listener.connected():
        await listener.recovery.read()
    await fallback_call(outside, "79161231002", line)
    async with listener.connected(booted=False):
        pass  # broken before the PBX had booted: nobody asked for the gap
    async with listener.connected():
        assert await calls_of(engine, "79161231002") == []
        await listener.recovery.read()
    (record,) = await calls_of(engine, "79161231002")
    assert (record.recovered, record.answered_by) == (True, ["PJSIP/anna-desk"])


async def test_a_gap_that_could_not_be_read_outlives_the_process(
    pbx: Pbx, outside: OutsideWorld, engine: AsyncEngine, line: str, tmp_path: Path
) -> None:
    """CEL was not there to read, later calls were heard and stored, the service ended: the next one reads the gap."""
    await fallback_call(outside, "79161231011", line)
    first = Listener(pbx, engine, tmp_path / "not there" / "switchhook.csv", records=True)
    async with first.connected():
        with pytest.raises(CAUSES):
            await first.recovery.read()
        await fallback_call(outside, "79161231012", line)
        await answered_call(engine, "79161231012")
    second = Listener(pbx, engine, pbx.cel_file)
    async with second.connected():
        await second.recovery.read()
    records = [(await answered_call(engine, number)).recovered for number in ("79161231011", "79161231012")]
    assert records == [True, False]


async def test_an_outage_of_days_is_read_from_its_begin(
    pbx: Pbx, outside: OutsideWorld, engine: AsyncEngine, tmp_path: Path
) -> None:
    """The last call in the store tells where it began, though somebody is on the line when the service comes back."""
    now = datetime.now(UTC)
    days_ago = [now - timedelta(days=days) for days in (3, 2)]
    path = tmp_path / "switchhook.csv"
    write_cel(path, ["answered"], days_ago[1])
    listener = Listener(pbx, engine, path)
    await listener.recorder.write(
        [ChannelCreated(pbx="pbx", channel="1795000000.1", at=days_ago[0], number="79161231018", incoming=True)]
    )
    await outside.pbx.cli("dialplan set global SWITCHHOOK_ALIVE 0")
    alive = await outside.call("79161231019", "Живой", "74950009999", speak=(30.0,))
    await alive.ringing()
    await until(
        lambda: datetime.now(UTC) - now > timedelta(seconds=3)
    )  # the PBX tells a channel's age in whole seconds
    async with listener.connected():
        await listener.recovery.read()
    (record,) = await calls_of(engine, "79161234567")
    assert (record.status, record.recovered) == ("answered", True)
    assert await calls_of(engine, "79161231019")


async def test_a_lost_event_is_repaired_without_a_mark(
    pbx: Pbx, outside: OutsideWorld, engine: AsyncEngine, line: str
) -> None:
    """AMI loses that they talked and that they hung up: within the next reading the record is whole, and is none of an
    outage's; CEL's words are recorded for this call alone.
    """
    async with AmiProxy(pbx.host, pbx.ami_port) as between:
        listener = Listener(pbx, engine, pbx.cel_file, records=True, port=between.port)
        async with listener.recovering():
            await fallback_call(outside, "79161231013", line)
            whole = await answered_call(engine, "79161231013")
            between.swallow = b"Event: Bridge"
            await fallback_call(outside, "79161231014", line)
            repaired = await answered_call(engine, "79161231014")
    assert (whole.recovered, repaired.recovered) == (False, False)
    assert repaired.answered_by == ["PJSIP/anna-desk"]
    assert 0.1 < repaired.talk_seconds < 30
    sql = text("select count(*) from call_events where call_id = :call and kind = 'AppStarted'")
    async with engine.connect() as connection:  # only CEL tells the shipped user
        told = [(await connection.execute(sql, {"call": one.id})).scalar_one() for one in (whole, repaired)]
    assert told == [0, 1]


async def test_a_lost_heartbeat_has_cel_read_by_itself(
    pbx: Pbx, outside: OutsideWorld, engine: AsyncEngine, line: str
) -> None:
    """The PBX drops events without a word and without breaking the connection: the missing beat tells."""
    async with AmiProxy(pbx.host, pbx.ami_port) as between:
        listener = Listener(pbx, engine, pbx.cel_file, records=True, port=between.port, every_seconds=3600)
        async with listener.recovering():
            await until(lambda: listener.link.state.heartbeat_lag_seconds is not None)
            between.swallow = b"Privilege: "  # every event, and no answer
            await fallback_call(outside, "79161231015", line)
            await until(lambda: listener.link.state.heartbeats_lost_total)
            record = await answered_call(engine, "79161231015")
            assert listener.link.state.connects_total == 1
    assert record.answered_by == ["PJSIP/anna-desk"]


async def test_calls_are_recorded_while_the_connection_is_away(
    pbx: Pbx, outside: OutsideWorld, engine: AsyncEngine, line: str
) -> None:
    """AMI is refused for long, but CEL can be read: nobody waits for the connection to come back."""
    async with AmiProxy(pbx.host, pbx.ami_port) as between:
        listener = Listener(pbx, engine, pbx.cel_file, records=True, port=between.port)
        async with listener.recovering():
            await between.refuse()
            await until(lambda: not listener.link.state.connected)
            await fallback_call(outside, "79161231017", line)
            record = await answered_call(engine, "79161231017")
            assert not listener.link.state.connected
    assert record.recovered


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
    async with listener.connected():
        await listener.recovery.read()
    (record,) = await calls_of(engine, "79161231003")
    assert (record.status, record.ended_at is not None) == ("missed", True)
    assert not alive.is_ended
    assert all(record.ended_at is None for record in await calls_of(engine, "79161231004"))


async def test_a_service_that_comes_in_the_middle_knows_who_talks_and_who_waits(
    pbx: Pbx, outside: OutsideWorld, engine: AsyncEngine, line: str
) -> None:
    """Without CEL: the PBX is asked for live channels, bridges and queue callers; being asked twice tells no more."""
    await outside.pbx.cli("dialplan set global SWITCHHOOK_ALIVE 0")
    await outside.pbx.cli(f"dialplan set global SWITCHHOOK_FALLBACK_{line} PJSIP/anna-desk")
    await outside.phone("anna-desk").behave(answer(0.1, speak=(30.0,)))
    talking = await outside.call("79161231016", "Говорит", line, speak=(30.0,))
    await talking.answered()
    waiting = await outside.phone("vera-desk").dial("600")
    await outside.phone("boris-desk").rings()
    listener = Listener(pbx, engine, None)
    for _ in range(2):
        async with listener.connected():
            await listener.recovery.read()
    (record,) = await calls_of(engine, "79161231016")
    assert (record.status, record.answered_by) == ("talking", ["PJSIP/anna-desk"])
    seen = [view(state_call(row.state)) for row in await calls_of(engine, "103")]
    (queue,) = [one for call in seen for one in call.queues]
    assert (queue.name, queue.left_at) == ("sales", None)
    await waiting.hangup()
