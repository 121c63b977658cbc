"""How long every page takes over years of calls, as a browser gets it, by an admin, a head, a manager and an operator.

The pages are those of the application: one that is added and needs an example (`EXAMPLES`) is told.
"""

from __future__ import annotations

import random
import re
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import quote
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.crowd import TEAMS, Crowd, Size, gather
from benchmarks.search import pages
from calls.database import connect
from service.database import upgrade
from service.postgres import Postgres
from tests.fakes.site import Site
from web import users

ROUNDS: Final = 40
GOAL_MS: Final = 200
LOGINS: Final = ("admin", "head", "manager", "operator")

NO_PAGES: Final = re.compile(r"/(api|static|healthz|readyz|linked|login)\b|.*/(stream|oauth|export)$")
"""What a browser gets that is no page of the house: streams, which never end, and files with all that there is."""


@dataclass
class Known:
    """What there is to ask for."""

    crowd: Crowd
    calls: Mapping[str, list[UUID]]

    def call(self, dice: random.Random, login: str) -> str:
        """One of the calls that the login may see."""
        return str(dice.choice(self.calls[login]))

    def party(self, dice: random.Random) -> str:
        """The number of a party, and of its lead."""
        return str(dice.randrange(1, len(self.crowd.names) + 1))


def queries(dice: random.Random, known: Known) -> dict[str, dict[str, str]]:
    """Page -> what is asked of it, by its name in the table."""
    day = datetime.now(UTC).date() - timedelta(days=dice.randrange(1, 700))
    number = dice.choice(known.crowd.numbers)
    return {
        "/calls": {
            "": "",
            "missed": "?status=missed",
            "of a person": f"?person=p{dice.randrange(40)}",
            "of a number": f"?number={number}",
            "of a day": f"?from={day}&to={day}",
            "of a line and month": f"?line={74951000000 + dice.randrange(TEAMS)}&from={day}",
        },
        "/leads": {"": "", "lost": "?stage=lost", "of an owner": f"?owner=p{dice.randrange(40)}"},
        "/search": {"a name": f"?q={quote(dice.choice(known.crowd.names))}"},
    }


async def know(engine: AsyncEngine, crowd: Crowd) -> Known:
    """What each login may ask for."""
    some = text("select id from calls where id > :at order by id limit 300")
    own = text("select id from calls where person = 'p0' order by started_at desc limit 300")
    async with engine.connect() as connection:
        any_ = list((await connection.execute(some, {"at": UUID(int=random.Random(3).getrandbits(127))})).scalars())
        mine = list((await connection.execute(own)).scalars())
    return Known(crowd, {"admin": any_, "head": any_, "manager": mine, "operator": mine})


def paths(site: Site) -> list[str]:
    """Every page of the application, as its route is written."""
    found = {route.resource.canonical for route in site.app.router.routes() if route.method == "GET" and route.resource}
    return sorted(path for path in found if not NO_PAGES.match(path))


def addresses(site: Site, known: Known, login: str, dice: random.Random) -> Iterator[tuple[str, str]]:
    """(what it is called, address) of every page."""
    asked = queries(dice, known)
    for path in paths(site):
        named = path.replace("{id}", known.call(dice, login)).replace("{number}", known.party(dice))
        if "{" in named:
            continue
        for name, query in asked.get(path, {"": ""}).items():
            yield f"{path} {name}".strip(), named + query


async def ask(site: Site, known: Known, rounds: int = ROUNDS) -> dict[str, dict[str, list[float]]]:
    """Milliseconds by login and page, of the pages that are for it; all in turn, so that noise is everybody's."""
    told: dict[str, dict[str, list[float]]] = {}
    for login in LOGINS:
        dice = random.Random(2)
        async with site.visitor(login) as client:
            for made in range(-2, rounds):
                for name, address in addresses(site, known, login, dice):
                    began = time.perf_counter()
                    async with client.get(address, allow_redirects=False) as response:
                        await response.read()
                    took = (time.perf_counter() - began) * 1000
                    assert response.status < 500, address
                    if made >= 0 and response.status == 200:
                        told.setdefault(login, {}).setdefault(name, []).append(took)
    return told


def tell(told: Mapping[str, Mapping[str, list[float]]]) -> None:
    """Print each page by who asked; what misses the goal is marked."""
    for login, asked in told.items():
        for name, took in asked.items():
            if len(took) < 2:  # what was met only once, as a lead that the login may not see mostly
                continue
            cuts = statistics.quantiles(took, n=20)
            mark = "  <-- over" if cuts[18] > GOAL_MS else ""
            print(f"  {login:<8} {name:<40} p50 {cuts[9]:7.1f} ms   p95 {cuts[18]:7.1f} ms{mark}", flush=True)


async def measure(size: Size | None = None) -> None:
    """Print how long every page takes."""
    size = size or Size()
    print(f"Every page over {size.calls} calls, {size.parties} parties and their leads (goal: p95 {GOAL_MS} ms)")
    with tempfile.TemporaryDirectory(prefix="switchhook-bench-") as folder:
        Path(folder).chmod(0o755)
        async with Postgres(Path(folder)) as server:
            await upgrade(server.url)
            engine = connect(server.url)
            began = time.perf_counter()
            crowd = await gather(engine, server.dsn, size)
            print(f"  made in {time.perf_counter() - began:.0f} s", flush=True)
            async with pages(engine) as site:
                await add_logins(engine)
                tell(await ask(site, await know(engine, crowd)))
            await engine.dispose()


async def add_logins(engine: AsyncEngine) -> None:
    """Those beside the head and the manager of `benchmarks.search`."""
    async with engine.begin() as connection:
        for login in ("admin", "operator"):
            await users.add(connection, login, login)
