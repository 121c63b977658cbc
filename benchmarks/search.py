"""How long a search takes over years of calls: the page, as a browser gets it, by a head and by a manager."""

from __future__ import annotations

import gc
import random
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from aiohttp import ClientSession
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.crowd import TEAMS, Crowd, Size, gather
from calls.database import connect
from service.database import upgrade
from service.postgres import Postgres
from tests.fakes.site import Site
from web import users

ROUNDS: Final = 40
GOAL_MS: Final = 100

Make = Callable[[random.Random, Crowd], str]


def _typo(dice: random.Random, crowd: Crowd) -> str:
    word = dice.choice(crowd.names).split()[0]
    at = dice.randrange(1, len(word))
    return word[:at] + dice.choice("аеоинтс") + word[at + 1 :]


def _both(dice: random.Random, crowd: Crowd) -> str:
    at = dice.randrange(len(crowd.names))
    return f"{crowd.names[at].split()[0]} {crowd.numbers[at][-4:]}"


QUERIES: Final[Mapping[str, Make]] = {
    "a whole name": lambda dice, crowd: dice.choice(crowd.names),
    "a surname": lambda dice, crowd: dice.choice(crowd.names).split()[0],
    "a first name": lambda dice, crowd: dice.choice(crowd.names).split()[1],
    "a surname, inflected": lambda dice, crowd: dice.choice(crowd.names).split()[0] + "у",
    "a surname, misspelt": _typo,
    "three letters": lambda dice, crowd: dice.choice(crowd.names)[:3],
    "a number, 8 916 …": lambda dice, crowd: "8 ({0[1]}{0[2]}{0[3]}) {0[4]}{0[5]}{0[6]}".format(
        dice.choice(crowd.numbers)
    ),
    "a whole number": lambda dice, crowd: f"+{dice.choice(crowd.numbers)}",
    "the last four digits": lambda dice, crowd: dice.choice(crowd.numbers)[-4:],
    "three digits": lambda dice, crowd: dice.choice(crowd.numbers)[1:4],
    "a word of every talk": lambda dice, _crowd: dice.choice(("квартиры", "скидку", "договоры", "ипотека")),
    "a word of many leads": lambda dice, _crowd: dice.choice(("лесные дали", "набережная", "парк")),
    "two letters": lambda dice, crowd: dice.choice(crowd.names)[:2],
    "a phrase": lambda dice, _crowd: dice.choice(('"хочу посмотреть" скидка', "сколько стоит паркинг")),
    "a rare word": lambda dice, crowd: crowd.names[dice.randrange(len(crowd.names))].split()[0].lower() + "град",
    "a name and digits": _both,
    "nothing that is there": lambda dice, _crowd: f"щъ{dice.randrange(10**6)}ыэ",
}


@asynccontextmanager
async def pages(engine: AsyncEngine) -> AsyncIterator[Site]:
    """The pages over a crowd, with a head and a manager who may log in."""
    async with engine.begin() as connection:
        await users.add(connection, "head", "head", person="head")
        await users.add(connection, "manager", "manager", person="p0")
    site = Site(engine, Path("/nonexistent"))
    await site.start()
    # As the service does: else all that was ever imported is looked through now and then.
    gc.collect()
    gc.freeze()
    try:
        yield site
    finally:
        await site.stop()


async def ask(site: Site, crowd: Crowd, rounds: int = ROUNDS) -> dict[str, dict[str, list[float]]]:
    """Milliseconds of each page by who asked and by kind of query; every kind in turn, so that noise is everybody's."""
    dice = random.Random(2)
    told: dict[str, dict[str, list[float]]] = {}
    for login in ("head", "manager"):
        async with site.visitor(login) as client:
            for made in range(-2, rounds):
                for name, make in QUERIES.items():
                    took = await _one(client, make(dice, crowd))
                    if made >= 0:
                        told.setdefault(login, {}).setdefault(name, []).append(took)
    return told


async def _one(client: ClientSession, query: str) -> float:
    began = time.perf_counter()
    async with client.get(f"/search?q={quote(query)}") as response:
        await response.read()
        assert response.status == 200
    return (time.perf_counter() - began) * 1000


def tell(told: Mapping[str, Mapping[str, list[float]]]) -> None:
    """Print each kind of query, and all of them, by who asked."""
    for login, kinds in told.items():
        for name, took in {**kinds, "all": [one for each in kinds.values() for one in each]}.items():
            cuts = statistics.quantiles(took, n=20)
            print(f"  {login:<8} {name:<24} p50 {cuts[9]:7.1f} ms   p95 {cuts[18]:7.1f} ms", flush=True)


async def measure(size: Size | None = None) -> None:
    """Print how long the page of the search takes, as it is served."""
    size = size or Size()
    made = f"{size.parties} parties, {size.notes} notes, {size.calls} calls, {size.talks} of them as text"
    print(f"The page of the search over {made}; a manager is of one of {TEAMS} teams (goal: p95 {GOAL_MS} ms)")
    with tempfile.TemporaryDirectory(prefix="switchhook-bench-") as folder:
        Path(folder).chmod(0o755)
        async with Postgres(Path(folder)) as server:
            await upgrade(server.url)
            engine = connect(server.url)
            began = time.perf_counter()
            crowd = await gather(engine, server.dsn, size)
            print(f"  made in {time.perf_counter() - began:.0f} s", flush=True)
            async with pages(engine) as site:
                tell(await ask(site, crowd))
            await engine.dispose()
