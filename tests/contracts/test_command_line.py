"""The command line's promises: one clear line for wrong input, exit 2, nothing changed, no traceback."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine

import service.demo_world
from directory.file import dumps, loads
from directory.store import apply
from service.commands.one_shot import apply_directory, export_directory
from service.ports import free_port
from service.settings import load
from service.wiring import open_database
from tests.fakes.cel import write_cel
from tests.fakes.command import switchhook
from tests.fakes.directories import OFFICE

TAPES = Path(__file__).parents[1] / "tapes"


def test_replay_tells_one_object_a_line() -> None:
    """Records on stdout, the count of skipped events on stderr, exit 0."""
    words = (sys.executable, "-m", "service.cli.main", "replay", str(TAPES / "answered.ami"), "--format", "json")
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
    (record,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert (record["status"], record["answered_by"]) == ("answered", ["PJSIP/m1"])
    assert "events skipped" in done.stderr


def test_a_replay_in_words_tells_of_moves_and_what_became_of_them(tmp_path: Path) -> None:
    """Transfers that nobody took, queues and parking; one event is not called events."""
    unknown = tmp_path / "unknown.ami"
    unknown.write_text("Event: NobodyKnowsThis\r\n\r\n")
    for name, said in (
        ("blind_refer_unanswered", "blind transfer to 106 that nobody took"),
        ("queue_timeout", "queue sales timeout"),
        ("park_taken", "parked by PJSIP/m1"),
    ):
        done = switchhook("replay", str(TAPES / f"{name}.ami"), str(unknown))
        assert said in done.stdout
        assert done.stderr == "1 event skipped\n"


def test_tape_scrambles_streams_recorded_elsewhere(tmp_path: Path) -> None:
    """The same by the same in all files of one command; written for this account alone, and never over another."""
    into = tmp_path / "new"
    words = ["tape", "scramble", *(str(TAPES / f"park.{form}") for form in ("ami", "cel.csv")), "--into", str(into)]
    done = switchhook(*words)
    assert (done.returncode, done.stdout.split()) == (0, [str(into / "park.ami"), str(into / "park.cel.csv")])
    assert {file.stat().st_mode & 0o777 for file in into.iterdir()} == {0o600}
    assert "79161234567" not in "".join(file.read_text() for file in into.iterdir())
    told = switchhook("replay", *done.stdout.split(), "--format", "json")
    (record,) = [json.loads(line) for line in told.stdout.splitlines()]
    assert record["answered_by"] == ["PJSIP/m1", "PJSIP/m2"]
    again = switchhook(*words)
    assert (again.returncode, again.stderr) == (
        2,
        f"{into / 'park.ami'}: is there already; a tape is never overwritten\n",
    )


@pytest.mark.parametrize(
    "words",
    [
        ["replay", "no-such-file"],
        ["replay", sys.executable],
        ["directory", "apply", "no-such-file"],
        ["transcribe", "no-such-file"],
        ["tape", "record", "a/b"],
        ["tape", "scramble", "no-such-file", "--into", "nowhere"],
        ["tape", "scramble", str(TAPES / "answered.ami"), "--into", str(TAPES)],
        ["catch-up", "--from", "yesterday", "--to", "now"],
        ["worker", "--queue", "everything"],
        ["route", "--from", "79161234567", "--line", "74951234567", "--at", "noon"],
        ["route", "--replay", "--from-time", "yesterday"],
        ["route", "--replay", "--rules", "no-such-file"],
        ["route", "--replay", "--from", "79161234567"],
        ["route", "--from", "79161234567", "--line", "74951234567", "--to-time", "noon"],
        ["serve", "--role", "everything"],
        ["person", "away", "anna", "--to", "tomorrow"],
        ["person", "status", "anna", "asleep"],
        ["person", "status", "anna", "away", "--until", "noon"],
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
            asked = ("db", "shell", "--command", "select 6 * 7")
            shell = await asyncio.to_thread(switchhook, *asked, SWITCHHOOK_DATA_DIR=str(data))
    finally:
        shutil.rmtree(data)
    assert (done.returncode, done.stderr) == (0, "")
    assert (shell.returncode, "42" in shell.stdout) == (0, True), shell.stderr
    assert re.fullmatch(r"database (\d+), newest \1\n", done.stdout)


@pytest.mark.parametrize("what", ["metrics", "web"])
def test_a_taken_port_is_named(what: str, tmp_path: Path, database_url: str) -> None:
    """The service ends with the setting to change, and leaves nothing running."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ports = {"metrics": free_port(), "web": free_port()} | {what: port}
        done = switchhook(
            "serve",
            "--role",
            "web",
            SWITCHHOOK_DATA_DIR=str(tmp_path),
            DATABASE_URL=database_url,
            **{f"SWITCHHOOK_{name.upper()}__PORT": str(port) for name, port in ports.items()},
        )
    assert done.returncode == 2, done.stderr
    assert f"{what}.port: cannot listen on 127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr


