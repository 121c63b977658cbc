"""A call's sound as one Ogg/Opus file, made and read: the caller left, staff right (the one importer of av).

Both take a core for seconds: run them in a process (`recordings.processes`) or, for a reader, in a thread. Numbers are
8,000 samples a second, 16 bit, as telephones speak.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Self

from recordings import names
from recordings.wav import HEAD_BYTES, WavError, read_header

if TYPE_CHECKING:
    import numpy as np

RATE: Final = 8_000
SIDES: Final = names.SIDES
"""Of an archive: left, right."""

POINTS: Final = 1_200
"""Of an outline, each side."""

LATER_SECONDS: Final = 0.1
"""How much the decoded length may differ from the source's: Opus fills its last frame."""

_BLOCK_SECONDS: Final = 30
_HELD: Final = 500
"""Frames of 20 ms that are told together."""

LEAST_BITRATE: Final = 24_000
"""Below, libopus melts both sides into one; here, of two who speak at once each side holds 1 % of the other."""

_HEARD: Final = 200.0
"""A second of sound whose root mean square is above was heard; a line's noise is below 50."""

_QUIET: Final = 50.0

_KEPT_SHARE: Final = 0.3
"""A second that was heard must come back with so much of its loudness; Opus keeps nearly all."""


class SoundError(Exception):
    """A file cannot be read as sound. Trying again will not help."""


class NotVerifiedError(Exception):
    """What was encoded does not sound like its source when it is decoded again."""


@dataclass(frozen=True, slots=True)
class Source:
    """Sound of one side on the line from `offset` on (seconds): a mono WAV, or a slice of an earlier archive.

    The slice begins at `begin` and lasts `seconds`; a WAV is taken whole.
    """

    path: str
    side: str
    offset: float
    begin: float = 0.0
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Encoded:
    """An Ogg/Opus file with what the player draws: loudness by side, 0 to 1, at POINTS equal steps of `seconds`."""

    sound: bytes
    sha256: str
    seconds: float
    outline: dict[str, list[float]]


