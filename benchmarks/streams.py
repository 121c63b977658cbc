"""What open pages cost: two hundred browsers' idle streams, and how soon a card is there at ten calls a second.

The pages are served by processes of their own, as in production: by one, then by two that share the browsers. What a
PBX would tell is recorded here; the streams are read here, each as its bytes come.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import asyncpg
from aiohttp import ClientSession, ClientTimeout, TCPConnector
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.crowd import firm
from benchmarks.running import process
from calls import events as e
from calls.database import connect
from calls.record import CHANNEL, record
from directory.model import Directory
from directory.store import apply
from service.database import upgrade
from service.ports import free_port
from service.postgres import Postgres
from web import sessions, users

TEAMS: Final = 40
BROWSERS: Final = 200
HEADS: Final = 4
IDLE_SECONDS: Final = 62.0
"""Twice as long as a right to a stream is good."""
CALLS_A_SECOND: Final = 10.0
BUSY_SECONDS: Final = 30.0
GOAL_MS: Final = 300
GOAL_CORES: Final = 0.1

RING_AFTER, ANSWER_AFTER, TALK_SECONDS, SETTLE_AFTER = 0.1, 2.0, 12.0, 5.0
_CARD: Final = re.compile(rb'id="card-([0-9a-f-]{36})"')
_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass
class Seen:
    """When each call was told of: as the database notified, and by each browser on whose desk its card appeared."""

    told_at: dict[UUID, float] = field(default_factory=dict)
    notified: list[float] = field(default_factory=list)
    cards: list[float] = field(default_factory=list)
    open_count: int = 0
    _known: set[tuple[int, UUID]] = field(default_factory=set)

    def card(self, browser: int, call: UUID) -> None:
        """A browser has the card; the first time counts."""
        if (browser, call) not in self._known and call in self.told_at:
            self._known.add((browser, call))
            self.cards.append(time.perf_counter() - self.told_at[call])


def cpu_seconds(pid: int) -> float:
    """What a process used so far (proc(5), utime and stime)."""
    told = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(told[11]) + int(told[12])) / _TICKS


def _family(pid: int | None) -> list[int]:
    """A process and its children."""
    assert pid is not None
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


async def _watch(client: ClientSession, url: str, cookie: str, browser: int, seen: Seen) -> None:
    """One browser: the stream of its desk, read as it comes."""
    async with client.get(f"{url}/desk/stream", headers={"Cookie": f"switchhook={cookie}"}) as response:
        assert response.status == 200
        seen.open_count += 1
        async for line in response.content:
            for found in _CARD.findall(line):
                seen.card(browser, UUID(found.decode()))


async def _call(engine: AsyncEngine, directory: Directory, person: int, number: int, seen: Seen) -> None:
    """One call that rings on a person's desk phone, is answered and hung up."""
    uid, device = f"{time.time():.0f}.{number}", f"PJSIP/p{person}"
    line = directory.lines[person // (len(directory.people) // TEAMS)].number
    leg = f"{uid}9"

    def base(channel: str, name: str) -> dict[str, Any]:
        return {"pbx": "main", "channel": channel, "linkedid": uid, "at": datetime.now(UTC), "name": name}

    async def tell(*events: e.Event, began: float | None = None) -> None:
        async with engine.begin() as connection:
            id_ = (await record(connection, events))[0].call_id
            if began is not None:  # before the transaction ends, for then its notice comes
                seen.told_at[id_] = began

    caller = (uid, f"PJSIP/trunk-{number:08x}")
    staff = (leg, f"{device}-{number:08x}")
    told: dict[str, Any] = {"number": f"7916{number:07}", "caller_name": ""}
    await tell(
        e.ChannelCreated(**base(*caller), **told, dialed=line, context="trunk", incoming=True),
        e.Arrived(**base(*caller), **told, line=line),
    )
    await asyncio.sleep(RING_AFTER)
    began = time.perf_counter()
    dialed: dict[str, Any] = {"target": leg, "target_name": staff[1], "target_linkedid": uid, "dial_string": device}
    await tell(
        e.ChannelCreated(**base(*staff), number=str(100 + person), incoming=False),
        e.Dialed(**base(*caller), **dialed),
        e.ChannelRang(**base(*staff)),
        began=began,
    )
    await asyncio.sleep(ANSWER_AFTER)
    ends: dict[str, Any] = {"target": leg, "status": "ANSWER"}
    await tell(
        e.DialEnded(**base(*caller), **ends),
        *(e.ChannelUp(**base(*each)) for each in (staff, caller)),
        *(e.BridgeEntered(**base(*each), bridge=f"bridge-{uid}") for each in (staff, caller)),
    )
    await asyncio.sleep(TALK_SECONDS)
    await tell(e.ChannelHungUp(**base(*staff), cause=16), e.ChannelHungUp(**base(*caller), cause=16))
    await asyncio.sleep(SETTLE_AFTER)
    await tell(e.Settled(**base(*caller)))


@asynccontextmanager
async def _served(folder: str, database: str) -> AsyncIterator[tuple[int, str]]:
    """A web role of its own; (its pid, its address)."""
    port = free_port()
    config = Path(folder) / f"{port}.toml"
    config.write_text(f'data_dir = "{folder}"\n[web]\nport = {port}\n[metrics]\nport = {free_port()}\n')
    environment = {"SWITCHHOOK_CONFIG": str(config), "DATABASE_URL": database}
    async with process(environment, "serve", "--role", "web") as pid, ClientSession() as client:
        url = f"http://127.0.0.1:{port}"
        async with asyncio.timeout(60):
            while not await _ready(client, url):
                await asyncio.sleep(0.1)
        yield pid, url


async def _ready(client: ClientSession, url: str) -> bool:
    try:
        async with client.get(f"{url}/readyz") as response:
            return bool((await response.json())["parts"]["pages"]["ready"])
    except OSError:
        return False


async def _furnish(engine: AsyncEngine, directory: Directory) -> list[str]:
    """The directory and a browser's cookie for every manager, the last of them heads."""
    cookies = []
    async with engine.begin() as connection:
        await apply(connection, directory)
        for browser in range(BROWSERS):
            head = browser >= BROWSERS - HEADS
            login = f"browser{browser}"
            user = await users.add(connection, login, "head" if head else "manager", person=f"p{browser}")
            cookies.append(await sessions.begin(connection, user, "bench"))
    return cookies


@asynccontextmanager
async def _open(urls: Sequence[str], cookies: Sequence[str], seen: Seen) -> AsyncIterator[None]:
    """Every browser's stream, in turn at each address."""
    connector = TCPConnector(limit=0)
    async with ClientSession(connector=connector, timeout=ClientTimeout(total=None), read_bufsize=1 << 20) as client:
        tasks = [
            asyncio.create_task(_watch(client, url, cookie, browser, seen))
            for browser, (url, cookie) in enumerate(zip(itertools.cycle(urls), cookies, strict=False))
        ]
        began = time.perf_counter()
        async with asyncio.timeout(60):
            while seen.open_count < len(cookies):
                await asyncio.sleep(0.05)
        print(f"  all open at once, after {time.perf_counter() - began:.1f} s", flush=True)
        await asyncio.sleep(5)
        try:
            yield
        finally:
            assert not any(task.done() for task in tasks), "a stream ended by itself"
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _idle(pids: Sequence[int], server: int | None) -> tuple[float, float]:
    """(cores of the web role, cores of PostgreSQL) while nothing happens."""
    before = sum(map(cpu_seconds, pids)), sum(map(cpu_seconds, _family(server)))
    began = time.perf_counter()
    await asyncio.sleep(IDLE_SECONDS)
    took = time.perf_counter() - began
    after = sum(map(cpu_seconds, pids)), sum(map(cpu_seconds, _family(server)))
    return (after[0] - before[0]) / took, (after[1] - before[1]) / took


async def _busy(engine: AsyncEngine, dsn: str, directory: Directory, pids: Sequence[int], seen: Seen) -> float:
    """Ring somebody ten times a second; gives the cores of the web role meanwhile."""
    raw = await asyncpg.connect(dsn)
    waiting: set[UUID] = set()

    def notified(_connection: object, _pid: int, _channel: str, payload: str) -> None:
        call = UUID(payload)
        if call in seen.told_at and call not in waiting:
            waiting.add(call)
            seen.notified.append(time.perf_counter() - seen.told_at[call])

    await raw.add_listener(CHANNEL, notified)
    before, began = sum(map(cpu_seconds, pids)), time.perf_counter()
    async with asyncio.TaskGroup() as calls:
        for number in range(round(BUSY_SECONDS * CALLS_A_SECOND)):
            await asyncio.sleep(max(0.0, began + number / CALLS_A_SECOND - time.perf_counter()))
            calls.create_task(_call(engine, directory, number * 7 % (BROWSERS - HEADS), next(_numbers), seen))
        used, took = sum(map(cpu_seconds, pids)) - before, time.perf_counter() - began
    await raw.close()
    return used / took


_numbers = itertools.count(1)


def _cuts(seconds: Sequence[float]) -> tuple[float, float]:
    cuts = statistics.quantiles(seconds, n=20)
    return cuts[9] * 1000, cuts[18] * 1000


async def measure() -> None:
    """Print what 200 idle streams cost, and how soon a card is on them, from one web process and from two."""
    print(
        f"{BROWSERS} browsers with an open stream, {HEADS} of them of heads (goals: idle under {GOAL_CORES} of a core,"
        f" a card within {GOAL_MS} ms p95 at {CALLS_A_SECOND:.0f} calls/s)"
    )
    directory = firm(TEAMS, BROWSERS // TEAMS)
    with tempfile.TemporaryDirectory(prefix="switchhook-bench-") as folder:
        Path(folder).chmod(0o755)
        async with Postgres(Path(folder)) as server:
            await upgrade(server.url)
            engine = connect(server.url)
            cookies = await _furnish(engine, directory)
            for processes in (1, 2):
                async with AsyncExitStack() as stack:
                    served = [await stack.enter_async_context(_served(folder, server.url)) for _ in range(processes)]
                    pids, seen = [pid for pid, _ in served], Seen()
                    async with _open([url for _, url in served], cookies, seen):
                        web, base = await _idle(pids, server.pid)
                        cores = await _busy(engine, server.dsn, directory, pids, seen)
                    _tell(processes, web, base, cores, seen)
            await engine.dispose()


def _tell(processes: int, web: float, base: float, cores: float, seen: Seen) -> None:
    (notified, notified95), (card, card95) = _cuts(seen.notified), _cuts(seen.cards)
    print(
        f"  {processes} web process{'es' if processes > 1 else ''}: idle {web:.3f} cores and {base:.3f} of PostgreSQL,"
        f" {web / BROWSERS * 1e6:.0f} millionths of a core a stream\n"
        f"    {len(seen.told_at)} calls, {len(seen.cards)} cards, p50 {card:.0f} ms, p95 {card95:.0f} ms, which is"
        f" {card95 / notified95:.1f} times a bare notice (p50 {notified:.0f}, p95 {notified95:.0f}); {cores:.2f} cores",
        flush=True,
    )