async def test_the_directory_survives_its_way_out_and_in(tmp_path: Path, database_url: str) -> None:
    """A dry run changes nothing, applying shows the difference, and what is exported applies without one."""
    settings = load(data_dir=tmp_path, database_url=SecretStr(database_url))
    told = Path(service.demo_world.__file__).with_name("directory.yaml")
    promised, _ = await apply_directory(settings, told, dry_run=True)
    assert any(line.startswith("+ person anna") for line in promised)
    assert await apply_directory(settings, told, dry_run=False) == (promised, ())
    exported = tmp_path / "exported.yaml"
    exported.write_text(await export_directory(settings))
    assert await apply_directory(settings, exported, dry_run=False) == ([], ())


def test_a_dry_route_is_json_with_its_reasons(tmp_path: Path, database_url: str) -> None:
    """A line that nobody knows is told so; the keys are those of every plan."""
    words = ("route", "--from", "79161234567", "--line", "74950000000", "--json")
    done = switchhook(*words, SWITCHHOOK_DATA_DIR=str(tmp_path), DATABASE_URL=database_url)
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    told = {"rule", "version", "cause", "line", "language", "steps", "reasons", "considered", "passed", "turns"}
    told.add("looked_at")
    assert set(plan) == told
    assert plan["reasons"]


async def test_rules_are_applied_with_their_doubts_listed_and_tried_on_past_calls(
    tmp_path: Path, database_url: str
) -> None:
    """Doubts go to stderr and stop nothing; the version is listed, and printed as it can be applied again."""
    file = tmp_path / "directory.yaml"
    night = "{name: night, when: {open: false}, then: [{voicemail: night}]}"
    dead = "{name: dead, when: {open: false, vip: false}, then: [{reject: busy}]}"
    file.write_text(dumps(OFFICE) + f"rules:\n- {night}\n- {dead}\n")

    async def asked(*words: str) -> subprocess.CompletedProcess[str]:
        environment = {"SWITCHHOOK_DATA_DIR": str(tmp_path), "DATABASE_URL": database_url}
        return await asyncio.to_thread(switchhook, *words, **environment)

    applied = await asked("directory", "apply", str(file))
    assert (applied.returncode, "+ rule night (" in applied.stdout) == (0, True), applied.stderr
    doubt = "rules[1]: no call can match rule 'dead': 'night' (rules[0]) takes it first"
    assert any(line.startswith("warning: ") and line.endswith(doubt) for line in applied.stderr.splitlines())
    listed = json.loads((await asked("directory", "rules", "--json")).stdout)
    assert [(it["version"], [rule["name"] for rule in it["rules"]]) for it in listed] == [(1, ["night", "dead"])]
    printed = (await asked("directory", "rules", "--version", "1")).stdout
    assert loads(dumps(OFFICE) + printed).rules == loads(file.read_text()).rules
    replayed = json.loads((await asked("route", "--replay", "--json")).stdout)
    assert (replayed["calls"], replayed["changes"], replayed["version"]) == (0, [], 1)
    missing = await asked("directory", "rules", "--version", "2")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert missing.stderr == "--version: there is no version 2 of the rules; there are 1 to 1\n"


async def test_people_go_away_come_back_and_say_what_they_do(
    tmp_path: Path, engine: AsyncEngine, database_url: str
) -> None:
    """Each command tells what it did; the list is JSON with the same keys for everybody."""
    async with engine.begin() as connection:
        await apply(connection, OFFICE)
    hours = [(datetime.now(UTC) + timedelta(hours=it)).isoformat() for it in (-1, 1)]

    async def person(*words: str) -> subprocess.CompletedProcess[str]:
        environment = {"SWITCHHOOK_DATA_DIR": str(tmp_path), "DATABASE_URL": database_url}
        return await asyncio.to_thread(switchhook, "person", *words, **environment)

    away = await person(
        "away", "anna", "--from", hours[0], "--to", hours[1], "--substitute", "boris", "--reason", "отпуск"
    )
    assert (away.returncode, away.stdout) == (0, "absence 1\n"), away.stderr
    assert (await person("status", "boris", "away", "--until", hours[1])).returncode == 0
    listed = {it["key"]: it for it in json.loads((await person("list", "--json")).stdout)}
    assert len({tuple(it) for it in listed.values()}) == 1
    assert [(it["there"], it["status"], len(it["absences"])) for it in listed.values()] == [
        (False, "available", 1),
        (False, "away", 0),
        (True, "available", 0),
    ]
    assert (listed["anna"]["absences"][0]["substitute"], listed["anna"]["absences"][0]["reason"]) == ("boris", "отпуск")
    words = (await person("list")).stdout
    assert "anna: Анна Смирнова is absent until" in words
    assert "vera: Вера Павлова may be rung" in words
    assert (await person("back", "anna")).stderr == "1 absence ended\n"
    again = await person("back", "anna")
    assert (again.returncode, again.stderr) == (
        2,
        "person: 'anna' is not away now; an absence to come is cancelled by its number\n",
    )


