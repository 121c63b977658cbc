"""AMI bytes in, committed rows out: how many events a second are kept, and how late each is in the store."""

from __future__ import annotations

import asyncio
import statistics
import sys
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
from service.children import die_with_parent
from service.ports import free_port
from service.recorder import Recorder
from service.settle import keep_settling
from service.wiring import House, open_house, owes
from telephony import ami, devices
from tests.fakes.directories import OFFICE

RATES: tuple[int, ...] = (50, 200, 1000, 3000, 5000)
SECONDS = 10.0
_EVENTS = len([event for message in load.messages() for event in ami.translate("x", message)])
"""What a call's messages tell: some say nothing of a call that the others do not."""
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
    port, seen = free_port(), Seen()
    load_process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.load", str(port), str(rate), str(seconds),
        stdout=asyncio.subprocess.PIPE, preexec_fn=die_with_parent,
    )  # fmt: skip
    observed = Observed(CollectorRegistry())

    def told(change: Change) -> None:
        seen.take(change)
        observed.observe(change)

    recorder = Recorder(house.engine, owes, told)
    memory = Memory(house.engine, devices=devices.read, owners=owners)
    await memory.load()
    attendant = Attendant(settings.PbxSettings(name=f"at-{rate}", port=port, secret=SecretStr("x")), recorder, memory)
    assert load_process.stdout is not None
    await load_process.stdout.readline()
    tasks = [asyncio.create_task(attendant.run()), asyncio.create_task(keep_settling(recorder))]
    told_count = int(await load_process.stdout.readline())
    while len(attendant.buffer):
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.5)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await load_process.wait()
    late = statistics.quantiles(seen.ages, n=100)
    return (
        f"  {rate:>5} events/s   late p50 {late[49] * 1000:7.1f} ms   p99 {late[98] * 1000:7.1f} ms"
        f"   events told {told_count * _EVENTS // len(load.story())}, stored {await _stored(house, f'at-{rate}')}"
    )


async def _stored(house: House, pbx: str) -> int:
    async with house.engine.connect() as connection:
        found = await connection.execute(text(_STORED), {"pbx": pbx})
        return int(found.scalar_one())


@asynccontextmanager
async def _house() -> AsyncIterator[House]:
    with tempfile.TemporaryDirectory(prefix="switchhook-bench-") as folder:
        Path(folder).chmod(0o755)
        async with open_house(settings.load(data_dir=Path(folder))) as house:
            async with house.engine.begin() as connection:
                await apply(connection, OFFICE)
            yield house


async def measure(rates: tuple[int, ...] = RATES, seconds: float = SECONDS) -> None:
    """Print the curve: what was told, what was kept, how late it was in the store (fsync on)."""
    print("AMI bytes to committed rows, with the work owed and the settling of calls")
    async with _house() as house:
        for rate in rates:
            print(await _one(house, rate, seconds), flush=True)
