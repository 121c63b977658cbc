"""Sound for the player: both sides as one stereo WAV that is never stored, and the outline of each side's loudness."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from recordings.wav import HEAD_BYTES, Wav, WavError, header, read_header

SAMPLE_BYTES: Final = 2
_FRAME_BYTES: Final = 2 * SAMPLE_BYTES
_LOUDEST: Final = 32768


@dataclass(frozen=True, slots=True)
class Mono:
    """One side: 16-bit mono PCM in a file."""

    path: Path
    wav: Wav

    @property
    def frames(self) -> int:
        """How many samples there are."""
        return self.wav.data_bytes // SAMPLE_BYTES

    def read(self, first: int, count: int) -> array[int]:
        """`count` samples from `first` on, silence beyond the end."""
        with self.path.open("rb") as file:
            file.seek(self.wav.data_at + first * SAMPLE_BYTES)
            told = file.read(max(min(count, self.frames - first), 0) * SAMPLE_BYTES)
        return array("h", told.ljust(count * SAMPLE_BYTES, b"\0"))


@dataclass(frozen=True, slots=True)
class Stereo:
    """The caller on the left, staff on the right, both starting together; a missing side is silent."""

    caller: Mono | None
    staff: Mono | None

    @property
    def rate(self) -> int:
        """Samples a second."""
        return next(side.wav.rate for side in (self.caller, self.staff) if side)

    @property
    def frames(self) -> int:
        """Samples of the longer side."""
        return max(side.frames for side in (self.caller, self.staff) if side)

    @property
    def seconds(self) -> float:
        """How long the longer side lasts."""
        return self.frames / self.rate

    @property
    def size_bytes(self) -> int:
        """The size of the whole WAV file."""
        return len(self._head()) + self.frames * _FRAME_BYTES

    def read(self, start: int, stop: int) -> bytes:
        """The bytes `start` to `stop` (exclusive) of the WAV file."""
        head = self._head()
        told = head[start:stop]
        first = max(start - len(head), 0)
        after = min(stop, self.size_bytes) - len(head)
        if after <= first:
            return told
        frame, last = first // _FRAME_BYTES, -(-after // _FRAME_BYTES)
        both = array("h", bytes((last - frame) * _FRAME_BYTES))
        for offset, side in enumerate((self.caller, self.staff)):
            if side is not None:
                both[offset::2] = side.read(frame, last - frame)
        skip = first - frame * _FRAME_BYTES
        return told + both.tobytes()[skip : skip + after - first]

    def _head(self) -> bytes:
        return header(2, self.rate, SAMPLE_BYTES, self.frames * _FRAME_BYTES)


def open_mono(path: Path) -> Mono:
    """One stored side. Raises WavError for anything but 16-bit mono PCM, OSError when it cannot be read."""
    with path.open("rb") as file:
        wav = read_header(file.read(HEAD_BYTES), path.stat().st_size)
    if wav.channels != 1 or wav.sample_bytes != SAMPLE_BYTES:
        raise WavError(f"not 16-bit mono: {wav.channels} channels, {wav.sample_bytes * 8} bits")
    return Mono(path, wav)


def peaks(side: Mono | None, frames: int, points: int) -> list[float]:
    """The loudest moment of each of `points` equal parts of `frames`, 0 to 1; takes about 0.1 s an hour of sound."""
    if side is None or not frames:
        return [0.0] * points
    step = max(frames // points, 1)
    outline = []
    for first in range(0, frames, step):
        part = side.read(first, min(step, frames - first))
        above, below = max(part), -min(part)
        outline.append(round(max(above, below) / _LOUDEST, 3))
    return outline[:points]


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
