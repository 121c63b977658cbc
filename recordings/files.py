"""Audio files, from the folder where the PBX records into the store: complete, checked, never half (touches the disk).

Rules kept here:
1. A side is complete when both lengths in its header agree with its size: Asterisk fills them in when it closes the
   file. What has been quiet for QUIET_SECONDS without that is what a PBX that died has left.
2. What the store took was read back and found equal (`recordings.store`).
3. Names come from closed patterns and links are not followed: nobody outside can choose what is read or written.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final
from uuid import UUID

from recordings.gaps import Sound
from recordings.loudness import measure
from recordings.names import CHANNEL, SIDES
from recordings.store import Store, StoreError, side_name
from recordings.uploads import PART
from recordings.wav import HEAD_BYTES, Wav, WavError, header, read_header

QUIET_SECONDS: Final = 20.0
_BLOCK: Final = 1 << 20


class RecordingError(Exception):
    """A side cannot be kept now; the text says why, in words for the operator."""


class NotThereError(RecordingError):
    """The PBX left no file for this side."""


class NotCompleteError(RecordingError):
    """The PBX still writes, or stopped without closing the file."""


class UnusableError(RecordingError):
    """There is a file, but no sound in it that can be read."""


class EmptyError(UnusableError):
    """The file was closed without any sound."""


class NotKeptError(RecordingError):
    """The store cannot take it: its disk is full, it is away, or it refuses us. The original stays with the PBX."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One side in the store: `path` relative to its root."""

    path: str
    sha256: str
    size_bytes: int
    seconds: float
    sound: Sound | None = None
    """How loud it is, where that was measured."""


class PbxFolder:
    """Where one PBX records. Everything is looked up by the channel's uniqueid."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def has(self, channel: str) -> bool:
        """Tell whether the PBX left anything of this channel."""
        return any(self._side(channel, side).exists() for side in SIDES)

    def forget_empty(self, channel: str) -> None:
        """Remove the two empty sides that the PBX leaves of a channel that was never bridged; never any sound."""
        for side in SIDES:
            try:
                with self.open(channel, side, torn=True):
                    return
            except (NotThereError, EmptyError):
                continue
            except RecordingError:
                return
        self.forget(channel)

    def forget(self, channel: str) -> None:
        """Remove both sides; what is not there, or may not be removed, stays as it is."""
        for side in SIDES:
            with contextlib.suppress(OSError):
                self._side(channel, side).unlink()

    def holds_other(self, channel: str, side: str, sha256: str) -> bool:
        """Tell whether there is a sound which is not the one that the store took as `sha256`, or may become one."""
        try:
            with self.open(channel, side, torn=True) as (source, wav):
                told = hashlib.sha256()
                for block in _blocks(source, wav):
                    told.update(block)
                return told.hexdigest() != sha256
        except (NotThereError, EmptyError):
            return False
        except (RecordingError, OSError):
            return True

    def forget_all(self, channels: Iterable[str]) -> tuple[str, ...]:
        """Remove the sides of these channels, and what was never sent whole of them.

        Returns the names of what is there and may not be removed.
        """
        whole = {f"{_safe(channel)}-{side}.wav" for channel in channels for side in SIDES}
        left = []
        for name in sorted(whole | self._begun(whole)):
            try:
                (self.root / name).unlink(missing_ok=True)
            except OSError:
                left.append(name)
        return tuple(left)

    def _begun(self, whole: Collection[str]) -> set[str]:
        """The files in which uploads of `whole` lie until they are complete."""
        try:
            there = os.listdir(self.root)  # noqa: PTH208  # names, of which there may be very many
        except OSError:
            return set()
        return {name for name in there if (part := PART.fullmatch(name)) and part[1] in whole}

    @contextlib.contextmanager
    def open(self, channel: str, side: str, *, torn: bool = False) -> Iterator[tuple[BinaryIO, Wav]]:
        """One complete side, open for reading at its beginning. Raises NotThereError, NotCompleteError, UnusableError.

        `torn` takes a file whose writer died before it closed it, once it is quiet: then `Wav.whole` is False.
        """
        path = self._side(channel, side)
        try:
            # No link is followed: the folder belongs to the PBX's user, not to ours.
            source = os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
        except FileNotFoundError:
            raise NotThereError(f"the PBX left no file for the {side}'s side") from None
        except OSError as error:
            raise NotCompleteError(f"the {side}'s side cannot be read: {error.strerror}") from error
        with source:
            yield source, self._checked(source, side, torn=torn)

    def listen(self, channel: str, side: str, *, torn: bool = False) -> Sound:
        """Measure one complete side. Raises as `open` does."""
        with self.open(channel, side, torn=torn) as (source, wav):
            try:
                return measure(source, wav)
            except OSError as error:
                raise NotCompleteError(f"the {side}'s side cannot be read: {error.strerror}") from error

    def _checked(self, source: BinaryIO, side: str, *, torn: bool) -> Wav:
        status = os.fstat(source.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise UnusableError(f"the {side}'s side is no plain file")
        quiet = time.time() - status.st_mtime >= QUIET_SECONDS
        try:
            wav = read_header(source.read(HEAD_BYTES), status.st_size)
        except WavError as error:
            if quiet:
                raise UnusableError(f"the {side}'s side holds no sound: {error}") from None
            raise NotCompleteError(f"the PBX has only begun the {side}'s side") from None
        if not (wav.whole or (torn and quiet)):
            raise NotCompleteError(f"the PBX has not closed the {side}'s side")
        if wav.data_bytes == 0:
            raise EmptyError(f"the {side}'s side is empty")
        source.seek(0)
        return wav

    def _side(self, channel: str, side: str) -> Path:
        if side not in SIDES:
            raise ValueError(f"a side is caller or staff, not {side!r}")
        return self.root / f"{_safe(channel)}-{side}.wav"


def keep(
    store: Store, folder: PbxFolder, channel: str, side: str, call: tuple[UUID, datetime], *, torn: bool
) -> Stored:
    """Copy one side of `call` (id, a time of it) into the store, which reads it back. Blocks: call it in a thread.

    Keeping the same side twice gives the same object. Raises RecordingError; then the store is as before.
    """
    name = side_name(*call, channel, side)
    with folder.open(channel, side, torn=torn) as (source, wav):
        try:
            kept = store.put(name, _blocks(source, wav))
        except StoreError as error:
            raise NotKeptError(str(error)) from error
    return Stored(kept.path, kept.sha256, kept.size_bytes, round(wav.seconds, 3))


def _safe(channel: str) -> str:
    if not CHANNEL.fullmatch(channel):
        raise ValueError(f"not a channel's uniqueid: {channel!r}")
    return channel


def _blocks(source: BinaryIO, wav: Wav) -> Iterator[bytes]:
    """The sound with its header; a torn file gets the header it lacks."""
    left = wav.data_at + wav.data_bytes
    if not wav.whole:
        source.seek(wav.data_at)
        left = wav.data_bytes
        yield header(wav.channels, wav.rate, wav.sample_bytes, wav.data_bytes)
    while left and (block := source.read(min(_BLOCK, left))):
        left -= len(block)
        yield block
    if left:
        raise NotCompleteError("the file became shorter while it was copied")
