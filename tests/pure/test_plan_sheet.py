"""A table of plans says what stands in it, or which cell is wrong and why; what is written is read again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_sync.imports.cells import bounded
from directory.model import Company, Directory
from reports.plan_days import HOUSE, PlanDays, Whose
from reports.plan_sheet import CellFault, Sheet, Terms, place, read_month, read_sheet, write_sheet
from reports.plan_values import PlanValueError, read_value, write_value
from reports.plans import Plans

NOVEMBER = date(2026, 11, 1)
ANNA, SALES = Whose("person", "anna"), Whose("team", "sales")
TERMS = Terms(
    measures={
        "заявки": "leads_in",
        "leads_in": "leads_in",
        "доля качественных, %": "qualified_share",
        "ожидание": "wait",
        "nps": "nps",
        "встречи": "step.meeting",
        "двойное": None,
    },
    whose={"анна": ANNA, "person anna": ANNA, "продажи": SALES, "дом": HOUSE, "однофамилец": None},
)


def read(rows: Sequence[Sequence[Any]]) -> Sheet:
    """As the process that reads workbooks gives their cells."""
    return read_sheet(bounded(rows), TERMS)


def test_a_table_says_what_is_planned_for_whom() -> None:
    """What it has a row and a column for: an empty cell there is no plan."""
    told = read([["2026-11", "Заявки", "Доля качественных, %"], ["Анна", 30.0, 45.0], [], ["ПРОДАЖИ", None, "0.5%"]])
    assert told.faults == ()
    assert told.month == NOVEMBER
    assert told.cells == {
        (ANNA, "leads_in"): 30,
        (ANNA, "qualified_share"): 0.45,
        (SALES, "leads_in"): None,
        (SALES, "qualified_share"): 0.005,
    }
    assert told.places[SALES, "qualified_share"] == "C4"


def test_every_wrong_cell_is_named() -> None:
    told = read(
        [
            ["ноябрь", "Заявки", "Кофе", "двойное", "leads_in"],
            ["Анна", "много"],
            ["Никто", 3],
            ["Дом", "-1"],
            ["person anna", 4],
            ["однофамилец", 4],
        ]
    )
    assert told.month is None
    assert told.faults == (
        CellFault("A1", "ноябрь", "month"),
        CellFault("C1", "Кофе", "measure"),
        CellFault("D1", "двойное", "measure"),
        CellFault("E1", "leads_in", "twice"),
        CellFault("A3", "Никто", "whose"),
        CellFault("A5", "person anna", "twice"),
        CellFault("A6", "однофамилец", "whose"),
        CellFault("B2", "много", "number"),
        CellFault("B4", "-1", "below"),
    )


def test_a_table_without_plans_is_told_so() -> None:
    assert read([["2026-11", "Заявки"]]).faults == (CellFault("A1", "2026-11", "no_plans"),)
    assert read([["2026-11"], ["Анна"]]).faults == (CellFault("A1", "2026-11", "no_plans"),)


@pytest.mark.parametrize(
    "text, measure, of_file, value",
    [
        ("1 200", "leads_in", True, 1200),
        ("1\u00a0200", "leads_in", True, 1200),
        ("12,5", "leads_in", True, 12.5),
        ("1.234", "leads_in", True, 1.234),
        ("45", "qualified_share", True, 0.45),
        ("45 %", "qualified_share", False, 0.45),
        ("0.5", "missed_share", False, 0.005),
        ("0,5%", "missed_share", True, 0.005),
        ("0", "missed_share", True, 0),
        ("-20", "nps", True, -20),
        ("\u221220", "nps", True, -20),
        ("0,125", "wait", True, 0.125),
        ("0:20", "wait", False, 20),
        ("1:02:03", "call_back", False, 3723),
        ("20", "wait", True, 20),
    ],
)
def test_values_are_read_as_people_write_them(text: str, measure: str, value: float, *, of_file: bool) -> None:
    assert read_value(text, measure, of_file=of_file) == pytest.approx(value)


@pytest.mark.parametrize(
    "text, measure, of_file, why",
    [
        ("", "leads_in", False, "number"),
        ("inf", "leads_in", True, "number"),
        ("1e3", "leads_in", True, "number"),
        ("45%", "leads_in", True, "number"),
        ("1,200", "leads_in", True, "thousands"),
        ("12,345", "leads_in", False, "thousands"),
        ("-1", "leads_in", False, "below"),
        ("9999999999", "leads_in", False, "above"),
        ("101", "qualified_share", True, "above"),
        ("0.45", "qualified_share", True, "part_or_percent"),
        ("1", "qualified_share", True, "part_or_percent"),
        ("101", "nps", True, "above"),
        ("0:20", "wait", True, "number"),
        ("00:20:00", "wait", True, "number"),
        ("0:75", "wait", False, "number"),
    ],
)
def test_what_may_be_meant_otherwise_is_refused(text: str, measure: str, why: str, *, of_file: bool) -> None:
    """Excel makes 0.45 of 45 %, and a time of day of 0:20; a comma may stand for thousands."""
    with pytest.raises(PlanValueError) as refused:
        read_value(text, measure, of_file=of_file)
    assert refused.value.why == why


def test_cells_are_named_as_spreadsheets_name_them() -> None:
    assert [place(1, column) for column in (0, 25, 26, 51, 52, 701, 702)] == [
        "A1",
        "Z1",
        "AA1",
        "AZ1",
        "BA1",
        "ZZ1",
        "AAA1",
    ]


@pytest.mark.parametrize("text", ["", "2026", "2026-13", "0000-01", "11.2026", "2026-11-1"])
def test_a_month_is_written_one_way(text: str) -> None:
    assert read_month(text) is None
    assert read_month("2026-11") == read_month("2026-11-27") == NOVEMBER


@given(
    leads=st.one_of(st.none(), st.integers(0, 10**6)),
    share=st.one_of(st.none(), st.integers(0, 10000)),
    points=st.one_of(st.none(), st.integers(-100, 100)),
    seconds=st.one_of(st.none(), st.integers(0, 5000)),
)
def test_what_is_written_is_read_again(
    leads: int | None, share: int | None, points: int | None, seconds: int | None
) -> None:
    """Whatever is planned; also in a field of the page."""
    told = {
        "leads_in": leads,
        "qualified_share": None if share is None else share / 10000,
        "nps": points,
        "wait": seconds,
    }
    values = {(NOVEMBER, ANNA, measure): float(value) for measure, value in told.items() if value is not None}
    plans = Plans(Directory(company=Company(name="Ромашка")), values, PlanDays(Directory(company=Company(name=""))))
    names = [("leads_in", "Заявки"), ("qualified_share", "Доля качественных, %"), ("nps", "NPS"), ("wait", "Ожидание")]
    found = read(write_sheet(NOVEMBER, names, [(ANNA, "Анна"), (SALES, "Продажи")], plans))
    assert found.faults == ()
    assert {measure: value for (whose, measure), value in found.cells.items() if whose == ANNA} == {
        measure: pytest.approx(value) if value is not None else None for measure, value in told.items()
    }
    for (_, _, measure), value in values.items():
        assert read_value(write_value(value, measure), measure) == pytest.approx(value)
