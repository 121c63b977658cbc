"""Reads a file to import in a process that may be ended: whoever made the file decides what reading it takes.

The process gets the file on its standard input and gives JSON; it has so many seconds of processor time and so much
memory, whatever the file unpacks to, and the system ends it beyond them. Formulas are never worked out: the value that
the spreadsheet stored beside one is read.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import zipfile
from asyncio.subprocess import Process
from collections.abc import Mapping
from contextlib import suppress
from io import BytesIO
from typing import Final

import msgspec
from python_calamine import CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from crm_sync.imports.cells import Row, bounded, csv_rows
from crm_sync.imports.faults import BYTES_MOST, TEXT_MOST, FileFault
from crm_sync.imports.rows import Reading, Terms, read_rows

CPU_SECONDS: Final = 30
MEMORY_BYTES: Final = 1 << 30
UNPACKED_MOST: Final = 200 * 1024 * 1024
ANSWER_MOST: Final = 2 * TEXT_MOST
"""Bytes: a reading repeats what stands in the file, and little more."""
_PIECE: Final = 1 << 20
_SECONDS: Final = 120.0
_ENVIRONMENT: Final = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH")  # no secrets of ours
_ZIP: Final = b"PK\x03\x04"
_OLD_EXCEL: Final = b"\xd0\xcf\x11\xe0"


class _Asked(msgspec.Struct, frozen=True):
    """What stands before the file: by which terms its leads are read, if it holds any, and what its columns are."""

    terms: Terms | None
    mapping: dict[str, str]
    cpu_seconds: int


class _Told(msgspec.Struct, frozen=True):
    """What is answered: the reading, or the cells, or why there is neither."""

    reading: Reading | None = None
    rows: list[Row] | None = None
    fault: tuple[str, str, tuple[tuple[str, str], ...]] | None = None


async def read_apart(
    body: bytes, terms: Terms, mapping: Mapping[str, str], *, cpu_seconds: int = CPU_SECONDS
) -> Reading:
    """Read a csv or xlsx file of leads in a process of its own.

    Raises FileFault: also `unreadable` for one that used up its time or its memory.
    """
    told = await _told_apart(body, _Asked(terms, dict(mapping), cpu_seconds))
    assert told.reading is not None  # noqa: S101  # there are terms
    return told.reading


async def cells_apart(body: bytes, *, cpu_seconds: int = CPU_SECONDS) -> list[Row]:
    """The cells of a csv or xlsx file, read as `read_apart` does."""
    told = await _told_apart(body, _Asked(None, {}, cpu_seconds))
    return told.rows or []


async def _told_apart(body: bytes, asked: _Asked) -> _Told:
    if len(body) > BYTES_MOST:
        raise FileFault("too_large", len(body))
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "crm_sync.imports.process",
        env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_SECONDS):
            answer = await _answer(child, msgspec.json.encode(asked) + b"\n" + body)
    except TimeoutError:
        raise FileFault("unreadable") from None
    finally:
        with suppress(ProcessLookupError):
            child.kill()
        await child.communicate()  # what it had said is read to its end: till then asyncio waits for the process
    told = msgspec.json.decode(answer, type=_Told)
    if told.fault is not None:
        raise FileFault(*told.fault)
    return told


async def _answer(child: Process, question: bytes) -> bytes:
    """What the process answers. Raises FileFault for one that says too much, or ends otherwise than it should."""
    assert child.stdin is not None  # noqa: S101  # both are pipes
    assert child.stdout is not None  # noqa: S101
    answer, asking = bytearray(), asyncio.create_task(_ask(child.stdin, question))
    try:
        while piece := await child.stdout.read(_PIECE):
            answer += piece
            if len(answer) > ANSWER_MOST:
                raise FileFault("too_much_text")
    finally:
        asking.cancel()
    if await child.wait():
        raise FileFault("unreadable")
    return bytes(answer)


async def _ask(into: asyncio.StreamWriter, question: bytes) -> None:
    with suppress(ConnectionError):  # who ended early tells so by how it ended
        into.write(question)
        await into.drain()
    into.close()


def _xlsx_rows(body: bytes) -> list[Row]:
    """The rows of the first sheet that is shown."""
    with zipfile.ZipFile(BytesIO(body)) as packed:
        if sum(member.file_size for member in packed.infolist()) > UNPACKED_MOST:
            raise FileFault("too_large", UNPACKED_MOST)
    book = CalamineWorkbook.from_filelike(BytesIO(body))
    for index, sheet in enumerate(book.sheets_metadata):
        if (sheet.typ, sheet.visible) == (SheetTypeEnum.WorkSheet, SheetVisibleEnum.Visible):
            found = book.get_sheet_by_index(index)
            return bounded(found.to_python(skip_empty_area=False))
    raise FileFault("empty")


def main() -> None:
    """Read standard input: the question as a line of JSON, then the file."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    asked = msgspec.json.decode(sys.stdin.buffer.readline(), type=_Asked)
    resource.setrlimit(resource.RLIMIT_CPU, (asked.cpu_seconds, asked.cpu_seconds + 1))
    sys.stdout.buffer.write(msgspec.json.encode(_told(sys.stdin.buffer.read(), asked)))


def _told(body: bytes, asked: _Asked) -> _Told:
    try:
        rows = _rows_of(body)
        return _Told(rows=rows) if asked.terms is None else _Told(reading=read_rows(rows, asked.terms, asked.mapping))
    except FileFault as fault:
        return _Told(fault=(fault.why, fault.value, fault.columns))


def _rows_of(body: bytes) -> list[Row]:
    try:
        if body.startswith(_OLD_EXCEL):
            raise FileFault("unreadable")
        return _xlsx_rows(body) if body.startswith(_ZIP) else csv_rows(body)
    except FileFault:
        raise
    except Exception:  # noqa: BLE001  # whatever the reader of a broken workbook raises, it cannot be read
        raise FileFault("unreadable") from None


if __name__ == "__main__":
    main()
