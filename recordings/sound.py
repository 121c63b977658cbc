"""Sound of any file as samples, block by block: an hour takes no more memory than two minutes (touches the disk)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, Final

import av
import numpy as np
from numpy.typing import NDArray

from recordings.heard import AudioError, Track

RATE: Final = 16_000
"""Samples a second that Whisper hears; recordings of 8 kHz are resampled."""

_BLOCK_SECONDS: Final = 120
_FULL_SCALE: Final = 32768.0

Samples = NDArray[np.float32]


def read(track: Track) -> Iterator[Samples]:
    """The samples of the track at RATE, from -1 to 1, in blocks of up to two minutes. Raises AudioError."""
    held: list[Samples] = []
    count = 0
    for part in _decoded(track.path, "mono" if track.channel is None else "stereo"):
        one = part[0] if track.channel is None else part[track.channel]
        held.append(one.astype(np.float32) / _FULL_SCALE)
        count += len(one)
        if count >= _BLOCK_SECONDS * RATE:
            yield np.concatenate(held)
            held, count = [], 0
    if held:
        yield np.concatenate(held)


def is_two_sided(path: str) -> bool:
    """Tell whether the file holds two channels that differ anywhere. Raises AudioError."""
    return any(bool((part[0] != part[1]).any()) for part in _decoded(path, "stereo"))


def _decoded(path: str, layout: str) -> Iterator[Any]:
    """Samples of 16 bit as (channels, samples), a frame at a time; what is broken within the file is left out."""
    try:
        with av.open(path, mode="r", metadata_errors="ignore") as container:
            resampler = av.AudioResampler(format="s16p", layout=layout, rate=RATE)
            for frame in itertools.chain(_frames(container), [None]):
                for resampled in resampler.resample(frame):
                    yield resampled.to_ndarray()
    except (av.FFmpegError, OSError, IndexError, ValueError) as error:
        raise AudioError(f"{path}: cannot be read as sound: {_line(error)}") from None


def _frames(container: Any) -> Iterator[Any]:
    frames = iter(container.decode(audio=0))
    while True:
        try:
            frame = next(frames)
        except StopIteration:
            return
        except av.error.InvalidDataError:
            continue
        frame.pts = None  # times of a broken file are not believed
        yield frame


def _line(error: Exception) -> str:
    told = getattr(error, "strerror", None) or str(error).strip()
    return (told.splitlines() or [type(error).__name__])[0]
