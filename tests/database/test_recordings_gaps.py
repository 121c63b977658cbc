"""How the audio of calls is judged on its way into the store, and corrected when more comes to light."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls import events as e
from calls.queue import TryAgain
from calls.record import record
from recordings.due import due
from recordings.looking import judge_old, look_again
from recordings.store import Store
from recordings.storing import WAITS, StoringJobs
from tests.fakes.recorded import T0, pbx_recorded, settled_call, tone, write_wav

UID = "1795427050.1"
LAST = len(WAITS)


@dataclass
class Office:
    """One call that just settled, its PBX's folder and the job."""

    engine: AsyncEngine
    call_id: UUID
    pbx: Path
    storing: StoringJobs

    async def looks(self, attempt: int = 0) -> None:
        await self.storing.store_recording(self.call_id, attempt)

    async def asked(self, sql: str) -> list[tuple[Any, ...]]:
        async with self.engine.connect() as connection:
            return [tuple(row) for row in await connection.execute(text(sql))]

    async def sides(self) -> list[tuple[Any, ...]]:
        """(side, state, reason)."""
        return await self.asked("select side, state, reason from recordings order by channel, side")

    async def call(self) -> list[tuple[Any, ...]]:
        """(state, transfer, trunk) of the whole call."""
        return await self.asked("select state, transfer, trunk from call_audio")


@pytest.fixture
async def office(engine: AsyncEngine, tmp_path: Path) -> Office:
    """A settled call with six seconds of talk."""
    async with engine.begin() as connection:
        (change,) = await record(connection, settled_call(UID))
    pbx = tmp_path / "pbx"
    pbx.mkdir()
    jobs = StoringJobs(engine=engine, owes=due, store=Store.in_folder(tmp_path / "store"), folders={"pbx": pbx})
    return Office(engine, change.call_id, pbx, jobs)


async def test_a_complete_recording_is_well_with_its_measures(office: Office) -> None:
    """Both sides are as long as the talk and have sound in them."""
    pbx_recorded(office.pbx, UID, tone(6), tone(3) + bytes(48_000))
    await office.looks()
    assert await office.call() == [("stored", "none", "PJSIP/trunk")]
    told = "select side, state, seconds, loud_seconds, round(loudest_dbfs), talk_seconds, reason from recordings"
    assert await office.asked(f"{told} order by side") == [
        ("caller", "stored", 6.0, 6.0, -20.0, 6.0, None),
        ("staff", "stored", 6.0, 3.0, -20.0, 6.0, None),
    ]


async def test_each_side_is_judged_with_the_reason_and_the_call_by_the_worst(office: Office) -> None:
    """The shorter one, and the one without a word; both are kept, for half is better than none."""
    pbx_recorded(office.pbx, UID, tone(3), bytes(96_000))
    await office.looks()
    assert await office.sides() == [
        ("caller", "short", "3.0 s of sound for 6.0 s of talk"),
        ("staff", "silent", "no sound at all in 6.0 s of talk"),
    ]
    assert await office.call() == [("silent", "none", "PJSIP/trunk")]
    assert await office.asked("select count(*) from recordings where path is not null") == [(2,)]
    assert list(office.pbx.iterdir()) == []


async def test_a_file_that_is_empty_or_no_sound_is_told_apart_from_none(office: Office) -> None:
    """Each has its own state: they are mended in different places."""
    pbx_recorded(office.pbx, UID, b"", tone(6))
    broken = office.pbx / f"{UID}-staff.wav"
    broken.write_bytes(b"RIFF, or so it says" * 40)
    with pytest.raises(TryAgain, match="only begun"):
        await office.looks()
    os.utime(broken, (1, 1))
    await office.looks(LAST)
    assert await office.sides() == [
        ("caller", "empty", "the caller's side is empty"),
        ("staff", "unreadable", "the staff's side holds no sound: no RIFF WAVE header"),
    ]
    assert await office.call() == [("unreadable", "none", "PJSIP/trunk")]