def encode(sources: Sequence[Source], muted: Sequence[tuple[float, float]], bitrate: int) -> Encoded:
    """All sources on one line as one file; `muted` spans of the line (seconds) are silent on both sides.

    The file is decoded again and compared, second by second. Raises SoundError, NotVerifiedError.
    """
    with _Line(sources, muted) as line:
        step = max(-(-line.frames // POINTS), 1)
        outline, heard = _Outline(step), _Loudness(line.frames)
        sound = io.BytesIO()
        with _container(sound, "w", format="ogg", options={"fflags": "+bitexact"}) as container:
            stream = container.add_stream("libopus", rate=RATE, options={"application": "voip", "vbr": "on"})
            stream.layout, stream.bit_rate = "stereo", bitrate
            for at in range(0, line.frames, step * max(_BLOCK_SECONDS * RATE // step, 1)):
                block = line.read(at, min(step * max(_BLOCK_SECONDS * RATE // step, 1), line.frames - at))
                outline.add(block)
                heard.add(at, block)
                container.mux(stream.encode(_frame(block, at)))
            container.mux(stream.encode(None))
    told = sound.getvalue()
    _verify(told, line.frames, heard)
    return Encoded(told, hashlib.sha256(told).hexdigest(), round(line.frames / RATE, 3), outline.told())


def decode(file: Path | BinaryIO) -> Iterator[np.ndarray[Any, Any]]:
    """The samples of an archive, in blocks of shape (2, n): caller, staff. Raises SoundError."""
    import av  # noqa: PLC0415 only who encodes or decodes pays for it
    import numpy as np  # noqa: PLC0415 as above

    try:
        with av.open(str(file) if isinstance(file, Path) else file, "r") as container:
            resampler = av.AudioResampler(format="s16p", layout="stereo", rate=RATE)
            held: list[np.ndarray[Any, Any]] = []
            for frame in chain(container.decode(audio=0), (None,)):
                held += [told.to_ndarray() for told in resampler.resample(frame)]
                if len(held) >= _HELD or frame is None:
                    yield np.concatenate(held, axis=1) if held else np.zeros((2, 0), np.int16)
                    held = []
    except (av.error.FFmpegError, IndexError) as error:
        raise SoundError(f"no sound that can be read: {error}") from None


def slice_of(file: Path, sides: Sequence[str], first: int, count: int) -> Iterator[bytes]:
    """`count` samples of these sides from sample `first` on, interleaved 16 bit; silent where the archive ended."""
    import numpy as np  # noqa: PLC0415 as above

    rows, at = [SIDES.index(side) for side in sides], 0
    stop = first + count
    for block in decode(file):
        if at >= stop:
            break
        part = block[rows, max(first - at, 0) : max(stop - at, 0)]
        at += block.shape[1]
        if part.shape[1]:
            yield np.ascontiguousarray(part.T).tobytes()
    if at < stop:
        yield bytes((stop - max(at, first)) * len(rows) * 2)


def _container(file: Any, *how: Any, **more: Any) -> Any:
    import av  # noqa: PLC0415 as above

    return av.open(file, *how, **more)


def _frame(block: np.ndarray[Any, Any], at: int) -> Any:
    """Packed samples with their time."""
    import av  # noqa: PLC0415 as above

    frame = av.AudioFrame.from_ndarray(block.T.reshape(1, -1).copy(), format="s16", layout="stereo")
    frame.sample_rate, frame.pts = RATE, at
    return frame


class _Line:
    """The sources mixed on one line, read by blocks: memory does not grow with the call."""

    def __init__(self, sources: Sequence[Source], muted: Sequence[tuple[float, float]]) -> None:
        self._decoded: dict[str, BinaryIO] = {}
        self._parts = [(_frames(one.offset), SIDES.index(one.side), self._samples(one)) for one in sources]
        self._muted = [(_frames(since), _frames(until)) for since, until in muted]
        self.frames = max((at + len(samples) for at, _, samples in self._parts), default=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._decoded.values():
            file.close()

    def read(self, first: int, count: int) -> np.ndarray[Any, Any]:
        """Samples of both sides, shape (2, count)."""
        import numpy as np  # noqa: PLC0415 as above

        mixed = np.zeros((2, count), np.int32)
        for at, side, samples in self._parts:
            start, stop = max(first, at), min(first + count, at + len(samples))
            if start < stop:
                mixed[side, start - first : stop - first] += samples[start - at : stop - at]
        for since, until in self._muted:
            mixed[:, max(since - first, 0) : max(until - first, 0)] = 0
        return np.clip(mixed, -32768, 32767).astype(np.int16)

    def _samples(self, source: Source) -> Any:
        """Its samples, mapped from the disk."""
        import numpy as np  # noqa: PLC0415 as above

        if source.seconds is None:
            return _wav_samples(source.path)
        if source.path not in self._decoded:
            # Without a name: gone with the process, however that ends.
            file = self._decoded[source.path] = tempfile.TemporaryFile()  # noqa: SIM115 closed by __exit__
            file.writelines(block.T.tobytes() for block in decode(Path(source.path)))
            file.flush()
        mapped = np.memmap(self._decoded[source.path], np.int16, "r").reshape(-1, 2)[:, SIDES.index(source.side)]
        return mapped[_frames(source.begin) : _frames(source.begin + source.seconds)]


def _wav_samples(path: str) -> Any:
    """The samples of a mono WAV of telephone sound. Raises SoundError."""
    import numpy as np  # noqa: PLC0415 as above

    with Path(path).open("rb") as file:
        try:
            wav = read_header(file.read(HEAD_BYTES), file.seek(0, io.SEEK_END))
        except WavError as error:
            raise SoundError(f"no sound that can be read: {error}") from None
        if (wav.channels, wav.rate, wav.sample_bytes) != (1, RATE, 2):
            raise SoundError(f"not telephone sound: {wav.channels} channels, {wav.rate} samples a second")
        count = wav.data_bytes // 2
        return np.memmap(file, np.int16, "r", offset=wav.data_at, shape=(count,)) if count else np.zeros(0, np.int16)


class _Outline:
    """The loudest moment of each step, by side."""

    def __init__(self, step: int) -> None:
        self._step = step
        self._points: tuple[list[float], list[float]] = ([], [])

    def add(self, block: np.ndarray[Any, Any]) -> None:
        """The next block; all but the last are whole steps."""
        import numpy as np  # noqa: PLC0415 as above

        loud = np.abs(block.astype(np.int32))
        at = np.arange(0, block.shape[1], self._step)
        for points, peaks in zip(self._points, np.maximum.reduceat(loud, at, axis=1), strict=True):
            points.extend(round(float(one) / 32768, 3) for one in peaks)

    def told(self) -> dict[str, list[float]]:
        """As it is stored."""
        return dict(zip(SIDES, self._points, strict=True))


class _Loudness:
    """The root mean square of each second, by side."""

    def __init__(self, frames: int) -> None:
        import numpy as np  # noqa: PLC0415 as above

        self._squares = np.zeros((2, frames // RATE + 2))

    def add(self, at: int, block: np.ndarray[Any, Any]) -> None:
        """A block that begins at sample `at`."""
        import numpy as np  # noqa: PLC0415 as above

        second = np.minimum((np.arange(block.shape[1]) + at) // RATE, self._squares.shape[1] - 1)
        for side, samples in enumerate(block):
            told = np.bincount(second, samples.astype(np.float64) ** 2, self._squares.shape[1])
            self._squares[side] += told

    @property
    def told(self) -> np.ndarray[Any, Any]:
        """Shape (2, seconds)."""
        told: np.ndarray[Any, Any] = (self._squares / RATE) ** 0.5
        return told


def _verify(sound: bytes, frames: int, source: _Loudness) -> None:
    decoded, at = _Loudness(frames), 0
    for block in decode(io.BytesIO(sound)):
        decoded.add(at, block)
        at += block.shape[1]
    if abs(at - frames) > LATER_SECONDS * RATE:
        raise NotVerifiedError(f"it lasts {at / RATE:.2f} s, its source {frames / RATE:.2f} s")
    for what, wrong in (
        ("has lost what was said", (source.told > _HEARD) & (decoded.told < source.told * _KEPT_SHARE)),
        ("sounds where nobody spoke", (source.told < _QUIET) & (decoded.told > _HEARD)),
    ):
        if wrong.any():
            side, second = next(zip(*wrong.nonzero(), strict=True))
            raise NotVerifiedError(f"the {SIDES[side]}'s side {what}, at second {second}")


def _frames(seconds: float) -> int:
    return max(round(seconds * RATE), 0)
