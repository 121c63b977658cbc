"""Somebody who called, was recorded, written down, linked and found asks to be erased: nothing of them is left."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from directory.store import apply
from recordings.rows import said
from recordings.tables import transcripts
from service.demo_world import OutsideWorld, answer, ring_out
from service.pbx import Pbx, Phone
from tests.end_to_end.stage import DIRECTORY, FALLBACK, LINE, ROUTED, Stage, environment, until
from tests.fakes.command import switchhook
from tests.fakes.traces import traces_in_files, traces_in_tables

NUMBER, DIGITS, NAME = "79165550123", "9165550123", "Веснина"
TRACES = (NAME, json.dumps(NAME).strip('"'))
TALK = ("ru/vm-goodbye", "ru/queue-youarenext")


@pytest.fixture(scope="module")
async def pbx() -> AsyncIterator[Pbx]:
    """The company's PBX."""
    async with Pbx([Phone(ROUTED, "101"), Phone(FALLBACK, "102")]) as running:
        yield running


@pytest.fixture
async def stage(
    pbx: Pbx, world: OutsideWorld, engine: AsyncEngine, database_url: str, tmp_path: Path
) -> AsyncIterator[Stage]:
    """A fresh store with the directory in it; afterwards nobody is on the line."""
    async with engine.begin() as connection:
        await apply(connection, DIRECTORY)
    yield Stage(pbx, world, engine, database_url, tmp_path)
    await world.quiet()


async def called(stage: Stage) -> UUID:
    """She calls twice, and Анна answers the second call; all that is owed after both is done. The second call's id."""
    await stage.world.phone(ROUTED).behave(ring_out())
    given_up = await stage.world.call(NUMBER, f"Мария {NAME}", LINE, speak=())
    await stage.world.phone(ROUTED).rings()
    await given_up.hangup()
    await stage.world.phone(ROUTED).behave(answer(0.2, speak=TALK, hangup_after=4.0))
    talked = await stage.world.call(NUMBER, f"Мария {NAME}", LINE, speak=TALK, stay=True)
    await talked.ended()

    async def done() -> list[Any]:
        rows = await stage.rows(
            "select id from calls join transcripts on call_id = id join archives using (call_id)"
            " where caller_number = :number and party_id is not null and settled_at is not null",
            number=NUMBER,
        )
        left = await stage.rows("select id from procrastinate_jobs where status in ('todo', 'doing')")
        return [] if left else rows

    ((call,),) = await until(done, "recorded, written down and linked, with nothing left to do", 90)
    return UUID(str(call))


async def found(stage: Stage, word: str) -> list[UUID]:
    """The calls in which the word was said, as the pages search."""
    async with stage.engine.connect() as connection:
        return list((await connection.execute(select(transcripts.c.call_id).where(said(word)))).scalars())


async def test_erasing_leaves_no_trace_in_tables_index_store_spool_and_logs(stage: Stage) -> None:
    """Live calls, a real worker, the command itself. What the PBX keeps on its own is told, for it is not ours."""
    settings = stage.settings()
    async with stage.serve(settings=settings, role="all") as served:
        call = await called(stage)
        ((text,),) = await stage.rows("select text from transcripts where call_id = :call", call=call)
        word = max(text.split(), key=len).strip(".,!?")
        assert await found(stage, word) == [call]
        kept = [path for path in settings.data_dir.rglob("*") if str(call) in str(path)]
        assert kept
        assert {"public.calls", "public.party_numbers"} <= (
            await traces_in_tables(stage.engine, DIGITS, (NAME,))
        ).keys()
        done = await asyncio.to_thread(switchhook, "erase", NUMBER, "--json", **environment(settings))
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
        assert report["state"] == "finished"
        assert report["went"]["calls"] == 2
        assert any("PBX" in str(one) or "CEL" in str(one) for one in report["stayed"]), report["stayed"]
        logged = served.said.read_text()
        assert str(call) in logged
    assert await traces_in_tables(stage.engine, DIGITS, (NAME,)) == {}
    assert await found(stage, word) == []
    assert [path for path in settings.data_dir.rglob("*") if str(call) in path.name] == []
    assert traces_in_files([settings.data_dir, stage.pbx.recordings], DIGITS, TRACES) == []
    assert traces_in_files([stage.pbx.cel_file.parent], DIGITS, TRACES)  # and so it is found where it is
    assert DIGITS not in done.stdout + done.stderr
    assert list(stage.pbx.recordings.iterdir()) == []
