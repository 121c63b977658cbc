"""WAV headers: what a file promises and what it holds."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.wav import Wav, WavError, header, read_header

PHONE = Wav(channels=1, rate=8000, sample_bytes=2, data_at=44, riff_bytes=16036, told_bytes=16000, data_bytes=16000)


def test_a_closed_file_is_whole_and_has_its_length() -> None:
    """The header and the size agree."""
    wav = read_header(header(1, 8000, 2, 16000), 44 + 16000)
    assert wav == PHONE
    assert wav.whole
    assert wav.seconds == 1.0


@pytest.mark.parametrize("size", [44 + 15998, 44 + 16002, 44])
def test_a_file_that_is_still_written_is_not_whole(size: int) -> None:
    """Too short or too long: somebody has not closed it."""
    assert not read_header(header(1, 8000, 2, 16000), size).whole


@pytest.mark.parametrize("riff_bytes", [0, 35, 37])
def test_an_empty_file_that_is_still_open_is_not_whole(riff_bytes: int) -> None:
    """No sound yet, and none promised; but only a closed file says how long it is."""
    empty = header(1, 8000, 2, 0)
    assert read_header(empty, 44).whole
    assert not read_header(empty[:4] + riff_bytes.to_bytes(4, "little") + empty[8:], 44).whole


@pytest.mark.parametrize(
    "head", [b"", b"RIFF", b"OggS" + bytes(60), b"RIFF\0\0\0\0WAVE", b"RIFF\0\0\0\0WAVEdata\0\0\0\0"]
)
def test_anything_else_is_told_apart(head: bytes) -> None:
    """No sound file is ever taken for one."""
    with pytest.raises(WavError):
        read_header(head, len(head))


@given(st.binary(max_size=600), st.integers(min_value=0, max_value=1 << 40))
def test_no_bytes_break_the_reader(head: bytes, size: int) -> None:
    """Whatever lies in the folder, the answer is a header or WavError."""
    with contextlib.suppress(WavError):
        read_header(head, size)


@given(st.sampled_from([8000, 16000, 48000]), st.sampled_from([1, 2]), st.integers(min_value=0, max_value=1 << 30))
def test_a_written_header_reads_back(rate: int, channels: int, size: int) -> None:
    """What is written for a torn file is what a player then reads."""
    head = header(channels, rate, 2, size)
    assert read_header(head, 44 + size) == Wav(channels, rate, 2, 44, 36 + size, size, size)
