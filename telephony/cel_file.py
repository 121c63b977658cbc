"""Reads a period of the CEL file that cel_custom writes, and of its rotated siblings, whatever their size.

Rows are CSV with the columns of `telephony.cel.COLUMNS`, without a header, or JSON objects. Asterisk opens, appends and
closes the file for every row, so it may be renamed or truncated at any moment, and a reader may meet half a line.
A caller's number may hold line breaks, and its lines look like rows of their own. In CSV the quotes tell: CSV_QUOTE
doubles each quote in a value. Asterisk's JSON escapes quotes alone (res_cdrel_custom of 22.10): a backslash or a line
break in a caller's name makes a row that is no JSON, or one with a name told twice; such a row is left out.
"""

from __future__ import annotations

import asyncio
import bz2
import csv
import gzip
import json
import lzma
import os
import re
import zlib
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from stat import S_ISREG
from typing import IO, Final

from telephony.cel import COLUMNS, event_type
from telephony.told import moment

Row = dict[str, str]
"""One CEL row: column in any of Asterisk's spellings -> value."""

_ROW_BEGINS: Final = re.compile(rb'\0*(?:"\w+","|\{")')
"""No line inside a value begins so: there each quote is doubled, or has a backslash before it."""

_ROW_BYTES_MOST: Final = 16384
_CHUNK: Final = 100
_LOOK_BYTES: Final = 65536
_DISORDER: Final = timedelta(minutes=1)
"""Rows are written in the order of time, but for those of a PBX under load."""
_LATER_MOST: Final = 1000
"""So many rows in a row after the period end it; fewer are of a clock that was ahead for a while, as before NTP."""


class CelFile:
    """The CEL file at `path`, which need not exist yet, and its siblings `NAME.1`, `NAME-20261123`, plain or packed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def is_there(self) -> bool:
        """Whether the file or a rotated sibling of it exists. Raises OSError when the folder cannot be read."""
        return bool(_generations(self.path, datetime.fromtimestamp(0, UTC)))

    async def rows(self, since: datetime, until: datetime) -> AsyncIterator[list[Row]]:
        """The rows from `since` to `until` (aware, both included) as they were written, in bounded pieces.

        No file at all is a period without calls. Raises OSError when the folder or a file cannot be read.
        """
        period = read_period(self.path, since, until)
        while rows := await asyncio.to_thread(_some, period):
            yield rows


def _some(rows: Iterator[Row]) -> list[Row]:
    return list(islice(rows, _CHUNK))


def read_period(path: Path, since: datetime, until: datetime) -> Iterator[Row]:
    """As `CelFile.rows`, a row at a time. Files last written before `since` are not opened."""
    with ExitStack() as stack:
        for file in _open_generations(stack, path, since):
            if isinstance(file, _Packed):
                lines = _unpacked(path, file)
            else:
                file.seek(_begin(file, since - _DISORDER))
                lines = _lines(file)
            later_count = 0
            for row in _Rows().of(lines):
                at = moment(row.get("eventtime", ""))
                if at is None:
                    continue
                later_count = later_count + 1 if at > until + _DISORDER else 0
                if later_count > _LATER_MOST:
                    break
                if since <= at <= until:
                    yield row


def last_rows(path: Path) -> list[Row]:
    """The last rows that the file itself holds, some hundred. Raises OSError."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(max(0, size - _LOOK_BYTES))
        return list(_Rows().of(_lines(file)))


def newest(path: Path) -> datetime | None:
    """When the last row that the file itself holds was written, None for none. Raises OSError."""
    return max((at for row in last_rows(path) if (at := moment(row.get("eventtime", "")))), default=None)


class _Rows:
    """Lines joined to rows: the ones between an opening quote and its closing one are one value's."""

    def __init__(self) -> None:
        self._open: list[bytes] = []
        self._bytes, self._quotes = 0, 0
        self._skipping = False

    def of(self, lines: Iterable[bytes]) -> Iterator[Row]:
        """The rows that the lines make; what makes none is left out."""
        for line in lines:
            row = self._take(line.rstrip(b"\n"))
            if row is not None:
                yield row

    def _take(self, line: bytes) -> Row | None:
        """The row that this line ends, None when it ends none."""
        if _ROW_BEGINS.match(line):
            self._forget()
        if self._skipping or len(line) > _ROW_BYTES_MOST:
            self._forget(skipping=True)
            return None
        if not self._open and line.lstrip(b"\0").startswith(b'{"'):
            return parse_json(line)
        self._open.append(line)
        self._bytes += len(line) + 1
        self._quotes += line.count(b'"')
        if self._quotes % 2:
            if self._bytes > _ROW_BYTES_MOST:
                self._forget(skipping=True)
            return None
        row = parse(b"\n".join(self._open))
        self._forget()
        return row

    def _forget(self, *, skipping: bool = False) -> None:
        self._open, self._bytes, self._quotes, self._skipping = [], 0, 0, skipping


