"""How many events a second one process parses, translates and folds, and how many it makes durable."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from calls.database import connect
from calls.events import Event
from calls.record import record
from service.database import upgrade
from service.postgres import Postgres
from service.replay import fold
from telephony import tape

TAPES = Path(__file__).parents[1] / "tests/tapes"


def pure(rounds: int = 5) -> None:
    """AMI text to records, all tapes, no disk."""
    files = sorted(TAPES.glob("*.ami"))
    rates = []
    told_count = 0
    for _ in range(rounds):
        began = time.perf_counter()
        told_count = sum(file.read_text().count("\n\n") for file in files)
        for file in files:
            fold(tape.read(file).events)
        rates.append(told_count / (time.perf_counter() - began))
    print(f"AMI parse + translate + fold   {statistics.median(rates):8.0f} events/s  ({told_count} events, read=all)")


async def durable(calls: int = 150) -> None:
    """Events of answered calls written one transaction a batch, as the recorder does, with fsync on."""
    answered = tape.read(TAPES / "answered.ami").events
    stream = [_shifted(event, number) for number in range(calls) for event in answered]
    with tempfile.TemporaryDirectory(prefix="switchhook-bench-") as folder:
        Path(folder).chmod(0o755)
        async with Postgres(Path(folder)) as server:
            await upgrade(server.url)
            engine = connect(server.url)
            for size in (1, 20, 200):
                part = stream[: 40 * len(answered)] if size == 1 else stream
                told = [_shifted(event, size * 10_000) for event in part]
                began = time.perf_counter()
                for first in range(0, len(told), size):
                    async with engine.begin() as connection:
                        await record(connection, told[first : first + size])
                rate = len(told) / (time.perf_counter() - began)
                print(f"durable, batches of {size:<10} {rate:8.0f} events/s")
            await engine.dispose()


def _shifted(event: Event, number: int) -> Event:
    changes: dict[str, Any] = {}
    for name in ("channel", "linkedid", "target", "target_linkedid", "bridge"):
        value = getattr(event, name, None)
        if value:
            changes[name] = f"{value}-{number}"
    return replace(event, **changes)


def run() -> None:
    """Both."""
    pure()
    asyncio.run(durable())
