"""The missed calls of a period, asked of a real PostgreSQL, and what the command line prints of them."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from typer.testing import CliRunner

from crm_sync.book.calls import BookedCall, link
from crm_sync.book.rules import CallFacts
from directory import store
from reports.missed_rows import missed_report
from service.cli.main import app
from service.commands.follow_ups import close_follow_up, list_follow_ups
from service.settings import load
from tests.database.test_follow_ups import NUMBER, OTHER, asked, happen
from tests.fakes.recorded import LINE, T0
from tests.fakes.story import HOUSE

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
async def house(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await store.apply(connection, HOUSE)


async def test_a_period_tells_its_misses_their_call_backs_and_who_is_new(engine: AsyncEngine) -> None:
    """A known client is called back after five minutes, a new one calls twice and never is."""
    await happen(engine, "0.1", at=T0 - 7 * DAY)
    await happen(engine, "0.2", at=T0 - 7 * DAY, answered=False, number="79161110000")
    await happen(engine, "1.1", answered=False)
    await happen(engine, "2.1", at=T0 + timedelta(minutes=5))
    for n in (3, 4):
        missed_id = await happen(engine, f"{n}.1", answered=False, number=OTHER, at=T0 + timedelta(minutes=n))
        async with engine.begin() as connection:
            at = T0 + timedelta(minutes=n)
            facts = CallFacts(number=OTHER, kind="inbound_missed", line=LINE)
            await link(connection, HOUSE, BookedCall(missed_id, facts, None, at))
    async with engine.connect() as connection:
        report = await missed_report(connection, T0 - timedelta(hours=1), T0 + timedelta(hours=1), "Europe/Moscow")
    assert (report.inbound, report.total.missed, report.total.owed, report.total.called_back) == (4, 3, 3, 1)
    assert report.total.median_seconds == 294.0
    assert {part.key: (part.missed, part.never_share) for part in report.clients} == {
        "new": (2, 1.0),
        "known": (1, 0.0),
    }
    assert [(part.key, part.missed) for part in report.by_line] == [(LINE, 3)]
    assert [(part.key, part.missed) for part in report.by_hour] == [("12", 3)]
    (day,) = report.days
    assert (day.missed, day.usual) == (3, 1.0)


async def test_the_list_tells_who_calls_whom_back_until_when_and_what_was_done(
    engine: AsyncEngine, database_url: str, tmp_path: Path
) -> None:
    settings = load(data_dir=tmp_path, database_url=SecretStr(database_url), log="quiet")
    await happen(engine, "1.1", answered=False)
    await happen(engine, "2.1", answered=False, at=T0 + timedelta(minutes=1))
    await happen(engine, "3.1", answered=False, number=OTHER)
    told, words = await list_follow_ups(settings, only_open=True)
    assert [(one["number"], one["attempt_count"], one["overdue"]) for one in told] == [
        (NUMBER, 2, True),
        (OTHER, 1, True),
    ]
    assert [action["what"] for action in told[0]["history"]] == ["opened", "given", "repeated"]
    assert json.loads(json.dumps(told))[0]["due_at"] == (T0 + timedelta(hours=1, seconds=9)).isoformat()
    first, _ = words.splitlines()
    for part in ("+7 916 123-45-67", "Основная", "Никто не ответил", "2 звонка", "Анна Смирнова", "просрочено"):
        assert part in first
    async with engine.begin() as connection:
        await connection.execute(text("insert into users (login, role) values ('vera', 'head')"))
    await close_follow_up(settings, told[0]["id"], "vera", "написала в чат")
    assert len((await list_follow_ups(settings, only_open=True))[0]) == 1
    assert "закрыто вручную" in (await list_follow_ups(settings, only_open=False))[1]
    assert await asked(engine, "select who from follow_up_actions where what = 'closed'") == [("vera",)]


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["follow-ups", "close", "7", "--reason", " ", "--by", "vera"], "reason: is needed"),
        (["follow-ups", "close", "7", "--reason", "спам", "--by", "vera"], "id: there is no open follow-up 7"),
        (["follow-ups", "close", "7", "--reason", "спам", "--by", "nobody"], "--by: there is no login 'nobody'"),
        (["report", "missed", "--from", "yesterday"], "--from: must be ISO 8601 with a zone"),
        (
            ["report", "missed", "--from", "2026-11-24T00:00:00Z", "--to", "2026-11-23T00:00:00Z"],
            "--from: must be before --to",
        ),
    ],
)
async def test_wrong_input_is_one_line_and_exit_2(
    engine: AsyncEngine,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    said: str,
) -> None:
    async with engine.begin() as connection:
        await connection.execute(text("insert into users (login, role) values ('vera', 'head')"))
    code, errors = await command(monkeypatch, database_url, tmp_path, *arguments)
    assert (code, errors.count("\n")) == (2, 1)
    assert said in errors


async def command(
    monkeypatch: pytest.MonkeyPatch, database_url: str, tmp_path: Path, *arguments: str
) -> tuple[int, str]:
    """(exit code, stderr) of a command, run in a thread as a process would run it."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("SWITCHHOOK_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("SWITCHHOOK_LOG", "quiet")
    result = await asyncio.to_thread(CliRunner().invoke, app, list(arguments))
    return result.exit_code, result.stderr