def _lines(file: IO[bytes] | _Packed) -> Iterator[bytes]:
    """The file's lines; of one that is longer than any row its beginning, so that no memory is filled."""
    whole = True
    while line := file.readline(_ROW_BYTES_MOST + 1):
        if whole:
            yield line
        whole = line.endswith(b"\n") or len(line) <= _ROW_BYTES_MOST


def parse(line: bytes) -> Row | None:
    """The row in its line or lines of CSV, None when it is no whole row of ours."""
    text = line.decode("utf-8", errors="replace").strip("\r\n\0")
    if not text.startswith('"'):  # the shipped form quotes all; in a JSON file a caller could write what is not quoted
        return None
    try:
        cells = next(csv.reader([text]), [])
    except csv.Error:
        return None
    return dict(zip(COLUMNS, cells, strict=True)) if len(cells) == len(COLUMNS) and event_type(cells[0]) else None


def parse_json(line: bytes) -> Row | None:
    """The row in a line of JSON; None when it is none, or tells a name twice, as a caller's backslash can make it."""
    try:
        told = json.loads(
            line.decode("utf-8", errors="replace").strip("\r\n\0"),
            object_pairs_hook=list,
            parse_int=str,
            parse_float=str,
        )
    except (ValueError, RecursionError):
        return None
    row = {str(name): value for name, value in told if isinstance(value, str)} if isinstance(told, list) else {}
    whole = len(row) == len(told) and event_type(row.get("eventtype", ""))
    return row if whole else None


_Packed = gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile
_File = IO[bytes] | _Packed


def _open_generations(stack: ExitStack, path: Path, since: datetime) -> list[_File]:
    """The file and its rotated siblings that may hold rows since then, opened, the oldest first.

    A rotation between the look into the folder and the opening would hide a file: then everything is opened anew.
    """
    while True:
        try:
            found = _generations(path, since)
            with ExitStack() as trying:
                opened = [trying.enter_context(file.open("rb")) for _, _, file in found]
                if _inodes(found) == _inodes(_generations(path, since)):
                    stack.push(trying.pop_all())
                    return [_reader(file, raw) for (_, _, file), raw in zip(found, opened, strict=True)]
        except FileNotFoundError:
            if not path.parent.is_dir():
                raise


_Generation = tuple[float, int, Path]


def _inodes(found: Iterable[_Generation]) -> dict[Path, int]:
    return {file: inode for _, inode, file in found}


def _generations(path: Path, since: datetime) -> list[_Generation]:
    """(last written, inode, file) of those that may hold rows since then, the oldest first."""
    found = []
    for file in path.parent.iterdir():
        if file.name == path.name or file.name.startswith((f"{path.name}.", f"{path.name}-")):
            status = file.stat()
            if S_ISREG(status.st_mode) and status.st_mtime >= since.timestamp():
                found.append((status.st_mtime, status.st_ino, file))
    return sorted(found)


def _reader(path: Path, raw: IO[bytes]) -> _File:
    match path.suffix:
        case ".gz":
            return gzip.GzipFile(fileobj=raw)
        case ".bz2":
            return bz2.BZ2File(raw)
        case ".xz":
            return lzma.LZMAFile(raw)
        case _:
            return raw


def _unpacked(path: Path, file: _Packed) -> Iterator[bytes]:
    try:
        yield from _lines(file)
    except (EOFError, lzma.LZMAError, zlib.error) as error:
        raise OSError(f"{path}: a packed file beside it is damaged: {error}") from error


def _begin(file: IO[bytes], since: datetime) -> int:
    """A place before the first row since then, found by halving: what is older is not read."""
    low, high = 0, os.fstat(file.fileno()).st_size
    while high - low > _LOOK_BYTES:
        middle = (low + high) // 2
        file.seek(middle)
        _end_line(file)
        at = next((at for row in _Rows().of(_near(file)) if (at := moment(row.get("eventtime", "")))), None)
        if at is not None and at < since:
            low = middle
        else:
            high = middle
    return low


def _end_line(file: IO[bytes]) -> None:
    while (rest := file.readline(_LOOK_BYTES)) and not rest.endswith(b"\n"):
        pass


def _near(file: IO[bytes]) -> Iterator[bytes]:
    end = file.tell() + _LOOK_BYTES
    for line in _lines(file):
        yield line
        if file.tell() >= end:
            return
