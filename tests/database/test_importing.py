"""Imports into the book, against a real PostgreSQL: all or nothing, once, and beside calls that go on."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import Process
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from crm_sync.book.leads import By
from crm_sync.imports import importing
from crm_sync.imports import process as import_process
from crm_sync.imports.faults import FileFault
from crm_sync.imports.importing import ImportRefused, import_rows, preview
from crm_sync.imports.plan import Plan
from crm_sync.imports.process import read_apart
from crm_sync.imports.rows import Reading
from crm_sync.imports.terms import terms_of
from directory import store
from tests.fakes.sheets import FAR_CORNER, bomb, csv_of, xlsx_of
from tests.fakes.story import HOUSE, furnish

NOW = datetime(2026, 11, 26, 9, tzinfo=UTC)
BY = By(who="vera", at=NOW)
TERMS = terms_of(HOUSE, {"new": ("Новая",)}, {"spam": ("Спам",)})


async def read(rows: Sequence[Sequence[Any]], mapping: Mapping[str, str] | None = None) -> Reading:
    return await read_apart(csv_of(rows), TERMS, mapping or {})


async def imported(engine: AsyncEngine, rows: Sequence[Sequence[Any]]) -> Plan:
    reading = await read(rows)
    async with engine.begin() as connection:
        return await import_rows(connection, await store.read(connection), reading, BY)


async def seen(engine: AsyncEngine, rows: Sequence[Sequence[Any]]) -> Plan:
    reading = await read(rows)
    async with engine.connect() as connection:
        return await preview(connection, reading)


async def asked(engine: AsyncEngine, sql: str) -> list[tuple[Any, ...]]:
    async with engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(text(sql))]


async def written(engine: AsyncEngine) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that an import may touch."""
    tables = ("parties", "party_numbers", "leads", "lead_events", "notes")
    return {name: await asked(engine, f"select * from {name} order by 1") for name in tables}


HEADER = ["Имя", "Телефон", "Ответственный", "Этап", "Причина", "Примечание", "Проект", "Срок", "Почта"]
ROWS = [
    HEADER,
    ["Иван", "8 916 500-00-01, 8 916 500-00-02", "Анна Смирнова", "", "", "ждёт", "Лес", "31.12.2026", "i@example.ru"],
    ["Ольга", "79165000003", "", "disqualified", "Спам", "", "", "", ""],
    ["", "79165000002", "", "", "", "", "", "", ""],
]  # fmt: skip


async def test_a_file_becomes_parties_and_leads_with_their_history(engine: AsyncEngine) -> None:
    """Names, numbers, stage, owner, deadline, note and the house's own fields; who did it and why is an event."""
    await furnish(engine)
    assert (await seen(engine, ROWS)).counts == {"new": 2, "known": 0, "changed": 0, "duplicate": 1, "error": 0}
    assert await asked(engine, "select * from parties") == []
    await imported(engine, ROWS)
    numbers = "select string_agg(number, ' ' order by number) from party_numbers where party_id = p.id"
    assert await asked(engine, f"select name, email, ({numbers}) from parties p order by id") == [
        ("Иван", "i@example.ru", "79165000001 79165000002"),
        ("Ольга", None, "79165000003"),
    ]
    told = "select stage, owner, reason, deadline_at, closed_at, fields, opened_at from leads order by id"
    due = datetime(2026, 12, 31, 20, 59, tzinfo=UTC)
    assert await asked(engine, told) == [
        ("new", "anna", None, due, None, {"Проект": "Лес"}, NOW),
        ("disqualified", None, "spam", None, NOW, {}, NOW),
    ]
    assert await asked(engine, 'select "by", kind, after, reason from lead_events order by id') == [
        ("vera", "opened", "new", "import"),
        ("vera", "owner", "anna", "import"),
        ("vera", "opened", "disqualified", "spam"),
    ]
    assert await asked(engine, 'select "by", text, lead_id is not null from notes') == [("vera", "ждёт", True)]


