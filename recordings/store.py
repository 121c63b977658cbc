"""The store of what was said: audio by name, in a folder or in an S3-compatible bucket (the one importer of obstore).

Rules kept here:
1. An object is there whole or not at all, and only then has its name; what was put is read back and compared, in a
   folder after it was forced to the disk.
2. Putting the same again changes nothing; what stands under a name and is something else is a torn or strange object,
   and is replaced.
3. Names come from closed patterns: nobody outside can choose what is read, written or removed. A call has a folder of
   its own under the day (UTC) of its sound, so that all that is kept of it is found without the database.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final
from uuid import UUID

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import LocalStore, ObjectStore, S3Store

from recordings.disk import NO_ROOM
from recordings.names import CHANNEL, SIDES

_DAY: Final = r"(?:originals/)?\d{4}/\d\d/\d\d"
_CALL: Final = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_SIDE: Final = rf"{CHANNEL.pattern}-(?:{'|'.join(SIDES)})\.wav"
_NAME: Final = re.compile(rf"{_DAY}/{_CALL}(?:/(?:{_SIDE}|[0-9a-f]{{16}}\.ogg)|-{_SIDE})")
"""A side of a channel, or the archive of the whole call; earlier versions kept sides in the folder of the day."""

_UNDER: Final = re.compile(rf"(?:originals|(?:originals/)?\d{{4}}(?:/\d\d){{0,2}}|{_DAY}/{_CALL})?")
_STAGED: Final = re.compile(r".+#\d+")
_OS_ERROR: Final = re.compile(r"\(os error (\d+)\)")
_REFUSALS: Final = {
    "InvalidAccessKeyId": "it knows no such key, check its keys",
    "SignatureDoesNotMatch": "the secret is not the key's, check its keys",
    "AccessDenied": "the key may not do this, check its rights",
}
"""S3's codes for what an operator sets wrong, in words."""
_ELSEWHERE: Final = frozenset(
    {"AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException"}
)
"""S3's codes for a request that was signed for another region than the bucket's."""
_WHOLE_BYTES: Final = 32 << 20
_BLOCK: Final = 1 << 20


class StoreError(Exception):
    """The store cannot do it now; the text says why, in one line for the operator."""


class StoreFullError(StoreError):
    """There is no room left, or a quota is used up."""


class StoreRefusesError(StoreError):
    """The bucket's keys, or the folder's rights, do not allow it."""


class NotTrueError(StoreError):
    """What was read back is not what was put: the store is not to be trusted."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One object: `path` is its name in the store."""

    path: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Listed:
    """One object as the store lists it."""

    path: str
    size_bytes: int
    modified_at: datetime


@dataclass(frozen=True, slots=True)
class Bucket:
    """An S3-compatible bucket. `endpoint`: the server's address; without one it is Amazon's."""

    name: str
    key: str
    secret: str
    region: str = "us-east-1"
    endpoint: str | None = None


