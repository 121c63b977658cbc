"""How much of a file is louder than the noise of a line, measured while it is at hand (reads the disk)."""

from __future__ import annotations

from typing import BinaryIO, Final

from recordings.gaps import Sound
from recordings.wav import Wav

LOUD_DBFS: Final = -50.0
"""Of a frame's RMS. Idle lines are far below (silence of G.711 A-law: -72), words over a telephone far above."""

FRAME_SECONDS: Final = 0.02
_SAMPLE_BYTES: Final = 2
_FULL: Final = 32768.0
_FRAMES_AT_ONCE: Final = 4096


def measure(source: BinaryIO, wav: Wav) -> Sound:
    """Measure a side from its open file, which is left wherever reading ended; only 16 bit mono is listened to.

    An hour of sound takes about 0.1 s. Raises OSError.
    """
    import numpy as np  # noqa: PLC0415  # a third of a second that only workers pay

    seconds = round(wav.seconds, 3)
    if wav.channels != 1 or wav.sample_bytes != _SAMPLE_BYTES:
        return Sound(seconds)
    frame = max(round(wav.rate * FRAME_SECONDS), 1)
    source.seek(wav.data_at)
    left, loud, loudest = wav.data_bytes, 0, 0.0
    while left and (block := source.read(min(left, frame * _SAMPLE_BYTES * _FRAMES_AT_ONCE))):
        left -= len(block)
        samples = np.frombuffer(block[: len(block) // _SAMPLE_BYTES * _SAMPLE_BYTES], dtype="<i2").astype(np.float32)
        whole = samples[: len(samples) // frame * frame].reshape(-1, frame)
        if len(whole):
            power = np.square(whole).mean(axis=1)
            loud += int((power > _LOUD_POWER).sum())
            loudest = max(loudest, float(power.max()))
    told = round(10 * float(np.log10(loudest / _FULL**2)), 1) if loudest else None
    return Sound(seconds, round(loud * FRAME_SECONDS, 2), told)


_LOUD_POWER: Final = _FULL**2 * 10 ** (LOUD_DBFS / 10)
