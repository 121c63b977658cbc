"""Audio and text of a call, from the PBX's folder to the database, through everything that goes wrong on the way."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls import events as e
from calls.queue import GiveUp, TryAgain
from calls.record import record
from recordings import holds
from recordings.audit import THE_OPERATOR
from recordings.due import due
from recordings.fact_rows import talk_facts_of
from recordings.heard import AudioError, Heard, ModelMissingError, Side, SpeechDiedError, SpeechError, Talk
from recordings.rows import few_with, recordings_of, transcript_of
from recordings.store import Store
from recordings.storing import WAITS, StoringJobs
from recordings.transcribing import TranscribingJobs
from recordings.transcript import Word
from tests.fakes.full_disk import room_for
from tests.fakes.recorded import T0, pbx_recorded, settled_call, tone, unclosed, write_wav

UID = "1795427050.1"
SECOND = tone(1)
LAST = len(WAITS)


@dataclass
class Scripted:
    """Hears what the test says, or fails as it says; keeps what it was asked."""

    trouble: SpeechError | None = None
    asked: list[tuple[list[str], str | None]] = field(default_factory=list)
    at_once: int = 1
    all_came: asyncio.Event = field(default_factory=asyncio.Event)

    async def hear(self, talk: Talk) -> Heard:
        """As told."""
        assert all(Path(track.path).is_file() for track in talk.tracks.values())
        self.asked.append((sorted(side for _, side in talk.tracks), talk.hint))
        if len(self.asked) == self.at_once:
            self.all_came.set()
        await self.all_came.wait()
        if self.trouble:
            raise self.trouble
        said = {"caller": "Перезвоните клиенту завтра", "staff": "Asterisk speaking"}
        words = {
            (channel, side): tuple(
                Word(word, at, at + 0.5, 0.9) for at, word in enumerate(said[side].split(), start=4 * (side == "staff"))
            )
            for channel, side in talk.tracks
        }
        return Heard({track: Side(told, "ru") for track, told in words.items()}, "ru", 6.0, 0.6, "whisper-base")


@dataclass
class Office:
    """One call that just settled, its PBX's folder, the store, the jobs."""

    engine: AsyncEngine
    call_id: UUID
    pbx: Path
    store: Store
    speech: Scripted
    storing: StoringJobs
    transcribing: TranscribingJobs

    async def asked(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a query."""
        async with self.engine.connect() as connection:
            return [tuple(row) for row in await connection.execute(text(sql))]

    async def events(self) -> list[tuple[Any, ...]]:
        """What the jobs told: kind, side, reason."""
        return await self.asked(
            "select kind, body->>'side', body->>'reason' from call_events"
            " where kind like 'Recording%' or kind like 'Transcri%' order by 1, 2, 3"
        )


@pytest.fixture
async def office(engine: AsyncEngine, tmp_path: Path) -> Office:
    """A settled call that was answered."""
    async with engine.begin() as connection:
        (change,) = await record(connection, settled_call(UID))
    pbx, store, speech = tmp_path / "pbx", Store.in_folder(tmp_path / "store"), Scripted()
    pbx.mkdir()
    storing = StoringJobs(engine=engine, owes=due, store=store, folders={"pbx": pbx})
    transcribing = TranscribingJobs(engine=engine, owes=due, store=store, speech=speech)
    return Office(engine, change.call_id, pbx, store, speech, storing, transcribing)


LOST = "select count(*) from recordings where state in ('missing', 'unreadable', 'empty')"
STORED = [("RecordingStored", "caller", None), ("RecordingStored", "staff", None)]


async def test_both_sides_are_stored_told_and_owed_their_text(office: Office) -> None:
    """Rows, events and the next job in one transaction; then the originals go."""
    pbx_recorded(office.pbx, UID, SECOND * 6, SECOND * 5)
    await office.storing.store_recording(office.call_id, 0)
    async with office.engine.connect() as connection:
        sides = await recordings_of(connection, office.call_id)
    assert [(one.side, one.state, one.seconds) for one in sides] == [
        ("caller", "stored", 6.0),
        ("staff", "stored", 5.0),
    ]
    assert [await office.store.size(one.path or "") for one in sides] == [one.bytes for one in sides]
    assert await office.events() == STORED
    assert await office.asked("select task_name, queue_name from procrastinate_jobs") == [
        ("recordings.transcribe", "transcription")
    ]
    assert list(office.pbx.iterdir()) == []


async def test_a_job_that_runs_again_tells_nothing_twice(office: Office) -> None:
    """The worker died after the commit: the second run finds everything done and tidies up."""
    pbx_recorded(office.pbx, UID, SECOND, SECOND)
    await office.storing.store_recording(office.call_id, 0)
    pbx_recorded(office.pbx, UID, SECOND, SECOND)
    await office.storing.store_recording(office.call_id, 1)
    assert await office.events() == STORED
    assert await office.asked("select count(*) from procrastinate_jobs") == [(1,)]
    assert list(office.pbx.iterdir()) == []


async def test_a_file_that_comes_late_is_waited_for(office: Office) -> None:
    """Nothing is told while the PBX still writes."""
    with pytest.raises(TryAgain, match="left no file") as again:
        await office.storing.store_recording(office.call_id, 0)
    assert again.value.seconds == WAITS[0]
    pbx_recorded(office.pbx, UID, SECOND, SECOND, closed=False)
    with pytest.raises(TryAgain, match="has not closed"):
        await office.storing.store_recording(office.call_id, 1)
    assert await office.events() == []
    pbx_recorded(office.pbx, UID, SECOND, SECOND)
    await office.storing.store_recording(office.call_id, 2)
    assert await office.events() == STORED


async def test_a_recording_that_never_comes_is_told_missing(office: Office) -> None:
    """After the last look both sides are missing, with the reason, and the job ends."""
    await office.storing.store_recording(office.call_id, LAST)
    assert await office.events() == [
        ("RecordingMissing", "caller", "the PBX left no file for the caller's side"),
        ("RecordingMissing", "staff", "the PBX left no file for the staff's side"),
    ]
    assert await office.asked(LOST) == [(2,)]
    assert await office.asked("select count(*) from procrastinate_jobs") == [(0,)]


async def test_one_side_is_kept_when_the_other_is_empty(office: Office) -> None:
    """Half a talk is better than none; the original stays for a person to look at."""
    pbx_recorded(office.pbx, UID, SECOND, b"")
    await office.storing.store_recording(office.call_id, 0)
    assert await office.events() == [
        ("RecordingMissing", "staff", "the staff's side is empty"),
        ("RecordingStored", "caller", None),
    ]
    assert (office.pbx / f"{UID}-staff.wav").exists()


async def test_a_full_disk_is_told_and_healed_when_there_is_room(office: Office) -> None:
    """Reported missing with the reason, tried on for hours, stored when the disk has room, and nothing is lost."""
    pbx_recorded(office.pbx, UID, SECOND * 20, SECOND * 20)
    with room_for(100_000):
        with pytest.raises(TryAgain, match="disk full"):
            await office.storing.store_recording(office.call_id, 0)
        assert await office.events() == []
        for attempt in (LAST, LAST + 1):
            with pytest.raises(TryAgain, match="disk full") as again:
                await office.storing.store_recording(office.call_id, attempt)
            assert again.value.seconds >= 60
    assert [(kind, side) for kind, side, _ in await office.events()] == [
        ("RecordingMissing", "caller"),
        ("RecordingMissing", "staff"),
    ]
    await office.storing.store_recording(office.call_id, LAST + 2)
    assert await office.asked(LOST) == [(0,)]
    assert (await office.events())[2:] == STORED
    assert list(office.pbx.iterdir()) == []


async def test_a_pbx_that_does_not_record_for_us_has_nothing_missing(office: Office, engine: AsyncEngine) -> None:
    """No folder in the settings: no alarm."""
    jobs = StoringJobs(engine=engine, owes=due, store=office.store, folders={"pbx": None})
    await jobs.store_recording(office.call_id, LAST)
    assert await office.events() == []


async def test_nothing_is_kept_of_a_call_whose_caller_refused(office: Office) -> None:
    """Not even what the PBX recorded of somebody whom they were connected with afterwards; and nothing is missing."""
    refused = e.RecordingRefused(pbx="pbx", channel=UID, linkedid=UID, at=T0)
    async with office.engine.begin() as connection:
        await record(connection, [refused])
    pbx_recorded(office.pbx, f"{UID}2", SECOND, SECOND)
    await office.storing.store_recording(office.call_id, 0)
    assert not list(office.pbx.iterdir())
    assert await office.asked("select * from recordings") == []
    assert await office.events() == [("RecordingRefused", None, None)]


@pytest.mark.parametrize("held", [None, "call", "number"])
async def test_a_refusal_that_comes_to_light_takes_back_what_was_stored(office: Office, held: str | None) -> None:
    """Sound, text and what the PBX still has go, and it is kept why; what the law holds stays until it is lifted."""
    await stored(office)
    await office.transcribing.transcribe(office.call_id, 0)
    refused = e.RecordingRefused(pbx="pbx", channel=UID, linkedid=UID, at=T0)
    async with office.engine.begin() as connection:
        (change,) = await record(connection, [refused], due)
        if held == "call":
            await holds.add(connection, THE_OPERATOR, "court", call_id=office.call_id)
        elif held == "number":
            await holds.add(connection, THE_OPERATOR, "court", number="79161234567")
    assert [job.task for job in due(change)] == ["recordings.store_recording"]
    pbx_recorded(office.pbx, UID, SECOND, SECOND)
    if held:
        await office.storing.store_recording(office.call_id, 0)
        assert len(list((office.pbx.parent / "store").rglob("*.wav"))) == 2
        assert await office.asked("select count(*) from transcripts") == [(1,)]
        async with office.engine.begin() as connection:
            for hold in await holds.listed(connection):
                await holds.lift(connection, THE_OPERATOR, hold.id)
    await office.storing.store_recording(office.call_id, 0)
    for table in ("recordings", "transcripts", "talk_facts", "call_audio"):
        assert await office.asked(f"select * from {table}") == [], table
    assert not list((office.pbx.parent / "store").rglob("*.wav"))
    assert not list(office.pbx.iterdir())
    removed = [("audio", "refusal"), ("transcript", "refusal")]
    assert await office.asked("select kind, cause from removals order by kind") == removed
    await office.storing.store_recording(office.call_id, 1)


async def test_a_missed_call_leaves_no_empty_files_behind(office: Office) -> None:
    """The PBX makes its files before anybody answers: empty ones go, sound stays, and nothing is told missing."""
    async with office.engine.begin() as connection:
        (change,) = await record(connection, settled_call("7.1", answered=False))
    pbx_recorded(office.pbx, "7.1", b"", b"")
    pbx_recorded(office.pbx, "7.12", b"", SECOND)
    await office.storing.store_recording(change.call_id, 0)
    assert sorted(path.name for path in office.pbx.iterdir()) == ["7.12-caller.wav", "7.12-staff.wav"]
    assert await office.events() == []


async def stored(office: Office) -> None:
    pbx_recorded(office.pbx, UID, SECOND, SECOND)
    await office.storing.store_recording(office.call_id, 0)


async def test_stored_sides_become_a_transcript_that_is_found(office: Office) -> None:
    """By any form of a Russian word, by English words, by neither of something else."""
    await stored(office)
    await office.transcribing.transcribe(office.call_id, 0)
    async with office.engine.connect() as connection:
        told = await transcript_of(connection, office.call_id)
        assert told is not None
        assert [one["side"] for one in told.segments] == ["caller", "staff"]
        assert len(told.words) == 5
        measured = await talk_facts_of(connection, office.call_id)
        assert measured is not None
        assert measured.caller.seconds > 0 < measured.staff.seconds
        for query in ("клиента", "перезвонить", "speaks", '"клиенту завтра"'):
            assert await few_with(connection, query) == [office.call_id], query
        for query in ("договор", "клиент -завтра", "и"):
            assert await few_with(connection, query) == [], query
    assert (await office.events())[2:] == [("Transcribed", None, None)]


async def test_a_call_is_transcribed_once(office: Office) -> None:
    """A job that runs again does not listen again, unless more was stored since."""
    await stored(office)
    for attempt in range(2):
        await office.transcribing.transcribe(office.call_id, attempt)
    assert office.speech.asked == [(["caller", "staff"], None)]
    async with office.engine.begin() as connection:
        await connection.execute(text("update recordings set stored_at = clock_timestamp() where side = 'staff'"))
    await office.transcribing.transcribe(office.call_id, 2)
    assert len(office.speech.asked) == 2


async def test_two_workers_that_hear_a_call_at_once_tell_it_once(office: Office) -> None:
    """One was taken for dead and goes on: whoever is later writes nothing."""
    await stored(office)
    office.speech.at_once = 2
    await asyncio.gather(*(office.transcribing.transcribe(office.call_id, attempt) for attempt in range(2)))
    assert len(office.speech.asked) == 2
    assert (await office.events())[2:] == [("Transcribed", None, None)]


async def test_what_is_erased_while_it_is_heard_stays_erased(office: Office) -> None:
    """The audio went while its text was made: no text is written."""
    await stored(office)
    office.speech.at_once = 2
    hearing = asyncio.create_task(office.transcribing.transcribe(office.call_id, 0))
    async with asyncio.timeout(30):
        while not office.speech.asked:
            await asyncio.sleep(0.01)
    async with office.engine.begin() as connection:
        await connection.execute(text("delete from recordings"))
    office.speech.all_came.set()
    await hearing
    assert await office.asked("select count(*) from transcripts") == [(0,)]
    assert (await office.events())[2:] == []


async def test_channels_of_a_call_become_one_text_on_its_line(office: Office) -> None:
    """A second channel, recorded from six seconds on: its words stand behind those of the first."""
    other = f"{UID}2"
    async with office.engine.begin() as connection:
        for channel, seconds in ((UID, 3), (other, 6)):
            started = e.RecordingStarted(
                pbx="pbx", channel=channel, linkedid=UID, at=T0 + timedelta(seconds=seconds), path="x.wav"
            )
            entered = e.BridgeEntered(
                pbx="pbx", channel=channel, linkedid=UID, at=T0 + timedelta(seconds=seconds + 0.1), bridge="c"
            )
            await record(connection, [started, entered])
    for channel in (UID, other):
        pbx_recorded(office.pbx, channel, SECOND * 6, SECOND * 6)
    await office.storing.store_recording(office.call_id, 0)
    await office.transcribing.transcribe(office.call_id, 0)
    assert office.speech.asked == [(["caller", "caller", "staff", "staff"], None)]
    async with office.engine.connect() as connection:
        told = await transcript_of(connection, office.call_id)
    assert told is not None
    assert [(word["side"], word["start"]) for word in told.words] == [
        ("caller", 0), ("caller", 1), ("caller", 2), ("caller", 3.1), ("staff", 4), ("caller", 4.1), ("staff", 5),
        ("caller", 5.1), ("staff", 7.1), ("staff", 8.1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "trouble, given_up",
    [
        (SpeechDiedError("the listening process died"), "died"),
        (ModelMissingError("no model"), None),
        (AudioError("not sound"), "unreadable"),
    ],
)
async def test_trouble_with_sound_is_tried_again_or_given_up(
    office: Office, trouble: SpeechError, given_up: str | None
) -> None:
    """A missing model may come; a file that is no sound stays one, and is told. Nothing is half-written."""
    await stored(office)
    office.speech.trouble = trouble
    with pytest.raises(GiveUp if given_up else TryAgain, match=str(trouble)):
        await office.transcribing.transcribe(office.call_id, 0)
    assert await office.asked("select count(*) from transcripts") == [(0,)]
    told = [("TranscriptionGivenUp", None, given_up)] if given_up else []
    assert await office.events() == [*STORED, *told]


async def test_a_file_lost_from_the_store_is_named(office: Office) -> None:
    """Someone deleted it: the job fails where people see it."""
    await stored(office)
    for path in (office.pbx.parent / "store").rglob("*.wav"):
        path.unlink()
    for attempt in range(2):
        with pytest.raises(GiveUp, match="the store lost 2026/"):
            await office.transcribing.transcribe(office.call_id, attempt)
    assert (await office.events())[2:] == [("TranscriptionGivenUp", None, "lost")]


async def test_a_call_without_audio_has_no_text(office: Office) -> None:
    """Nothing stored: nothing to do."""
    await office.transcribing.transcribe(office.call_id, 0)
    assert office.speech.asked == []


MESSAGE = e.VoicemailLeft(pbx="pbx", channel=UID, linkedid=UID, at=T0 + timedelta(seconds=8), box="sales", seconds=4.0)


@pytest.fixture
async def mailbox(engine: AsyncEngine, tmp_path: Path) -> Office:
    """A settled call on which nobody talked, and its caller left a message."""
    async with engine.begin() as connection:
        (change,) = await record(connection, [*settled_call(UID, answered=False), MESSAGE])
    assert change.after.status == "voicemail"
    pbx, store, speech = tmp_path / "pbx", Store.in_folder(tmp_path / "store"), Scripted()
    pbx.mkdir()
    storing = StoringJobs(engine=engine, owes=due, store=store, folders={"pbx": pbx})
    transcribing = TranscribingJobs(engine=engine, owes=due, store=store, speech=speech)
    return Office(engine, change.call_id, pbx, store, speech, storing, transcribing)


async def test_a_message_in_voicemail_is_stored_and_becomes_text(mailbox: Office) -> None:
    """As the caller's side of its own name, beside the empty files of a talk that was none, which go."""
    pbx_recorded(mailbox.pbx, UID, b"", b"")
    write_wav(mailbox.pbx / f"{UID}-message-caller.wav", SECOND * 4)
    await mailbox.storing.store_recording(mailbox.call_id, 0)
    async with mailbox.engine.connect() as connection:
        (side,) = await recordings_of(connection, mailbox.call_id)
    assert (side.channel, side.side, side.state, side.seconds) == (f"{UID}-message", "caller", "stored", 4.0)
    assert await mailbox.events() == STORED[:1]
    assert list(mailbox.pbx.iterdir()) == []
    await mailbox.transcribing.transcribe(mailbox.call_id, 0)
    async with mailbox.engine.connect() as connection:
        told = await transcript_of(connection, mailbox.call_id)
    assert told is not None
    assert told.text == "Перезвоните клиенту завтра"
    assert await mailbox.asked("select count(*) from calls") == [(1,)]  # what was told is of the same call
    await mailbox.storing.store_recording(mailbox.call_id, 1)
    assert await mailbox.asked("select count(*) from call_events where kind = 'RecordingStored'") == [(1,)]


async def test_a_second_message_under_the_same_name_is_not_removed(mailbox: Office) -> None:
    """It came when the first was stored and gone: the only copy stays; what came again of the first goes."""
    path = mailbox.pbx / f"{UID}-message-caller.wav"
    for attempt in range(2):
        write_wav(path, SECOND * 4)
        await mailbox.storing.store_recording(mailbox.call_id, attempt)
        assert list(mailbox.pbx.iterdir()) == []
    write_wav(path, SECOND * 3)
    second = path.read_bytes()
    await mailbox.storing.store_recording(mailbox.call_id, 2)
    assert path.read_bytes() == second
    write_wav(path, SECOND * 5)
    unclosed(path)
    await mailbox.storing.store_recording(mailbox.call_id, 3)
    assert path.exists()


async def test_a_message_that_the_pbx_lost_is_told_missing(mailbox: Office) -> None:
    await mailbox.storing.store_recording(mailbox.call_id, LAST)
    assert await mailbox.events() == [("RecordingMissing", "caller", "the PBX left no file for the caller's side")]
