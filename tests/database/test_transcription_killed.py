"""Fifty calls wait for their text while the worker that hears them is killed again and again."""

from __future__ import annotations

import asyncio
import random
import re
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.record import record
from recordings.due import due
from recordings.store import Store
from recordings.storing import StoringJobs
from service.installed import locate, prompt_texts
from tests.fakes.command import Running, begin
from tests.fakes.recorded import T0, pbx_recorded, settled_call, speech

CALLS = 50
KILLS = 10
WRITING = (4, 8)
"""Of the kills those that come as the first text is written; the others come at any time."""
LENGTH = (1.0, 2.5)
"""Seconds that the prompts take which callers say."""


async def test_a_worker_killed_ten_times_at_random_loses_no_call_and_tells_none_twice(
    engine: AsyncEngine, database_url: str, tmp_path: Path
) -> None:
    """Each of fifty calls is transcribed exactly once, with its own words, and no killed worker leaves a process."""
    wanted = await _fifty_calls(engine, tmp_path)

    async def start(number: int) -> Running:
        said = tmp_path / f"said-{number}"
        said.touch()
        worker = await begin(
            "worker", "--queue", "transcription", said=said,
            DATABASE_URL=database_url, SWITCHHOOK_DATA_DIR=str(tmp_path / "data"), SWITCHHOOK_LOG="json",
            SWITCHHOOK_TRANSCRIPTION__LANGUAGE="ru", SWITCHHOOK_JOBS__STALLED_SECONDS="3",
        )  # fmt: skip
        async with asyncio.timeout(30):
            while b"working" not in said.read_bytes():
                await asyncio.sleep(0.02)
        return worker

    async def rows(sql: str) -> list[Any]:
        async with engine.connect() as connection:
            return list(await connection.execute(text(sql)))

    left = "select 1 from procrastinate_jobs where queue_name = 'transcription' and status <> 'succeeded'"
    chance = random.Random(CALLS)
    worker = await start(0)
    try:
        for number in range(1, KILLS + 1):
            if number in WRITING:
                async with asyncio.timeout(60):
                    while b"call transcribed" not in (tmp_path / f"said-{number - 1}").read_bytes():
                        await asyncio.sleep(0.005)
            else:
                await asyncio.sleep(chance.uniform(0.0, 3.0))
            children = _children(worker.pid)
            worker.send_signal(signal.SIGKILL)
            assert await worker.wait() == -signal.SIGKILL
            async with asyncio.timeout(10):
                while any(_alive(child) for child in children):
                    await asyncio.sleep(0.02)
            worker = await start(number)
        async with asyncio.timeout(90):
            while await rows(left):
                await asyncio.sleep(0.1)
    finally:
        worker.send_signal(signal.SIGTERM)
        await worker.wait()
    told = await rows("select call_id, count(*) as times from call_events where kind = 'Transcribed' group by 1")
    assert {row.call_id: row.times for row in told} == dict.fromkeys(wanted, 1)
    heard = {row.call_id: set(_plain(row.text)) for row in await rows("select call_id, text from transcripts")}
    assert sum(bool(heard[call] & words) for call, words in wanted.items()) >= CALLS * 0.8  # its own, not another's
    (again,) = await rows("select count(*) as jobs from procrastinate_jobs where attempts > 1")
    assert again.jobs > 0  # some were in hand when their worker was killed


async def _fifty_calls(engine: AsyncEngine, folder: Path) -> dict[UUID, set[str]]:
    """Settled calls whose sides are stored, and the longer words of what each caller says."""
    pbx, wanted = folder / "pbx", dict[UUID, set[str]]()
    pbx.mkdir()
    store = Store.in_folder(folder / "data" / "recordings")
    jobs = StoringJobs(engine=engine, owes=due, store=store, folders={"pbx": pbx})
    for number, (name, words) in enumerate(_prompts()):
        uid = f"1795427{number:03}.1"
        async with engine.begin() as connection:
            (change,) = await record(connection, settled_call(uid, at=T0 + timedelta(minutes=number)))
        pbx_recorded(pbx, uid, speech(f"ru/{name}"), bytes(16_000))
        await jobs.store_recording(change.call_id, 0)
        wanted[change.call_id] = words
    return wanted


def _prompts() -> list[tuple[str, set[str]]]:
    """Fifty different short prompts, each with its words of five letters and more."""
    found = []
    for name, words in sorted(prompt_texts("ru").items()):
        path, long = locate().sounds["ru"] / f"{name}.wav", {word for word in _plain(words) if len(word) > 4}
        if long and path.is_file() and LENGTH[0] <= (path.stat().st_size - 44) / 16_000 <= LENGTH[1]:
            found.append((name, long))
    return found[:CALLS]


def _plain(words: str) -> list[str]:
    return re.findall(r"\w+", words.casefold().replace("ё", "е"))


def _children(parent: int) -> list[int]:
    tasks = Path(f"/proc/{parent}/task").glob("*/children")
    return [int(pid) for children in tasks for pid in children.read_text().split()]


def _alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
