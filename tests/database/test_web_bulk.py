"""Leads in and out by the page and the API: looked at first, written once, for heads alone, and harmless to open."""

from __future__ import annotations

import csv
import re
from collections.abc import AsyncIterator, Sequence
from html import unescape
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, FormData
from python_calamine import CalamineWorkbook
from sqlalchemy import text

from crm_sync.book import lead_export
from crm_sync.imports.faults import BYTES_MOST
from recordings.audit import THE_OPERATOR
from recordings.store import Store
from service.erasing import Erasing
from service.removing import Remover
from tests.fakes.sheets import csv_of
from tests.fakes.site import Site, open_site
from web.api.operations import PREFIX as API
from web.import_drafts import forget_old
from web.words import say

PAGE = "/leads/import"
ROWS = [
    ["Имя", "Тел.", "Ответственный", "Этап", "Причина", "Проект", "Примечание"],
    ["=Иван", "8 916 500-00-01, 8 916 500-00-02", "Анна Смирнова", "Качественная", "", "Лес", "+ждёт"],
    ["Ольга", "79165000003", "", "Потеряна", "Дорого", "-1", ""],
]


@pytest.fixture
async def site(engine: Any, tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(engine, tmp_path) as running:
        yield running


async def asked(site: Site, sql: str) -> list[tuple[Any, ...]]:
    async with site.engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(text(sql))]


async def looked_at(client: ClientSession, body: bytes, status: int) -> tuple[str, str]:
    """(the page that a file is answered with, the token in its form)."""
    form = FormData()
    form.add_field("file", BytesIO(body), filename="leads.csv", content_type="text/csv")
    async with client.post(PAGE, data=form) as response:
        told = await response.text()
        assert response.status == status, told
    token = re.search(r'name="token" value="([^"]+)"', told)
    return told, token[1] if token else ""


async def done(client: ClientSession, status: int, **form: str) -> str:
    async with client.post(PAGE, data=form, allow_redirects=False) as response:
        told = await response.text()
        assert response.status == status, told
        return told


async def sent(client: ClientSession, rows: Sequence[Sequence[Any]], status: int, query: str = "") -> dict[str, Any]:
    async with client.post(f"{API}{PAGE}{query}", data=csv_of(rows)) as response:
        told: dict[str, Any] = await response.json()
        assert response.status == status, told
        return told


async def test_a_file_is_looked_at_first_and_written_when_the_head_says_so(site: Site) -> None:
    """The preview writes nothing; the import is once, is written down, and the file is kept no longer."""
    async with site.visitor("vera") as client:
        told, token = await looked_at(client, csv_of(ROWS), 200)
        assert "=Иван" in told
        assert await asked(site, "select count(*) from parties") == [(0,)]
        assert say("ru", "bulk.done", new=2, changed=0) in await done(client, 200, do="import", token=token)
        assert say("ru", "bulk.expired") in await done(client, 400, do="import", token=token)
        told, token = await looked_at(client, csv_of(ROWS), 200)
        assert say("ru", "bulk.no_change") in told
        await done(client, 303, do="cancel", token=token)
    assert await asked(site, "select count(*) from import_drafts") == [(0,)]
    assert await asked(site, "select name, stage, owner, reason from leads join parties on party_id = parties.id") == [
        ("=Иван", "qualified", "anna", None),
        ("Ольга", "lost", None, "too_expensive"),
    ]
    assert await asked(site, "select actor, action, details->>'new' from audit") == [("vera", "leads_imported", "2")]
    assert await asked(site, 'select distinct "by" from lead_events') == [("vera",)]


