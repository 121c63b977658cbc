"""Files to import: whatever stands in them is read or refused, by row, and the same twice changes nothing."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from io import StringIO
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crm_sync.imports import cells
from crm_sync.imports.cells import as_text, bounded, csv_rows, harmless
from crm_sync.imports.columns import IGNORED, columns_of, is_target, read_mapping
from crm_sync.imports.faults import BYTES_MOST, CELL_MOST, COLUMNS_MOST, FILE_FAULTS, ROWS_MOST, FileFault
from crm_sync.imports.plan import KnownLead, KnownParty, Plan, plan_import
from crm_sync.imports.rows import ROW_FAULTS, ImportRow, Reading, Terms, read_rows

MOSCOW = timezone(timedelta(hours=3))
DAY = datetime(2026, 12, 31)  # noqa: DTZ001 - a spreadsheet knows no zones
TERMS = Terms(
    region="RU",
    time_zone="Europe/Moscow",
    staff=frozenset({"79160000011", "101", "74951234567"}),
    blocked=frozenset({"79169999999"}),
    words={
        "owner": {"anna": "anna", "анна смирнова": "anna", "boris": "boris", "козлов": ""},
        "stage": {"new": "new", "новая": "new", "in_work": "in_work", "lost": "lost", "disqualified": "disqualified"},
        "step": {"meeting": "meeting", "встреча": "meeting"},
        "disqualified": {"spam": "spam"},
        "lost": {"дорого": "too_expensive"},
        "line": {"74951234567": "74951234567", "основная": "74951234567"},
    },
)


def csv_of(rows: Sequence[Sequence[str]], delimiter: str = ",", encoding: str = "utf-8") -> bytes:
    text = StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue().encode(encoding)


def read(body: bytes, mapping: Mapping[str, str] | None = None) -> Reading:
    return read_rows(csv_rows(body), TERMS, mapping or {})


def read_one(**cells: str) -> Reading:
    """One row under these headers, with a good number unless another is told."""
    told = {"phone": "8 916 123-45-67"} | cells
    return read(csv_of([list(told), list(told.values())]))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1251", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_csv_file_is_read_as_people_s_programs_write_it(encoding: str, delimiter: str) -> None:
    """Any delimiter and encoding, quotes, line breaks in a cell, blank rows; rows keep the spreadsheet's numbers."""
    rows = [
        ["Имя", "Телефон", "Ответственный", "Примечание"],
        [],
        ["ООО «Ёлка», отдел; 2", "+7 (916) 123-45-67", "Анна Смирнова", 'сказал "да"\nзвонить'],
    ]
    reading = read(csv_of(rows, delimiter, encoding))
    assert reading.problems == ()
    assert reading.rows == (
        ImportRow(
            row=3, numbers=("79161234567",), name="ООО «Ёлка», отдел; 2", owner="anna", note='сказал "да"\nзвонить'
        ),
    )


def test_columns_are_known_by_their_headers_and_the_others_are_fields_of_the_lead() -> None:
    """Several columns of phones; what an export adds for people is ignored; a mapping says otherwise."""
    header = ["ФИО", "Телефон", "Тел. 2", "Стадия", "Проект", "Открыта", "", "Доп"]
    told = [column.target for column in columns_of(header, {"Доп": "phone"})]
    assert told == ["name", "phone", "phone", "stage", "field:Проект", IGNORED, IGNORED, "phone"]
    row = [
        "Иван",
        "8 916 123-45-67",
        "8 (916) 123-45-68, 79161234569 доб. 12",
        "новая",
        "Лес",
        "вчера",
        "",
        "9161234567",
    ]
    (read_row,) = read(csv_of([header, row]), {"Доп": "phone"}).rows
    assert read_row.numbers == ("79161234567", "79161234568", "79161234569")
    assert (read_row.stage, read_row.fields) == ("new", {"Проект": "Лес"})