class Store:
    """Objects by name. All raise StoreError, and FileNotFoundError for what is not there or is no name of ours."""

    def __init__(self, objects: ObjectStore, folder: Path | None = None) -> None:
        self._objects = objects
        self.folder = folder
        """Where objects lie as files; None for a bucket."""

    @classmethod
    def in_folder(cls, folder: Path) -> Store:
        """A store in a folder, which is made when it is needed, for our own account alone."""
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        return cls(LocalStore(folder, automatic_cleanup=True), folder)

    @classmethod
    def in_bucket(cls, bucket: Bucket) -> Store:
        """A store in a bucket; nothing is asked yet. Large objects are sent in parts, and appear when all are there."""
        http = (bucket.endpoint or "").startswith("http://")
        address = {"endpoint": bucket.endpoint} if bucket.endpoint else {}
        return cls(
            S3Store(
                bucket.name,
                access_key_id=bucket.key,
                secret_access_key=bucket.secret,
                region=bucket.region,
                client_options={"allow_http": http, "connect_timeout": "5s", "timeout": "120s"},
                # The job that asked is run again later anyhow.
                retry_config={"max_retries": 2, "retry_timeout": timedelta(seconds=15)},
                **address,  # type: ignore[arg-type]  # a TypedDict cannot be built up
            )
        )

    async def put_bytes(self, name: str, data: bytes) -> Kept:
        """Keep these bytes under `name`."""
        return await asyncio.to_thread(self.put, name, [data])

    def put(self, name: str, told: Iterable[bytes]) -> Kept:
        """Keep the blocks as one object under `name`; blocks are read until they end, and what they raise is raised.

        Blocks: call it in a thread.
        """
        _named(name)
        blocks = iter(told)
        digest, size = hashlib.sha256(), 0

        def counted() -> Iterator[bytes]:
            nonlocal size
            for block in blocks:
                digest.update(block)
                size += len(block)
                yield block

        ahead, first, held = counted(), list[bytes](), 0
        while held < _WHOLE_BYTES and (block := next(ahead, None)) is not None:
            first.append(block)
            held += len(block)
        with _errors(name, writes=True):
            if held < _WHOLE_BYTES:
                if self._is_there(name, digest.hexdigest(), size):
                    return Kept(name, digest.hexdigest(), size)
                obstore.put(self._objects, name, b"".join(first), use_multipart=False)
            else:
                obstore.put(self._objects, name, chain(first, ahead), use_multipart=True)
            if self.folder is not None:
                _force(self.folder, name)
            if self._digest(name) != digest.hexdigest():
                obstore.delete(self._objects, name)
                raise NotTrueError(f"{name}: what was read back differs: the store is not to be trusted")
        return Kept(name, digest.hexdigest(), size)

    def _is_there(self, name: str, sha256: str, size: int) -> bool:
        try:
            return obstore.head(self._objects, name)["size"] == size and self._digest(name) == sha256
        except FileNotFoundError:
            return False

    def _digest(self, name: str) -> str:
        digest = hashlib.sha256()
        for block in obstore.get(self._objects, name).stream(min_chunk_size=_BLOCK):
            digest.update(block)
        return digest.hexdigest()

    @asynccontextmanager
    async def fetch(self, name: str) -> AsyncIterator[Path]:
        """The object as a file of this machine, for as long as the body runs.

        From a bucket it is a nameless copy: it is gone with the process that fetched it, however that ends.
        """
        _named(name)
        if self.folder is not None:
            if not (self.folder / name).is_file():
                raise FileNotFoundError(name)
            yield self.folder / name
            return
        with tempfile.TemporaryFile() as file:
            await asyncio.to_thread(self._copy_to, name, file)
            yield Path(f"/proc/{os.getpid()}/fd/{file.fileno()}")

    def _copy_to(self, name: str, file: BinaryIO) -> None:
        with _errors(name):
            file.writelines(obstore.get(self._objects, name).stream(min_chunk_size=_BLOCK))
            file.flush()

    async def read(self, name: str, start: int, stop: int) -> bytes:
        """The bytes `start` to `stop` (exclusive) of the object."""
        with _errors(_named(name)):
            return bytes(await obstore.get_range_async(self._objects, name, start=start, end=stop))

    async def size(self, name: str) -> int:
        """How many bytes it has."""
        with _errors(_named(name)):
            return int((await obstore.head_async(self._objects, name))["size"])

    async def remove(self, name: str) -> None:
        """Remove the object; what is not there is removed already."""
        with _errors(_named(name)):
            try:
                await obstore.delete_async(self._objects, name)
            except FileNotFoundError:
                return

    async def walk(self, under: str = "") -> AsyncIterator[Listed]:
        """Every object whose name we could have given, below a day, a call's folder, or all of the store."""
        if not _UNDER.fullmatch(under):
            raise ValueError(f"not a folder of the store: {under!r}")
        with _errors(under or "/"):
            async for told in obstore.list(self._objects, under or None):
                for one in told:
                    if _NAME.fullmatch(one["path"]):
                        yield Listed(one["path"], int(one["size"]), one["last_modified"])

    async def tidy(self, before: datetime) -> int:
        """Remove what writers that died before then left half-written in a folder; returns how many files.

        A bucket hides parts of what was never completed: its own lifecycle rule removes them.
        """
        return 0 if self.folder is None else await asyncio.to_thread(_remove_staged, self.folder, before)

    async def probe(self) -> None:
        """Write, read and remove a small object. Raises StoreError: the store cannot be used."""
        with _errors("a probe", writes=True):
            probe = f".probe-{os.getpid()}"
            await obstore.put_async(self._objects, probe, b"probe", use_multipart=False)
            await obstore.get_range_async(self._objects, probe, start=0, end=5)
            await obstore.delete_async(self._objects, probe)