async def test_a_look_that_comes_late_corrects_what_was_told(office: Office) -> None:
    """The network was away for a night: missing, and then all is well; the page and the figures forget it."""
    await office.looks(LAST)
    assert await office.call() == [("missing", "none", "PJSIP/trunk")]
    pbx_recorded(office.pbx, UID, tone(6), tone(6))
    await office.looks()
    assert await office.sides() == [("caller", "stored", None), ("staff", "stored", None)]
    assert await office.call() == [("stored", "none", "PJSIP/trunk")]
    kinds = await office.asked(
        "select kind, count(*) from call_events where kind like 'Recording%' group by 1 order by 1"
    )
    assert kinds == [("RecordingMissing", 2), ("RecordingStored", 2)]


async def test_what_is_missing_is_looked_for_again_until_it_is_there(office: Office) -> None:
    """A shared folder that was away for an hour is found by itself, with one job however often it is looked for."""
    folders = {"pbx": office.pbx, "gone": None}
    assert await look_again(office.engine, folders) == 0
    await office.looks(LAST)
    assert await look_again(office.engine, folders) == 0
    pbx_recorded(office.pbx, UID, tone(6), tone(6))
    abandoned = office.pbx / f".{UID}-caller.wav.{'0' * 64}.part"
    abandoned.write_bytes(b"RIFF")
    os.utime(abandoned, (1, 1))
    looks = "select count(*) from procrastinate_jobs where task_name = 'recordings.store_recording'"
    for _ in range(2):
        assert await look_again(office.engine, folders) == 1
        assert await office.asked(looks) == [(1,)]
    await office.looks()
    assert await office.call() == [("stored", "none", "PJSIP/trunk")]
    assert await look_again(office.engine, folders) == 0
    assert list(office.pbx.iterdir()) == []


async def test_what_was_stored_before_audio_was_judged_is_judged_as_of_then(office: Office) -> None:
    """Once, by its rows alone; the alarm of the last days does not hear of it."""
    pbx_recorded(office.pbx, UID, tone(1), tone(6))
    await office.looks(LAST)
    before = await office.call()
    async with office.engine.begin() as connection:
        await connection.execute(text("delete from call_audio"))
        await connection.execute(text("update recordings set stored_at = now() - interval '30 days'"))
    assert [await judge_old(office.engine), await judge_old(office.engine)] == [1, 0]
    assert await office.call() == before == [("short", "none", "PJSIP/trunk")]
    old = "select count(*) from call_audio where judged_at < now() - interval '29 days'"
    assert await office.asked(old) == [(1,)]


async def test_a_talk_that_comes_to_light_makes_a_recording_too_short(office: Office) -> None:
    """CEL tells after an outage that they talked on; the sides that are safe are judged anew, without their files."""
    pbx_recorded(office.pbx, UID, tone(6), tone(6))
    await office.looks()
    told: dict[str, Any] = {"pbx": "pbx", "linkedid": UID, "bridge": "after"}
    later: list[e.Event] = [
        *(e.BridgeEntered(channel=one, at=T0 + timedelta(seconds=8), **told) for one in (UID, "20.1")),
        e.ChannelCreated(pbx="pbx", channel="20.1", linkedid=UID, at=T0, name="PJSIP/boris-desk-7", number="102",
                         incoming=False),
        *(e.BridgeLeft(channel=one, at=T0 + timedelta(seconds=19), **told) for one in (UID, "20.1")),
        e.ChannelHungUp(pbx="pbx", channel="20.1", linkedid=UID, at=T0 + timedelta(seconds=19)),
        e.Settled(pbx="pbx", channel=UID, linkedid=UID, at=T0 + timedelta(seconds=24)),
    ]  # fmt: skip
    async with office.engine.begin() as connection:
        (change,) = await record(connection, later, due)
    assert change.after.talk_seconds == 16.0
    assert [job.task for job in due(change)] == ["recordings.store_recording"]
    await office.looks()
    assert await office.call() == [("short", "none", "PJSIP/trunk")]
    assert {reason for _, _, reason in await office.sides()} == {"6.0 s of sound for 16.0 s of talk"}


async def test_a_talk_of_a_moment_may_leave_empty_files(office: Office) -> None:
    """Less than the two seconds that are no gap: nothing is told, and the files go."""
    moment: list[e.Event] = [
        event if not isinstance(event, e.BridgeEntered) else e.BridgeEntered(
            pbx="pbx", channel=event.channel, linkedid="8.1", at=T0 + timedelta(seconds=8), bridge="b")
        for event in settled_call("8.1")
    ]  # fmt: skip
    async with office.engine.begin() as connection:
        (change,) = await record(connection, moment)
    assert change.after.talk_seconds == 1.0
    pbx_recorded(office.pbx, "8.1", b"", b"")
    await office.storing.store_recording(change.call_id, 0)
    assert await office.sides() == []
    assert await office.call() == []
    assert list(office.pbx.iterdir()) == []


