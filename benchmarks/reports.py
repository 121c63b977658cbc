"""How long it takes to count the days of years of calls, one day anew, and to read what a report is made of."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, get_args

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.crowd import Size, gather
from calls.database import connect
from directory import store
from reports.assembling import make_report
from reports.building import build, build_day
from reports.fact_rows import count_items, items, read_facts, read_hours
from reports.report import Audience, Kind
from service.database import upgrade
from service.postgres import Postgres

GOAL_SECONDS: Final = 2.0
WEEKS_BEFORE: Final = 8
ROUNDS: Final = 10
KINDS: Final = get_args(Kind)

_EVENT: Final = "insert into lead_events (lead_id, at, by, kind, before, after, reason, deadline_at) select id,"
# The crowd's leads get a life: each came in, was given, and went where it is; one in ten is worked on still, some 500 a
# person. Who was missed was called back.
_LIVES: Final = (
    "update leads set stage = 'lost', closed_at = stage_at, deadline_at = null where closed_at is null and id % 10 > 1",
    f"{_EVENT} opened_at, 'p0', 'opened', null, 'new', null, null from leads",
    f"{_EVENT} opened_at, 'p0', 'owner', null, owner, null, null from leads where owner is not null",
    f"{_EVENT} stage_at, 'p0', 'stage', 'new', stage, 'spam', deadline_at from leads where stage <> 'new'",
    "update calls set missed_cause = 'rang_out', charged_to = array['p0'] where status = 'missed'",
    """
    insert into follow_ups (number, line, origin, call_id, attempt_count, priority, opened_at, last_missed_at,
                            closed_at, closed_by)
    select id, line, 'missed', id, 1, 1, started_at, started_at, started_at + interval '1 hour', 'talk'
    from calls where direction = 'inbound' and status = 'missed'
    """,
    "truncate report_marks",
    "vacuum analyze",
)


async def live(dsn: str) -> None:
    """Give the crowd what reports count of it beside calls."""
    raw = await asyncpg.connect(dsn)
    try:
        for statement in _LIVES:
            await raw.execute(statement, timeout=600)
    finally:
        await raw.close()


async def tell(engine: AsyncEngine) -> None:
    """Print how long each took."""
    now = datetime.now(UTC)
    began, days = time.perf_counter(), 0
    while True:
        built = await build(engine, now)
        days += len(built.days)
        if not built.waiting:
            break
    took = time.perf_counter() - began
    print(f"  {days} days were counted in {took:.0f} s, {took / max(days, 1) * 1000:.0f} ms each", flush=True)
    async with engine.connect() as connection:
        directory = await store.read(connection)
        rows = (await connection.execute(text("select count(*) from report_facts"))).scalar_one()
        hours = (await connection.execute(text("select count(*) from report_hours"))).scalar_one()
    print(f"  they are {rows} facts, and {hours} by the hour")
    today = now.date()
    await _timed("one day anew", lambda: build_day(engine, directory, today - timedelta(days=1), now))
    month = today - timedelta(days=31)

    async def read(first_days_ago: int) -> None:
        async with engine.connect() as connection:
            await read_facts(connection, today - timedelta(days=first_days_ago), today)
            await read_hours(connection, today - timedelta(days=first_days_ago), today)

    async def behind() -> None:
        async with engine.connect() as connection:
            await items(connection, "missed", month, today, zone=directory.company.time_zone)
            await count_items(connection, "missed", month, today, zone=directory.company.time_zone)

    await _timed("facts of a day and of the weeks before", lambda: read(7 * WEEKS_BEFORE))
    await _timed("facts of a month and of the months before", lambda: read(31 * 7))
    await _timed("the list behind a month's number", behind)
    for kind in KINDS:

        async def made(kind: Kind = kind) -> None:
            async with engine.connect() as connection:
                await make_report(connection, directory, kind, today - timedelta(days=1), Audience("house"), now)

        await _timed(f"the house's {kind} report", made)


async def _timed(what: str, once: Callable[[], Awaitable[object]]) -> None:
    took = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        await once()
        took.append(time.perf_counter() - began)
    mark = "  <-- over" if max(took) > GOAL_SECONDS else ""
    print(f"  {what:<44} p50 {statistics.median(took):6.3f} s   most {max(took):6.3f} s{mark}", flush=True)


async def measure(size: Size | None = None) -> None:
    """Print how long the days of a crowd take."""
    size = size or Size()
    print(
        f"Day facts over {size.calls} calls and leads of {size.parties} parties (goal: {GOAL_SECONDS:.0f} s a report)"
    )
    with tempfile.TemporaryDirectory(prefix="switchhook-bench-") as folder:
        Path(folder).chmod(0o755)
        async with Postgres(Path(folder)) as server:
            await upgrade(server.url)
            engine = connect(server.url)
            await gather(engine, server.dsn, size)
            await live(server.dsn)
            await tell(engine)
            await engine.dispose()
