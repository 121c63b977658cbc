"""Spreadsheets as people and others send them: csv, xlsx, and workbooks made to cost whoever opens them."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Sequence
from datetime import datetime
from io import BytesIO, StringIO
from typing import Any, Final

from xlsxwriter import Workbook

_MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_SHEET: Final = "xl/worksheets/sheet1.xml"


def csv_of(rows: Sequence[Sequence[Any]], delimiter: str = ",", encoding: str = "utf-8") -> bytes:
    """These rows as csv."""
    text = StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue().encode(encoding)


def xlsx_of(rows: Sequence[Sequence[Any]], *, hidden: bool = False) -> bytes:
    """These rows as a workbook; a cell is a value, or (formula, its stored value). `hidden`: behind a hidden sheet."""
    file = BytesIO()
    with Workbook(file, {"in_memory": True, "strings_to_formulas": False}) as book:
        if hidden:
            book.add_worksheet("hidden").hide()
        sheet = book.add_worksheet("shown")
        sheet.activate()
        sheet.set_first_sheet()
        day = book.add_format({"num_format": "dd.mm.yyyy"})
        for at, cells in enumerate(rows):
            for column, value in enumerate(cells):
                if isinstance(value, tuple):
                    sheet.write_formula(at, column, value[0], None, value[1])
                elif isinstance(value, datetime):
                    sheet.write_datetime(at, column, value, day)
                else:
                    sheet.write(at, column, value)
    return file.getvalue()


def with_sheet(rows: str) -> bytes:
    """A workbook whose sheet holds these rows, as XML."""
    packed, changed = BytesIO(xlsx_of([["phone"]])), BytesIO()
    with zipfile.ZipFile(packed) as told, zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as made:
        for name in told.namelist():
            sheet = f'<worksheet xmlns="{_MAIN}"><sheetData>{rows}</sheetData></worksheet>'
            made.writestr(name, sheet if name == _SHEET else told.read(name))
    return changed.getvalue()


def cell(place: str, value: str) -> str:
    """A cell as XML."""
    return f'<c r="{place}" t="inlineStr"><is><t>{value}</t></is></c>'


FAR_CORNER: Final = with_sheet(
    f'<row r="1">{cell("A1", "phone")}</row><row r="1048576">{cell("XFD1048576", "1")}</row>'
)
"""Two cells, seventeen thousand million apart."""


def bomb() -> bytes:
    """Kilobytes that unpack to hundreds of megabytes."""
    return with_sheet(" " * (201 * 1024 * 1024))
