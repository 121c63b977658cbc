"""How long it takes to count the days of years of calls, one day anew, and to get a report as a browser does."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final, get_args

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.crowd import Size, gather
from benchmarks.search import pages
from calls.database import connect
from directory import store
from reports.building import build, build_day
from reports.report import Kind
from service.database import upgrade
from service.postgres import Postgres
from tests.fakes.site import Site

GOAL_SECONDS: Final = 2.0
ROUNDS: Final = 10
KINDS: Final = get_args(Kind)

_EVENT: Final = "insert into lead_events (lead_id, at, by, kind, before, after, reason, deadline_at) select id,"
# The crowd's leads get a life: each came in, was given, and went where it is, most within two months; one in ten of the
# last year is worked on still. Who was missed was called back. The house and its people have plans.
_LIVES: Final = (
    """
    update leads set stage_at = least(stage_at, opened_at + id % 60 * interval '1 day'), stage = case
        when id % 10 = 0 and opened_at > now() - interval '1 year' then 'in_work' when id % 10 < 4 then 'won'
        when id % 10 < 7 then 'lost' else 'disqualified' end
    """,
    """
    update leads set closed_at = case when stage <> 'in_work' then stage_at end,
        deadline_at = case when stage = 'in_work' then stage_at + interval '60 days' end
    """,
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
    """
    insert into plans (month, kind, key, measure, value, set_by)
    select date_trunc('month', now()) - ago * interval '1 month', kind, key, measure, value, 'head'
    from generate_series(0, 7) as ago,
        (select 'house' as kind, '' as key union all select 'person', key from people) as whose,
        (values ('leads_in', 500.0), ('won', 100.0), ('talks', 900.0), ('missed_share', 0.1), ('in_work', 30.0))
            as planned (measure, value)
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


async def count(engine: AsyncEngine) -> None:
    """Count every day, and print how long it took."""
    now, began, days = datetime.now(UTC), time.perf_counter(), 0
    while True:
        built = await build(engine, now)
        days += len(built.days)
        if not built.waiting:
            break
    took = time.perf_counter() - began
    print(f"  {days} days were counted in {took:.0f} s, {took / max(days, 1) * 1000:.0f} ms each", flush=True)


async def tell(engine: AsyncEngine, site: Site) -> None:
    """Print how long a day takes to count, and how long pages of reports take."""
    now = datetime.now(UTC)
    yesterday = now.date() - timedelta(days=1)
    async with engine.connect() as connection:
        directory = await store.read(connection)
        rows = (await connection.execute(text("select count(*) from report_facts"))).scalar_one()
        hours = (await connection.execute(text("select count(*) from report_hours"))).scalar_one()
    print(f"  they are {rows} facts, and {hours} by the hour")
    await _timed("one day anew", lambda: build_day(engine, directory, yesterday, now))
    async with site.visitor("head") as client:

        async def got(address: str) -> None:
            async with client.get(address) as response:
                await response.read()
            assert response.status == 200, address

        for kind in KINDS:
            for whose, of in (("the house", ""), ("a team", "&team=t0")):
                await _timed(f"{kind} report of {whose}", partial(got, f"/reports?kind={kind}&date={yesterday}{of}"))
        span = f"from={yesterday - timedelta(days=30)}&to={yesterday}"
        await _timed("the list behind a month's number", partial(got, f"/reports/behind?measure=missed&{span}"))


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
            await count(engine)
            async with pages(engine) as site:
                await tell(engine, site)
            await engine.dispose()
