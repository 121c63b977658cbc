"""`switchhook leads` as somebody types it: what is said, and what is refused with its name."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from typer.testing import CliRunner

from service.cli.main import app
from tests.fakes.story import furnish, know


async def test_a_lead_is_worked_on_from_the_command_line(
    engine: AsyncEngine, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Moved, given, noted, lost, found by its fields, returned; a fault is one line that names it, exit 2."""
    for name, value in {"DATABASE_URL": database_url, "SWITCHHOOK_DATA_DIR": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SWITCHHOOK_LOG", "quiet")
    await furnish(engine)
    await know(engine, "79161234567", "Пётр", "anna")
    async with engine.begin() as connection:
        for login, role in (("anna", "manager"), ("vera", "head")):
            told = {"login": login, "role": role}
            await connection.execute(
                text("insert into users (login, role, person_key) values (:login, :role, :login)"), told
            )

    async def leads(*words: str) -> tuple[int, str, str]:
        done = await asyncio.to_thread(CliRunner().invoke, app, ["leads", *words])
        return done.exit_code, done.stdout, done.stderr

    by = ("--by", "anna")
    steps: list[tuple[str, ...]] = [
        ("give", "1", "boris", *by),
        ("note", "1", "Хочет угловую", *by),
        ("fields", "1", "project=Парк", "rooms=2", *by),
        ("fields", "1", "rooms=", *by),
        ("task", "1", "Показать", "--assignee", "boris", "--due", "2040-01-01T10:00:00+03:00", *by),
        ("done", "1", *by),
        ("deadline", "1", "2040-01-01T10:00:00+03:00", *by),
        ("move", "1", "lost", "--reason", "no_contact", *by),
    ]
    for words in steps:
        assert (await leads(*words))[0] == 0, words
    segment = ("--stage", "lost", "--field", "project=Парк")
    assert (await leads("list", *segment, "--count"))[1] == "     1  lost\n"
    assert [lead["id"] for lead in json.loads((await leads("list", *segment, "--json"))[1])] == [1]
    assert (await leads("export", *segment, "--line", "8 495 123-45-67"))[1].count("\n") == 2
    assert (await leads("export", *segment, "--overdue"))[1].count("\n") == 1
    assert (await leads("return", "1", *by))[0] == 0
    shown = (await leads("show", "1"))[1]
    for part in ("in_work  boris  Пётр", "project: Парк", "in_work -> lost (no_contact)", "anna  note  Хочет угловую"):
        assert part in shown
    assert (await leads("task", "1", "Перезвонить", "--assignee", "boris", *by))[0] == 0
    assert (await leads("tasks", "--assignee", "boris"))[1] == "     2  boris  no time  lead 1  Перезвонить\n"
    assert (await leads("tasks", "--assignee", "-"))[1] == "no tasks\n"
    wrong: list[tuple[tuple[str, ...], str]] = [
        (("tasks", "--assignee", "nobody"), "--assignee: there is no person 'nobody'"),
        (("move", "1", "lost", *by), "reason: must be one of"),
        (("move", "99", "won", *by), "ID: there is no lead 99"),
        (("move", "1", "won", "--by", "nobody"), "--by: there is no login 'nobody'"),
        (("list", "--stage", "nowhere"), "--stage: must be one of new"),
        (("list", "--owner", "vra"), "--owner: nobody in the directory has the key 'vra'"),
        (("list", "--step", "nowhere", "--count"), "--step: must be"),
        (("export", "--reason", "bad"), "--reason: must be one of"),
        (("export", "--line", "101"), "--line: the directory has no line '101'"),
        (("list", "--field", "project"), "--field: must look like name=value, got 'project'"),
        (("note", "1", "\x1b]0;owned\x07", *by), "text: must have no control characters"),
        (("done", "99", *by), "ID: there is no task 99"),
        (("deadline", "1", "tomorrow", *by), "AT: must be ISO 8601"),
    ]
    for refused, said in wrong:
        code, _, errors = await leads(*refused)
        assert (code, errors.count("\n")) == (2, 1), (refused, errors)
        assert errors.startswith(said), errors
