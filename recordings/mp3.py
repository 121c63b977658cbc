"""An archive as MP3, for those who take nothing newer; it takes a core for seconds: run it in a thread or a process."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Final

from recordings.opus import RATE, decode

_BITRATE: Final = 32_000
"""An hour of both sides is 14 MB."""


def mp3_of(archive: Path) -> bytes:
    """Both sides of an archive, the caller left, staff right. Raises SoundError."""
    import av  # noqa: PLC0415 only who encodes pays for it

    told = io.BytesIO()
    at = 0
    with av.open(told, "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=RATE)
        stream.layout, stream.bit_rate = "stereo", _BITRATE
        for block in decode(archive):
            if not block.shape[1]:
                continue
            frame = av.AudioFrame.from_ndarray(block.T.reshape(1, -1).copy(), format="s16", layout="stereo")
            frame.sample_rate, frame.pts = RATE, at
            at += block.shape[1]
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return told.getvalue()