async def test_a_talk_that_a_pbx_records_for_nobody_is_told_missing(office: Office) -> None:
    """The PBX said that it records, and the settings do not say where: not a word was stored, and nobody would know."""
    jobs = StoringJobs(engine=office.engine, owes=due, store=office.storing.store, folders={"pbx": None})
    await jobs.store_recording(office.call_id, 0)
    assert await office.call() == []
    started = e.RecordingStarted(pbx="pbx", channel=UID, linkedid=UID, at=T0, path=f"/var/spool/{UID}-caller.wav")
    async with office.engine.begin() as connection:
        await record(connection, [started])
    await jobs.store_recording(office.call_id, 0)
    assert await office.call() == [("missing", "none", "PJSIP/trunk")]
    assert {reason for _, _, reason in await office.sides()} == {
        "the PBX recorded it, and the settings do not say where: recordings of pbx 'pbx' is not set"
    }


async def test_a_refusal_that_comes_to_light_owes_nothing_any_more(office: Office) -> None:
    """CEL tells after an outage that the caller refused: what was told missing never was."""
    await office.looks(LAST)
    assert await office.call() == [("missing", "none", "PJSIP/trunk")]
    refused = e.RecordingRefused(pbx="pbx", channel=UID, linkedid=UID, at=T0 + timedelta(seconds=1))
    async with office.engine.begin() as connection:
        (change,) = await record(connection, [refused], due)
    assert [job.task for job in due(change)] == ["recordings.store_recording"]
    await office.looks()
    assert await office.sides() == []
    assert await office.call() == []


async def test_a_pause_owes_no_sound(office: Office) -> None:
    """Nobody spoke but while the recording was paused: a side without a sound is well."""
    muted = [
        e.RecordingMuted(pbx="pbx", channel=UID, linkedid=UID, at=T0 + timedelta(seconds=at), muted=on)
        for at, on in ((4, True), (8, False))
    ]
    async with office.engine.begin() as connection:
        await record(connection, muted)
    pbx_recorded(office.pbx, UID, bytes(96_000), bytes(96_000))
    await office.looks()
    assert await office.call() == [("stored", "none", "PJSIP/trunk")]


async def test_a_second_caller_who_was_never_connected_lacks_nothing(office: Office) -> None:
    """Two callers were joined to one call; only on the channel of the one who talked sound is owed."""
    second: list[e.Event] = [
        e.ChannelCreated(pbx="pbx", channel="9.9", linkedid=UID, at=T0, name="PJSIP/trunk-9", number="79160000009",
                         incoming=True),
        e.Arrived(pbx="pbx", channel="9.9", linkedid=UID, at=T0, line="74951234567", number="79160000009"),
        e.ChannelHungUp(pbx="pbx", channel="9.9", linkedid=UID, at=T0 + timedelta(seconds=5)),
    ]  # fmt: skip
    async with office.engine.begin() as connection:
        await record(connection, second)
    pbx_recorded(office.pbx, UID, tone(6), tone(6))
    pbx_recorded(office.pbx, "9.9", b"", b"")
    await office.looks()
    assert await office.sides() == [("caller", "stored", None), ("staff", "stored", None)]
    assert list(office.pbx.iterdir()) == []


async def test_a_message_is_judged_by_its_being_there(engine: AsyncEngine, office: Office) -> None:
    """The PBX cuts off its silence, so it is shorter than the time that it took."""
    left = e.VoicemailLeft(
        pbx="pbx", channel="5.1", linkedid="5.1", at=T0 + timedelta(seconds=8), box="b", seconds=30.0
    )
    async with engine.begin() as connection:
        (change,) = await record(connection, [*settled_call("5.1", answered=False), left])
    write_wav(office.pbx / "5.1-message-caller.wav", bytes(64_000))
    await office.storing.store_recording(change.call_id, 0)
    assert await office.sides() == [("caller", "stored", None)]
