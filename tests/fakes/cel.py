"""CEL files as cel_custom writes them, from the tapes."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from telephony import cel
from telephony.cel import COLUMNS

TAPES = Path(__file__).parents[1] / "tapes"
_OURS = {cel.spelling(column): column for column in COLUMNS if cel.spelling(column)}


def write_cel(path: Path, tapes: Iterable[str], began_at: datetime | None = None) -> None:
    """Append the CEL of these tapes to the file at `path`, one after another; each as if it began at `began_at`."""
    with path.open("a", newline="", encoding="utf-8") as file:
        written = csv.DictWriter(file, COLUMNS, restval="", quoting=csv.QUOTE_ALL, lineterminator="\n")
        for tape in tapes:
            with (TAPES / f"{tape}.cel.csv").open(newline="", encoding="utf-8") as rows:
                later: float | None = None
                for row in csv.DictReader(rows):
                    if began_at is not None:
                        at = float(row["eventtime"])
                        later = began_at.timestamp() - at if later is None else later
                        row["eventtime"] = f"{at + later:.6f}"
                    told = {
                        _OURS[name]: value for column, value in row.items() if (name := cel.spelling(column)) in _OURS
                    }
                    written.writerow(told)
