"""The command line's promises: one clear line for wrong input, exit 2, nothing changed, no traceback."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from service.settings import load
from service.wiring import open_database

TAPES = Path(__file__).parents[1] / "tapes"


def switchhook(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("SWITCHHOOK_C", "DATABASE_URL"))}
    return subprocess.run(
        [sys.executable, "-m", "service.cli", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**clean, **environment},
        timeout=60,
    )


def test_replay_tells_one_object_a_line() -> None:
    """Records on stdout, the count of skipped events on stderr, exit 0."""
    done = switchhook("replay", str(TAPES / "answered.ami"), "--format", "json")
    assert done.returncode == 0
    (record,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert (record["status"], record["answered_by"]) == ("answered", ["PJSIP/m1"])
    assert "events skipped" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["replay", "no-such-file"],
        ["replay", sys.executable],
        ["directory", "apply", "no-such-file"],
        ["transcribe", "no-such-file"],
        ["catch-up", "--from", "yesterday", "--to", "now"],
        ["worker", "--queue", "everything"],
        ["route", "--from", "79161234567", "--line", "74951234567", "--at", "noon"],
        ["serve", "--role", "everything"],
    ],
)
def test_wrong_input_is_one_clear_line_and_exit_2(words: list[str], tmp_path: Path) -> None:
    """The line names what is wrong; no traceback."""
    done = switchhook(*words, SWITCHHOOK_DATA_DIR=str(tmp_path / "data"))
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert any(word in done.stderr for word in (words[-1], "no-such-file", "noon", "yesterday", "everything"))


def test_a_wrong_directory_names_line_and_key(tmp_path: Path) -> None:
    """FILE:LINE: key: what; nothing is applied, no database is touched."""
    file = tmp_path / "directory.yaml"
    file.write_text(
        "company: {name: A, region: RU, time_zone: Europe/Moscow, language: ru}\npeople:\n  - {key: anna}\n"
    )
    done = switchhook("directory", "apply", str(file), SWITCHHOOK_DATA_DIR=str(tmp_path / "data"))
    assert done.returncode == 2
    assert "directory.yaml:3: people[0]" in done.stderr
    assert not (tmp_path / "data").exists()


def test_wrong_settings_are_named(tmp_path: Path) -> None:
    """A misspelt environment variable's setting is told, with its value."""
    done = switchhook("db", "status", SWITCHHOOK_WEB__PORT="high", SWITCHHOOK_DATA_DIR=str(tmp_path))
    assert done.returncode == 2
    assert "web.port" in done.stderr
    assert "'high'" in done.stderr


def test_a_database_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    """Neither a traceback nor the password."""
    url = "postgresql://user:hidden@127.0.0.1:9/none"
    done = switchhook("db", "upgrade", DATABASE_URL=url, SWITCHHOOK_DATA_DIR=str(tmp_path))
    assert done.returncode == 2
    assert "hidden" not in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


async def test_commands_run_beside_a_process_that_owns_the_embedded_database() -> None:
    """The first process runs the server, the second uses it, and neither is refused."""
    data = Path(tempfile.mkdtemp(prefix="switchhook-tests-"))
    data.chmod(0o711)
    try:
        async with open_database(load(data_dir=data)):
            done = await asyncio.to_thread(switchhook, "db", "status", SWITCHHOOK_DATA_DIR=str(data))
    finally:
        shutil.rmtree(data)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("database 0001")
