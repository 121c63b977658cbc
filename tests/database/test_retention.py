"""The policy is kept to: by line and status, again and again, and never against a hold."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, insert, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls import events as e
from calls.due import owe_nothing
from calls.tables import calls, follow_ups
from directory import store
from directory.retention import FOREVER, Keep, Retention
from recordings import holds
from recordings.audit import THE_OPERATOR
from recordings.erasing import note_removed
from recordings.privacy_tables import audit, removals
from recordings.store import Store, archive_name
from recordings.storing import StoringJobs
from recordings.tables import archives, recordings, transcripts
from service.removing import Remover
from service.retention import due_calls, keep_to
from tests.fakes.recorded import tone, write_wav
from tests.fakes.story import HOUSE, LINE, SUPPORT, Told
from tests.fakes.traces import traces_in_tables
from tests.fakes.waiting import until_it_waits

_JOB = text(
    "insert into procrastinate_jobs (queue_name, task_name, status, args)"
    " values ('crm', :task, cast(:status as procrastinate_job_status),"
    " jsonb_build_object('call_id', cast(:call as text)))"
)
POLICY = Retention(audio_days=30, transcript_days=90, statuses=(("missed", Keep(party_days=60)),))
SAID = [("caller", "Здравствуйте"), ("staff", "Добрый день")]


@pytest.fixture
async def remover(engine: AsyncEngine, tmp_path: Path) -> Remover:
    """A house that keeps sound for a month; the second line keeps it for ever."""
    company = replace(HOUSE.company, retention=POLICY)
    for_ever = Retention(audio_days=FOREVER)
    lines = tuple(replace(it, retention=for_ever) if it.number == SUPPORT else it for it in HOUSE.lines)
    async with engine.begin() as connection:
        await store.apply(connection, replace(HOUSE, company=company, lines=lines))
    return Remover(Store.in_folder(tmp_path), {})


async def talk(engine: AsyncEngine, folder: Path, days: float, line: str = LINE) -> Told:
    """An answered call with its sound and text, that ended so many days ago."""
    call = Told(engine, number="79165550123", name="Мария", line=line, at=datetime.now(UTC) - timedelta(days=days))
    await call.arrives()
    await call.rings("PJSIP/anna-desk")
    await call.answers("PJSIP/anna-desk")
    await call.hangs_up(after=10)
    await call.keeps(folder, SAID)
    return call


async def missed(engine: AsyncEngine, days: float) -> Told:
    """A call that nobody answered, so many days ago."""
    call = Told(engine, number="79165550199", name="Ольга", at=datetime.now(UTC) - timedelta(days=days))
    await call.arrives()
    await call.rings("PJSIP/anna-desk")
    await call.hangs_up(after=10)
    await call.is_promised()
    return call


async def test_what_is_past_its_days_goes_and_is_written_down(
    engine: AsyncEngine, remover: Remover, tmp_path: Path
) -> None:
    """Young sound stays, old sound goes, older text too; who was missed long ago is a pseudonym; twice is once."""
    young, old, oldest = [await talk(engine, tmp_path, days) for days in (29, 31, 91)]
    kept, lost = await talk(engine, tmp_path, 80, SUPPORT), await missed(engine, 61)
    now = datetime.now(UTC)
    due = {one.id: one.kinds async for one in due_calls(engine, now)}
    assert due == {old.id: ("audio",), oldest.id: ("audio", "transcript"), lost.id: ("party",)}
    gone = await keep_to(engine, remover, now)
    assert {name: gone[name] for name in ("calls", "audio_files", "texts", "promises")} == {
        "calls": 3,
        "audio_files": 4,
        "texts": 1,
        "promises": 1,
    }
    async with engine.connect() as connection:
        heard = set((await connection.execute(select(recordings.c.call_id))).scalars())
        read = set((await connection.execute(select(transcripts.c.call_id))).scalars())
        told = (await connection.execute(select(audit.c.action, audit.c.subject, audit.c.details))).all()
        row = (await connection.execute(select(calls).where(calls.c.id == lost.id))).one()
        promise = (await connection.execute(select(follow_ups))).one()
        noted = (await connection.execute(select(removals.c.call_id, removals.c.kind, removals.c.cause))).all()
    assert heard == {young.id, kept.id}
    assert read == {young.id, old.id, kept.id}
    assert len(list(tmp_path.rglob("*.wav"))) == 4
    assert row.caller_number.startswith("erased")
    assert (row.status, promise.number) == ("missed", row.caller_number)
    assert {(one.action, one.subject) for one in told} == {
        ("retention_applied", f"call {call.id}") for call in (old, oldest, lost)
    }
    assert {(one.call_id, one.kind) for one in noted} == {
        (old.id, "audio"), (oldest.id, "audio"), (oldest.id, "transcript"), (lost.id, "party"),
    }  # fmt: skip
    assert await traces_in_tables(engine, "9165550199", ["Ольга"]) == {}
    assert await keep_to(engine, remover, now) == {}


@pytest.mark.parametrize("days,left", [(31, {"link_call": "doing", "follow_up": "todo"}), (91, {})])
async def test_only_jobs_of_what_goes_are_called_off(
    engine: AsyncEngine, remover: Remover, tmp_path: Path, days: int, left: dict[str, str]
) -> None:
    """Without its sound a call still reaches the CRM, however long that was away; a job of the sound is at no sound."""
    line = replace(HOUSE.lines[0], retention=Retention(audio_days=30, party_days=90))
    async with engine.begin() as connection:
        await store.apply(connection, replace(HOUSE, lines=(line, *HOUSE.lines[1:])))
    call = await talk(engine, tmp_path, days)
    jobs = {
        "recordings.archive": "todo",
        "recordings.transcribe": "failed",
        "crm_sync.link_call": "todo" if days > 90 else "doing",
        "calls.follow_up": "todo",
    }
    async with engine.begin() as connection:
        await connection.execute(text("delete from procrastinate_jobs"))
        for task, status in jobs.items():
            told = {"task": task, "status": status, "call": str(call.id)}
            await connection.execute(_JOB, told)
    assert (await keep_to(engine, remover, datetime.now(UTC)))["audio_files"] == 2
    async with engine.connect() as connection:
        rows = (await connection.execute(text("select task_name, status from procrastinate_jobs"))).all()
    assert {name.partition(".")[2]: status for name, status in rows} == left


async def test_what_is_held_is_never_due(engine: AsyncEngine, remover: Remover, tmp_path: Path) -> None:
    """A held call, and every call of a held number; once lifted, the policy applies again."""
    by_call, by_number = await talk(engine, tmp_path, 40), await missed(engine, 99)
    async with engine.begin() as connection:
        held = [
            await holds.add(connection, THE_OPERATOR, "дело 1", call_id=by_call.id),
            await holds.add(connection, THE_OPERATOR, "дело 2", number="79165550199"),
        ]
    now = datetime.now(UTC)
    assert await keep_to(engine, remover, now) == {}
    assert len(list(tmp_path.rglob("*.wav"))) == 2
    async with engine.begin() as connection:
        for hold in held:
            await holds.lift(connection, THE_OPERATOR, hold)
    assert {one.id async for one in due_calls(engine, now)} == {by_call.id, by_number.id}


@pytest.mark.parametrize("by_number", [False, True])
async def test_a_hold_that_is_set_while_a_round_goes_on_is_in_time(
    engine: AsyncEngine, remover: Remover, tmp_path: Path, *, by_number: bool
) -> None:
    """The call was found due before the hold; it is asked for again in the transaction that would remove it."""
    call = await talk(engine, tmp_path, 40)
    held = {"number": "79165550123"} if by_number else {"call_id": call.id}
    async with engine.connect() as setting:
        await holds.add(setting, THE_OPERATOR, "дело 1", **held)
        round_ = asyncio.create_task(keep_to(engine, remover, datetime.now(UTC)))
        await until_it_waits(engine, round_)
        await setting.commit()
    assert await round_ == {}
    assert len(list(tmp_path.rglob("*.wav"))) == 2


async def test_a_lost_file_or_a_dead_worker_leaves_nothing_behind(
    engine: AsyncEngine, remover: Remover, tmp_path: Path
) -> None:
    """Sound that went before its rows did: the next round removes the rows."""
    call = await talk(engine, tmp_path, 40)
    for file in tmp_path.rglob("*.wav"):
        file.unlink()
    assert (await keep_to(engine, remover, datetime.now(UTC)))["calls"] == 1
    async with engine.connect() as connection:
        assert (await connection.execute(select(recordings).where(recordings.c.call_id == call.id))).all() == []


async def test_what_a_pbx_hands_over_late_is_not_taken_in_again(
    engine: AsyncEngine, remover: Remover, tmp_path: Path
) -> None:
    """The sound of the call was removed: what comes after that is dropped, in the PBX's folder too."""
    call = await talk(engine, tmp_path / "store", 40)
    assert call.id is not None
    folder = tmp_path / "pbx"
    folder.mkdir()
    async with engine.begin() as connection:
        await note_removed(connection, call.id, ["audio"], "erasure")
        await connection.execute(delete(recordings))
    for side in ("caller", "staff"):
        write_wav(folder / f"{call.uid}-{side}.wav", tone(1.0))
    jobs = StoringJobs(engine=engine, owes=owe_nothing, store=Store.in_folder(tmp_path), folders={"main": folder})
    await jobs.store_recording(call.id, 0)
    assert list(folder.iterdir()) == []
    async with engine.connect() as connection:
        assert (await connection.execute(select(recordings))).all() == []


