"""A stand-in for a very busy PBX: speaks AMI on a loopback port and tells calls at a steady rate, from a real tape.

Run as a process of its own (`python -m benchmarks.load PORT STORY EVENTS_PER_SECOND CALLS`), so that it costs the
measured process nothing but what a PBX would. Each call's events come as far apart as on the tape; every `Timestamp` is
the moment of sending, by which the measured process knows how old an event is. It prints `ready`, then, when all is
told, by how many seconds it fell behind at most: on a machine that is too slow the rate was not what was asked for.
"""

from __future__ import annotations

import asyncio
import heapq
import re
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

from service.children import die_with_parent
from telephony.pbx import Message
from telephony.wire import headers

TAPES = Path(__file__).parents[1] / "tests/tapes"
FILTERS = Path(__file__).parents[1] / "telephony/dialplan/manager.conf"
STORIES = {"answered": "answered", "abandon": "abandon", "open": "answered"}
"""`open` is `answered` without its end."""

Told = tuple[float, bytes]
"""Seconds from the call's beginning, and the message with `@TIME` and `@CALL` to be filled in."""


def story(name: str) -> list[Told]:
    """What our manager.conf lets through of one call."""
    names = re.findall(r"name\((\w+)\)", FILTERS.read_text())
    wanted = re.compile(rf"^Event: (?:{'|'.join(names)})\r?$", re.MULTILINE)
    told: list[Told] = []
    first = 0.0
    for block in (TAPES / f"{STORIES[name]}.ami").read_bytes().decode().replace("\r\n", "\n").split("\n\n"):
        at = re.search(r"^Timestamp: ([\d.]+)$", block, re.MULTILINE)
        if at is None or not wanted.search(block) or "\nUniqueid: " not in f"\n{block}":
            continue
        if "Event: VarSet" in block and "Variable: DIALSTATUS" not in block:
            continue
        if name == "open" and ("Event: Hangup" in block or "Event: BridgeLeave" in block):
            break
        first = first or float(at[1])
        text = block.replace(at[0], "Timestamp: @TIME").strip("\n").replace("\n", "\r\n")
        text = re.sub(r"\b\d{10}\.(\d+)\b", r"@CALL.\1", text)
        text = re.sub(r"^(BridgeUniqueid: ).*?(\r?)$", r"\1bridge-@CALL\2", text, flags=re.MULTILINE)
        told.append((float(at[1]) - first, f"{text}\r\n\r\n".encode()))
    return told


def messages(name: str) -> list[Message]:
    """The same messages as the service reads them."""
    return [headers(text.decode().replace("@TIME", f"{at:.6f}").strip()) for at, text in story(name)]


class Due:
    """The events of many calls, each when its time has come."""

    def __init__(self, one: list[Told], rate: float, calls: int) -> None:
        """`calls` calls of the story `one`, so many that `rate` events a second come."""
        self.began = time.time()
        self.behind_seconds = 0.0
        self._one = one
        self._gap, self._calls, self._begun = len(one) / rate, calls, 0
        self._due: list[tuple[float, int, int]] = []  # when, call, how many of its events were told
        self._numbers = count(int(self.began * 1000))

    @property
    def over(self) -> bool:
        """Everything was told."""
        return self._begun == self._calls and not self._due

    def now(self) -> Iterator[bytes]:
        """What is due now."""
        now = time.time()
        while self._begun < self._calls and self.began + self._begun * self._gap <= now:
            heapq.heappush(self._due, (self.began + self._begun * self._gap, next(self._numbers), 0))
            self._begun += 1
        while self._due and self._due[0][0] <= now:
            at, number, place = heapq.heappop(self._due)
            self.behind_seconds = max(self.behind_seconds, now - at)
            # No two words of a call at one moment: told so twice, a fact would be stored once.
            when = b"%.6f" % (now + place * 1e-5)
            yield self._one[place][1].replace(b"@TIME", when).replace(b"@CALL", b"%d" % number)
            if place + 1 < len(self._one):
                later = at + self._one[place + 1][0] - self._one[place][0]
                heapq.heappush(self._due, (later, number, place + 1))


async def _tell(writer: asyncio.StreamWriter, due: Due) -> float:
    while not due.over:
        lines = list(due.now())
        writer.write(b"".join(lines))
        await writer.drain()
        await asyncio.sleep(0.002)
    return due.behind_seconds


async def serve(port: int, name: str, rate: float, calls: int) -> None:
    """Take one client, answer whatever it asks, and tell the calls once it has logged in; stay until it goes."""
    gone = asyncio.Event()

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"Asterisk Call Manager/11.0.0\r\n")
        telling: asyncio.Task[float] | None = None
        try:
            while asked := (await reader.readuntil(b"\r\n\r\n")).decode():
                action = re.search(r"ActionID: (.*?)\r\n", asked)
                answered = f"ActionID: {action[1] if action else ''}\r\nTimestamp: {time.time():.6f}\r\n"
                writer.write(f"Response: Success\r\n{answered}\r\n".encode())
                if "Action: Login" in asked:
                    writer.write(
                        b"Event: FullyBooted\r\nPrivilege: system,all\r\nTimestamp: %.6f\r\n\r\n" % time.time()
                    )
                elif telling is None and "Action: Ping" in asked:
                    telling = asyncio.create_task(_tell(writer, Due(story(name), rate, calls)))
                    telling.add_done_callback(lambda told: told.cancelled() or print(told.result(), flush=True))
        except (asyncio.IncompleteReadError, ConnectionError):
            gone.set()

    async with await asyncio.start_server(client, "127.0.0.1", port):
        print("ready", flush=True)
        await gone.wait()


@asynccontextmanager
async def running(port: int, name: str, rate: float, calls: int) -> AsyncIterator[asyncio.StreamReader]:
    """Such a PBX while the body runs; yields what it prints after `ready`."""
    told = (str(port), name, str(rate), str(calls))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.load", *told, stdout=asyncio.subprocess.PIPE, preexec_fn=die_with_parent
    )
    assert process.stdout is not None
    await process.stdout.readline()
    try:
        yield process.stdout
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), int(sys.argv[4])))