async def test_the_same_file_again_changes_nothing(engine: AsyncEngine) -> None:
    await furnish(engine)
    await imported(engine, ROWS)
    before = await written(engine)
    plan = await imported(engine, ROWS)
    assert plan.changes_nothing
    assert plan.counts == {"new": 0, "known": 2, "changed": 0, "duplicate": 1, "error": 0}
    assert await written(engine) == before


async def test_only_blanks_of_a_known_party_are_filled_in(engine: AsyncEngine) -> None:
    """Name, owner and fields that are there stay; whose lead is closed gets no other, who never had one does."""
    await furnish(engine)
    await imported(engine, [["phone", "project"], ["79165000001", "Лес"]])
    await imported(engine, [["phone", "stage", "reason"], ["79165000003", "lost", "no_contact"]])
    async with engine.begin() as connection:
        await connection.execute(text("insert into parties (name) values ('Пётр')"))
        await connection.execute(text("insert into party_numbers select '79165000004', max(id) from parties"))
    rows = [
        ["name", "phone", "owner", "project", "area", "note", "stage"],
        ["Иван", "79165000001 ; 79165000009", "anna", "Дом", "40", "звонить", "qualified"],
        ["Ольга", "79165000003", "anna", "", "", "", "new"],
        ["Павел", "79165000004", "", "", "", "", ""],
    ]
    changes = [outcome.changes for outcome in (await seen(engine, rows)).outcomes]
    assert changes == [("name", "numbers", "owner", "note", "fields"), ("name",), ("lead",)]
    await imported(engine, rows)
    told = "select name, stage, owner, fields from parties join leads on party_id = parties.id order by parties.id"
    assert await asked(engine, told) == [
        ("Иван", "new", "anna", {"project": "Лес", "area": "40"}),
        ("Ольга", "lost", None, {}),
        ("Пётр", "new", None, {}),
    ]
    assert (await seen(engine, rows)).changes_nothing
    whose = "select count(distinct party_id) from party_numbers where number in ('79165000001', '79165000009')"
    assert await asked(engine, whose) == [(1,)]


_TAKEN = "owner = 'boris', deadline_at = '2026-11-27', fields = '{\"project\": \"Дом\"}'"
_LOST = "stage = 'lost', closed_at = now()"


@pytest.mark.parametrize("decided", [_TAKEN, _LOST])
async def test_what_a_person_decides_meanwhile_is_not_overwritten(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch, decided: str
) -> None:
    """Between the plan and its doing somebody took the lead, set its deadline and a field; or it was lost."""
    await furnish(engine)
    await imported(engine, [["phone"], ["79165000001"]])
    told = "select stage, owner, deadline_at, fields, (select count(*) from lead_events) from leads"
    meant: list[Any] = []

    async def plan(connection: AsyncConnection, reading: Reading) -> Plan:
        made = await preview(connection, reading)
        async with engine.begin() as person:
            await person.execute(text(f"update leads set {decided}"))
        meant.extend(await asked(engine, told))
        return made

    async with engine.begin() as connection:
        await connection.execute(text("update leads set deadline_at = null"))
    monkeypatch.setattr(importing, "preview", plan)
    rows = [["phone", "owner", "deadline", "project"], ["79165000001", "anna", "31.12.2026", "Лес"]]
    assert (await imported(engine, rows)).outcomes[0].changes == ("owner", "deadline", "fields")
    assert await asked(engine, told) == meant


