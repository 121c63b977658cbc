"""What a report of a failed test tells of the private Asterisks that took part."""

from __future__ import annotations

import asyncio
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from service.asterisk import PrivateAsterisk

_ASKED = ("core show channels verbose", "pjsip show channels")
_ANSWER_SECONDS = 3
_LOG_LINES = 12
_SIP_MESSAGES = 25
_PACKET, _HEADERS = struct.Struct("=IIII"), 14 + 20 + 8


def told_beside(fixtures: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Title and text of each thing worth knowing: who said what to whom, what hangs, who is on the line, the log."""
    yield "load", " ".join(str(round(load, 1)) for load in os.getloadavg())
    sides = _sides(fixtures)
    for name, side in sides.items():
        if not side.running:
            yield name, "is not running"
            continue
        waiting = [line for line in (_aside(side, "core show taskprocessors") or "").splitlines() if _is_waiting(line)]
        yield f"{name}: tasks that wait", "\n".join(waiting)
        if side.traces_sip:
            _aside(side, "pjsip set logger off")
            yield f"{name}: SIP, last messages", "\n".join([*_sip(side.sip_trace)][-_SIP_MESSAGES:])
    for name, side in sides.items():
        for command in _ASKED if side.running else ():
            told = _aside(side, command)
            yield f"{name}: {command}", told or _threads(side)
            if told is None:
                break
        if side.log_file.exists():
            yield f"{name}: log", "\n".join(side.log_file.read_text(errors="replace").splitlines()[-_LOG_LINES:])


def _sides(fixtures: Mapping[str, Any]) -> dict[str, PrivateAsterisk]:
    demo, stage = fixtures.get("demo"), fixtures.get("stage")
    named = [fixtures.get(name) for name in ("pbx", "world", "outside_world")]
    named += [getattr(stage, "pbx", None), getattr(stage, "world", None)]
    if demo is not None:
        named += [demo.world.pbx, demo.world]
    return {type(side).__name__: side for side in named if isinstance(side, PrivateAsterisk)}


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


def _is_waiting(line: str) -> bool:
    """Whether a line of `core show taskprocessors` is of one with something in its queue (its third column)."""
    columns = line.split()
    return columns[2:3] not in ([], ["0"]) and columns[2].isdigit()


def _sip(capture: Path) -> Iterator[str]:
    """A line for each message of calls: when, from which port (0: this one's own) to which, what, of which call."""
    kept, at = capture.read_bytes(), 24
    while at + _PACKET.size <= len(kept):
        seconds, micros, size, _ = _PACKET.unpack_from(kept, at)
        at += _PACKET.size
        packet, at = kept[at : at + size], at + size
        source, target = struct.unpack_from("!HH", packet, 34)
        first, *others = packet[_HEADERS:].decode(errors="replace").split("\r\n")
        told = dict(line.split(": ", 1) for line in others if ": " in line)
        sequence = told.get("CSeq", "")
        if not sequence.endswith(("OPTIONS", "REGISTER")):
            when = datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%S") + f".{micros // 1000:03}"
            yield f"{when} {source} > {target}  {first}  ({sequence}) {told.get('Call-ID', '')[:8]}"


def _threads(side: PrivateAsterisk) -> str:
    """Where each thread of a process that does not answer stands."""
    debugger, process = shutil.which("gdb"), side.process
    if debugger is None or process is None:
        return f"no answer within {_ANSWER_SECONDS} s"
    asked = [debugger, "-p", str(process.pid), "-batch", "-ex", "thread apply all bt 12"]
    told = subprocess.run(asked, capture_output=True, text=True, errors="replace", check=False, timeout=60)
    return f"no answer within {_ANSWER_SECONDS} s\n{told.stdout}"