async def test_what_two_joined_calls_kept_goes_whole(engine: AsyncEngine, remover: Remover, tmp_path: Path) -> None:
    """Rows and objects that still stand under the id of the call that became part of the other go with it."""
    one, other = [await talk(engine, tmp_path, 100) for _ in range(2)]
    async with engine.begin() as connection:
        for call in (one, other):
            assert call.id is not None
            told, left = (archive_name(call.id, call.at, sha256 * 64) for sha256 in "ab")
            row = {"call_id": call.id, "path": told, "bytes": 4, "sha256": "a" * 64, "seconds": 1.0}
            await connection.execute(insert(archives).values(row | {"masked": [], "parts": [], "outline": {}}))
            for name in (told, left):  # an object without a row is what a killed worker leaves
                (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / name).write_bytes(b"OggS")
    assert len(list(tmp_path.rglob("*.ogg"))) == 4
    await other.tell(e.BridgeEntered(**other.base() | {"linkedid": one.uid}, bridge="b"))
    await other.later(5).tell(e.Settled(**other.base()))
    now = datetime.now(UTC)
    assert [found.kinds async for found in due_calls(engine, now)] == [("audio", "transcript")]
    await keep_to(engine, remover, now)
    async with engine.connect() as connection:
        for table in (recordings, archives, transcripts):
            assert (await connection.execute(select(table.c.call_id))).all() == [], table.name
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert [found async for found in due_calls(engine, now)] == []


async def test_rows_under_a_former_id_alone_are_due_too(engine: AsyncEngine, remover: Remover, tmp_path: Path) -> None:
    """A worker that died between the removals left them."""
    one, other = [await talk(engine, tmp_path, 100) for _ in range(2)]
    await other.tell(e.BridgeEntered(**other.base() | {"linkedid": one.uid}, bridge="b"))
    await other.later(5).tell(e.Settled(**other.base()))
    async with engine.begin() as connection:
        await connection.execute(delete(recordings))
        await connection.execute(delete(transcripts).where(transcripts.c.call_id == other.id))
    now = datetime.now(UTC)
    assert [found.kinds async for found in due_calls(engine, now)] == [("transcript",)]
    await keep_to(engine, remover, now)
    async with engine.connect() as connection:
        assert (await connection.execute(select(transcripts.c.call_id))).all() == []
