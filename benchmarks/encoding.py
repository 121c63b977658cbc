"""How fast archives are made, of mixed calls one after another as a worker makes them."""

from __future__ import annotations

import itertools
import tempfile
import time
import wave
from pathlib import Path

from recordings import opus
from recordings.processes import Processes
from recordings.wav import header
from service.installed import locate

CALLS_SECONDS = (12, 20, 35, 35, 60, 60, 90, 120, 180, 300, 600)
"""Calls of a day, as long as they are: most are short."""


async def measure() -> None:
    """Print the ratio to real time of making and of reading archives, and how much smaller they are."""
    with tempfile.TemporaryDirectory(prefix="switchhook-bench-") as told:
        folder, processes = Path(told), Processes(1)
        try:
            await processes.run(_begun)
            took, read, sizes = [], [], [0, 0]
            for number, seconds in enumerate(CALLS_SECONDS):
                sides = [_side(folder / f"{number}-{side}.wav", seconds, side) for side in opus.SIDES]
                sources = [opus.Source(str(path), side, 0.0) for path, side in zip(sides, opus.SIDES, strict=True)]
                began = time.perf_counter()
                archive = await processes.run(opus.encode, sources, [], opus.LEAST_BITRATE)
                took.append(time.perf_counter() - began)
                path = folder / f"{number}.ogg"
                path.write_bytes(archive.sound)
                began = time.perf_counter()
                await processes.run(_decoded, path)
                read.append(time.perf_counter() - began)
                sizes = [sizes[0] + len(archive.sound), sizes[1] + sum(side.stat().st_size for side in sides)]
        finally:
            await processes.close()
    talk = sum(CALLS_SECONDS)
    rate = f"{opus.LEAST_BITRATE / 1000:.0f} kb/s"
    print(f"archives of {len(CALLS_SECONDS)} calls of 12 s to 10 min, {talk / 60:.0f} min of talk, {rate}, one process")
    worst = min(seconds / spent for seconds, spent in zip(CALLS_SECONDS, took, strict=True))
    print(f"  made, decoded again, compared {talk / sum(took):6.0f} times real time (the slowest call {worst:.0f})")
    print(f"  of that the decoding          {talk / sum(read):6.0f} times real time")
    hour = sizes[0] / talk * 3600 / 1e6
    print(f"  smaller than the WAV sides    {sizes[1] / sizes[0]:6.1f} times ({hour:.1f} MB an hour)")


def _begun() -> None:
    """The process has read what it needs."""
    import av  # noqa: F401, PLC0415 as the first archive of a worker does
    import numpy as np  # noqa: F401, PLC0415 as above


def _decoded(path: Path) -> int:
    return sum(block.shape[1] for block in opus.decode(path))


def _side(path: Path, seconds: int, side: str) -> Path:
    """People's words, half the time silent while the other side speaks."""
    prompts = sorted(locate().sounds["en"].glob("vm-*.wav"))[:: 1 if side == "caller" else -1]
    sound, silent = b"", side == "staff"
    for prompt in itertools.cycle(prompts):
        with wave.open(str(prompt)) as file:
            frames = file.readframes(file.getnframes())
        sound += bytes(len(frames)) + frames if silent else frames + bytes(len(frames))
        if len(sound) >= seconds * opus.RATE * 2:
            break
    sound = sound[: seconds * opus.RATE * 2]
    path.write_bytes(header(1, opus.RATE, 2, len(sound)) + sound)
    return path
