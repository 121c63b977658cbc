"""How long a scrape takes, and what it costs the database, over years of calls and all that was done with them."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Final

import aiohttp
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.crowd import Size, firm, gather
from calls.database import connect
from metrics.gauges import DatabaseGauges
from metrics.http import make_app, new_registry, serving
from metrics.observe import Observed
from service.database import upgrade
from service.postgres import Postgres

SCRAPES: Final = 300
GOAL_MS: Final = 50

DONE: Final = """
    insert into recordings (call_id, channel, side, state, path, bytes, sha256, seconds, stored_at) select id,
        '1.1', side, 'stored', 'x', 100000, 'x', 60, started_at from calls cross join unnest(array['caller',
        'staff']) as side where status = 'answered';
    insert into call_audio (call_id, state, transfer, trunk, judged_at) select id, 'stored', 'none',
        'PJSIP/trunk', started_at from calls where status = 'answered';
    insert into follow_ups (number, line, origin, cause, call_id, attempt_count, priority, opened_at,
        last_missed_at, closed_at, closed_by) select caller_number, line, 'missed', 'rang_out', id, 1, 1,
        started_at, started_at, started_at + random() * interval '5 hours', 'talk' from calls where status =
        'missed';
    insert into crm_connections (key, kind, settings, secrets, steps, state, account) select key, 'webhook',
        '{}', '', '{call_finished}', 'active', key from unnest(array['first', 'second']) as key;
    insert into crm_effects (key, number, connection, call_id, step, lane, waits, state, planned_at, ended_at)
        select gen_random_uuid(), row_number() over (), crm_connections.key, id, 'call_finished', '', false,
        'done', started_at, started_at from calls cross join crm_connections;
    insert into outgoing_calls (asked_at, purpose, state, reason, number, changed_at) select started_at, 'click',
        case when random() < 0.05 then 'refused' else 'connected' end, 'destination_denied', caller_number,
        started_at from calls limit 200000;
    insert into removals (call_id, kind, at, cause) select id, 'audio', started_at + interval '90 days', 'policy'
        from calls where started_at < now() - interval '90 days';
    vacuum analyze;
"""
"""What a crowd of callers leaves behind beside its calls."""


async def do(engine: AsyncEngine) -> None:
    """All that is done with the calls of a crowd."""
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        for statement in DONE.split(";")[:-1]:
            await connection.execute(text(statement))


async def scrape(engine: AsyncEngine) -> None:
    """Ask for the metrics while the database is read every second, and print how long both take."""
    observed = Observed(registry := new_registry(), firm)
    gauges = DatabaseGauges(engine)
    app = make_app(registry, readers=[gauges.families], before=[observed.prepare])
    await gauges.read()
    reading = asyncio.create_task(gauges.keep(1.0))
    took, asked, told = [], [], ""
    async with serving(app, port=0) as address, aiohttp.ClientSession() as http:
        for _ in range(SCRAPES):
            began = time.perf_counter()
            async with http.get(f"{address}/metrics") as answer:
                told = await answer.text()
            took.append((time.perf_counter() - began) * 1000)
            spent = next(line for line in told.splitlines() if line.startswith("switchhook_database_scrape_seconds "))
            asked.append(float(spent.split()[1]) * 1000)
            await asyncio.sleep(0.02)
    reading.cancel()
    whole = DatabaseGauges(engine)
    began = time.perf_counter()
    await whole.read()
    first = (time.perf_counter() - began) * 1000
    cuts = statistics.quantiles(took, n=20)
    mark = "  <-- over" if cuts[18] > GOAL_MS else ""
    print(f"  a scrape of {len(told.splitlines())} lines: p50 {cuts[9]:.1f} ms, p95 {cuts[18]:.1f} ms{mark}")
    look = statistics.median(asked)
    print(f"  the database: {look:.1f} ms a look (p50), {first:.0f} ms with what is asked once a minute")


async def measure(size: Size | None = None) -> None:
    """Print what a scrape costs."""
    size = size or Size()
    print(f"Metrics over {size.calls} calls and what was done with them (goal: p95 {GOAL_MS} ms)")
    with tempfile.TemporaryDirectory(prefix="switchhook-bench-") as folder:
        Path(folder).chmod(0o755)
        async with Postgres(Path(folder)) as server:
            await upgrade(server.url)
            engine = connect(server.url, longest=None)
            await gather(engine, server.dsn, size)
            await do(engine)
            await scrape(engine)
            await engine.dispose()
