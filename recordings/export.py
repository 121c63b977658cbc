"""A call to take away: its sound, text, subtitles and facts as one zip that is never held whole."""

from __future__ import annotations

import json
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Any, Final, cast

from recordings.subtitles import cues, to_srt, to_vtt

_BLOCK: Final = 256 * 1024
_FIRST: Final = datetime(1980, 1, 1, tzinfo=UTC)
"""A zip knows no earlier time."""


@dataclass(frozen=True, slots=True)
class Member:
    """A file in the zip. `packed`: compressed, for text; sound is stored as it is."""

    name: str
    blocks: AsyncIterator[bytes]
    packed: bool = True


def text_members(
    segments: Sequence[Mapping[str, Any]], words: Sequence[Mapping[str, Any]], names: Mapping[str, str]
) -> list[Member]:
    """The files of a transcript (as `recordings.tables` tells it); `names` are those of the sides."""
    told = cues(words)
    lines = "".join(f"{_clock(one['start'])}  {names[one['side']]}: {one['text']}\n" for one in segments)
    return [
        text_member("transcript.txt", lines),
        text_member("transcript.srt", to_srt(told, names)),
        text_member("transcript.vtt", to_vtt(told, names)),
    ]


def json_member(name: str, told: Any) -> Member:
    """A file of JSON."""
    return text_member(name, json.dumps(told, ensure_ascii=False, indent=2))


def text_member(name: str, text: str) -> Member:
    """A file of text."""

    async def blocks() -> AsyncIterator[bytes]:
        yield text.encode()

    return Member(name, blocks())


def sound_member(suffix: str, size_bytes: int, read: Callable[[int, int], Awaitable[bytes]]) -> Member:
    """The sound, read as it is written. `read` gives the bytes from a start to a stop (exclusive)."""

    async def blocks() -> AsyncIterator[bytes]:
        for at in range(0, size_bytes, _BLOCK):
            yield await read(at, min(at + _BLOCK, size_bytes))

    return Member(f"recording{suffix}", blocks(), packed=False)


async def zipped(members: Iterable[Member], at: datetime | None) -> AsyncIterator[bytes]:
    """The zip, block by block, as fast as it is asked for. `at`: the time of its files."""
    outlet = _Outlet()
    stamp = max((at or _FIRST).astimezone(UTC), _FIRST).timetuple()[:6]
    with zipfile.ZipFile(cast("IO[bytes]", outlet), "w") as archive:
        for member in members:
            entry = zipfile.ZipInfo(member.name, stamp)
            entry.compress_type = zipfile.ZIP_DEFLATED if member.packed else zipfile.ZIP_STORED
            entry.external_attr = 0o600 << 16
            with archive.open(entry, "w", force_zip64=not member.packed) as file:
                async for block in member.blocks:
                    file.write(block)
                    yield outlet.taken()
    yield outlet.taken()


class _Outlet:
    """A file that can only be written to; what was written is taken away at once."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._written.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing waits here."""

    def taken(self) -> bytes:
        """What was written since."""
        told = b"".join(self._written)
        self._written.clear()
        return told


def _clock(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes):02d}:{rest:04.1f}"
