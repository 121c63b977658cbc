"""A report as a file: every figure in it, numbers as Excel reads them, and nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from datetime import date, timedelta
from io import BytesIO, StringIO
from zipfile import ZipFile

import pytest
from python_calamine import CalamineWorkbook

from reports.report import Audience, Figure, Report
from tests.fakes.directories import OFFICE
from tests.fakes.sample_report import BAD_DAY, QUIET_DAY
from web.reports.files import COLUMNS, csv_of, xlsx_of
from web.reports.words import measure_name
from web.words import LANGUAGES, say

EVIL = "=cmd|' /C calc'!A0"
HOSTILE = replace(OFFICE, people=tuple(replace(one, name=EVIL) if one.key == "anna" else one for one in OFFICE.people))


def rows_of(report: Report, language: str) -> list[dict[str, str]]:
    told = csv_of(report, HOSTILE, language).decode("utf-8-sig")
    header, *rows = csv.reader(StringIO(told), delimiter={"ru": ";", "en": ","}[language])
    assert header == [say(language, f"report.file.{name}") for name in COLUMNS]
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows]


def test_csv_has_a_row_for_each_figure_whole_and_by_section() -> None:
    rows = rows_of(BAD_DAY, "en")
    sections = [
        (part.by, row.key, one.measure) for part in BAD_DAY.sections for row in part.rows for one in row.figures
    ]
    whole = [("", "", figure.measure) for figure in BAD_DAY.figures]
    assert [(row["by"], row["key"], row["measure"]) for row in rows] == [*whole, *sections]
    share = next(row for row in rows if row["measure"] == "missed_share")
    assert (share["value"], share["part"], share["whole"], share["verdict"]) == ("0.1771", "17", "96", "bad")
    assert share["link"] == BAD_DAY.figures[3].behind
    assert next(row for row in rows if row["measure"] == "nps")["value"] == ""


def test_numbers_are_as_excel_of_the_language_reads_them() -> None:
    assert next(row for row in rows_of(BAD_DAY, "ru") if row["measure"] == "missed_share")["value"] == "0,1771"


def test_no_cell_is_a_formula() -> None:
    assert {row["name"] for row in rows_of(BAD_DAY, "en") if row["key"] == "anna"} == {"'" + EVIL}
    with ZipFile(BytesIO(xlsx_of(BAD_DAY, HOSTILE, "en"))) as packed:
        sheets = [name for name in packed.namelist() if name.startswith("xl/worksheets/")]
        assert not any(b"<f>" in packed.read(name) for name in sheets)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_workbook_has_findings_figures_people_lines_and_days(language: str) -> None:
    book = CalamineWorkbook.from_filelike(BytesIO(xlsx_of(BAD_DAY, HOSTILE, language)))
    names = book.sheet_names
    for part in ("report.findings", "report.figures", "report.by.person", "report.by.line", "report.days"):
        assert say(language, part) in names
    figures = book.get_sheet_by_name(say(language, "report.figures")).to_python()
    assert len(figures) == 1 + len(BAD_DAY.figures)
    assert figures[4][1] == pytest.approx(17 / 96)
    people = book.get_sheet_by_name(say(language, "report.by.person")).to_python()
    assert (people[1][0], people[1][1]) == (EVIL, 34)
    days = book.get_sheet_by_name(say(language, "report.days")).to_python()
    assert (days[-1][0], days[-1][2]) == (date(2026, 11, 27), 17)
    findings = book.get_sheet_by_name(say(language, "report.findings")).to_python()
    assert len(findings) == 1 + len(BAD_DAY.findings)


@pytest.mark.parametrize(
    "audience, measures",
    [
        (BAD_DAY.audience, ("calls_in", "missed", "leads_in")),
        (Audience("person", "anna"), ("answered", "charged", "leads_in")),
    ],
)
def test_days_are_headed_by_what_is_counted_of_them(audience: Audience, measures: tuple[str, ...]) -> None:
    book = CalamineWorkbook.from_filelike(BytesIO(xlsx_of(replace(BAD_DAY, audience=audience), OFFICE, "en")))
    head, *_, last = book.get_sheet_by_name(say("en", "report.days")).to_python()
    assert head[1:4] == [measure_name(OFFICE, "en", measure) for measure in measures]
    assert last[1:] == [96, 17, 31, 8.2]


def test_whole_numbers_have_no_decimal_point() -> None:
    """Excel writes 271 by "#,##0.##" as "271."."""
    with ZipFile(BytesIO(xlsx_of(BAD_DAY, OFFICE, "en"))) as packed:
        styles, sheet = (packed.read(f"xl/{name}.xml").decode() for name in ("styles", "worksheets/sheet3"))
    formats = dict(re.findall('numFmtId="([0-9]+)" formatCode="([^"]+)"', styles))
    used = re.findall('<xf numFmtId="([0-9]+)"', styles.partition("<cellXfs")[2])
    cells = {at: used[int(style)] for at, style in re.findall('<c r="(B2|E3)" s="([0-9]+)"', sheet)}
    assert "#,##0.##" not in formats.values()
    assert [formats[cells[at]] for at in ("B2", "E3")] == ["#,##0", "#,##0.0"]


def test_what_a_mean_of_seconds_is_made_of_is_told_in_its_own_units() -> None:
    """A mean wait of 8 seconds is 16 minutes by 120 calls, not 960 by 120."""
    wait = Figure(measure="wait", value=8.0, part=960.0, whole=120.0)
    book = xlsx_of(replace(BAD_DAY, figures=(wait,)), OFFICE, "en")
    figures = CalamineWorkbook.from_filelike(BytesIO(book)).get_sheet_by_name(say("en", "report.figures")).to_python()
    assert figures[1][1:4] == [timedelta(seconds=8), timedelta(minutes=16), 120]


def test_a_quiet_day_says_so() -> None:
    book = CalamineWorkbook.from_filelike(BytesIO(xlsx_of(QUIET_DAY, OFFICE, "ru")))
    findings = book.get_sheet_by_name(say("ru", "report.findings")).to_python()
    assert findings[1][0] == say("ru", "report.nothing_to_do")
