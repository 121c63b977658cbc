"""A call's audio becomes one file: what is in it, what goes, and what happens when something breaks on the way."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls import events as e
from calls.queue import GiveUp, TryAgain
from calls.record import record
from directory.masking import Masking
from directory.model import Company, Directory
from directory.store import apply
from recordings import archiving, opus, transcript
from recordings.archive_rows import Archive, archive_of, archives_of
from recordings.archiving import ArchivingJobs
from recordings.due import due
from recordings.erasing import note_removed
from recordings.heard import Heard, Talk
from recordings.heard import Side as HeardSide
from recordings.processes import Processes
from recordings.remasking import remask
from recordings.rows import recordings_of
from recordings.side_files import side_files
from recordings.store import Store
from recordings.storing import StoringJobs
from recordings.transcribing import TranscribingJobs
from recordings.upkeep import owe_archives, owe_texts
from service.crm.workplaces import sounds_of
from tests.fakes.full_disk import room_for
from tests.fakes.recorded import T0, pbx_recorded, settled_call
from tests.fakes.spoken import said

UID = "1795427050.1"
RATE = 8000


def tone(*turns: tuple[int, float]) -> bytes:
    """Seconds of a tone of so many hertz; 0 is silence."""
    told = [
        (9000 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE)).astype(np.int16)
        for hertz, seconds in turns
    ]
    return np.concatenate(told).tobytes()


@pytest.fixture(scope="module")
async def processes() -> AsyncIterator[Processes]:
    """One process that makes all archives of this file."""
    told = Processes(1)
    await told.run(os.getpid)  # it begins with all the room there is, whichever test comes first
    yield told
    await told.close()


@dataclass
class Office:
    """One call that just settled, its PBX's folder, the store, the jobs."""

    engine: AsyncEngine
    call_id: UUID
    pbx: Path
    folder: Path
    storing: StoringJobs
    jobs: ArchivingJobs

    async def made(self) -> Archive:
        """The archive's row."""
        async with self.engine.connect() as connection:
            archive = await archive_of(connection, self.call_id)
        assert archive is not None
        return archive

    async def sql(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        """Rows of a statement."""
        async with self.engine.begin() as connection:
            told = await connection.execute(text(statement), values)
            return [tuple(row) for row in told] if told.returns_rows else []

    async def stores(self, caller: bytes, staff: bytes, uid: str = UID) -> None:
        """The PBX recorded this, and it is stored."""
        pbx_recorded(self.pbx, uid, caller, staff)
        await self.storing.store_recording(self.call_id, 0)

    async def hears(self, *masked: tuple[float, float]) -> None:
        """The call became text, of which these seconds are masked."""
        spans = ", ".join(
            f'{{"side": "caller", "from": {since}, "to": {until}, "kind": "card"}}' for since, until in masked
        )
        await self.sql("delete from transcripts where call_id = :call", call=self.call_id)
        await self.sql(
            "insert into transcripts (call_id, language, text, words, segments, model, audio_seconds, took_seconds,"
            " masked, made_at)"
            " values (:call, 'ru', '', '[]', '[]', 'm', 1, 1, cast(:spans as jsonb), clock_timestamp())",
            call=self.call_id, spans=f"[{spans}]",
        )  # fmt: skip
        await self.sql("delete from procrastinate_jobs where task_name = 'recordings.transcribe'")

    def files(self) -> list[str]:
        """What is in the store."""
        return sorted(path.name for path in self.folder.rglob("*") if path.is_file())

    async def sound(self, name: str | None = None) -> np.ndarray[Any, Any]:
        """The archive's samples, by side."""
        path = self.folder / (name or (await self.made()).path)
        return np.concatenate(list(opus.decode(path)), axis=1)


@pytest.fixture
async def office(engine: AsyncEngine, tmp_path: Path, processes: Processes) -> Office:
    """A settled call that was answered."""
    async with engine.begin() as connection:
        (change,) = await record(connection, settled_call(UID))
    (tmp_path / "pbx").mkdir()
    store = Store.in_folder(tmp_path / "store")
    storing = StoringJobs(engine=engine, owes=due, store=store, folders={"pbx": tmp_path / "pbx"})
    jobs = ArchivingJobs(engine=engine, store=store, processes=processes)
    return Office(engine, change.call_id, tmp_path / "pbx", tmp_path / "store", storing, jobs)


def loud(samples: np.ndarray[Any, Any], since: float, until: float) -> bool:
    """Whether anything is heard there, away from the edges that Opus smears."""
    part = samples[int((since + 0.1) * RATE) : int((until - 0.1) * RATE)].astype(float)
    return bool((part**2).mean() ** 0.5 > 500)


def pitch(samples: np.ndarray[Any, Any], since: float, until: float) -> float:
    """The loudest frequency, hertz."""
    part = samples[int(since * RATE) : int(until * RATE)].astype(float)
    return float(np.argmax(np.abs(np.fft.rfft(part))) * RATE / len(part))


async def test_both_sides_become_one_file_and_go(office: Office) -> None:
    """Each on its channel, in time, ten times smaller; the outline is drawn from it; running again changes nothing."""
    await office.stores(tone((440, 2), (0, 2)), tone((0, 2), (880, 2)))
    await office.hears()
    before = [one[0] for one in await office.sql("select path from recordings")]
    assert [Path(path).name for path in sorted(before)] == office.files()
    await office.jobs.archive(office.call_id, 0)
    made = await office.made()
    assert office.files() == [Path(made.path).name]
    assert (office.folder / made.path).stat().st_size == made.bytes < 2 * 4 * RATE * 2 / 10
    caller, staff = await office.sound()
    assert (loud(caller, 0, 2), loud(caller, 2, 4), loud(staff, 0, 2), loud(staff, 2, 4)) == (True, False, False, True)
    assert abs(pitch(caller, 0.5, 1.5) - 440) < 3
    assert abs(pitch(staff, 2.5, 3.5) - 880) < 3
    assert made.seconds == 4.0
    assert abs(len(caller) / RATE - 4.0) < 0.1
    assert [len(made.outline[side]) for side in ("caller", "staff")] == [1186, 1186]
    assert abs(made.outline["caller"][10] - 0.27) < 0.02
    assert made.outline["caller"][-10] == 0.0
    assert await office.sql("select count(*) from recordings where state = 'stored'") == [(2,)]
    await office.jobs.archive(office.call_id, 1)
    assert await office.made() == made


async def test_what_is_masked_is_silent_on_both_sides(office: Office) -> None:
    """And the unmasked is kept apart when the policy says so; the outline does not show it either."""
    await office.stores(tone((440, 4)), tone((880, 4)))
    await office.hears((1.0, 2.0))
    async with office.engine.begin() as connection:
        await apply(connection, Directory(company=Company(name="Ромашка", masking=Masking(keep_original=True))))
    await office.jobs.archive(office.call_id, 0)
    made = await office.made()
    for side in await office.sound():
        assert [loud(side, at, at + 1) for at in range(4)] == [True, False, True, True]
    assert made.masked == [(1.0, 2.0)]
    assert made.outline["caller"][int(1200 * 1.5 / 4)] == 0.0
    assert made.original_path is not None
    assert made.original_path.startswith("originals/2026/11/23/")
    assert all(loud(side, 1, 2) for side in await office.sound(made.original_path))
    await office.hears((1.0, 2.0), (3.0, 4.0))
    await office.jobs.archive(office.call_id, 0)
    assert [loud((await office.sound())[0], at, at + 1) for at in range(4)] == [True, False, True, False]


async def test_a_crm_is_given_what_everybody_may_hear_as_mp3(office: Office) -> None:
    """Both sides in time, silent where they must be; nothing while what must be silent is not yet, or there is none."""
    sound = sounds_of(office.engine, Store.in_folder(office.folder))
    assert await sound(office.call_id) is None
    await office.stores(tone((440, 4)), tone((880, 4)))
    await office.hears((1.0, 2.0))
    await office.jobs.archive(office.call_id, 0)
    told = await sound(office.call_id)
    assert told is not None
    assert len(told) < 4 * 6000
    caller, staff = np.concatenate(list(opus.decode(io.BytesIO(told))), axis=1)
    assert abs(len(caller) / RATE - 4.0) < 0.3
    assert [loud(caller, at + 0.1, at + 1) for at in range(4)] == [True, False, True, True]
    assert [loud(staff, at + 0.1, at + 1) for at in range(4)] == [True, False, True, True]
    assert abs(pitch(caller, 2.5, 3.5) - 440) < 3
    assert abs(pitch(staff, 2.5, 3.5) - 880) < 3
    await office.hears((1.0, 2.0), (3.0, 4.0))
    assert await sound(office.call_id) is None


async def second_channel(office: Office) -> str:
    """Another channel of the call was recorded later, and its sound is not there yet."""
    second = f"{UID}7"
    moment = T0 + timedelta(seconds=100)
    async with office.engine.begin() as connection:
        await record(connection, [
            e.RecordingStarted(pbx="pbx", channel=second, linkedid=UID, at=moment, path="x"),
            e.BridgeEntered(pbx="pbx", channel=second, linkedid=UID, at=moment, bridge="b2"),
        ])  # fmt: skip
    return second


async def test_parts_on_several_channels_are_joined_in_the_order_of_time(office: Office) -> None:
    """A second channel that talked later follows; its side that comes after archiving is joined to the archive."""
    second = await second_channel(office)
    await office.stores(tone((440, 2)), tone((880, 2)))
    await office.hears((0.0, 1.0))
    await office.jobs.archive(office.call_id, 0)
    assert (await office.made()).seconds == 2.0
    await office.stores(tone((1320, 3)), tone((0, 3)), uid=second)
    await office.hears()
    await office.jobs.archive(office.call_id, 0)
    made = await office.made()
    assert [(part.channel, part.offset, part.seconds) for part in made.parts] == [(UID, 0.0, 2.0), (second, 2.0, 3.0)]
    caller, staff = await office.sound()
    assert [round(pitch(caller, at, at + 0.8), -1) for at in (1.1, 2.1, 4.1)] == [440, 1320, 1320]
    assert [loud(staff, since, until) for since, until in ((0, 1), (1, 2), (2, 5))] == [False, True, False]
    assert made.masked == [(0.0, 1.0)]
    assert office.files() == [Path(made.path).name]


async def originals_are_kept(office: Office) -> None:
    async with office.engine.begin() as connection:
        await apply(connection, Directory(company=Company(name="Ромашка", masking=Masking(keep_original=True))))


async def test_a_late_side_that_never_becomes_text_unmutes_nothing(office: Office) -> None:
    """Its transcription was given up: what was muted stays so, and the original is kept with the late side in it."""
    await originals_are_kept(office)
    second = await second_channel(office)
    await office.stores(tone((440, 4)), tone((880, 4)))
    await office.hears((1.0, 3.0))
    await office.jobs.archive(office.call_id, 0)
    await office.stores(tone((1320, 2)), tone((1760, 2)), uid=second)
    await office.sql("delete from procrastinate_jobs where task_name = 'recordings.transcribe'")
    await office.jobs.archive(office.call_id, 0)
    made = await office.made()
    assert (made.masked, made.seconds) == ([(1.0, 3.0)], 6.0)
    assert [loud((await office.sound())[0], at, at + 1) for at in range(6)] == [True, False, False, True, True, True]
    assert made.original_path is not None
    assert all(loud(side, at, at + 1) for side in await office.sound(made.original_path) for at in range(6))


async def test_a_side_stored_while_its_archive_is_made_stays(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever tidies up asks anew what is stored, and the next archive has it."""
    second = await second_channel(office)
    await office.stores(tone((440, 2)), tone((880, 2)))
    await office.hears()

    write = ArchivingJobs._write

    async def stores_meanwhile(*told: Any) -> None:
        await office.stores(tone((1320, 2)), tone((0, 2)), uid=second)
        await write(*told)

    monkeypatch.setattr(ArchivingJobs, "_write", stores_meanwhile)
    await office.jobs.archive(office.call_id, 0)
    monkeypatch.undo()
    assert [name for name in office.files() if name.startswith(second)] == [
        f"{second}-{side}.wav" for side in ("caller", "staff")
    ]
    await office.hears()
    await office.jobs.archive(office.call_id, 0)
    assert (await office.made()).seconds == 4.0


async def test_what_is_masked_anew_is_silent_in_an_archive_made_before(office: Office) -> None:
    """`switchhook mask` owes the archive behind all that is being stored; were the job lost, upkeep owes it."""
    await originals_are_kept(office)
    await office.stores(tone((440, 6)), tone((880, 6)))
    await office.hears()
    await office.jobs.archive(office.call_id, 0)
    before = await office.made()
    words = transcript.words_json({"caller": said("номер карты 4276 3800 1234 5679 записали"), "staff": ()})
    await office.sql("update transcripts set words = cast(:words as jsonb)", words=json.dumps(words))
    assert await remask(office.engine, T0 - timedelta(hours=1), T0 + timedelta(hours=1)) == 1
    owed = "select lock from procrastinate_jobs where task_name = 'recordings.archive'"
    assert await office.sql(owed) == [(f"recording {office.call_id}",)]
    await office.sql("delete from procrastinate_jobs")
    assert await owe_archives(office.engine, 2, seconds=0) == 1
    await office.jobs.archive(office.call_id, 0)
    made = await office.made()
    ((since, until),) = made.masked
    assert before.masked == []
    for side in await office.sound():
        assert not loud(side, since, until)
        assert loud(side, until, 6)
    assert made.original_path is not None
    assert all(loud(side, since, until) for side in await office.sound(made.original_path))
    assert office.files() == sorted(Path(name).name for name in (made.path, made.original_path))
    await office.sql("delete from procrastinate_jobs")
    assert await owe_archives(office.engine, 2, seconds=0) == 0


async def test_sides_are_had_back_from_the_archive(office: Office) -> None:
    """As when they lay in the store: each channel's own sound, the late one as it was stored."""
    second = await second_channel(office)
    await office.stores(tone((440, 2)), tone((880, 2)))
    await office.stores(tone((1320, 2)), tone((1760, 2)), uid=second)
    await office.hears()
    await office.jobs.archive(office.call_id, 0)
    async with office.engine.connect() as connection:
        sides = await recordings_of(connection, office.call_id)
        made = await archives_of(connection, office.call_id)
    heard = {}
    async with side_files(office.jobs.store, sides, made) as files:
        for key, path in files.items():
            with wave.open(str(path)) as file:
                samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
            assert len(samples) == 2 * RATE
            heard[key] = round(pitch(samples, 0.2, 1.8), -1)
    assert heard == {(UID, "caller"): 440, (UID, "staff"): 880, (second, "caller"): 1320, (second, "staff"): 1760}


class Listens:
    """Takes down how long each track is, and hears nothing in it."""

    def __init__(self) -> None:
        self.seconds: dict[tuple[str, str], float] = {}

    async def hear(self, talk: Talk) -> Heard:
        """Nobody said a word."""
        for key, track in talk.tracks.items():
            with wave.open(track.path) as file:
                self.seconds[key] = file.getnframes() / file.getframerate()
        return Heard(dict.fromkeys(talk.tracks, HeardSide((), None)), "ru", 2.0, 0.1, "m")


async def test_an_archived_call_can_become_text_again(office: Office) -> None:
    """With a better model, or when something was judged anew: its sides are in the archive."""
    await office.stores(tone((440, 2)), tone((880, 2)))
    await office.hears()
    await office.jobs.archive(office.call_id, 0)
    await office.sql("update recordings set stored_at = clock_timestamp()")
    speech = Listens()
    hearing = TranscribingJobs(engine=office.engine, owes=due, store=office.jobs.store, speech=speech)
    await hearing.transcribe(office.call_id, 0)
    assert speech.seconds == {(UID, "caller"): 2.0, (UID, "staff"): 2.0}
    before = await office.made()
    await office.jobs.archive(office.call_id, 0)
    assert await office.made() == before


async def test_two_archived_calls_that_are_one_become_one_archive(office: Office) -> None:
    """Both halves are heard, what was silent in either is silent, and nothing is left under the younger's id."""
    uid, hearing = "1795427150.7", Listens()
    async with office.engine.begin() as connection:
        (change,) = await record(connection, settled_call(uid, at=T0 + timedelta(seconds=100)))
    younger = replace(office, call_id=change.call_id)
    for call, channel, hertz, masked in ((younger, uid, 1320, (1.0, 2.0)), (office, UID, 440, (0.0, 1.0))):
        await call.stores(tone((hertz, 3)), tone((880, 3)), uid=channel)
        await call.hears(masked)
        await call.jobs.archive(call.call_id, 0)
    bridged = e.BridgeEntered(pbx="pbx", channel=uid, linkedid=UID, at=T0 + timedelta(seconds=104), bridge="b")
    async with office.engine.begin() as connection:
        (change,) = await record(connection, [bridged], due)
    assert change.call_id == office.call_id
    owed = await office.sql(
        "select task_name from procrastinate_jobs where args->>'call_id' = :id", id=str(office.call_id)
    )
    assert {("recordings.transcribe",), ("recordings.archive",)} <= set(owed)
    await office.jobs.archive(office.call_id, 0)
    assert len(office.files()) == 2  # it waits for the text
    transcribing = TranscribingJobs(engine=office.engine, owes=due, store=office.jobs.store, speech=hearing)
    await transcribing.transcribe(office.call_id, 0)
    assert hearing.seconds == dict.fromkeys([(one, side) for one in (UID, uid) for side in ("caller", "staff")], 3.0)
    await office.sql("delete from procrastinate_jobs where task_name = 'recordings.transcribe'")
    await office.jobs.archive(office.call_id, 0)
    made = await office.made()
    assert [(part.channel, part.offset, part.seconds) for part in made.parts] == [(UID, 0.0, 3.0), (uid, 3.0, 3.0)]
    assert made.masked == [(0.0, 1.0), (4.0, 5.0)]
    caller, staff = await office.sound()
    assert [round(pitch(caller, at, at + 0.8), -1) for at in (1.1, 3.1)] == [440, 1320]
    assert [loud(staff, at, at + 1) for at in range(6)] == [False, True, True, True, False, True]
    assert office.files() == [Path(made.path).name]
    for table in ("archives", "transcripts"):
        assert await office.sql(f"select call_id from {table}") == [(office.call_id,)]
    await office.jobs.archive(office.call_id, 0)
    assert await office.made() == made


async def test_sound_waits_until_it_is_text(office: Office) -> None:
    """What is masked is known only then; what never becomes text is archived all the same."""
    await office.stores(tone((440, 1)), tone((880, 1)))
    await office.jobs.archive(office.call_id, 0)
    assert len(office.files()) == 2
    assert await owe_archives(office.engine, 2, seconds=0) == 0
    await office.sql("update procrastinate_jobs set status = 'failed' where task_name = 'recordings.transcribe'")
    assert (
        await owe_archives(office.engine, 2, seconds=60) == 0
    )  # it may be given up a moment before its archive is owed
    for owed in (1, 0):
        assert await owe_archives(office.engine, 2, seconds=0) == owed
    assert await office.sql("select lock from procrastinate_jobs where task_name = 'recordings.archive'") == [
        (f"recording {office.call_id}",)
    ]
    await office.jobs.archive(office.call_id, 0)
    assert office.files() == [Path((await office.made()).path).name]
    await office.sql("delete from procrastinate_jobs where task_name = 'recordings.archive'")
    assert await owe_archives(office.engine, 2, seconds=0) == 0


@pytest.mark.parametrize("task", ["transcribe", "archive"])
async def test_what_failed_is_owed_again_a_day_later(office: Office, task: str) -> None:
    """A fault of the house, mended meanwhile: nobody need remember which calls it met. What was told given up stays."""
    await office.stores(tone((440, 1)), tone((880, 1)))
    if task == "archive":
        await office.hears()
        assert await owe_archives(office.engine, 2, seconds=0) == 1

    async def owe() -> int:
        texts = await owe_texts(office.engine)
        return texts if task == "transcribe" else await owe_archives(office.engine, 2, seconds=0)

    for _ in range(2):
        await office.sql("update procrastinate_jobs set status = 'doing'")
        await office.sql("update procrastinate_jobs set status = 'failed'")
        assert await owe() == 0
        await office.sql("update procrastinate_events set at = at - interval '25 hours'")
        assert await owe() == 1
        assert await owe() == 0
        left = await office.sql("select status::text, args->>'call_id' from procrastinate_jobs")
        assert left == [("todo", str(office.call_id))]
    if task == "transcribe":
        async with office.engine.begin() as connection:
            told = e.TranscriptionGivenUp(pbx="pbx", channel=UID, at=T0, reason="died")
            await record(connection, [told])
        await office.sql("update procrastinate_jobs set status = 'failed'")
        await office.sql("update procrastinate_events set at = at - interval '25 hours'")
        assert await owe() == 0


async def test_a_worker_killed_anywhere_leaves_no_orphan_and_loses_nothing(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the row is written, and after it before the sides went: the next run does the rest and tidies up."""
    await office.stores(tone((440, 1)), tone((880, 1)))
    await office.hears()

    class Killed(BaseException):
        """The worker is gone."""

    async def dies(*_: object, **__: object) -> None:
        raise Killed

    monkeypatch.setattr(archiving, "write_archive", dies)
    with pytest.raises(Killed):
        await office.jobs.archive(office.call_id, 0)
    monkeypatch.undo()
    assert len(office.files()) == 3
    (orphan,) = [name for name in office.files() if name.endswith(".ogg")]
    await office.hears((0.2, 0.8))  # so the next run makes another file
    monkeypatch.setattr(ArchivingJobs, "_tidy", dies)
    with pytest.raises(Killed):
        await office.jobs.archive(office.call_id, 1)
    monkeypatch.undo()
    assert len(office.files()) == 4
    await office.jobs.archive(office.call_id, 2)
    assert office.files() == [Path((await office.made()).path).name]
    assert office.files() != [orphan]


async def joins_an_older_call(office: Office) -> UUID:
    """CEL tells that the call is part of an older one; returns the id of that."""
    before: dict[str, Any] = {"pbx": "pbx", "channel": "0.1", "linkedid": "0.1", "at": T0 - timedelta(seconds=60)}
    async with office.engine.begin() as connection:
        (older,) = await record(connection, [e.ChannelCreated(**before, name="PJSIP/trunk-0", incoming=True)], due)
        bridged = e.BridgeEntered(pbx="pbx", channel="0.1", linkedid=UID, at=T0 + timedelta(seconds=1), bridge="b")
        (change,) = await record(connection, [bridged], due)
    assert change.call_id == older.call_id != office.call_id
    return change.call_id


async def is_removed(office: Office) -> UUID:
    """Somebody in the call is erased."""
    await office.sql("delete from recordings")
    async with office.engine.begin() as connection:
        await note_removed(connection, office.call_id, ["audio"], "erasure")
    return office.call_id


@pytest.mark.parametrize("happens, archives", [(is_removed, 0), (joins_an_older_call, 1)])
async def test_an_archive_of_what_the_call_is_no_more_is_not_kept(
    office: Office, monkeypatch: pytest.MonkeyPatch, happens: Callable[[Office], Awaitable[UUID]], archives: int
) -> None:
    """It was erased, or became part of another call, while the archive was made: neither row nor object is left of it.

    The sides of a joined call are kept, and archived in turn with the other work at that call.
    """
    await office.stores(tone((440, 1)), tone((880, 1)))
    await office.hears()
    make, ids = ArchivingJobs._make, [office.call_id]

    async def meanwhile(self: ArchivingJobs, *told: Any, **more: Any) -> Archive:
        made = await make(self, *told, **more)
        ids.append(await happens(office))
        return made

    monkeypatch.setattr(ArchivingJobs, "_make", meanwhile)
    with pytest.raises(TryAgain, match="meanwhile"):
        await office.jobs.archive(office.call_id, 0)
    monkeypatch.undo()
    assert await office.sql("select 1 from archives") == []
    assert [name for name in office.files() if name.endswith(".ogg")] == []
    await office.sql("delete from procrastinate_jobs")
    await office.jobs.archive(office.call_id, 1)
    owed = await office.sql("select lock from procrastinate_jobs where args->>'call_id' = :id", id=str(ids[-1]))
    assert owed == [(f"recording {ids[-1]}",)] * archives
    await office.jobs.archive(ids[-1], 0)
    assert await office.sql("select call_id from archives") == [(ids[-1],)] * archives
    assert len([name for name in office.files() if name.endswith(".ogg")]) == archives


async def test_an_encoder_killed_at_work_is_tried_again(office: Office, processes: Processes) -> None:
    """The sides stay; nothing was put."""
    await office.stores(tone((440, 1)), tone((880, 1)))
    await office.hears()
    pid = await processes.run(os.getpid)
    os.kill(pid, signal.SIGSTOP)  # so that it has its work in hand, and not done
    working = asyncio.create_task(office.jobs.archive(office.call_id, 0))
    async with asyncio.timeout(20):
        while not processes._free.empty():
            await asyncio.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(TryAgain, match="died"):
        await working
    assert len(office.files()) == 2
    await office.jobs.archive(office.call_id, 1)
    assert len(office.files()) == 1


async def test_a_full_store_keeps_the_sides_and_is_tried_again(office: Office, engine: AsyncEngine) -> None:
    """Above the mark nothing is compressed; with no room at all nothing is lost; with room it is done."""
    await office.stores(tone((440, 3)), tone((880, 3)))
    await office.hears()
    above = replace(office.jobs, no_room=lambda: "the disk is 97 % full: nothing is compressed")
    with pytest.raises(TryAgain, match="nothing is compressed"):
        await above.archive(office.call_id, 0)
    with room_for(2000), pytest.raises(TryAgain, match="disk full"):
        await office.jobs.archive(office.call_id, 0)
    assert len(office.files()) == 2
    await office.jobs.archive(office.call_id, 1)
    assert len(office.files()) == 1


async def test_no_room_for_what_an_archive_is_made_from_is_waited_for(office: Office) -> None:
    """A second channel joins an archive, which the encoder reads through a file of its own: all stays until it can."""
    second = await second_channel(office)
    await office.stores(tone((440, 2)), tone((880, 2)))
    await office.hears((0.0, 1.0))
    await office.jobs.archive(office.call_id, 0)
    await office.stores(tone((1320, 3)), tone((0, 3)), uid=second)
    await office.hears()
    before, cramped = office.files(), Processes(1)
    try:
        with room_for(2000):
            await cramped.run(os.getpid)
        with pytest.raises(TryAgain, match="no room for the files"):
            await replace(office.jobs, processes=cramped).archive(office.call_id, 9)
    finally:
        await cramped.close()
    assert office.files() == before
    await office.jobs.archive(office.call_id, 10)
    assert (await office.made()).seconds > 2.0


async def test_a_side_that_is_lost_or_no_sound_is_given_up(office: Office) -> None:
    """The job fails where people see it, and the other side is not thrown away."""
    await office.stores(tone((440, 1)), tone((880, 1)))
    await office.hears()
    (path,) = office.folder.rglob("*-caller.wav")
    sound = path.read_bytes()
    path.write_bytes(b"RIFFnonsense" + bytes(200))
    with pytest.raises(GiveUp, match="no sound"):
        await office.jobs.archive(office.call_id, 0)
    path.unlink()
    with pytest.raises(GiveUp, match="the store lost 2026/"):
        await office.jobs.archive(office.call_id, 0)
    assert len(office.files()) == 1
    path.write_bytes(sound)
    await office.jobs.archive(office.call_id, 0)


@pytest.mark.parametrize(
    "spoil, told",
    [
        (lambda block: block * 0, "has lost what was said"),
        (lambda block: block[::-1].copy(), "has lost what was said"),
        (lambda block: block + block[::-1], "sounds where nobody spoke"),
        (lambda block: block[:, : block.shape[1] // 2], "it lasts"),
    ],
)
def test_an_archive_that_does_not_sound_like_its_source_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Any], Any], told: str
) -> None:
    """Silent, with its sides changed, melted into one, or too short."""
    pbx_recorded(tmp_path, UID, tone((440, 2)), tone((0, 2)))
    sources = [opus.Source(str(tmp_path / f"{UID}-{side}.wav"), side, 0.0) for side in opus.SIDES]
    true = opus._frame
    monkeypatch.setattr(opus, "_frame", lambda block, at: true(spoil(block), at))
    with pytest.raises(opus.NotVerifiedError, match=told):
        opus.encode(sources, [], opus.LEAST_BITRATE)


def test_with_fewer_bits_both_sides_would_melt_into_one(tmp_path: Path) -> None:
    """Why there is a least bitrate: libopus joins the channels below it, and the check finds it."""
    pbx_recorded(tmp_path, UID, tone((440, 2)), tone((0, 2)))
    sources = [opus.Source(str(tmp_path / f"{UID}-{side}.wav"), side, 0.0) for side in opus.SIDES]
    with pytest.raises(opus.NotVerifiedError, match="where nobody spoke"):
        opus.encode(sources, [], 12_000)
    whole = np.concatenate(list(opus.decode(io.BytesIO(opus.encode(sources, [], 24_000).sound))), axis=1)
    assert not loud(whole[1], 0, 2)


def test_a_slice_of_an_archive_is_those_seconds(tmp_path: Path) -> None:
    """Of one side or both, and silent beyond the end."""
    pbx_recorded(tmp_path, UID, tone((440, 1), (880, 1)), tone((0, 2)))
    sources = [opus.Source(str(tmp_path / f"{UID}-{side}.wav"), side, 0.0) for side in opus.SIDES]
    (tmp_path / "a.ogg").write_bytes(opus.encode(sources, [], opus.LEAST_BITRATE).sound)
    told = b"".join(opus.slice_of(tmp_path / "a.ogg", ("caller",), RATE, 2 * RATE))
    samples = np.frombuffer(told, np.int16)
    assert len(samples) == 2 * RATE
    assert abs(pitch(samples, 0.2, 0.8) - 880) < 3
    assert not loud(samples, 1.0, 2.0)
    assert len(b"".join(opus.slice_of(tmp_path / "a.ogg", opus.SIDES, 0, 100))) == 400
