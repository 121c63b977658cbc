"""How soon the calls of an outage are back, and how late live events are meanwhile."""

from __future__ import annotations

import asyncio
import csv
import os
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import text

from benchmarks import load
from benchmarks.durable import office
from benchmarks.running import Late, attending, resident_mb
from service.comparison import compare
from service.ports import free_port
from service.wiring import House
from telephony import cel
from telephony.cel import COLUMNS
from telephony.cel_file import CelFile
from telephony.cel_source import CelSource

CALLS = 10_000
LIVE_RATE = 100.0
ALONE_SECONDS, SECONDS_MOST = 15.0, 180.0
_OURS = {cel.spelling(column): column for column in COLUMNS if cel.spelling(column)}
_FOUND = text("select count(*) from calls where pbx = 'pbx' and ended_at is not null and started_at < :before")


def missed_calls(path: Path, calls: int, ended_at: datetime) -> int:
    """Write CEL of answered calls, one a second until `ended_at`, as cel_custom does; returns how many rows."""
    with (load.TAPES / "answered.cel.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    first = float(rows[0]["eventtime"])
    with path.open("w", newline="", encoding="utf-8") as file:
        written = csv.DictWriter(file, COLUMNS, restval="", quoting=csv.QUOTE_ALL, lineterminator="\n")
        for number in range(calls):
            began = ended_at.timestamp() - calls + number
            written.writerows(_shifted(rows, began - first, number))
    return calls * len(rows)


def _shifted(rows: list[dict[str, str]], seconds: float, number: int) -> Iterator[dict[str, str]]:
    for row in rows:
        told = {_OURS[name]: value for column, value in row.items() if (name := cel.spelling(column)) in _OURS}
        for column in ("uniqueid", "linkedid", "eventextra", "channame"):
            told[column] = re.sub(r"\b\d{10}\.(\d+)\b", rf"{1000000000 + number}.\1", told.get(column, ""))
        told["eventextra"] = re.sub(r'("bridge_id": ?")[^"]*', rf"\g<1>bridge-{number}", told["eventextra"])
        yield {**told, "eventtime": f"{float(told['eventtime']) + seconds:.6f}"}


async def measure(calls: int = CALLS) -> None:
    """Print how long the recovery takes (goal: 10,000 calls in 60 s), how late live events are, and a second look."""
    print(f"{calls} calls missed in an outage, {LIVE_RATE:.0f} live events/s meanwhile (goal: back in 60 s)")
    async with office() as house:
        path = house.settings.data_dir / "switchhook.csv"
        ended_at = datetime.now(UTC) - timedelta(minutes=10)
        rows = missed_calls(path, calls, ended_at)
        print(f"  CEL: {rows} rows, {path.stat().st_size / 1e6:.0f} MB", flush=True)
        async with _live(house, "alone", None) as late:
            await asyncio.sleep(ALONE_SECONDS)
        print(f"  live events alone: {_told(late)}", flush=True)
        await _recover(house, path, calls, ended_at)
        began = time.perf_counter()
        period = (ended_at - timedelta(seconds=calls + 60), ended_at + timedelta(minutes=1))
        async for some in compare("pbx", CelFile(path), house.engine, *period):
            assert not any(one.differing for one in some)
        print(f"  compared once more, without a difference, in {time.perf_counter() - began:.1f} s")


async def _recover(house: House, path: Path, calls: int, ended_at: datetime) -> None:
    before, most = resident_mb(os.getpid()), 0.0
    began, spent, took = time.perf_counter(), time.process_time(), 0.0
    async with _live(house, "pbx", CelFile(path)) as late:
        while await _found(house, ended_at) < calls and took < SECONDS_MOST:
            await asyncio.sleep(0.5)
            most = max(most, resident_mb(os.getpid()))
            took = time.perf_counter() - began
    spent = time.process_time() - spent
    count = await _found(house, ended_at)
    print(f"  {count} calls back in {took:.1f} s ({spent:.1f} s of our processor's time)")
    print(f"  memory grew by {most - before:.0f} MB at most")
    print(f"  live events meanwhile: {_told(late)}", flush=True)


@asynccontextmanager
async def _live(house: House, name: str, source: CelSource | None) -> AsyncIterator[Late]:
    """A service that hears live calls while the body runs; what it recovers is not live and not counted as late."""
    port, late = free_port(), Late(since=time.time())
    live = int(LIVE_RATE * SECONDS_MOST / len(load.story("answered")))
    async with load.running(port, "answered", LIVE_RATE, live), attending(house, name, port, late.take, source):
        yield late


def _told(late: Late) -> str:
    p50, p99 = late.percentiles()
    return f"late p50 {p50:.0f} ms   p99 {p99:.0f} ms"


async def _found(house: House, ended_at: datetime) -> int:
    async with house.engine.connect() as connection:
        before = ended_at + timedelta(minutes=1)
        return int((await connection.execute(_FOUND, {"before": before})).scalar_one())
