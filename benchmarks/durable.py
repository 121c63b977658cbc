"""AMI bytes in, committed rows out: how many events a second are kept, and how late each is in the store."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from sqlalchemy import text

from benchmarks import load
from calls.due import Change
from crm_sync.owners import owners
from directory.store import apply
from metrics.observe import Observed
from routing.memory import Memory
from service import settings
from service.attendant import Attendant
from service.ports import free_port
from service.recorder import Recorder
from service.settle import keep_settling
from service.wiring import House, open_house, owes
from telephony import ami, devices
from tests.fakes.directories import OFFICE

RATES: tuple[int, ...] = (50, 200, 1000, 3000, 5000)
SECONDS = 10.0
_STORED = "select count(*) from call_events where body->>'pbx' = :pbx and kind <> 'Settled'"


@dataclass
class Seen:
    """How old each event was when its transaction had ended, in seconds."""

    ages: list[float] = field(default_factory=list)

    def take(self, change: Change) -> None:
        """Note one change; settling is our own event and tells no age."""
        now = time.time()
        self.ages += [now - event.at.timestamp() for event in change.events if event.at and event.kind != "Settled"]


async def _one(house: House, rate: int, seconds: float) -> str:
    port, seen, name = free_port(), Seen(), f"at-{rate}"
    observed = Observed(CollectorRegistry())

    def told(change: Change) -> None:
        seen.take(change)
        observed.observe(change)

    recorder = Recorder(house.engine, owes, told)
    memory = Memory(house.engine, devices=devices.read, owners=owners)
    await memory.load()
    attendant = Attendant(settings.PbxSettings(name=name, port=port, secret=SecretStr("x")), recorder, memory)
    calls = int(rate * seconds / len(load.story("answered")))
    async with load.running(port, "answered", rate, calls) as pbx:
        tasks = [asyncio.create_task(attendant.run()), asyncio.create_task(keep_settling(recorder))]
        behind = float(await pbx.readline())
        while len(attendant.buffer):
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    late = statistics.quantiles(seen.ages, n=100)
    events = calls * sum(len(ami.translate(name, message)) for message in load.messages("answered"))
    return (
        f"  {rate:>5} events/s   late p50 {late[49] * 1000:7.1f} ms   p99 {late[98] * 1000:7.1f} ms"
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
