"""Rows of a spreadsheet as parties and leads to be: every cell read, every fault told by row (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from typing import Final
from zoneinfo import ZoneInfo

from crm_sync.imports.cells import Row
from crm_sync.imports.columns import FIELD, IGNORED, Column, columns_of
from crm_sync.imports.faults import CELL_MOST, FileFault
from directory.numbers import e164, is_short

NAME_MOST: Final = 200
NUMBERS_MOST: Final = 10
EMAIL_MOST: Final = 254
REASONED: Final = {"lost": "lost", "reviving": "lost", "disqualified": "disqualified"}
"""Stages that have a reason, and which stage's reasons those are."""

ROW_FAULTS: Final = (
    "no_phone",
    "not_a_number",
    "cut_number",
    "internal_number",
    "staff_number",
    "blocked_number",
    "many_numbers",
    "too_long",
    "more_cells",
    "unknown",
    "several",
    "step_not_in_work",
    "no_reason",
    "reason_for_nothing",
    "another_lead",
    "not_a_beginning",
    "not_a_time",
    "not_an_email",
    "two_parties",
)
"""What can be wrong with a row; the words for each are the pages'."""

_CHOSEN: Final = ("owner", "stage", "step", "line")
_SPLIT: Final = re.compile(r"[,;/\n|]+")
_EXTENSION: Final = re.compile(r"[ ,;]*(?:доб|вн|ext|#)\.? *\d{1,6}(?!\d)", re.IGNORECASE)
_CUT: Final = re.compile(r"\d[.,]\d+[eе]\+?\d+", re.IGNORECASE)
_EMAIL: Final = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
_DAY: Final = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})(?:[ ,T]+(\d{1,2}):(\d{2})(?::\d{2})?)?")
_YEARS: Final = range(2000, 2101)
_END_OF_DAY: Final = time(23, 59)
_DAY_CHARACTERS: Final = len("2026-12-31")


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the house knows when a file is read.

    `staff` and `blocked` are numbers that are no party's, as stored. `words`: for owner, stage, step and line, and for
    lost and disqualified their reasons, folded word -> key; an empty key is a word of several.
    """

    region: str
    time_zone: str
    staff: frozenset[str]
    blocked: frozenset[str]
    words: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRow:
    """One row: whom it is about, and the lead they are to have. `row` is its number in the spreadsheet."""

    row: int
    numbers: tuple[str, ...]
    name: str | None = None
    email: str | None = None
    owner: str | None = None
    stage: str | None = None
    step: str | None = None
    reason: str | None = None
    line: str | None = None
    deadline_at: datetime | None = None
    note: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row cannot be imported: `why` is of ROW_FAULTS, `value` as it stands under `header`, shortened."""

    row: int
    header: str
    value: str
    why: str


@dataclass(frozen=True, slots=True)
class Reading:
    """A file as it was read: what its columns are, the rows that can be imported, and what is wrong with others."""

    columns: tuple[Column, ...]
    rows: tuple[ImportRow, ...]
    problems: tuple[Problem, ...]


def folded(word: str) -> str:
    """A word as it is looked up, whatever its case, blanks and ё."""
    return " ".join(word.casefold().replace("ё", "е").split())


def read_rows(rows: Sequence[Row], terms: Terms, mapping: Mapping[str, str]) -> Reading:
    """Read all rows, of which the first is the header. Raises FileFault for columns that cannot be told."""
    (_, header), *others = rows
    columns = columns_of(header, mapping)
    if not others:
        raise FileFault("no_rows")
    read: list[ImportRow] = []
    problems: list[Problem] = []
    for number, cells in others:
        row = _Row(number, cells, columns, terms)
        made = row.read()
        problems += row.problems
        if not row.problems:
            read.append(made)
    return Reading(columns, tuple(read), tuple(problems))


