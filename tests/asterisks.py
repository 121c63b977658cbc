"""What a report of a failed test tells of the private Asterisks that took part."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from service.asterisk import PrivateAsterisk

_ASKED = ("core show channels verbose", "pjsip show channels")
_ANSWER_SECONDS = 3
_LOG_LINES = 20


def told_beside(fixtures: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Title and text of each thing worth knowing: who is on the line, what was logged, where one that hangs stands."""
    yield "load", " ".join(str(round(load, 1)) for load in os.getloadavg())
    for side in _sides(fixtures):
        name = type(side).__name__
        if not side.running:
            yield name, "is not running"
            continue
        for command in _ASKED:
            told = _aside(side, command)
            yield f"{name}: {command}", told or _threads(side)
            if told is None:
                break
        if side.log_file.exists():
            yield f"{name}: log", "\n".join(side.log_file.read_text(errors="replace").splitlines()[-_LOG_LINES:])


def _sides(fixtures: Mapping[str, Any]) -> list[PrivateAsterisk]:
    demo, stage = fixtures.get("demo"), fixtures.get("stage")
    named = [fixtures.get(name) for name in ("pbx", "world", "outside_world")]
    named += [getattr(stage, "pbx", None), getattr(stage, "world", None)]
    if demo is not None:
        named += [demo.world.pbx, demo.world]
    sides = [side for side in named if isinstance(side, PrivateAsterisk)]
    return list(dict.fromkeys(sides))


def _aside(side: PrivateAsterisk, command: str) -> str | None:
    """The answer; None: none came in time. Asked in a thread of its own, for the test's loop stands still now."""

    async def ask() -> str | None:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                return await side.cli(command)
        except TimeoutError:
            return None
        except OSError as error:
            return repr(error)

    with ThreadPoolExecutor(1) as elsewhere:
        return elsewhere.submit(asyncio.run, ask()).result()


def _threads(side: PrivateAsterisk) -> str:
    """Where each thread of a process that does not answer stands."""
    debugger, process = shutil.which("gdb"), side.process
    if debugger is None or process is None:
        return f"no answer within {_ANSWER_SECONDS} s"
    asked = [debugger, "-p", str(process.pid), "-batch", "-ex", "thread apply all bt 12"]
    told = subprocess.run(asked, capture_output=True, text=True, errors="replace", check=False, timeout=60)
    return f"no answer within {_ANSWER_SECONDS} s\n{told.stdout}"
