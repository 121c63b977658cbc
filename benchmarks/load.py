"""A stand-in for a very busy PBX: speaks AMI on a loopback port and tells calls at a steady rate, from a real tape.

Run as a process of its own (`python -m benchmarks.load PORT EVENTS_PER_SECOND SECONDS`), so that it costs the measured
process nothing but what a PBX would. Each call's events come as far apart as on the tape; every `Timestamp` is the
moment of sending, by which the measured process knows how old an event is.
"""

from __future__ import annotations

import asyncio
import heapq
import re
import sys
import time
from itertools import count
from pathlib import Path

from telephony.pbx import Message
from telephony.wire import headers

TAPE = Path(__file__).parents[1] / "tests/tapes/answered.ami"
FILTERS = Path(__file__).parents[1] / "telephony/dialplan/manager.conf"

Told = tuple[float, bytes]
"""Seconds from the call's beginning, and the message with `@TIME` and `@CALL` to be filled in."""


def story() -> list[Told]:
    """What our manager.conf lets through of one answered call."""
    names = re.findall(r"name\((\w+)\)", FILTERS.read_text())
    wanted = re.compile(rf"^Event: (?:{'|'.join(names)})\r?$", re.MULTILINE)
    told: list[Told] = []
    first = 0.0
    for block in TAPE.read_bytes().decode().replace("\r\n", "\n").split("\n\n"):
        at = re.search(r"^Timestamp: ([\d.]+)$", block, re.MULTILINE)
        if at is None or not wanted.search(block) or "\nUniqueid: " not in f"\n{block}":
            continue
        if "Event: VarSet" in block and "Variable: DIALSTATUS" not in block:
            continue
        first = first or float(at[1])
        text = block.replace(at[0], "Timestamp: @TIME").strip("\n").replace("\n", "\r\n")
        text = re.sub(r"\b\d{10}\.(\d+)\b", r"@CALL.\1", text)
        text = re.sub(r"^(BridgeUniqueid: ).*?(\r?)$", r"\1bridge-@CALL\2", text, flags=re.MULTILINE)
        told.append((float(at[1]) - first, f"{text}\r\n\r\n".encode()))
    return told


def messages() -> list[Message]:
    """The same messages as the service reads them."""
    return [headers(text.decode().replace("@TIME", f"{at:.6f}").strip()) for at, text in story()]


async def tell(writer: asyncio.StreamWriter, rate: float, seconds: float) -> int:
    """Tell calls so that `rate` events a second come, for so long; returns how many events were told."""
    one = story()
    began, sent = time.time(), 0
    due: list[tuple[float, int, int]] = []  # when, call, how many of its events were told
    numbers = count(int(began))
    begun = 0
    while time.time() < began + seconds or due:
        now = time.time()
        while begun * len(one) / rate < min(now - began, seconds):
            heapq.heappush(due, (began + begun * len(one) / rate, next(numbers), 0))
            begun += 1
        lines = []
        while due and due[0][0] <= now:
            at, number, place = heapq.heappop(due)
            # No two words of a call at one moment: told so twice, a fact would be stored once.
            lines.append(
                one[place][1].replace(b"@TIME", f"{now + place * 1e-5:.6f}".encode()).replace(b"@CALL", b"%d" % number)
            )
            if place + 1 < len(one):
                heapq.heappush(due, (at + one[place + 1][0] - one[place][0], number, place + 1))
        writer.write(b"".join(lines))
        sent += len(lines)
        await writer.drain()
        await asyncio.sleep(0.002)
    return sent


async def serve(port: int, rate: float, seconds: float) -> None:
    """Take one client, answer whatever it asks, and tell calls once it has logged in."""
    over = asyncio.Event()

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"Asterisk Call Manager/11.0.0\r\n")
        telling: asyncio.Task[int] | None = None
        while not (telling and telling.done()):
            try:
                async with asyncio.timeout(0.2):
                    asked = (await reader.readuntil(b"\r\n\r\n")).decode()
            except TimeoutError:
                continue
            except asyncio.IncompleteReadError:
                break
            action = re.search(r"ActionID: (.*?)\r\n", asked)
            answered = f"ActionID: {action[1] if action else ''}\r\nTimestamp: {time.time():.6f}\r\n"
            writer.write(f"Response: Success\r\n{answered}\r\n".encode())
            if "Action: Login" in asked:
                writer.write(b"Event: FullyBooted\r\nPrivilege: system,all\r\nTimestamp: %.6f\r\n\r\n" % time.time())
            elif telling is None and "Action: Ping" in asked:
                telling = asyncio.create_task(tell(writer, rate, seconds))
        print(await telling if telling else 0, flush=True)
        writer.close()
        over.set()

    async with await asyncio.start_server(client, "127.0.0.1", port):
        print("ready", flush=True)
        await over.wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])))
