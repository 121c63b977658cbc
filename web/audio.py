"""Sound for the player until the archive is made: the sides of a call as one WAV that is never stored, its outline.

Where the sides of several channels lie on the call's line is told by `recordings.parts`.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final, Protocol

from recordings.wav import HEAD_BYTES, Wav, WavError, header, read_header

SAMPLE_BYTES: Final = 2
_LOUDEST: Final = 32768


class Reads(Protocol):
    """The store, as far as sound is sent from it (`recordings.store.Store`)."""

    async def read(self, name: str, start: int, stop: int) -> bytes:
        """Some bytes of an object. Raises FileNotFoundError, StoreError."""
        ...


@dataclass(frozen=True, slots=True)
class Piece:
    """One stored side, 16-bit mono PCM, that sounds on the call's line from sample `at` on."""

    store: Reads
    name: str
    wav: Wav
    at: int

    @property
    def frames(self) -> int:
        """How many samples there are."""
        return self.wav.data_bytes // SAMPLE_BYTES

    async def read(self, first: int, stop: int) -> array[int]:
        """Its samples from `first` to `stop` (exclusive), which it has."""
        start = self.wav.data_at + first * SAMPLE_BYTES
        return array("h", await self.store.read(self.name, start, start + (stop - first) * SAMPLE_BYTES))


async def open_piece(store: Reads, name: str, size_bytes: int, offset: float) -> Piece:
    """One stored side that sounds from `offset` seconds on. Raises WavError for anything but 16-bit mono PCM."""
    wav = checked(read_header(await store.read(name, 0, min(HEAD_BYTES, size_bytes)), size_bytes))
    return Piece(store, name, wav, round(offset * wav.rate))


@dataclass(frozen=True, slots=True)
class Line:
    """What sounds on each channel of one WAV: the caller on the left, staff on the right, or one of them alone.

    A channel is silent where it has no piece. All pieces have one rate.
    """

    channels: Sequence[Sequence[Piece]]

    @property
    def rate(self) -> int:
        """Samples a second."""
        return next(piece.wav.rate for channel in self.channels for piece in channel)

    @property
    def frames(self) -> int:
        """Samples to the end of the last piece."""
        return max(piece.at + piece.frames for channel in self.channels for piece in channel)

    @property
    def size_bytes(self) -> int:
        """The size of the whole WAV file."""
        return len(self._head()) + self.frames * self._frame_bytes

    async def read(self, start: int, stop: int) -> bytes:
        """The bytes `start` to `stop` (exclusive) of the WAV file."""
        head = self._head()
        told = head[start:stop]
        first = max(start - len(head), 0)
        after = min(stop, self.size_bytes) - len(head)
        if after <= first:
            return told
        frame, last = first // self._frame_bytes, -(-after // self._frame_bytes)
        both = array("h", bytes((last - frame) * self._frame_bytes))
        for number, pieces in enumerate(self.channels):
            both[number :: len(self.channels)] = await _mixed(pieces, frame, last)
        skip = first - frame * self._frame_bytes
        return told + both.tobytes()[skip : skip + after - first]

    @property
    def _frame_bytes(self) -> int:
        return len(self.channels) * SAMPLE_BYTES

    def _head(self) -> bytes:
        return header(len(self.channels), self.rate, SAMPLE_BYTES, self.frames * self._frame_bytes)


async def _mixed(pieces: Sequence[Piece], first: int, stop: int) -> array[int]:
    """What sounds from sample `first` to `stop` of the line."""
    mixed = array("h", bytes((stop - first) * SAMPLE_BYTES))
    overlapping = any(one.at + one.frames > other.at for one, other in pairwise(sorted(pieces, key=lambda it: it.at)))
    for piece in pieces:
        begin, end = max(first, piece.at), min(stop, piece.at + piece.frames)
        if begin >= end:
            continue
        told, here = await piece.read(begin - piece.at, end - piece.at), slice(begin - first, end - first)
        if overlapping:
            told = array(
                "h", (max(-_LOUDEST, min(one + two, _LOUDEST - 1)) for one, two in zip(mixed[here], told, strict=True))
            )
        mixed[here] = told
    return mixed


def peaks(files: Sequence[tuple[Path, int]], frames: int, points: int) -> list[float]:
    """The loudest moment of each of `points` equal parts of `frames`, 0 to 1, of sides that sound from a sample on.

    Takes about 0.1 s an hour of sound; blocks.
    """
    step = max(-(-frames // points), 1)
    outline = [0.0] * -(-frames // step)
    for path, at in files:
        with path.open("rb") as file:
            wav = checked(read_header(file.read(HEAD_BYTES), path.stat().st_size))
            file.seek(wav.data_at)
            for point in range(at // step, len(outline)):
                part = array("h", file.read((step * (point + 1) - max(step * point, at)) * SAMPLE_BYTES))
                if not part:
                    break
                above, below = max(part), -min(part)
                outline[point] = max(outline[point], round(max(above, below) / _LOUDEST, 3))
    return outline


def checked(wav: Wav) -> Wav:
    """The same, when it is 16-bit mono PCM. Raises WavError."""
    if wav.channels != 1 or wav.sample_bytes != SAMPLE_BYTES:
        raise WavError(f"not 16-bit mono: {wav.channels} channels, {wav.sample_bytes * 8} bits")
    return wav


def byte_range(header_value: str | None, size: int) -> tuple[int, int] | None:
    """What a Range header asks for as (start, stop), None for the whole (RFC 9110, 14.2).

    Several ranges, other units and malformed ones are answered with the whole, as the standard allows. Raises
    ValueError when the one range lies beyond the end.
    """
    unit, _, asked = (header_value or "").partition("=")
    first, dash, last = asked.strip().partition("-")
    if unit.strip().lower() != "bytes" or not dash or "," in asked:
        return None
    if any(part and not (part.isascii() and part.isdigit()) for part in (first, last)) or not (first or last):
        return None
    start = int(first) if first else max(size - int(last), 0)
    stop = min(int(last) + 1, size) if first and last else size
    if first and last and int(last) < start:
        return None
    if start >= size:
        raise ValueError("the range begins beyond the end")
    return start, stop
