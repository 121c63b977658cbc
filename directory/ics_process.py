"""Reads a calendar in a process that may be ended: who writes one decides how long it takes to read.

The process gets the calendar on its standard input and gives JSON; it has so many seconds of processor time and so
much memory, whatever the calendar asks for, and the system ends it beyond them.
"""

import asyncio
import json
import os
import resource
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final

from directory.ics import IcsError, Read, read
from directory.presence import Busy

CPU_SECONDS: Final = 10
MEMORY_BYTES: Final = 1 << 30
_SECONDS: Final = 60.0
_ENVIRONMENT: Final = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH")  # no secrets of ours


async def read_apart(
    body: bytes, time_zone: str, since: datetime, until: datetime, *, cpu_seconds: int = CPU_SECONDS
) -> Read:
    """Do as ``directory.ics.read`` does, in a process of its own.

    Raises IcsError: also ``too_slow`` for one that used up its time or its memory.
    """
    words = [time_zone, since.isoformat(), until.isoformat(), str(cpu_seconds)]
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "directory.ics_process", *words,
        env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_SECONDS):
            told, _ = await child.communicate(body)
    except TimeoutError:
        raise IcsError("too_slow") from None
    finally:
        with suppress(ProcessLookupError):
            child.kill()
        await child.communicate()  # what it had said is read to its end: till then asyncio waits for the process
    if child.returncode:
        raise IcsError("too_slow")
    answer = json.loads(told)
    if "error" in answer:
        raise IcsError(answer["error"])
    times = (
        Busy(datetime.fromisoformat(first), datetime.fromisoformat(last), away) for first, last, away in answer["times"]
    )
    return Read(tuple(times), answer["whole"])


def main(words: Sequence[str]) -> None:
    """Read standard input; the words are the time zone, the window and the seconds of processor time."""
    time_zone, since, until, cpu_seconds = words
    resource.setrlimit(resource.RLIMIT_CPU, (int(cpu_seconds), int(cpu_seconds) + 1))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    try:
        found = read(sys.stdin.buffer.read(), time_zone, datetime.fromisoformat(since), datetime.fromisoformat(until))
    except IcsError as error:
        sys.stdout.write(json.dumps({"error": str(error)}))
        return
    times = [[it.starts_at.isoformat(), it.ends_at.isoformat(), it.away] for it in found.times]
    sys.stdout.write(json.dumps({"times": times, "whole": found.whole}))


if __name__ == "__main__":
    main(sys.argv[1:])