def side_name(call_id: UUID, at: datetime, channel: str, side: str) -> str:
    """Where a side of `channel` is kept; `at`: a time of the call. Raises ValueError for a name of no channel."""
    if not CHANNEL.fullmatch(channel):
        raise ValueError(f"not a channel's uniqueid: {channel!r}")
    return f"{call_folder(call_id, at)}/{channel}-{side}.wav"


def archive_name(call_id: UUID, at: datetime, sha256: str, *, original: bool = False) -> str:
    """Where the archive of a call is kept, or the unmasked original of it: what differs has another name."""
    return f"{'originals/' if original else ''}{call_folder(call_id, at)}/{sha256[:16]}.ogg"


def call_folder(call_id: UUID, at: datetime) -> str:
    """Where all is kept that belongs to a call of that day (but for the original)."""
    return f"{at.astimezone(UTC):%Y/%m/%d}/{call_id}"


def _named(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise FileNotFoundError(name)
    return name


class _errors:  # noqa: N801 reads as a statement
    """What obstore raises becomes our own, one line each; no address, for it may name a person's bucket."""

    def __init__(self, what: str, *, writes: bool = False) -> None:
        self.what = what
        self.writes = writes

    def __enter__(self) -> None:
        return

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, FileNotFoundError):
            if self.writes:
                raise StoreError("the recordings store is not there: no such bucket") from error
            raise FileNotFoundError(self.what) from None
        if isinstance(error, PermissionDeniedError | UnauthenticatedError | PermissionError):
            why = _REFUSALS.get(_code(str(error)), "check its keys and rights")
            raise StoreRefusesError(f"the recordings store refuses us: {why}") from error
        if isinstance(error, BaseError | OSError):
            number = error.errno if isinstance(error, OSError) else _number(str(error))
            if number in NO_ROOM:
                raise StoreFullError("disk full: no room left in the recordings store") from error
            why = os.strerror(number) if number else _reason(str(error))
            raise StoreError(f"the recordings store cannot be used: {why}") from error


def _number(told: str) -> int | None:
    found = _OS_ERROR.search(told)
    return int(found[1]) if found else None


def _code(told: str) -> str:
    """The code of an S3 server's error, "" when there is none."""
    code = re.search(r"<Code>(\w+)</Code>", told)
    return code[1] if code else ""


def _reason(told: str) -> str:
    """What an S3 server, or the way to it, said: in words what an operator sets wrong, else its code or its status."""
    code, status = _code(told), re.search(r"\b([45]\d\d [A-Z][A-Za-z ]+)", told.splitlines()[0])
    if code in _ELSEWHERE or "incorrectly configured region" in told:
        region = re.search(r"<Region>([A-Za-z0-9-]{1,64})</Region>", told)
        return f"the bucket is not in the region that is set{f', but in {region[1]}' if region else ''}"
    return code or (status[1].strip() if status else "it cannot be reached, or answers strangely")


def _force(folder: Path, name: str) -> None:
    """On the disk for good, with the folders on its way, and for our own account alone."""
    path = folder / name
    path.chmod(0o600)
    for one in (path, *(up for up in path.parents if up.is_relative_to(folder))):
        handle = os.open(one, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _remove_staged(folder: Path, before: datetime) -> int:
    """A folder's objects are written as NAME#1 beside its name before it gets it."""
    count = 0
    for path in folder.rglob("*#*"):
        if _STAGED.fullmatch(path.name) and path.stat().st_mtime < before.timestamp():
            path.unlink(missing_ok=True)
            count += 1
    return count