async def test_one_wrong_row_keeps_the_whole_file_out(engine: AsyncEngine) -> None:
    """Wrong in itself, staff, or of two parties: nothing of any row is written, and each is told."""
    await furnish(engine)
    await imported(engine, [["phone"], ["79165000001"], ["79165000002"]])
    before = await written(engine)
    rows = [
        ["name", "phone"],
        ["Иван", "79165000005"],
        ["Анна", "8 916 000-00-11"],
        ["Никто", ""],
        ["Двое", "79165000001, 79165000002"],
    ]
    with pytest.raises(ImportRefused) as refused:
        await imported(engine, rows)
    told = [(problem.row, problem.value, problem.why) for problem in refused.value.plan.problems]
    assert told == [
        (3, "8 916 000-00-11", "staff_number"),
        (4, "", "no_phone"),
        (5, "79165000001, 79165000002", "two_parties"),
    ]
    assert await written(engine) == before


async def test_two_imports_of_one_file_at_once_make_every_party_once(engine: AsyncEngine) -> None:
    await furnish(engine)
    rows = [["phone"], *([f"7916500{n:04}"] for n in range(300))]
    plans = await asyncio.gather(*(imported(engine, rows) for _ in range(3)))
    assert sorted(plan.counts["new"] for plan in plans) == [0, 0, 300]
    assert await asked(engine, "select (select count(*) from parties), (select count(*) from leads)") == [(300, 300)]


async def test_an_xlsx_is_read_as_its_spreadsheet_shows_it() -> None:
    """The first sheet that is shown; numbers, days and texts; a formula's stored value, and never its words."""
    day = datetime(2026, 12, 31)  # noqa: DTZ001 - a spreadsheet knows no zones
    rows: list[list[Any]] = [
        ["Телефон", "Срок", "Сумма"],
        [],
        [79165000001, day, ("=1+1", 7)],
        ["8 916 500-00-02", "", "=1+1"],
    ]
    reading = await read_apart(xlsx_of(rows, hidden=True), TERMS, {})
    assert reading.problems == ()
    assert [(row.row, row.numbers, row.fields) for row in reading.rows] == [
        (3, ("79165000001",), {"Сумма": "7"}),
        (4, ("79165000002",), {"Сумма": "=1+1"}),
    ]
    assert reading.rows[0].deadline_at == datetime(2026, 12, 31, 20, 59, tzinfo=UTC)


async def test_a_hostile_workbook_is_refused_and_costs_no_more_than_its_process() -> None:
    """One that unpacks to gigabytes, one whose last cell is the farthest, one that is no workbook, one too slow."""
    for body in (bomb(), FAR_CORNER, b"PK\x03\x04 nothing", b"\xd0\xcf\x11\xe0 old", xlsx_of([["phone"]])[:200]):
        with pytest.raises(FileFault) as fault:
            await read_apart(body, TERMS, {})
        assert fault.value.why in {"too_large", "unreadable"}
    with pytest.raises(FileFault, match="unreadable"):
        await read_apart(b"phone\n" + b'"\n' * 5_000_000, TERMS, {}, cpu_seconds=1)


async def test_a_reader_that_answers_too_much_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read no further than that: the process that still writes is killed."""
    rows = [["phone", "note"], *(["8 916 123-45-67", "x" * 1000] for _ in range(2000))]
    assert len((await read(rows)).rows) == 2000
    monkeypatch.setattr(import_process, "ANSWER_MOST", 100_000)
    async with asyncio.timeout(30):
        with pytest.raises(FileFault) as fault:
            await read(rows)
    assert fault.value.why == "too_much_text"


async def test_a_reader_is_ended_also_while_what_it_said_waits_to_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """So much of it that asyncio reads no more, and would wait for ever for the end of a process that is gone."""

    async def cut_short(child: Process, question: bytes) -> bytes:
        assert child.stdin
        assert child.stdout
        child.stdin.write(question)
        child.stdin.close()
        while not child.stdout._paused:  # type: ignore[attr-defined] # nobody tells
            await asyncio.sleep(0.01)
        raise FileFault("too_much_text")

    monkeypatch.setattr(import_process, "_answer", cut_short)
    async with asyncio.timeout(30):
        with pytest.raises(FileFault):
            await read([["phone", "note"], *(["8 916 123-45-67", "x" * 1000] for _ in range(2000))])