@pytest.mark.parametrize(
    "cells, problems",
    [
        ({"phone": "", "name": "Иван"}, [("", "", "no_phone")]),
        ({"phone": "; /"}, [("phone", "; /", "no_phone")]),
        ({"phone": "нет"}, [("phone", "нет", "not_a_number")]),
        ({"phone": "101"}, [("phone", "101", "internal_number")]),
        ({"phone": "8 916 000-00-11"}, [("phone", "8 916 000-00-11", "staff_number")]),
        ({"phone": "+74951234567"}, [("phone", "+74951234567", "staff_number")]),
        ({"phone": "79169999999"}, [("phone", "79169999999", "blocked_number")]),
        ({"phone": "7,91612E+10"}, [("phone", "7,91612E+10", "cut_number")]),
        ({"phone": ";".join(f"791612345{n:02}" for n in range(11))}, [("phone", "11", "many_numbers")]),
        ({"owner": "Вера"}, [("owner", "Вера", "unknown")]),
        ({"owner": "Козлов"}, [("owner", "Козлов", "several")]),
        ({"stage": "почти"}, [("stage", "почти", "unknown")]),
        ({"stage": "new", "step": "Встреча"}, [("step", "Встреча", "step_not_in_work")]),
        ({"stage": "lost", "reason": "spam"}, [("reason", "spam", "unknown")]),
        ({"stage": "new", "reason": "spam"}, [("reason", "spam", "reason_for_nothing")]),
        ({"reason": "spam"}, [("reason", "spam", "reason_for_nothing")]),
        ({"stage": "почти", "reason": "spam"}, [("stage", "почти", "unknown")]),
        ({"email": "иван@"}, [("email", "иван@", "not_an_email")]),
        ({"line": "вторая"}, [("line", "вторая", "unknown")]),
        ({"deadline": "завтра"}, [("deadline", "завтра", "not_a_time")]),
        ({"deadline": "31.02.2027"}, [("deadline", "31.02.2027", "not_a_time")]),
        ({"deadline": "46387"}, [("deadline", "46387", "not_a_time")]),
        ({"name": "я" * 201}, [("name", "я" * 100, "too_long")]),
        ({"Проект": "я" * (CELL_MOST + 1)}, [("Проект", "я" * 100, "too_long")]),
        ({"phone": "x", "owner": "y"}, [("phone", "x", "not_a_number"), ("owner", "y", "unknown")]),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_row_is_told_by_row_header_and_value(
    cells: dict[str, str], problems: list[tuple[str, str, str]]
) -> None:
    reading = read_one(**cells)
    assert reading.rows == ()
    assert [(it.header, it.value, it.why) for it in reading.problems] == problems
    assert {it.row for it in reading.problems} == {2}


def test_a_row_with_more_cells_than_the_header_is_a_problem() -> None:
    """A comma too many would shift what people meant."""
    (problem,) = read(csv_of([["phone"], ["79161234567", "Иван"]])).problems
    assert (problem.value, problem.why) == ("Иван", "more_cells")


@pytest.mark.parametrize(
    "told, at",
    [
        ("31.12.2026", datetime(2026, 12, 31, 23, 59, tzinfo=MOSCOW)),
        ("1.1.2027 9:30", datetime(2027, 1, 1, 9, 30, tzinfo=MOSCOW)),
        ("2026-12-31", datetime(2026, 12, 31, 23, 59, tzinfo=MOSCOW)),
        ("2026-12-31T15:00", datetime(2026, 12, 31, 15, tzinfo=MOSCOW)),
        ("2026-12-31T15:00+00:00", datetime(2026, 12, 31, 15, tzinfo=UTC)),
    ],
)
def test_a_deadline_is_a_day_or_a_minute_on_the_company_s_wall(told: str, at: datetime) -> None:
    (row,) = read_one(deadline=told).rows
    assert row.deadline_at == at


@pytest.mark.parametrize(
    "body, why",
    [
        (b"", "empty"),
        (b"\n ; \n", "empty"),
        (b"phone\n", "no_rows"),
        (b"name\nIvan\n", "no_phone_column"),
        (b"phone,x,x\n1,2,3\n", "header_twice"),
        (b"phone,name,client\n1,2,3\n", "target_twice"),
        ("phone,source,Источник\n1,2,3\n".encode(), "target_twice"),
        (b"phone," + b"x" * 61 + b"\n1,2\n", "header_long"),
        (b'phone\n"79161234567\n', "quotes"),
        (b'phone\n"7916"1234567\n', "quotes"),
        (b"\xff\xfea", "encoding"),
        (b"\x98", "encoding"),
        (b"phone" + b",x" * COLUMNS_MOST, "too_many_columns"),
        (b"phone\n" + b"1\n" * (ROWS_MOST + 1), "too_many_rows"),
        (b"x" * (BYTES_MOST + 1), "too_large"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_told_by_its_key(body: bytes, why: str) -> None:
    with pytest.raises(FileFault) as told:
        read(body)
    assert told.value.why == why


@pytest.mark.parametrize("told, why", [("Тел", "mapping"), ("=phone", "mapping"), ("a=b", "mapping")])
def test_a_mapping_names_a_header_and_what_it_is(told: str, why: str) -> None:
    with pytest.raises(FileFault) as fault:
        read_mapping([told])
    assert fault.value.why == why
    assert read_mapping(["a=b=phone", " c = -", "d=field:x"]) == {"a=b": "phone", "c": "-", "d": "field:x"}
    with pytest.raises(FileFault, match="no_such_header"):
        columns_of(["phone"], {"Тел. 2": "phone"})


def test_a_cell_is_text_whatever_the_spreadsheet_keeps_in_it() -> None:
    """A number without a fraction, a day without a time; no control characters; an export's apostrophe goes."""
    values: list[Any] = [
        79161234567.0,
        1.5,
        True,
        DAY,
        DAY.replace(hour=9, minute=5),
        None,
        "a\0b\x1f ",
    ]
    told = [as_text(value) for value in values]
    assert told == ["79161234567", "1.5", "1", "2026-12-31", "2026-12-31T09:05", "", "ab"]
    assert [as_text(text) for text in ("'=1+1", "'+7", "'-", "'@a", "'a", "д'=")] == [
        "=1+1",
        "+7",
        "-",
        "@a",
        "'a",
        "д'=",
    ]


CELLS = st.text(max_size=30) | st.sampled_from(
    ["phone", "Телефон", "name", "Имя", "stage", "deadline", "owner", "anna", "new", "8 916 123-45-67", "31.12.2026"]
)


@given(st.binary(max_size=300) | st.lists(st.lists(CELLS, max_size=6), max_size=6).map(csv_of))
def test_whatever_bytes_come_are_read_or_refused_by_a_key(body: bytes) -> None:
    """No other error, and every key is one that has words."""
    fault, reading = None, None
    try:
        reading = read(body)
    except FileFault as told:
        fault = told.why
    if reading is None:
        assert fault in FILE_FAULTS
        return
    assert all(problem.why in ROW_FAULTS for problem in reading.problems)
    assert all(row.numbers for row in reading.rows)
    assert all(is_target(column.target) for column in reading.columns)


@given(st.lists(st.lists(CELLS, max_size=6), min_size=1, max_size=6), st.sampled_from(",;\t"))
def test_cells_survive_csv(rows: list[list[str]], delimiter: str) -> None:
    """What a spreadsheet shows is what is read, whatever stands in it."""
    rows = [["header"], *([cell.replace("\r", "") for cell in row] for row in rows)]
    body = f"sep={delimiter}\n".encode() + csv_of(rows, delimiter)
    assert csv_rows(body) == bounded(rows, first=2)


NUMBERS = st.sampled_from([f"7916123450{n}" for n in range(8)])
ROWS = st.lists(
    st.builds(
        ImportRow,
        row=st.just(0),
        numbers=st.lists(NUMBERS, min_size=1, max_size=3, unique=True).map(tuple),
        name=st.none() | st.sampled_from(["Иван", "Ольга"]),
        owner=st.none() | st.sampled_from(["anna", "boris"]),
        note=st.none() | st.just("перезвонить"),
        fields=st.dictionaries(st.sampled_from(["a", "b"]), st.just("1")),
    ),
    max_size=8,
)


class Book:
    """What imports leave, as the rules say."""

    def __init__(self) -> None:
        self.known: dict[str, KnownParty] = {}

    def plan(self, rows: Sequence[ImportRow]) -> Plan:
        numbered = [
            ImportRow(**{name: getattr(row, name) for name in row.__slots__} | {"row": n})
            for n, row in enumerate(rows, 2)
        ]
        return plan_import(numbered, (), self.known)

    def take(self, plan: Plan) -> None:
        for outcome in plan.outcomes:
            row, party = outcome.row, outcome.known
            if outcome.what == "duplicate":
                continue
            lead = party.lead if party else None
            kept = KnownLead(
                id=1, open=True, stage="new",
                owner=(lead.owner if lead else None) or row.owner,
                notes=(lead.notes if lead else frozenset()) | ({row.note} if row.note else set()),
                fields={**row.fields, **(lead.fields if lead else {})},
            )  # fmt: skip
            made = KnownParty(
                id=party.id if party else len(self.known) + 1,
                name=(party.name if party else None) or row.name,
                lead=kept,
            )
            mine = [number for number, other in self.known.items() if party and other.id == party.id]
            self.known |= dict.fromkeys([*mine, *row.numbers], made)


@given(ROWS, ROWS)
def test_the_same_file_again_changes_nothing(rows: list[ImportRow], earlier: list[ImportRow]) -> None:
    """Whatever was imported before; and no number ever leads to two parties."""
    book = Book()
    book.take(book.plan(earlier))
    plan = book.plan(rows)
    assert sorted([it.row.row for it in plan.outcomes] + [it.row for it in plan.problems]) == list(
        range(2, len(rows) + 2)
    )
    if plan.problems:
        assert {it.why for it in plan.problems} == {"two_parties"}
        return
    book.take(plan)
    assert book.plan(rows).changes_nothing
    for row in rows:
        assert len({book.known[number].id for number in row.numbers}) == 1


def test_a_plan_says_of_every_row_what_becomes_of_it() -> None:
    """New, known by which number and what is filled in, the same as which row, and two parties that share a row."""
    anna = KnownParty(id=1, name="Анна", lead=KnownLead(id=5, open=True, stage="new"))
    lost = KnownParty(id=2, lead=KnownLead(id=6, open=False, stage="lost"))
    rows = [
        ImportRow(row=2, numbers=("1", "2"), name="Анна П.", owner="boris"),
        ImportRow(row=3, numbers=("9",), name="Иван"),
        ImportRow(row=4, numbers=("9", "8")),
        ImportRow(row=5, numbers=("3",), owner="boris", stage="new"),
        ImportRow(row=6, numbers=("7", "4")),
    ]
    plan = plan_import(rows, (), {"2": anna, "3": lost, "4": lost})
    told = [(it.row.row, it.what, it.number, it.changes, it.of) for it in plan.outcomes]
    assert told == [
        (2, "known", "2", ("numbers", "owner"), None),
        (3, "new", "", (), None),
        (4, "duplicate", "9", (), 3),
        (5, "known", "3", ("numbers",), None),
        (6, "duplicate", "4", (), 5),
    ]


@pytest.mark.parametrize(
    "stage, reason, why",
    [
        ("lost", None, "no_reason"),
        ("disqualified", None, "no_reason"),
        ("disqualified", "duplicate", "another_lead"),
        ("reviving", None, "not_a_beginning"),
    ],
)
def test_a_lead_begins_only_where_one_may(stage: str, reason: str | None, why: str) -> None:
    """Such a row is right for whom an export tells of, and wrong for who is to get a lead."""
    row = ImportRow(row=2, numbers=("1",), stage=stage, reason=reason)
    assert [problem.why for problem in plan_import([row], (), {}).problems] == [why]
    assert [problem.why for problem in plan_import([row], (), {"1": KnownParty(id=1)}).problems] == [why]
    had = KnownParty(id=1, lead=KnownLead(id=5, open=False, stage=stage))
    assert plan_import([row], (), {"1": had}).problems == ()


_EVALUATED = re.compile(r"(?:\A|[;,\t\r\n])\s*[=+\-@]|\A[\t\r]")
SHOWN = st.text(st.sampled_from(";,\t\n =+-@'\"a1|!"), max_size=12).map(str.strip)


@given(SHOWN)
@example("x;=cmd|'/c calc'!A1;y")
@example("'=1")
@example("Парк,\t'\t+1")
def test_no_part_of_an_exported_cell_is_a_formula_and_it_comes_in_as_it_was(value: str) -> None:
    """Whatever delimiter opens the file; apostrophes that were there before stay."""
    cell = harmless(value)
    assert not _EVALUATED.search(cell)
    assert as_text(cell) == value
    assert harmless("\t=1\r-2") == "'\t'=1\r'-2"


def test_a_file_has_so_many_characters_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where few cells of the file are shown in many places."""
    monkeypatch.setattr(cells, "TEXT_MOST", 15)
    assert len(bounded([["phone"], ["79161234"], ["12"]])) == 3
    with pytest.raises(FileFault) as fault:
        bounded([["phone"], ["79161234"], ["123"]])
    assert fault.value.why == "too_much_text"