async def test_wrong_rows_are_not_imported_and_columns_are_told_on_the_page(site: Site) -> None:
    """What is said of a row is text, whatever stands there; what a column is can be said of the same file."""
    hostile = "<script>alert(1)</script>"
    async with site.visitor("vera") as client:
        told, token = await looked_at(client, csv_of([["phone", "owner"], ["79165000001", hostile]]), 422)
        assert hostile not in told
        assert "&lt;script&gt;" in told
        assert say("ru", "fault.unknown") in told
        assert 'value="import"' not in told
        await done(client, 422, do="import", token=token)
        assert await asked(site, "select count(*) from parties") == [(0,)]
        told, token = await looked_at(client, csv_of([["Кто", "Связь"], ["Иван", "79165000001"]]), 400)
        assert say("ru", "file.no_phone_column", value="Кто, Связь") in told
        columns = {"header.0": "Кто", "column.0": "name", "header.1": "Связь", "column.1": "phone"}
        assert "Иван" in await done(client, 200, do="check", token=token, **columns)
        await done(client, 200, do="import", token=token)
    assert await asked(site, "select name, number from parties join party_numbers on party_id = id") == [
        ("Иван", "79165000001")
    ]


async def test_a_looked_at_file_is_of_one_session_and_one_form_and_ends(site: Site) -> None:
    """Nobody else imports it, not even the same login elsewhere; it goes with its time, an erasure, the next file."""
    async with site.visitor("vera") as client, site.visitor("vera") as elsewhere:
        _, first = await looked_at(client, csv_of(ROWS), 200)
        _, token = await looked_at(client, csv_of(ROWS), 200)
        await done(elsewhere, 400, do="import", token=token)
        await done(client, 400, do="import", token=first)
        await done(client, 400, do="import", token=token + "x")
        async with site.engine.begin() as connection:
            await connection.execute(text("update import_drafts set expires_at = now()"))
        await done(client, 400, do="import", token=token)
        async with site.engine.begin() as connection:
            await forget_old(connection)
        assert await asked(site, "select count(*) from import_drafts") == [(0,)]
        await looked_at(client, csv_of(ROWS), 200)
        erasing = Erasing(site.engine, Remover(Store.in_folder(site.store), {}))
        report = await erasing.run(await erasing.ask(["79165000001"], THE_OPERATOR))
        assert report.went["waiting_imports"] == 1
        assert await asked(site, "select count(*) from import_drafts") == [(0,)]
        await looked_at(client, csv_of(ROWS), 200)
        await client.post("/logout")
    assert await asked(site, "select (select count(*) from import_drafts), (select count(*) from parties)") == [(0, 0)]


async def test_other_sites_and_forms_that_are_none_are_refused(site: Site) -> None:
    """Nothing is kept of them, nor of a file that is too large."""
    async with site.visitor("vera") as client:
        for headers, data, status in (
            ({"Sec-Fetch-Site": "cross-site"}, FormData({"do": "import"}), 403),
            ({"Content-Type": "multipart/form-data; boundary=x"}, b"garbage", 400),
            ({"Content-Type": "multipart/form-data"}, b"garbage", 400),
        ):
            async with client.post(PAGE, data=data, headers=headers) as response:
                assert response.status == status, await response.text()
        await looked_at(client, b"x" * (BYTES_MOST + 1), 413)
        await looked_at(client, b"", 400)
    assert await asked(site, "select count(*) from import_drafts") == [(0,)]


