"""What can be wrong with a file to import as a whole (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

BYTES_MOST: Final = 10 * 1024 * 1024
ROWS_MOST: Final = 20_000
COLUMNS_MOST: Final = 60
CELL_MOST: Final = 2000
TEXT_MOST: Final = 32 * 1024 * 1024
"""Bounds of a file: its bytes, its rows with something in them, its columns, the characters of a cell and of all."""

FILE_FAULTS: Final = (
    "too_large",
    "too_much_text",
    "empty",
    "no_rows",
    "too_many_rows",
    "too_many_columns",
    "encoding",
    "quotes",
    "unreadable",
    "header_twice",
    "header_long",
    "mapping",
    "no_such_header",
    "target_twice",
    "no_phone_column",
)


class FileFault(Exception):
    """A file that cannot be imported; `why` is of FILE_FAULTS, `value` what it is about, shortened.

    `columns` are those of the file, header and target, where telling what they are may mend it.
    """

    def __init__(self, why: str, value: object = "", columns: Sequence[tuple[str, str]] = ()) -> None:
        """Keep what is told."""
        self.why, self.value, self.columns = why, str(value)[:100], tuple(columns)
        super().__init__(why, self.value)
