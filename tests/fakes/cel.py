"""CEL files as cel_custom writes them, from the tapes."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from telephony import cel
from telephony.cel import COLUMNS

TAPES = Path(__file__).parents[1] / "tapes"
_OURS = {cel.spelling(column): column for column in COLUMNS if cel.spelling(column)}


def write_cel(path: Path, tapes: Iterable[str]) -> None:
    """Append the CEL of these tapes to the file at `path`, one after another."""
    with path.open("a", newline="", encoding="utf-8") as file:
        written = csv.DictWriter(file, COLUMNS, restval="", quoting=csv.QUOTE_ALL, lineterminator="\n")
        for tape in tapes:
            with (TAPES / f"{tape}.cel.csv").open(newline="", encoding="utf-8") as rows:
                for row in csv.DictReader(rows):
                    told = {
                        _OURS[name]: value for column, value in row.items() if (name := cel.spelling(column)) in _OURS
                    }
                    written.writerow(told)