class _Row:
    """One row while it is read."""

    def __init__(self, number: int, cells: Sequence[str], columns: Sequence[Column], terms: Terms) -> None:
        self.number, self.terms = number, terms
        self.problems: list[Problem] = []
        self.told: dict[str, tuple[str, str]] = {}  # target -> header, value, where there is one
        self.phones: list[tuple[str, str]] = []
        self.fields: dict[str, str] = {}
        for column, value in zip(columns, cells, strict=False):
            if value and column.target != IGNORED:
                self._sort(column, value)
        for value in filter(None, cells[len(columns) :]):
            self._wrong("", value, "more_cells")

    def read(self) -> ImportRow:
        """The row; of no use when there are problems."""
        numbers = self._numbers()
        chosen = {target: self._chosen(target, target) for target in _CHOSEN}
        stage = chosen["stage"]
        if chosen["step"] and stage != "in_work":
            self._wrong(*self.told["step"], "step_not_in_work")
        return ImportRow(
            row=self.number,
            numbers=numbers,
            name=self._words("name", NAME_MOST),
            email=self._email(),
            reason=self._reason(stage),
            note=self.told.get("note", ("", ""))[1] or None,
            deadline_at=self._deadline(),
            fields=self.fields,
            **chosen,
        )

    def _sort(self, column: Column, value: str) -> None:
        if len(value) > CELL_MOST:
            self._wrong(column.header, value, "too_long")
        elif column.target == "phone":
            self.phones.append((column.header, value))
        elif column.target.startswith(FIELD):
            self.fields[column.target.removeprefix(FIELD)] = value
        else:
            self.told[column.target] = (column.header, value)

    def _wrong(self, header: str, value: str, why: str) -> None:
        self.problems.append(Problem(self.number, header, value[:100], why))

    def _numbers(self) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for header, value in self.phones:
            for spelling in _spellings(value):
                number = self._number(header, spelling)
                if number is not None:
                    found[number] = None
        if not found and not self.problems:
            self._wrong(*(self.phones[0] if self.phones else ("", "")), "no_phone")
        if len(found) > NUMBERS_MOST:
            self._wrong(self.phones[0][0], str(len(found)), "many_numbers")
        return tuple(found)

    def _number(self, header: str, spelling: str) -> str | None:
        number = e164(spelling, self.terms.region)
        if number is None or is_short(number):
            cut, short = _CUT.fullmatch(spelling), is_short(spelling)
            self._wrong(header, spelling, "cut_number" if cut else "internal_number" if short else "not_a_number")
        elif number in self.terms.staff:
            self._wrong(header, spelling, "staff_number")
        elif number in self.terms.blocked:
            self._wrong(header, spelling, "blocked_number")
        else:
            return number
        return None

    def _chosen(self, target: str, among: str) -> str | None:
        """The key of a word that stands for one of the house's own."""
        header, value = self.told.get(target, ("", ""))
        if not value:
            return None
        key = self.terms.words.get(among, {}).get(folded(value))
        if not key:
            self._wrong(header, value, "unknown" if key is None else "several")
        return key

    def _reason(self, stage: str | None) -> str | None:
        if stage in REASONED:
            return self._chosen("reason", REASONED[stage])
        if "reason" in self.told and not (stage is None and "stage" in self.told):
            self._wrong(*self.told["reason"], "reason_for_nothing")
        return None

    def _email(self) -> str | None:
        header, value = self.told.get("email", ("", ""))
        if value and (len(value) > EMAIL_MOST or not _EMAIL.fullmatch(value)):
            self._wrong(header, value, "not_an_email")
        return value or None

    def _words(self, target: str, most: int) -> str | None:
        header, value = self.told.get(target, ("", ""))
        words = " ".join(value.split())
        if len(words) > most:
            self._wrong(header, value, "too_long")
        return words or None

    def _deadline(self) -> datetime | None:
        header, value = self.told.get("deadline", ("", ""))
        at = _time_in(value, ZoneInfo(self.terms.time_zone)) if value else None
        if value and at is None:
            self._wrong(header, value, "not_a_time")
        return at


def _spellings(value: str) -> Iterator[str]:
    """The numbers of a cell, each as it is written there."""
    whole = _EXTENSION.sub("", value)
    if _CUT.fullmatch(whole):
        yield whole
        return
    for part in _SPLIT.split(whole):
        if part.strip():
            yield part.strip()


def _time_in(words: str, zone: ZoneInfo) -> datetime | None:
    """A day (its end) or a minute, as ISO 8601 or 31.12.2026 15:00; on the wall of `zone` unless it says another."""
    day = _DAY.fullmatch(words)
    try:
        if day is not None:
            date, month, year, hour, minute = day.groups()
            at = datetime(int(year), int(month), int(date))  # noqa: DTZ001 - the zone comes below
            at = at.replace(hour=int(hour), minute=int(minute)) if hour else datetime.combine(at, _END_OF_DAY)
        else:
            at = datetime.fromisoformat(words)
            at = datetime.combine(at, _END_OF_DAY) if len(words) <= _DAY_CHARACTERS else at
    except ValueError:
        return None
    if at.year not in _YEARS:
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=zone)
