"""The telephony that is measured: as a process of its own as in production, or in this one; and how late it stores."""

from __future__ import annotations

import asyncio
import os
import re
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from calls.due import Change
from crm_sync.book.owners import owners
from crm_sync.book.standing import open_leads, stages
from routing.load import Loads
from routing.memory import Memory
from service.attendant import Attendant
from service.children import die_with_parent
from service.listening import Listening
from service.recorder import Recorder
from service.settings import PbxSettings
from service.settle import keep_settling
from service.wiring import House, owes
from telephony import devices
from telephony.cel_source import CelSource


@dataclass
class Late:
    """How old events were when their transaction had ended, in seconds; those told before `since` are not counted."""

    since: float = 0.0
    ages: list[float] = field(default_factory=list)

    def take(self, change: Change) -> None:
        """Note one change; settling is our own event and tells no age."""
        now = time.time()
        told = [event.at.timestamp() for event in change.events if event.at and event.kind != "Settled"]
        self.ages += [now - at for at in told if at > self.since]

    def percentiles(self) -> tuple[float, float]:
        """The median and the 99th percentile, in milliseconds."""
        late = statistics.quantiles(self.ages, n=100)
        return late[49] * 1000, late[98] * 1000


@asynccontextmanager
async def process(environment: Mapping[str, str], *command: str) -> AsyncIterator[int]:
    """Our program with this command (without one: the telephony role) while the body runs; yields its pid."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "service.cli.main", *(command or ("serve", "--role", "telephony")),
        env={**os.environ, **environment}, stderr=asyncio.subprocess.DEVNULL, preexec_fn=die_with_parent,
    )  # fmt: skip
    try:
        yield child.pid
    finally:
        child.terminate()
        await child.wait()


@asynccontextmanager
async def attending(
    house: House, name: str, port: int, told: Callable[[Change], None], source: CelSource | None = None
) -> AsyncIterator[Attendant]:
    """An attendant of the PBX `name` at `port`, and the settling of calls, in this process while the body runs."""
    recorder = Recorder(house.engine, owes, told)
    memory = Memory(house.engine, devices=devices.read, owners=owners, parties=stages, loads=Loads(open_leads))
    await memory.load()
    listening = Listening(house.engine)
    pbx = PbxSettings(name=name, port=port, secret=SecretStr("x"))
    attendant = Attendant(pbx, recorder, memory, listening, source)
    works = (attendant.run(), listening.run(), keep_settling(recorder))
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield attendant
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def resident_mb(pid: int) -> float:
    """Resident memory (proc(5), VmRSS)."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024
