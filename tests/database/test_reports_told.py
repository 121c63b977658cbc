"""One report, the same wherever it is asked for: the page, the API, the command line, and the files of each."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from html import unescape
from io import BytesIO
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from python_calamine import CalamineWorkbook
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine
from typer.testing import CliRunner

from notices.tables import notices
from recordings.privacy_tables import audit
from reports.facts import Fact
from service.cli.main import app
from tests.fakes.counted import ZONE, keep, weekdays
from tests.fakes.site import Site, open_site
from tests.fakes.story import HOUSE, LINE, PASSWORD
from web import users
from web.reports.words import amount, measure_name, unit_of

API: Final = "/api/v1/reports"
TODAY: Final = datetime.now(ZoneInfo(ZONE)).date()
DAY: Final = TODAY - timedelta(days=1)
LINKED: Final = re.compile(r'<a href="(/reports/behind\?[^"]+)">([^<]+)</a>')
USUAL: Final = (
    Fact(DAY, "calls_in", "sales", LINE, "", "answered", 60),
    Fact(DAY, "missed", "sales", LINE, "", "rang_out", 2),
    Fact(DAY, "answered", "sales", LINE, "anna", "", 40),
    Fact(DAY, "wait_seconds", "sales", LINE, "anna", "", 480),
    Fact(DAY, "leads_in", "sales", LINE, "anna", "", 12),
)


@pytest.fixture
async def site(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Site]:
    """Nine weeks of days like one another, and yesterday of many missed calls."""
    missed = Fact(DAY, "missed", "sales", LINE, "", "device_unreachable", 21)
    async with open_site(engine, tmp_path) as opened:
        await keep(engine, [*USUAL, missed, *weekdays(USUAL, 9)], DAY - timedelta(weeks=9), DAY)
        async with engine.begin() as connection:
            await users.add(connection, "ilya", "admin", person="vera", password=PASSWORD)
        yield opened


async def told(site: Site, path: str, login: str | None = "ilya", status: int = 200) -> Any:
    async with site.visitor(login) as visitor, visitor.get(path) as response:
        body = await response.read()
        assert response.status == status, body
        return json.loads(body) if response.content_type.endswith("json") else body


async def command(monkeypatch: pytest.MonkeyPatch, url: str, folder: Path, *arguments: str) -> Any:
    """A command, run in a thread as a process would run it."""
    for name, value in (("DATABASE_URL", url), ("SWITCHHOOK_DATA_DIR", str(folder)), ("SWITCHHOOK_LOG", "quiet")):
        monkeypatch.setenv(name, value)
    return await asyncio.to_thread(CliRunner().invoke, app, ["report", *arguments])


def lasting(report: dict[str, Any]) -> dict[str, Any]:
    """Without what passes while one asks after the other."""
    return report | {"made_at": None}


async def test_the_command_line_tells_what_page_and_api_tell(
    site: Site, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each number that the page links is the figure of the same list, and the table of the terminal has it too."""
    arguments = ("daily", "--date", DAY.isoformat())
    written = await command(monkeypatch, database_url, tmp_path, *arguments, "--format", "json")
    report = json.loads(written.stdout)
    assert lasting(report) == lasting(await told(site, f"{API}/daily?date={DAY}"))
    missed = next(one for one in report["figures"] if one["measure"] == "missed")
    assert (missed["value"], missed["verdict"]) == (23.0, "bad")
    page = (await told(site, f"/reports?kind=daily&date={DAY}")).decode()
    shown = {unescape(link): unescape(number) for link, number in LINKED.findall(page)}
    figures = [one for one in report["figures"] if one["value"] is not None]
    for one in figures:
        assert shown[one["behind"]] == amount("ru", unit_of(one["measure"]), one["value"]), one["measure"]
    text = (await command(monkeypatch, database_url, tmp_path, *arguments)).stdout
    assert f"{measure_name(HOUSE, 'ru', 'missed')}: 23 (плохо" in text


async def test_a_report_is_taken_as_files_and_who_takes_it_is_written_down(
    site: Site, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = await told(site, f"{API}/monthly?date={DAY}&team=sales&format=xlsx")
    assert "Показатели" in CalamineWorkbook.from_filelike(BytesIO(taken)).sheet_names
    table = (await told(site, f"{API}/weekly?date={DAY}&person=anna&format=csv")).decode("utf-8-sig")
    assert ";answered;" in table
    async with site.engine.connect() as connection:
        asked = select(audit).where(audit.c.action == "report_exported").order_by(audit.c.id)
        rows = (await connection.execute(asked)).all()
    assert [(row.actor, row.details["of"], row.details["format"]) for row in rows] == [
        ("ilya", "team sales", "xlsx"),
        ("ilya", "person anna", "csv"),
    ]
    written = await command(monkeypatch, database_url, tmp_path, "daily", "--format", "xlsx", "--date", DAY.isoformat())
    assert CalamineWorkbook.from_filelike(BytesIO(written.stdout_bytes)).sheet_names
    page = await command(monkeypatch, database_url, tmp_path, "daily", "--format", "html", "--team", "sales")
    assert page.stdout.startswith("<!doctype html>")
    assert "data:image/png;base64," in page.stdout


async def test_each_sees_the_reports_that_are_theirs(site: Site) -> None:
    """Anna's own, Vera's team's (she leads those without a head: all, so the house's too), an operator's none."""
    for login, whose in (("ilya", "house "), ("anna", "person anna")):
        audience = (await told(site, f"{API}/daily", login))["audience"]
        assert f"{audience['kind']} {audience['key']}" == whose
    await told(site, f"{API}/daily?team=sales", "vera")
    for login, asked in (("anna", "team=sales"), ("anna", "person=boris"), ("olga", "")):
        await told(site, f"{API}/daily?{asked}", login, 403)


async def test_a_wrong_question_names_the_value(
    site: Site, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the API it is refused with 400, by the command line in one line with exit 2."""
    for asked, said in (
        ("date=2026-02-30", "date: "),
        (f"date={TODAY + timedelta(days=2)}", "date: must be from 2000-01-01 to"),
        ("team=nobody", "team: there is no team 'nobody'"),
        ("person=nobody", "person: there is nobody 'nobody'"),
        ("team=sales&person=anna", "person: a report is of a team or of a person"),
        ("format=pdf", "format: "),
    ):
        assert (await told(site, f"{API}/daily?{asked}", status=400))["detail"].startswith(said)
    for arguments, said in (
        (["--date", "2026-02-30"], "--date: must be a date like 2026-03-31, got '2026-02-30'"),
        (["--date", str(date.max)], "--date: must be from 2000-01-01 to"),
        (["--team", "nobody"], "--team: there is no team 'nobody'"),
        (["--person", "nobody"], "--person: there is nobody 'nobody'"),
        (["--team", "sales", "--person", "anna"], "--person: a report is of a team or of a person"),
    ):
        result = await command(monkeypatch, database_url, tmp_path, "weekly", *arguments)
        assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
        assert said in result.stderr


async def test_sent_by_hand_it_is_told_once(
    site: Site, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("daily", "--date", DAY.isoformat(), "--team", "sales", "--send")
    first, again = [await command(monkeypatch, database_url, tmp_path, *arguments) for _ in range(2)]
    assert first.stderr == "told to vera\n"
    assert again.stderr == "told to nobody: everybody knows it already\n"
    async with site.engine.connect() as connection:
        rows = (await connection.execute(select(notices.c.person, notices.c.kind))).all()
    assert [tuple(row) for row in rows] == [("vera", "report_daily")]
