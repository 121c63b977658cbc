"""Plans as a table, read and written: the month in its corner, whose down the side, measures along the top (pure).

What the table has a row and a column for is what it says: an empty cell there is no plan. The rest it leaves alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, TypeVar

from crm_sync.imports.cells import Row
from reports.plan_days import Whose
from reports.plan_values import VALUE_FAULTS, PlanValueError, cell_of, read_value
from reports.plans import Plans

Meant = TypeVar("Meant")

SHEET_FAULTS: Final = ("month", "measure", "whose", "twice", "no_plans", "not_yours", "not_counted", *VALUE_FAULTS)
"""What can be wrong with a cell: no month; no such measure; nobody of that name, or several; there already; neither a
row nor a column; not to be planned by who sends it; not counted of a person; or its value."""

_MONTH: Final = re.compile(r"(\d{4})-(\d{2})(?:-\d{2})?")
_LETTERS: Final = 26


@dataclass(frozen=True, slots=True)
class Terms:
    """By which words a table is read, in lower case: measures by names and keys, whose by names and as `person anna`.

    None: the word means several.
    """

    measures: Mapping[str, str | None]
    whose: Mapping[str, Whose | None]


@dataclass(frozen=True, slots=True)
class CellFault:
    """What is wrong with a cell, named as spreadsheets do (C4); `why` is of SHEET_FAULTS."""

    cell: str
    value: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What a table says: the month, and what is planned for whom; None: nothing any more. `places`: in which cell."""

    month: date | None
    cells: Mapping[tuple[Whose, str], float | None]
    places: Mapping[tuple[Whose, str], str]
    faults: tuple[CellFault, ...]


def read_sheet(rows: Sequence[Row], terms: Terms) -> Sheet:
    """What a table says; `rows` are its rows by number, from 1, without their empty ends. There is at least one."""
    faults: list[CellFault] = []
    (first, header), below = rows[0], rows[1:]
    month = read_month(header[0])
    if month is None:
        faults.append(CellFault(place(first, 0), header[0], "month"))
    tops = [(place(first, at), text) for at, text in enumerate(header)]
    measures = _known(tops[1:], terms.measures, "measure", faults)
    whose = _known([(place(number, 0), row[0]) for number, row in below], terms.whose, "whose", faults)
    cells: dict[tuple[Whose, str], float | None] = {}
    places: dict[tuple[Whose, str], str] = {}
    for (number, row), one in zip(below, whose, strict=True):
        for column, measure in enumerate(measures, 1):
            if one is None or measure is None:
                continue
            text, at = (row[column] if column < len(row) else ""), place(number, column)
            places[one, measure] = at
            try:
                cells[one, measure] = read_value(text, measure, of_file=True) if text else None
            except PlanValueError as error:
                faults.append(CellFault(at, text, error.why))
    if not faults and not cells:
        faults.append(CellFault(place(first, 0), header[0], "no_plans"))
    return Sheet(month=month, cells=cells, places=places, faults=tuple(faults))


def write_sheet(
    month: date, measures: Sequence[tuple[str, str]], whose: Sequence[tuple[Whose, str]], plans: Plans
) -> list[list[str | float | None]]:
    """The table of these measures and people, each with its name, with the plans of their own that they have."""
    values = {(one, measure): plans.values.get((month, one, measure)) for one, _ in whose for measure, _ in measures}
    side = [
        [name, *(None if (value := values[one, key]) is None else cell_of(value, key) for key, _ in measures)]
        for one, name in whose
    ]
    return [[f"{month:%Y-%m}", *(name for _, name in measures)], *side]


def place(row: int, column: int) -> str:
    """A cell's name in a spreadsheet; rows are counted from 1, columns from 0: B2, AA10."""
    letters = ""
    left = column + 1
    while left:
        left, letter = divmod(left - 1, _LETTERS)
        letters = chr(ord("A") + letter) + letters
    return f"{letters}{row}"


def read_month(text: str) -> date | None:
    """The month of 2026-11, or of a day as ISO 8601; None for another text."""
    found = _MONTH.fullmatch(text.strip())
    try:
        return date(int(found[1]), int(found[2]), 1) if found else None
    except ValueError:
        return None


def _known(
    told: Sequence[tuple[str, str]], terms: Mapping[str, Meant | None], why: str, faults: list[CellFault]
) -> list[Meant | None]:
    """What these headers mean; what is wrong with them is added to `faults`."""
    found: list[Meant | None] = []
    for cell, text in told:
        meant = terms.get(text.strip().casefold())
        if meant is None or meant in found:
            faults.append(CellFault(cell, text, "twice" if meant in found and meant is not None else why))
            meant = None
        found.append(meant)
    return found
