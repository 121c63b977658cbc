"""A PBX whose clock is really wrong: it is measured at once and said, and nothing else comes of it."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from directory.store import apply
from service.demo_world import OutsideWorld, answer
from service.doctor.examine import examine
from service.installed import with_wrong_clock
from service.pbx import Pbx, Phone
from tests.end_to_end.stage import DIRECTORY, FALLBACK, LINE, ROUTED, Stage
from web.background import read_live
from web.cards import KEPT

SPEECH = ("ru/hello",)


@pytest.mark.parametrize("ahead_seconds", [5400, -5400], ids=["ahead", "behind"])
async def test_a_wrong_clock_of_the_pbx_costs_nothing_but_a_warning(
    engine: AsyncEngine, database_url: str, tmp_path: Path, ahead_seconds: int
) -> None:
    """Ninety minutes off: callers are routed in time, calls are settled and caught up on, told in the PBX's time."""
    async with engine.begin() as connection:
        await apply(connection, DIRECTORY)
    pbx = Pbx([Phone(ROUTED, "101"), Phone(FALLBACK, "102")])
    pbx.installation = with_wrong_clock(pbx.installation)
    pbx.environment = {"FAKETIME": f"{ahead_seconds:+d}", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    async with pbx, OutsideWorld(pbx) as world:
        stage = Stage(pbx, world, engine, database_url, tmp_path)
        for phone in (ROUTED, FALLBACK):
            await world.phone(phone).behave(answer(0.1, speak=SPEECH))
        await stage.forget_mark()
        await pbx.cli(f"dialplan set global SWITCHHOOK_FALLBACK_{LINE} PJSIP/{FALLBACK}")
        missed = await world.call("79161234101", "Без нас", LINE, speak=SPEECH)
        await missed.ended()
        with capture_logs() as logs:
            async with stage.open(stage.settings()) as (_, telephony):
                await telephony.answering()
                offset = telephony.attendants[0].link.state.clock_offset_seconds
                assert offset == pytest.approx(ahead_seconds, abs=0.5)
                call = await world.call("79161234102", "Вовремя", LINE, speak=SPEECH)
                await call.ended()
                records = [await stage.record(number) for number in ("79161234101", "79161234102")]
                await until_settled(stage, records)
                checks = {check.name: check for check in await examine(stage.settings(), ("pbx",))}
        (told,) = await stage.told(records[1], "Routed")
        async with engine.connect() as connection:
            on_desk = {call.caller_number: call.over_at for call in await read_live(connection)}
    assert told["outcome"] in {"in_time", "from_cache"}  # a busy machine may be slow to answer; the clock is none of it
    assert records[1].answered_by == [f"PJSIP/{ROUTED}"]
    assert [record.recovered for record in records] == [True, False]
    assert checks["pbx pbx clock"].state == "warn"
    assert len([line for line in logs if "clock is not ours" in line["event"]]) == 2  # the service's, and the doctor's
    # A desk keeps a finished call for two minutes of ours, whatever its PBX takes for now.
    assert on_desk.keys() == {"79161234101", "79161234102"}
    assert all(at and timedelta() < at - datetime.now(UTC) < KEPT for at in on_desk.values())
    theirs = datetime.fromtimestamp(time.time() + ahead_seconds, UTC)
    assert all(abs(record.started_at - theirs) < timedelta(minutes=2) for record in records)


async def until_settled(stage: Stage, records: list[object]) -> None:
    """Wait until every call is settled."""
    sql = text("select count(*) from calls where settled_at is not null and joined_into is null")
    async with asyncio.timeout(20):
        while True:
            async with stage.engine.connect() as connection:
                if (await connection.execute(sql)).scalar_one() >= len(records):
                    return
            await asyncio.sleep(0.1)
