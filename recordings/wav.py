"""What a WAV file's header says, and whether the file keeps its word (pure)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

PCM = 1
MOST_RATE = 192_000
MOST_BYTES = 0xFFFF_FFFF
HEAD_BYTES = 512
"""Enough of a file's beginning to find where its sound starts; Asterisk's header takes 44 bytes."""


class WavError(Exception):
    """This is no PCM WAV file; the text says what it is instead."""


@dataclass(frozen=True, slots=True)
class Wav:
    """Where the sound lies. `riff_bytes` and `told_bytes` are what the header promises, `data_bytes` what there is.

    `riff_bytes` is the length of all that follows the first eight bytes, `told_bytes` that of the sound alone.
    """

    channels: int
    rate: int
    sample_bytes: int
    data_at: int
    riff_bytes: int
    told_bytes: int
    data_bytes: int

    @property
    def whole(self) -> bool:
        """Both lengths in the header agree with the size: the writer has closed the file, also one without sound.

        Asterisk writes 0 for both when it opens a file, and fills them in when it closes it, not before (its
        formats/format_wav.c; seen on Asterisk 22.10).
        """
        size, padding = self.data_at + self.data_bytes, self.told_bytes % 2
        return self.data_bytes - self.told_bytes in {0, padding} and size - 8 - self.riff_bytes in {0, padding}

    @property
    def seconds(self) -> float:
        """How long the sound that the file holds lasts."""
        return self.data_bytes // (self.channels * self.sample_bytes) / self.rate


def read_header(head: bytes, size_bytes: int) -> Wav:
    """Read the first bytes of a file that is `size_bytes` long. Raises WavError.

    Source: Microsoft's RIFF WAVE; Asterisk 22 writes `fmt ` and `data` alone and fills the sizes in at closing.
    """
    if len(head) < 12 or head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        raise WavError("no RIFF WAVE header")
    at, form = 12, None
    while at + 8 <= len(head):
        name, length = head[at : at + 4], struct.unpack_from("<I", head, at + 4)[0]
        if name == b"fmt " and at + 24 <= len(head):
            form = struct.unpack_from("<HHIIHH", head, at + 8)
        if name == b"data":
            if form is None:
                raise WavError("sound before its format")
            return _wav(form, at + 8, (struct.unpack_from("<I", head, 4)[0], length), size_bytes)
        at += 8 + length + length % 2
    raise WavError("no sound in the first bytes")


def header(channels: int, rate: int, sample_bytes: int, data_bytes: int) -> bytes:
    """The header of a closed file with `data_bytes` of sound."""
    frame = channels * sample_bytes
    form = struct.pack("<HHIIHH", PCM, channels, rate, rate * frame, frame, sample_bytes * 8)
    return (
        b"RIFF"
        + struct.pack("<I", 36 + data_bytes)
        + b"WAVEfmt "
        + struct.pack("<I", 16)
        + form
        + b"data"
        + struct.pack("<I", data_bytes)
    )


def _wav(form: tuple[int, ...], data_at: int, told: tuple[int, int], size_bytes: int) -> Wav:
    kind, channels, rate, _, _, bits = form
    if size_bytes > MOST_BYTES:
        raise WavError(f"too long for its header: {size_bytes} bytes")
    if kind != PCM or not 1 <= channels <= 2 or not 1 <= rate <= MOST_RATE or bits not in {8, 16, 24, 32}:
        raise WavError(f"not plain PCM: format {kind}, {channels} channels, {bits} bits")
    return Wav(channels, rate, bits // 8, data_at, *told, max(size_bytes - data_at, 0))
