"""Spreadsheets as rows of cells of text: csv in the spellings that programs write, and what a cell shows (pure)."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Final

from crm_sync.imports.faults import BYTES_MOST, COLUMNS_MOST, ROWS_MOST, TEXT_MOST, FileFault

Row = tuple[int, list[str]]
"""A row's number as the spreadsheet shows it, from 1, and its cells."""

_DELIMITERS: Final = (",", ";", "\t")
_TOLD: Final = re.compile(r"sep=([;,\t|])\n", re.IGNORECASE)
_QUOTED: Final = re.compile(r'"[^"]*"')
_LINES: Final = re.compile(r"[^\n]*\n|[^\n]+")
_CONTROL: Final = {code: None for code in (*range(32), 127, 0xFEFF) if chr(code) not in "\n\t"}
_EVALUATED: Final = re.compile(r"\A(?='*[\t\r])|(?:\A|[;,\t\r\n])\s*(?='*[=+\-@])")
"""Where a spreadsheet would take what follows for a formula; also within a cell, which another delimiter may end."""
_HARMLESS: Final = re.compile(r"\A'(?='*[\t\r])|((?:\A|[;,\t\r\n])\s*)'(?='*[=+\-@])")


def decode(body: bytes) -> str:
    """The text of a file: UTF-8, UTF-16 with its mark, or else Windows' Cyrillic. Raises FileFault."""
    if len(body) > BYTES_MOST:
        raise FileFault("too_large", len(body))
    wide = body.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-16",) if wide else ("utf-8-sig", "cp1251"):
        try:
            return body.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise FileFault("encoding")


def csv_rows(body: bytes) -> list[Row]:
    """The rows of a csv file in which something stands; delimited by semicolon, comma or tab, whichever its header has.

    Raises FileFault.
    """
    text = decode(body).replace("\r\n", "\n").replace("\r", "\n")
    told = _TOLD.match(text)
    text = text[told.end() :] if told else text
    delimiter = told[1] if told else _delimiter(text)
    lines = (line[0] for line in _LINES.finditer(text))
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        return bounded(reader, first=2 if told else 1)
    except csv.Error:
        raise FileFault("quotes", reader.line_num) from None


def bounded(rows: Iterable[Sequence[object]], first: int = 1) -> list[Row]:
    """The rows in which something stands, their cells as text, none at a row's end empty. Raises FileFault."""
    kept: list[Row] = []
    length = 0
    for number, cells in enumerate(_texts(rows), first):
        if cells:
            kept.append((number, cells))
        length += sum(map(len, cells))
        if length > TEXT_MOST:
            raise FileFault("too_much_text")
        if len(cells) > COLUMNS_MOST:
            raise FileFault("too_many_columns", len(cells))
        if len(kept) > ROWS_MOST + 1:  # the header is one
            raise FileFault("too_many_rows", ROWS_MOST)
    if not kept:
        raise FileFault("empty")
    return kept


def harmless(text: str) -> str:
    """A cell's text with an apostrophe before whatever a spreadsheet would work out; `as_text` takes it away again."""
    return _EVALUATED.sub(r"\g<0>'", text)


def as_text(value: object) -> str:
    """What a cell shows: no control characters, whole numbers without a fraction, times as ISO 8601.

    The apostrophes that `harmless` put before formulas are taken away again.
    """
    if isinstance(value, str):
        return _HARMLESS.sub(r"\1", value.translate(_CONTROL).strip())
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(timespec="minutes")
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value) if isinstance(value, int | float | timedelta) else ""


def _texts(rows: Iterable[Sequence[object]]) -> Iterator[list[str]]:
    for row in rows:
        cells = [as_text(value) for value in row]
        while cells and not cells[-1]:
            cells.pop()
        yield cells


def _delimiter(text: str) -> str:
    """Whichever the first line in which something stands has most of, outside quotes."""
    header = next((line for line in text.split("\n", 50)[:50] if line.strip()), "")
    bare = _QUOTED.sub("", header)
    return max(_DELIMITERS, key=bare.count)
