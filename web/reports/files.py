"""A report to take away: csv with a row a figure, and a workbook with a sheet for each of its parts."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from io import BytesIO, StringIO
from typing import Final

from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from crm_sync.imports.cells import harmless
from directory.model import Directory
from reports.measures import Ratio, Unit
from reports.registry import COUNT_OF, MEASURES
from reports.report import By, Figure, Report, Section, day_measures
from web.bulk import DELIMITERS
from web.reports import words
from web.reports.letter import Letter, letter_of
from web.words import say

NUMBERS: Final = (
    *("value", "part", "whole", "usual", "low", "high"),
    *("plan", "plan_month", "month_so_far", "month_forecast", "month_low", "month_high"),
)
COLUMNS: Final = ("by", "key", "name", "measure", "what", *NUMBERS, "verdict", "driver", "link")
"""Of the csv file. `by`, `key` and `measure` are keys that stay, `name` and `what` words; shares are 0 to 1."""

_FORMATS: Final[Mapping[Unit, str]] = {
    "count": "#,##0",
    "number": "0.0",
    "points": "+0;-0;0",
    "seconds": "[h]:mm:ss",
    "share": "0.0%",
}
_NOT_WHOLE: Final = "#,##0.0"
"""Of things that are no whole number, as what is usual of them: the point of "#,##0.##" stands after whole ones too."""
_DAY: Final = "yyyy-mm-dd"
_DAY_SECONDS: Final = 86_400
_DIGITS: Final = 4
_NO_NAME: Final = re.compile(r"[\[\]:*?/\\']")
_NAME_MOST: Final = 31
_WIDTHS: Final = (36, 16)


@dataclass(frozen=True, slots=True)
class Number:
    """A number in a cell, in its unit."""

    value: float | None
    unit: Unit = "count"


Cell = str | date | Number
Table = tuple[str, list[Sequence[Cell]]]
"""What a sheet is called, and its rows; the first is its header."""


def csv_of(report: Report, directory: Directory, language: str) -> bytes:
    """A row for each figure, of the whole report and then of each row of its sections, for Excel of that language."""
    text = StringIO()
    text.write("\ufeff")
    writer = csv.writer(text, delimiter=DELIMITERS[language])
    writer.writerow(say(language, f"report.file.{name}") for name in COLUMNS)
    told: list[tuple[By | None, str, Figure]] = [(None, "", figure) for figure in report.figures]
    told += [(part.by, row.key, one) for part in report.sections for row in part.rows for one in row.figures]
    for by, key, figure in told:
        row = _texts(by, key, figure, directory, language)
        writer.writerow(harmless(row[name]) if name not in NUMBERS else row[name] for name in COLUMNS)
    return text.getvalue().encode()


def xlsx_of(report: Report, directory: Directory, language: str) -> bytes:
    """A workbook: what it is about, findings, figures, each section, and days. No cell is a formula."""
    file, used = BytesIO(), set[str]()
    with Workbook(file, {"in_memory": True}) as book:
        formats: dict[str, Format] = {unit: book.add_format({"num_format": told}) for unit, told in _FORMATS.items()}
        formats["not_whole"] = book.add_format({"num_format": _NOT_WHOLE})
        formats |= {"day": book.add_format({"num_format": _DAY}), "head": book.add_format({"bold": True})}
        for name, rows in _tables(report, directory, language):
            sheet = book.add_worksheet(_sheet_name(name, used))
            sheet.freeze_panes(1, 1)
            for column in range(max(map(len, rows))):
                sheet.set_column(column, column, _WIDTHS[min(column, 1)])
            for at, cells in enumerate(rows):
                for column, cell in enumerate(cells):
                    _write(sheet, (at, column), cell, formats)
    return file.getvalue()


def _texts(by: By | None, key: str, figure: Figure, directory: Directory, language: str) -> dict[str, str]:
    numbers = {name: _plain(getattr(figure, name), language) for name in NUMBERS}
    return numbers | {
        "by": by or "",
        "key": key,
        "name": words.key_name(directory, language, by, key) if by else "",
        "measure": figure.measure,
        "what": words.measure_name(directory, language, figure.measure),
        "verdict": words.verdict_words(language, figure),
        "driver": words.why_of(figure, directory, language),
        "link": figure.behind,
    }


def _plain(value: float | None, language: str) -> str:
    """A number as Excel of that language reads it: 0.1771, 12; in Russian 0,1771."""
    if value is None:
        return ""
    told = f"{round(value, _DIGITS):.{_DIGITS}f}".rstrip("0").rstrip(".")
    return told.replace(".", ",") if language == "ru" else told


def _tables(report: Report, directory: Directory, language: str) -> list[Table]:
    letter = letter_of(report, directory, language, str, lambda _: "")
    return [
        _about(letter),
        _findings(letter),
        _figures(report, directory, language),
        *(_section(section, directory, language) for section in report.sections),
        _days(report, directory, language),
    ]


def _about(letter: Letter) -> Table:
    told = (letter.period, letter.counted, *letter.lacks, *letter.incidents)
    return say(letter.language, "report.file.about"), [[letter.title], *([line] for line in told)]


def _findings(letter: Letter) -> Table:
    title, what = (say(letter.language, key) for key in ("report.findings", "report.to_do"))
    rows: list[Sequence[Cell]] = [[title, what]]
    for told in letter.findings:
        said = " ".join(part for part in (told.title, told.why, told.driver) if part)
        rows.append([said, *(action.words for action in told.actions)])
    if not letter.findings:
        rows.append([letter.nothing[0]])
    return title, rows


def _figures(report: Report, directory: Directory, language: str) -> Table:
    head: list[Cell] = [say(language, f"report.file.{name}") for name in ("what", *NUMBERS, "verdict", "driver")]
    rows: list[Sequence[Cell]] = [head]
    for figure in report.figures:
        units = _units(figure.measure)
        numbers = [Number(getattr(figure, name), units[name]) for name in NUMBERS]
        told = words.verdict_words(language, figure), words.why_of(figure, directory, language)
        rows.append([words.measure_name(directory, language, figure.measure), *numbers, *told])
    return say(language, "report.figures"), rows


def _units(measure: str) -> dict[str, Unit]:
    """Of each of NUMBERS; a ratio's two counts have units of their own: a mean of seconds is seconds by calls."""
    found, unit = MEASURES[measure], words.unit_of(measure)
    counts: dict[str, Unit] = {}
    if isinstance(found, Ratio):
        counts = {"part": COUNT_OF[found.part].unit, "whole": COUNT_OF[found.whole].unit}
    return dict.fromkeys(NUMBERS, unit) | counts


