"""Writes tables for spreadsheets: csv piece by piece, xlsx row by row into a file that goes when it is read."""

from __future__ import annotations

import asyncio
import csv
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Final, Literal

from xlsxwriter import Workbook

from crm_sync.imports.cells import harmless

Form = Literal["csv", "xlsx"]
Cell = str | float | datetime | None
"""What stands in a cell; a time is without a zone, as spreadsheets have them."""

MEDIA: Final[dict[Form, str]] = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
XLSX_ROWS_MOST: Final = 1_048_576
_PIECE_BYTES: Final = 64 * 1024


async def written(
    form: Form, delimiter: str, pieces: AsyncIterator[Sequence[Sequence[Cell]]]
) -> AsyncGenerator[bytes, None]:
    """Rows as the bytes of a file; csv has a mark of UTF-8, which Excel needs, and this delimiter."""
    made = _csv(delimiter, pieces) if form == "csv" else _xlsx(pieces)
    async for piece in made:
        yield piece


async def _csv(delimiter: str, pieces: AsyncIterator[Sequence[Sequence[Cell]]]) -> AsyncIterator[bytes]:
    text = StringIO("\ufeff")
    text.seek(1)
    writer = csv.writer(text, delimiter=delimiter)
    async for rows in pieces:
        writer.writerows([_plain(cell) for cell in row] for row in rows)
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()


def _plain(cell: Cell) -> str:
    """The text of a cell, in which no spreadsheet finds a formula."""
    if isinstance(cell, datetime):
        return f"{cell:%Y-%m-%d %H:%M}"
    return "" if cell is None else harmless(str(cell))


async def _xlsx(pieces: AsyncIterator[Sequence[Sequence[Cell]]]) -> AsyncIterator[bytes]:
    with tempfile.TemporaryDirectory(prefix="switchhook-export-") as folder:
        path = Path(folder, "export.xlsx")
        book = Workbook(path, {"constant_memory": True, "tmpdir": folder})
        sheet, moments, at = book.add_worksheet(), book.add_format({"num_format": "dd.mm.yyyy hh:mm"}), 0

        def write(rows: Sequence[Sequence[Cell]]) -> None:
            for number, row in enumerate(rows, at):
                for column, cell in enumerate(row):
                    if isinstance(cell, datetime):
                        sheet.write_datetime(number, column, cell, moments)
                    elif isinstance(cell, int | float):
                        sheet.write_number(number, column, cell)
                    elif cell:
                        sheet.write_string(number, column, cell)  # as text, whatever it begins with

        async for rows in pieces:
            await asyncio.to_thread(write, rows)
            at += len(rows)
        await asyncio.to_thread(book.close)
        with await asyncio.to_thread(path.open, "rb") as file:
            while piece := await asyncio.to_thread(file.read, _PIECE_BYTES):
                yield piece
