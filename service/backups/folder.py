"""What a backup is on a disk: a folder named by its moment, whole or not there, with the SHA-256 of all that is in it.

switchhook-2026-11-27T010000Z/
    SHA256SUMS       of all below but the recordings: `sha256sum -c SHA256SUMS` judges it without Switchhook
    manifest.json    `Manifest`
    database.dump    pg_dump's custom format
    directory.yaml   as `switchhook directory export` tells it
    settings.json    without secrets
    store.csv        path, bytes and SHA-256 of every object that the store has to hold
    recordings/      those objects, where they were copied too
"""

from __future__ import annotations

import csv
import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from recordings.archive_rows import Held
from service.faults import UserFault

FORMAT: Final = 1
DUMP, DIRECTORY, SETTINGS, STORE = "database.dump", "directory.yaml", "settings.json", "store.csv"
RECORDINGS: Final = "recordings"
_MANIFEST, _SUMS = "manifest.json", "SHA256SUMS"
_NAME: Final = re.compile(r"switchhook-\d{4}-\d\d-\d\dT\d{6}Z")
_BLOCK: Final = 1 << 20


class BackupError(UserFault):
    """A backup cannot be made, read or restored; the text says why in one line."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup says of itself. `rows`: how many each table had; `dumped_by`: the major version of pg_dump."""

    format: int
    made_at: datetime
    version: str
    revision: str
    server: int
    dumped_by: int
    rows: dict[str, int]
    objects: int
    copied: bool


def place_of(to: Path, at: datetime) -> Path:
    """Where the backup of that moment is, once it is whole."""
    return to / f"switchhook-{at.astimezone(UTC):%Y-%m-%dT%H%M%SZ}"


@contextmanager
def begun(to: Path, at: datetime) -> Iterator[Path]:
    """A folder to fill, which gets its name and its place in `to` when the body is through, and is gone when it fails.

    Only one is filled at a time. Raises BackupError.
    """
    to.mkdir(mode=0o700, parents=True, exist_ok=True)
    whole = place_of(to, at)
    with _lock(to / ".lock") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupError(f"{to}: another backup is being made there") from None
        if whole.exists():
            raise BackupError(f"{whole} is there already")
        for left in to.glob(".switchhook-*.partial"):  # of one that was killed: whoever holds the lock is alone
            shutil.rmtree(left)
        partial = to / f".{whole.name}.partial"
        partial.mkdir(mode=0o700)
        try:
            yield partial
            _force(partial)
            partial.rename(whole)
            _sync(to)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise


def _lock(path: Path) -> TextIOWrapper:
    """The file to lock; a link, which whoever may write there could lead to any file of ours, is refused."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise BackupError(f"{path}: {error.strerror}") from None
    return os.fdopen(handle, "r+")


def finish(folder: Path, manifest: Manifest) -> None:
    """Write the manifest, and the sums of all files."""
    write(folder / _MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=1))
    names = (DUMP, DIRECTORY, SETTINGS, STORE, _MANIFEST)
    write(folder / _SUMS, "".join(f"{digest(folder / name)}  {name}\n" for name in names).encode())


def write(path: Path, data: bytes) -> None:
    """A file for our own account alone."""
    path.touch(mode=0o600)
    path.write_bytes(data)


def read(folder: Path) -> Manifest:
    """The manifest of a backup of which every file was found to be what it was. Raises BackupError."""
    try:
        told = [line.split("  ", 1) for line in (folder / _SUMS).read_text().splitlines()]
        sums = {name: sha256 for sha256, name in told}
        damaged = next((name for name, sha256 in sums.items() if digest(folder / name) != sha256), None)
        if damaged is not None or not {DUMP, STORE, _MANIFEST} <= sums.keys():
            raise BackupError(f"{folder}: {damaged or _SUMS} is damaged: its SHA-256 is not what {_SUMS} tells")
        manifest = msgspec.json.decode((folder / _MANIFEST).read_bytes(), type=Manifest)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BackupError(f"{folder} is no whole backup: there is no {Path(error.filename).name}") from None
    except (ValueError, msgspec.DecodeError) as error:
        raise BackupError(f"{folder} is no backup of ours: {error}") from None
    if manifest.format > FORMAT:
        raise BackupError(f"{folder} was made by Switchhook {manifest.version}, which is newer: install that one")
    return manifest


def write_store(folder: Path, objects: Iterable[Held]) -> None:
    """List what the store has to hold."""
    write(folder / STORE, b"")
    with (folder / STORE).open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("path", "bytes", "sha256"))
        rows.writerows((one.path, "" if one.bytes is None else one.bytes, one.sha256) for one in objects)


def read_store(folder: Path) -> Iterator[Held]:
    """What the store had to hold."""
    with (folder / STORE).open(newline="") as file:
        for path, size, sha256 in islice(csv.reader(file), 1, None):
            yield Held(path, int(size) if size else None, sha256)


def whole_ones(to: Path) -> list[Path]:
    """The backups in `to`, the oldest first."""
    return sorted(path for path in to.glob("switchhook-*") if _NAME.fullmatch(path.name))


def prune(to: Path, keep: int) -> list[Path]:
    """Remove all but the newest `keep`; which those were."""
    old = whole_ones(to)[:-keep]
    for path in old:
        # A half-removed one does not look whole.
        shutil.rmtree(path.rename(path.with_name(f".{path.name}.partial")))
    return old


def copy(source: Path, target: Path) -> str:
    """Copy a file into a new one for our own account alone, and read that back; its SHA-256."""
    target.touch(mode=0o600, exist_ok=False)
    with source.open("rb") as read, target.open("wb") as file:
        shutil.copyfileobj(read, file, _BLOCK)
    return digest(target)


def size(folder: Path) -> int:
    """Bytes of all files in a backup, those too that it shares with the one before."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            found.update(block)
    return found.hexdigest()


def _force(folder: Path) -> None:
    """On the disk for good, before it gets its name."""
    for parent, _, names in os.walk(folder, topdown=False):
        for name in names:
            _sync(Path(parent, name))
        _sync(Path(parent))


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