@pytest.mark.parametrize(
    "words, named",
    [
        (["person", "away", "bob", "--to", "2099-01-01T00:00Z"], "person: there is no person 'bob'"),
        (["person", "status", "bob", "away"], "person: there is no person 'bob'"),
        (["person", "back", "bob"], "person: there is no person 'bob'"),
        (["explain", "1795427050.1"], "CALL: there is no call '1795427050.1'"),
        (["export", "1795427050.1"], "CALL: there is no call '1795427050.1'"),
        (["talk-facts", "--from", "2026-11-02T00:00Z", "--to", "2026-11-01T00:00Z"], "--from: must be before --to"),
        (["user", "passwd", "nobody"], "nobody"),
        (["call", "--person", "bob", "--to", "79161234567"], "--person: there is nobody 'bob' in the directory"),
        (["do-not-call", "79161234567"], "NUMBER: no party has '79161234567'"),
        (["catch-up", "--from", "2026-11-02T00:00Z", "--to", "2026-11-01T00:00Z"], "--from: must be before --to"),
        (
            ["reconcile", "--from", "2026-11-01T00:00Z", "--to", "2026-11-02T00:00Z", "--crm", "site"],
            "--crm: there is no connection 'site'",
        ),
    ],
)
def test_what_is_not_there_is_named(words: list[str], named: str, tmp_path: Path, database_url: str) -> None:
    """Exit 2 and one line."""
    done = switchhook(*words, SWITCHHOOK_DATA_DIR=str(tmp_path), DATABASE_URL=database_url)
    assert done.returncode == 2, done.stderr
    assert named in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_reconciliation_is_told_by_the_exit_status(tmp_path: Path, database_url: str) -> None:
    """1 with the differences named, 0 once they are repaired; the JSON has the same keys both times."""
    write_cel(tmp_path / "switchhook.csv", ["answered"])
    words = ("reconcile", "--from", "2026-11-23T00:00Z", "--to", "2026-11-24T00:00Z", "--json")
    told = []
    for more, code in (((), 1), (("--repair",), 0), ((), 0)):
        done = switchhook(
            *(*words, *more),
            SWITCHHOOK_DATA_DIR=str(tmp_path / "data"),
            DATABASE_URL=database_url,
            SWITCHHOOK_PBX=json.dumps([{"secret": "s", "cel_file": str(tmp_path / "switchhook.csv")}]),
        )
        assert done.returncode == code, done.stderr
        told.append(json.loads(done.stdout))
    assert [(one["calls"], one["repaired"], len(one["differences"])) for one in told] == [
        (1, 0, 1),
        (1, 1, 0),
        (1, 0, 0),
    ]
    assert [one["crms"] for one in told] == [[], [], []]
    (missing,) = told[0]["differences"]
    assert set(missing) == {"kind", "pbx", "linkedid", "started_at", "call", "fields"}
    assert (missing["kind"], missing["call"]) == ("missing", None)


def test_a_period_without_any_cel_is_refused(tmp_path: Path, database_url: str) -> None:
    """Nothing could be compared: that is no agreement."""
    words = ("reconcile", "--from", "2026-11-23T00:00Z", "--to", "2026-11-24T00:00Z")
    done = switchhook(*words, SWITCHHOOK_DATA_DIR=str(tmp_path), DATABASE_URL=database_url)
    assert done.returncode == 2
    assert "no PBX in the settings has a cel_file or a cel_url to read" in done.stderr


@pytest.mark.parametrize("command", ["reconcile", "catch-up"])
def test_cel_that_cannot_be_read_is_no_period_without_calls(command: str, tmp_path: Path, database_url: str) -> None:
    """Neither a file that is nowhere nor a database that is away: the setting is named, exit 2, nothing on stdout."""
    away = f"postgresql://reader:word@127.0.0.1:{free_port()}/cel"
    for setting, value, said in (
        ("cel_file", str(tmp_path / "nowhere.csv"), "cel_file of pbx 'pbx': there is no file"),
        ("cel_url", away, "cel_url: the database cannot be reached"),
    ):
        done = switchhook(
            *(command, "--from", "2026-11-23T00:00Z", "--to", "2026-11-24T00:00Z"),
            SWITCHHOOK_DATA_DIR=str(tmp_path / "data"),
            DATABASE_URL=database_url,
            SWITCHHOOK_PBX=json.dumps([{"secret": "s", setting: value}]),
        )
        assert (done.returncode, done.stdout) == (2, ""), done.stderr
        assert said in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_a_database_that_is_away_is_named(tmp_path: Path) -> None:
    """By its setting, in one line."""
    url = f"postgresql://user:word@127.0.0.1:{free_port()}/switchhook"
    done = switchhook("explain", "1.1", "--json", SWITCHHOOK_DATA_DIR=str(tmp_path), DATABASE_URL=url)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("database_url: the database cannot be reached: ")
    assert len(done.stderr.splitlines()) == 1


def test_the_schema_is_told_by_the_exit_status(tmp_path: Path, empty_database_url: str, database_url: str) -> None:
    """1 while the database is older than the program, 0 when it is up to date; asking changes nothing."""
    for url, code in ((empty_database_url, 1), (database_url, 0)):
        done = switchhook("db", "status", SWITCHHOOK_DATA_DIR=str(tmp_path), DATABASE_URL=url)
        assert (done.returncode, "newest" in done.stdout) == (code, True), done.stderr
