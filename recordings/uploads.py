"""Recordings that a PBX on another machine sends piece by piece, into the folder where it records for us (the disk).

Rules kept here:
1. Nothing has its name before every byte is there, forced to the disk, and its SHA-256 is the one that was announced.
2. What the sender is told to be there is there: it removes its original on that word alone.
3. Nothing is written over: another sound under a name that is taken is refused, and stays with its sender.
4. Names come from one closed pattern, and links are not followed.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from recordings.disk import NO_ROOM
from recordings.names import CHANNEL, SIDES

NAME: Final = re.compile(rf"({CHANNEL.pattern})-({'|'.join(SIDES)})\.wav")
DIGEST: Final = re.compile(r"[0-9a-f]{64}")
PART: Final = re.compile(rf"\.({NAME.pattern})\.{DIGEST.pattern}\.part")
"""Where a file is until all of it came: group 1 is its name."""

PIECE_BYTES_MOST: Final = 1 << 20
"""Of one piece. Proxies take a megabyte by default."""

FILE_BYTES_MOST: Final = 2 << 30
"""37 hours of one side."""

ROOM_BYTES_LEAST: Final = 500_000_000
"""So much of the disk is left to the database and the store."""

_ABANDONED_SECONDS: Final = 7 * 86_400.0


class UploadError(Exception):
    """A piece that is not taken; the text says why."""


class NotHereError(UploadError):
    """The piece does not begin where the last one ended; `offset` is where it should, and nothing was written."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"the next byte wanted is {offset}")
        self.offset = offset


class BusyError(UploadError):
    """Somebody else sends this very file now."""


class TakenError(UploadError):
    """There is another sound of this name."""


class BrokenError(UploadError):
    """All came, and it is not what was announced; nothing of it was kept."""


class NoRoomError(UploadError):
    """The disk is full, or nearly; nothing of the file was kept."""


@dataclass(frozen=True, slots=True)
class File:
    """What is sent: `name` and `sha256` as the patterns above have them."""

    name: str
    sha256: str
    size_bytes: int

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ValueError(f"name: must be UNIQUEID-caller.wav or UNIQUEID-staff.wav, got {self.name[:100]!r}")
        if not DIGEST.fullmatch(self.sha256):
            raise ValueError(f"sha256: must be 64 hexadecimal digits, got {self.sha256[:100]!r}")
        if not 1 <= self.size_bytes <= FILE_BYTES_MOST:
            raise ValueError(f"size: must be from 1 to {FILE_BYTES_MOST} bytes, got {self.size_bytes}")

    @property
    def channel(self) -> str:
        """The channel's uniqueid, or the name of a message that was left on it."""
        return self.name.rpartition("-")[0]

    @property
    def side(self) -> str:
        """`caller` or `staff`."""
        return self.name.rpartition("-")[2].removesuffix(".wav")


class Inbox:
    """The folder of one PBX; its methods block: call them in a thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def offset(self, file: File) -> int:
        """How many bytes of the file are here, all of them when it is whole. Raises TakenError."""
        if self._whole(file):
            return file.size_bytes
        with contextlib.suppress(FileNotFoundError):
            return min(self._part(file).stat().st_size, file.size_bytes)
        return 0

    def add(self, file: File, start: int, piece: bytes) -> int:
        """Take the piece that begins at `start`; returns how many bytes are here now. Raises UploadError.

        A piece that is here already changes nothing. With the last one the file gets its name.
        """
        if self._whole(file):
            return file.size_bytes
        self._make_room(file)
        with self._open(file) as part:
            here = os.fstat(part).st_size
            if start != here or here + len(piece) > file.size_bytes:
                raise NotHereError(here)
            try:
                _write(part, piece)
                if here + len(piece) == file.size_bytes:
                    self._finish(file, part)
            except OSError as error:
                if error.errno in NO_ROOM:
                    self._part(file).unlink(missing_ok=True)
                    raise NoRoomError("the disk is full") from error
                raise
            return here + len(piece)

    def sweep(self) -> None:
        """Remove what nobody has gone on sending for a week."""
        for part in self.folder.glob(".*.part"):
            with contextlib.suppress(OSError):
                if time.time() - part.lstat().st_mtime > _ABANDONED_SECONDS:
                    part.unlink()

    def _make_room(self, file: File) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if shutil.disk_usage(self.folder).free < ROOM_BYTES_LEAST + file.size_bytes:
            self._part(file).unlink(missing_ok=True)
            raise NoRoomError(f"the disk has less than {ROOM_BYTES_LEAST} bytes beside this file")

    @contextlib.contextmanager
    def _open(self, file: File) -> Iterator[int]:
        """The file so far, for us alone until it is closed; also against another process. Raises BusyError."""
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        part = os.open(self._part(file), flags, 0o600)
        try:
            try:
                fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BusyError("another sender is at it") from None
            if os.fstat(part).st_nlink == 0:
                raise BusyError("another sender has just ended it")
            yield part
        finally:
            os.close(part)

    def _finish(self, file: File, part: int) -> None:
        """Force it to the disk and give it its name, if it is what was announced. Raises BrokenError, TakenError."""
        os.fsync(part)
        with open(os.dup(part), "rb") as whole:  # noqa: PTH123  # a descriptor, not a path
            whole.seek(0)
            told = hashlib.file_digest(whole, "sha256").hexdigest()
        if told != file.sha256:
            self._part(file).unlink()
            raise BrokenError(f"the bytes that came have the SHA-256 {told}")
        if self._whole(file):
            self._part(file).unlink()
            return
        self._part(file).replace(self.folder / file.name)
        handle = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def _whole(self, file: File) -> bool:
        """Whether this very file has its name already. Raises TakenError for another one."""
        path = self.folder / file.name
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
            raise TakenError(f"{file.name} is a link") from None
        with open(handle, "rb") as there:  # noqa: PTH123  # as above
            same = os.fstat(handle).st_size == file.size_bytes
            if same and hashlib.file_digest(there, "sha256").hexdigest() == file.sha256:
                return True
        raise TakenError(f"there is another {file.name}")

    def _part(self, file: File) -> Path:
        return self.folder / f".{file.name}.{file.sha256}.part"


def _write(part: int, piece: bytes) -> None:
    view = memoryview(piece)
    while view:
        view = view[os.write(part, view) :]