def _section(section: Section, directory: Directory, language: str) -> Table:
    name = say(language, f"report.by.{section.by}")
    figures = section.rows[0].figures
    rows: list[Sequence[Cell]] = [[name, *(words.measure_name(directory, language, one.measure) for one in figures)]]
    for row in section.rows:
        numbers = (Number(one.value, words.unit_of(one.measure)) for one in row.figures)
        rows.append([words.key_name(directory, language, section.by, row.key), *numbers])
    return name, rows


def _days(report: Report, directory: Directory, language: str) -> Table:
    measures = day_measures(report.audience)
    names = (words.measure_name(directory, language, measure) for measure in measures.values())
    rows: list[Sequence[Cell]] = [[say(language, "report.day"), *names, say(language, "report.file.usual")]]
    numbers = (*measures, "missed_usual")
    rows += ([one.day, *(Number(getattr(one, name)) for name in numbers)] for one in report.days)
    return say(language, "report.days"), rows


def _sheet_name(told: str, used: set[str]) -> str:
    """A name that Excel takes, and no other sheet has."""
    plain = _NO_NAME.sub(" ", told).strip()[:_NAME_MOST]
    name, count = plain, 1
    while name.casefold() in used:
        count += 1
        name = f"{plain[: _NAME_MOST - 3]} {count}"
    used.add(name.casefold())
    return name


def _write(sheet: Worksheet, at: tuple[int, int], cell: Cell, formats: Mapping[str, Format]) -> None:
    if isinstance(cell, Number):
        if cell.value is not None:
            value = cell.value / _DAY_SECONDS if cell.unit == "seconds" else cell.value
            whole = cell.unit != "count" or float(value).is_integer()
            sheet.write_number(*at, value, formats[cell.unit if whole else "not_whole"])
    elif isinstance(cell, str):
        # As text, whatever it begins with.
        sheet.write_string(*at, cell, formats["head"] if not at[0] else None)
    else:
        sheet.write_datetime(*at, cell, formats["day"])
