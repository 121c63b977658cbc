"""Reads the CEL file that cel_custom writes: its new rows as they come, or a period of it and of its rotated siblings.

The columns are `telephony.cel.COLUMNS`, without a header. Asterisk opens, appends and closes the file for every row, so
it may be renamed or truncated at any moment, and a reader may meet half a line. A caller's number may hold line breaks,
and its lines look like rows of their own; CSV_QUOTE doubles each quote in a value, so the quotes tell.
"""

from __future__ import annotations

import asyncio
import bz2
import csv
import gzip
import lzma
import os
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Final

from telephony.cel import COLUMNS, event_type
from telephony.told import moment

Row = dict[str, str]
"""One CEL row: column of `telephony.cel.COLUMNS` -> value."""

_ROW_BEGINS: Final = re.compile(rb'\0*"\w+","')
"""No line inside a value begins so: there each quote is doubled."""

_ROW_BYTES_MOST: Final = 16384


class _Rows:
    """Lines joined to rows: the ones between an opening quote and its closing one are one value's."""

    def __init__(self) -> None:
        self.torn_count = 0
        self._open = b""
        self._skipping = False

    def take(self, line: bytes) -> Row | None:
        """The row that this line ends, None when it ends none."""
        if (self._open or self._skipping) and _ROW_BEGINS.match(line):
            self.end()
        if self._skipping:
            return None
        self._open = self._open + b"\n" + line if self._open else line
        if self._open.count(b'"') % 2:
            self._skipping = len(self._open) > _ROW_BYTES_MOST
            self._open = b"" if self._skipping else self._open
            return None
        row = parse(self._open)
        self._open = b""
        self.torn_count += row is None
        return row

    def end(self, half: bytes = b"") -> None:
        """Give up the row that is open, for another begins or the file ends (with half a line)."""
        self.torn_count += bool(self._open or self._skipping or half)
        self._open, self._skipping = b"", False


class CelFile:
    """The growing file at `path`, which need not exist yet."""

    def __init__(self, path: Path, *, from_start: bool = False) -> None:
        self.path = path
        self.problem = ""
        self._rows = _Rows()
        self._file: IO[bytes] | None = None
        self._half = b""
        if not from_start and path.exists():
            self._file = path.open("rb")
            self._file.seek(0, os.SEEK_END)

    @property
    def torn_count(self) -> int:
        """How many pieces of the file were no row."""
        return self._rows.torn_count

    def new_rows(self) -> list[Row]:
        """The whole rows written since the last call, over any rotation or truncation. Raises OSError."""
        rows: list[Row] = []
        while self._opened():
            renamed = self._renamed()  # asked before reading: what is written before the rename is still read here
            rows += self._read()
            if not renamed:
                break
            self.close()
        return rows

    def close(self) -> None:
        """Let go of the file; the next `new_rows` reads the file then at `path` from its start."""
        if self._file is not None:
            self._file.close()
        self._file = None
        self._forget_half()

    def _opened(self) -> bool:
        if self._file is None and self.path.exists():
            self._file = self.path.open("rb")
        return self._file is not None

    def _renamed(self) -> bool:
        """Whether another file has taken the place; while there is none yet, the old one may still be written."""
        if self._file is None:
            return False
        try:
            return not os.path.samestat(os.fstat(self._file.fileno()), self.path.stat())
        except FileNotFoundError:
            return False

    def _read(self) -> list[Row]:
        if self._file is None:
            return []
        if os.fstat(self._file.fileno()).st_size < self._file.tell():  # truncated in place (logrotate copytruncate)
            self._file.seek(0)
            self._forget_half()
        *lines, self._half = (self._half + self._file.read()).split(b"\n")
        return [row for line in lines if (row := self._rows.take(line)) is not None]

    def _forget_half(self) -> None:
        self._rows.end(self._half)
        self._half = b""


def parse(line: bytes) -> Row | None:
    """The row in its line or lines, None when it is no whole row of ours."""
    try:
        cells = next(csv.reader([line.decode("utf-8", errors="replace").strip("\r\n\0")]), [])
    except csv.Error:
        return None
    return dict(zip(COLUMNS, cells, strict=True)) if len(cells) == len(COLUMNS) and event_type(cells[0]) else None


async def follow(file: CelFile, deliver: Callable[[list[Row]], None], every_seconds: float = 0.5) -> None:
    """Hand new rows to `deliver` until cancelled; a file that cannot be read now is named in `file.problem`."""
    while True:
        try:
            rows = await asyncio.to_thread(file.new_rows)
            file.problem = ""
        except OSError as error:
            rows, file.problem = [], f"{file.path}: {error.strerror or error}"
        if rows:
            deliver(rows)
        await asyncio.sleep(every_seconds)


def read_period(path: Path, since: datetime, until: datetime) -> list[Row]:
    """The rows of `path` and its rotated siblings from `since` to `until` (aware, both included), in order of time.

    Siblings are `NAME.1`, `NAME-20261123`, plain or packed (.gz, .bz2, .xz); those last written before `since` are not
    opened. No file at all is a period without calls; raises OSError when the folder or a file cannot be read.
    """
    found: list[tuple[datetime, Row]] = []
    for generation in _generations(path, since):
        rows = _Rows()
        for line in _lines(generation):
            row = rows.take(line.rstrip(b"\n"))
            at = moment(row["eventtime"]) if row else None
            if row and at and since <= at <= until:
                found.append((at, row))
    return [row for _, row in sorted(found, key=lambda one: one[0])]


def _generations(path: Path, since: datetime) -> list[Path]:
    """The file and its rotated siblings that may hold rows since then, the oldest first."""
    started = [
        (file.stat().st_mtime, file)
        for file in path.parent.iterdir()
        if file.is_file() and (file.name == path.name or file.name.startswith((f"{path.name}.", f"{path.name}-")))
    ]
    return [file for written, file in sorted(started) if written >= since.timestamp()]


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with _unpacked(path) as file:
            yield from file
    except (EOFError, lzma.LZMAError) as error:
        raise OSError(f"{path}: the packed file is damaged: {error}") from error


def _unpacked(path: Path) -> IO[bytes] | gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile:
    match path.suffix:
        case ".gz":
            return gzip.open(path)
        case ".bz2":
            return bz2.open(path)
        case ".xz":
            return lzma.open(path)
        case _:
            return path.open("rb")