async def test_programs_import_by_the_api(site: Site) -> None:
    """Looked at, refused whole with every problem, or written; a file that cannot be read is told by its key."""
    async with site.visitor("vera") as client:
        told = await sent(client, ROWS, 200, "?dry_run=true")
        assert (told["imported"], told["counts"]["new"]) == (False, 2)
        assert told["rows"][0] == {
            "row": 2, "what": "new", "party": None, "number": "79165000001", "changes": [], "same_as_row": None
        }  # fmt: skip
        assert await asked(site, "select count(*) from parties") == [(0,)]
        told = await sent(client, [*ROWS, ["Анна", "101", "", "", "", "", ""]], 422)
        assert (told["reason"], told["imported"], told["problems"][0]["row"]) == ("rows", False, 4)
        assert told["problems"][0]["reason"] == "internal_number"
        assert (await sent(client, [["a"], ["1"]], 422))["reason"] == "no_phone_column"
        assert (await sent(client, [["a"], ["79165000009"]], 200, "?map=a%3Dphone"))["imported"] is True
        assert (await sent(client, ROWS, 422, "?map=phone"))["reason"] == "mapping"
        assert (await sent(client, ROWS, 400, "?dry=1"))["detail"].startswith("dry: ")
        assert (await sent(client, ROWS, 200))["imported"] is True
        again = await sent(client, ROWS, 200)
        assert again["counts"] == {"new": 0, "known": 2, "changed": 0, "duplicate": 0, "error": 0}
        async with client.post(f"{API}{PAGE}", data=BytesIO(b"x" * (BYTES_MOST + 1))) as response:
            assert response.status == 413


async def test_an_export_is_harmless_to_open_and_can_be_imported_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No cell of csv begins a formula, those of xlsx are text; what was taken by whom is written down."""
    async with site.visitor("vera") as client:
        await sent(client, ROWS, 200)
        files = {}
        for form in ("csv", "xlsx"):
            async with client.get(f"{API}/leads/export?format={form}") as response:
                assert response.status == 200
                assert re.fullmatch(
                    rf'attachment; filename="leads-[0-9-]+\.{form}"', response.headers["Content-Disposition"]
                )
                files[form] = await response.read()
        table = list(csv.reader(StringIO(files["csv"].decode("utf-8-sig")), delimiter=";"))
        assert table[0][:5] == ["Заявка", "Имя", "Телефон", "Почта", "Ответственный"]
        first, second = (dict(zip(table[0], row, strict=True)) for row in table[1:])
        assert (first["Имя"], first["Ответственный"], first["Этап"]) == ("'=Иван", "Анна Смирнова", "Качественная")
        assert set(first["Телефон"].split(", ")) == {"79165000001", "79165000002"}
        assert (second["Причина"], second["Проект"]) == ("Дорого", "'-1")
        assert not [cell for row in table for cell in row if cell.startswith(("=", "+", "-", "@"))]
        sheet = CalamineWorkbook.from_filelike(BytesIO(files["xlsx"])).get_sheet_by_index(0).to_python()
        assert sheet[1][1:3] == ["=Иван", first["Телефон"]]
        assert b"<f>" not in files["xlsx"]
        for body in files.values():
            async with client.post(f"{API}{PAGE}", data=body) as response:
                told = await response.json()
            assert (response.status, told["counts"]["known"], told["counts"]["changed"]) == (200, 2, 0), told
        async with client.get(f"{API}/leads/export?stage=lost&owner=&fields[Проект]=-1") as response:
            assert len((await response.text()).splitlines()) == 2
        monkeypatch.setattr(lead_export, "XLSX_ROWS_MOST", 2)  # the sheet would hold the header and one
        for query in ("format=pdf", "format=xlsx"):
            assert (await client.get(f"{API}/leads/export?{query}")).status == 400, query
        async with client.get("/leads?stage=lost&owner=-&field=Проект%3D-1&overdue=1") as response:
            (link,) = re.findall(r'href="(/api/v1/leads/export[^"]*)"', await response.text())
        async with client.get(unescape(link)) as response:
            assert (response.status, len((await response.text()).splitlines())) == (200, 1)
        async with client.get(unescape(link).replace("&overdue=true", "")) as response:
            assert len((await response.text()).splitlines()) == 2
    taken = "select details->>'format', details->>'count', details->'fields' from audit"
    exported = await asked(site, f"{taken} where action = 'leads_exported' order by id")
    assert exported == [
        ("csv", "2", None),
        ("xlsx", "2", None),
        ("csv", "1", ["Проект"]),
        ("csv", "0", ["Проект"]),
        ("csv", "1", ["Проект"]),
    ]
