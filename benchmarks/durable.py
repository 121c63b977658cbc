"""AMI bytes in, committed rows out: how many events a second are kept, and how late each is in the store."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry
from sqlalchemy import text

from benchmarks import load
from benchmarks.running import Late, attending
from calls.due import Change
from directory.store import apply
from metrics.observe import Observed
from service import settings
from service.ports import free_port
from service.wiring import House, open_house
from telephony import ami
from tests.fakes.directories import OFFICE

RATES: tuple[int, ...] = (50, 200, 1000, 3000, 5000)
SECONDS = 10.0
_STORED = "select count(*) from call_events where body->>'pbx' = :pbx and kind <> 'Settled'"


async def _one(house: House, rate: int, seconds: float) -> str:
    port, late, name = free_port(), Late(), f"at-{rate}"
    observed = Observed(CollectorRegistry())

    def told(change: Change) -> None:
        late.take(change)
        observed.observe(change)

    calls = int(rate * seconds / len(load.story("answered")))
    async with (
        load.running(port, "answered", rate, calls) as pbx,
        attending(house, name, port, told) as attendant,
    ):
        behind = float(await pbx.readline())
        while len(attendant.buffer):
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
    events = calls * sum(len(ami.translate(name, message)) for message in load.messages("answered"))
    p50, p99 = late.percentiles()
    return (
        f"  {rate:>5} events/s   late p50 {p50:7.1f} ms   p99 {p99:7.1f} ms"
        f"   told {events}, at most {behind * 1000:.0f} ms behind, stored {await _stored(house, name)}"
    )


async def _stored(house: House, pbx: str) -> int:
    async with house.engine.connect() as connection:
        return int((await connection.execute(text(_STORED), {"pbx": pbx})).scalar_one())


@asynccontextmanager
async def office() -> AsyncIterator[House]:
    """A house on an embedded PostgreSQL of its own, with an office in it."""
    with tempfile.TemporaryDirectory(prefix="switchhook-bench-") as folder:
        Path(folder).chmod(0o755)
        async with open_house(settings.load(data_dir=Path(folder))) as house:
            async with house.engine.begin() as connection:
                await apply(connection, OFFICE)
            yield house


async def measure(rates: tuple[int, ...] = RATES, seconds: float = SECONDS) -> None:
    """Print the curve: what was told, how late it was in the store (fsync on), whether all of it is there."""
    print("AMI bytes to committed rows, with the work owed and the settling of calls (goal: 3000 at p99 200 ms)")
    async with office() as house:
        for rate in rates:
            print(await _one(house, rate, seconds), flush=True)
