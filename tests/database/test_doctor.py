"""The doctor's promises of what stands in the database: people, CRMs, work owed, and its own daily look."""

from __future__ import annotations

import asyncio
import base64
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import asyncpg
import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.due import Job
from calls.jobs import enqueue
from crm_sync import connections
from crm_sync.secrets import Keeper
from directory.model import Directory, Person
from directory.store import apply
from notices.telling import TASK
from service.backups.rows import note
from service.doctor import daily, looks
from service.doctor.check import Check
from service.doctor.database import OLDEST, version
from service.doctor.examine import examine
from service.doctor.look import Known, Look, aside, made
from service.doctor.security import is_guessed
from service.ports import free_port
from service.postgres import Postgres
from service.settings import PbxSettings, Settings, TranscriptionSettings, load
from service.wiring import House
from service.worker_role import work_queues
from tests.fakes.command import switchhook
from tests.fakes.directories import OFFICE
from web import doctor, users

KEY = base64.b64encode(bytes(range(32))).decode()


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """A house without a PBX and without a model, which takes its time."""
    none = TranscriptionSettings(model=str(tmp_path / "none"))
    address, key = SecretStr(database_url), SecretStr(KEY)
    return load(data_dir=tmp_path, database_url=address, secret_key=key, transcription=none)


async def found(settings: Settings, *topics: str) -> dict[str, Check]:
    """The checks by their names."""
    return {check.name: check for check in await examine(settings, topics)}


async def do(engine: AsyncEngine, *statements: str) -> None:
    """Change rows as nobody should."""
    async with engine.begin() as connection:
        for statement in statements:
            await connection.execute(text(statement))


async def test_lines_that_ring_nobody_and_people_without_a_phone_are_told(
    settings: Settings, engine: AsyncEngine
) -> None:
    async def told(directory: Directory) -> dict[str, Check]:
        async with engine.begin() as connection:
            await apply(connection, directory)
        return await found(settings, "people")

    well = await told(OFFICE)
    assert (well["lines"].state, well["people"].state) == ("ok", "ok")
    bare = tuple(replace(person, devices=()) if person.key == "boris" else person for person in OFFICE.people)
    one = await told(replace(OFFICE, people=bare))
    assert (one["lines"].state, one["people"].state) == ("ok", "warn")
    assert one["people"].why == "in a team and without a device, so never rung: boris"
    nobody = await told(replace(OFFICE, people=tuple(replace(person, devices=()) for person in OFFICE.people)))
    assert nobody["lines"].why == "nobody of its team can be rung: 74951234567, 74951234568"


async def test_a_database_that_lacks_what_searches_need_is_told(
    settings: Settings, engine: AsyncEngine, postgres_server: Postgres, administrator: asyncpg.Connection
) -> None:
    """Its extension is dropped; another one has the locale C."""
    assert (await found(settings, "database"))["extensions"].state == "ok"
    await do(engine, "drop extension pg_trgm cascade")
    lacks = (await found(settings, "database"))["extensions"]
    assert (lacks.state, "pg_trgm" in lacks.why) == ("fail", True)
    name = f"c_{uuid4().hex}"
    await administrator.execute(f"create database {name} template template0 locale_provider libc locale 'C'")
    try:
        address = SecretStr(f"{postgres_server.url.rpartition('/')[0]}/{name}")
        c = await found(settings.model_copy(update={"database_url": address}), "database")
    finally:
        await administrator.execute(f"drop database {name} with (force)")
    assert (c["database locale"].state, c["schema"].why[:13]) == ("warn", "revision none")


def test_an_old_postgresql_is_a_failure() -> None:
    assert version(OLDEST * 10000).state == "ok"
    old = version(130014)
    assert (old.state, old.why) == ("fail", "PostgreSQL 13.14 is too old")


async def test_work_that_nobody_does_is_told(settings: Settings, engine: AsyncEngine) -> None:
    """No worker, then with work that waits, then one that lives with work that is old, and work that was given up."""
    idle = await found(settings, "work")
    assert (idle["workers"].state, idle["queues"].state) == ("warn", "ok")
    async with engine.begin() as connection:
        await enqueue(connection, [Job(TASK, "notices", {"message_id": str(uuid4())})])
    none = await found(settings, "work")
    assert (none["workers"].state, none["workers"].why) == ("fail", "none lives, 1 jobs wait")
    await do(
        engine,
        "insert into procrastinate_workers default values",
        "update procrastinate_events set at = now() - interval '20 minutes'",
    )
    old = await found(settings, "work")
    assert (old["workers"].why, old["queues"].why) == ("1 live", "work waits: notices for 20 min")
    await do(engine, "update procrastinate_jobs set status = 'failed'")
    assert (await found(settings, "work"))["queues"].why == "1 jobs were given up"
    await do(engine, "update procrastinate_workers set last_heartbeat = now() - interval '1 hour'")
    assert (await found(settings, "work"))["workers"].state == "warn"


async def test_a_backup_that_is_old_or_was_never_made_is_told(settings: Settings, engine: AsyncEngine) -> None:
    """Whichever way it was made, it is one of a day at most."""
    assert (await found(settings, "disk"))["backup"].why == "none was ever made"
    for hours, state in ((30, "warn"), (2, "ok")):
        async with engine.begin() as connection:
            await note(connection, "/backups/one", datetime.now(UTC) - timedelta(hours=hours))
        check = (await found(settings, "disk"))["backup"]
        assert (check.state, check.why) == (state, f"the newest is {hours} h old")


async def test_a_backup_that_others_read_or_change_is_told(settings: Settings, engine: AsyncEngine) -> None:
    """One that lies on another machine is that machine's matter."""

    async def told() -> Check | None:
        return (await found(settings, "security")).get("backup folder")

    with TemporaryDirectory() as temporary:  # pytest's own lets nobody in
        to = Path(temporary, "copies")
        dump = to / "switchhook-2026-11-27T010000Z/database.dump"
        dump.parent.mkdir(parents=True)
        dump.touch()
        async with engine.begin() as connection:
            await note(connection, str(dump.parent))
            await note(connection, None)
        for folder, mode in ((to.parent, 0o711), (to, 0o711), (dump.parent, 0o711), (dump, 0o644)):
            folder.chmod(mode)
        read = await told()
        assert read is not None
        assert (read.state, read.why) == ("warn", f"anybody on this machine may read {dump}")
        dump.parent.chmod(0o700)
        assert (closed := await told()) is not None
        assert closed.state == "ok"
        to.chmod(0o777)
        written = await told()
        assert written is not None
        assert (written.state, f"may write {to}:" in written.why) == ("fail", True)
    assert await told() is None


async def test_each_connection_to_a_crm_is_looked_at_from_all_sides(settings: Settings, engine: AsyncEngine) -> None:
    """Its key, its end, what it lacks, its limits, who is who there, and what it is owed."""
    async with engine.begin() as connection:
        await apply(connection, OFFICE)
        sealed = Keeper(KEY).seal("site", {"url": "https://crm.example"})
        await connections.add(connection, "site", "webhook", {}, sealed, (), "active")

    async def told(*statements: str) -> dict[str, Check]:
        await do(engine, *statements)
        return {name.removeprefix("crm "): check for name, check in (await found(settings, "crm")).items()}

    well = await told()
    assert {well[name].state for name in ("site", "site people", "site limits", "site effects")} == {"ok"}
    ends = "update crm_connections set access_ends_at = now() {} interval '3 days'"
    assert "ends in 3.0 days" in (await told(ends.format("+")))["site"].why
    assert (await told(ends.format("-")))["site"].state == "fail"
    lacks = await told("update crm_connections set access_ends_at = null, missing = array['crm scope']")
    assert (lacks["site"].state, lacks["site"].why) == ("warn", "lacks crm scope")
    away = await told("update crm_connections set probe_error = 'unreachable: no answer'")
    assert away["site"].why == "could not be asked: unreachable: no answer"
    near = await told("insert into crm_paces (account, bucket, used, most) values ('site', 'day', 900, 1000)")
    assert (near["site limits"].state, near["site limits"].why) == ("warn", "near: day 900 of 1000")
    users_there = "insert into crm_users (connection, \"user\", name, extension) values ('site', '7', 'A', '101')"
    assert (await told(users_there))["site people"].why == "does not know boris, vera"
    owed = "insert into crm_effects (key, connection, step, lane, waits, state, planned_at) values "
    owed += "(gen_random_uuid(), 'site', 'call_finished', 'x', false, 'planned', now() - interval '2 hours')"
    assert (await told(owed))["site effects"].why == "the oldest is owed for 2.0 h"
    dead = await told("update crm_effects set state = 'dead', ended_at = now()")
    assert dead["site effects"].why == "1 were given up"
    ended = await told("update crm_connections set state = 'stopped', stopped_by = 'auth_dead'")
    assert (ended["site"].state, ended["site"].why) == ("fail", "lets us in no more")
    by_hand = await told("update crm_connections set stopped_by = 'hand'")
    assert not any(name.startswith("site") for name in by_hand)


async def test_another_secret_key_opens_no_connection(settings: Settings, engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        sealed = Keeper(base64.b64encode(bytes(32)).decode()).seal("site", {})
        await connections.add(connection, "site", "webhook", {}, sealed, (), "active")
    assert (await found(settings, "crm"))["crm site"].state == "fail"


async def test_an_admin_with_a_password_that_is_tried_first_is_a_failure(
    settings: Settings, engine: AsyncEngine
) -> None:
    """Who it is nobody reads of the check, which is stored and told: they could come in."""
    async with engine.begin() as connection:
        await users.add(connection, "olga", "admin", password="a long password of hers")
    assert (await found(settings, "security"))["passwords"].state == "ok"
    async with engine.begin() as connection:
        await users.add(connection, "operator", "admin", password="operator")
    weak = (await found(settings, "security"))["passwords"]
    assert (weak.state, weak.why) == ("fail", "of 2 admins 1 with one that is tried first")
    assert "operator" not in str(weak)


@pytest.mark.parametrize(
    "secret, user, guessed",
    [
        ("amp111", "admin", True),
        ("switchhook", "switchhook", True),
        ("long-user-name", "Long-User-Name", True),
        ("short", "u", True),
        ("b7cUq0sUOhI1zX2w", "switchhook", False),
    ],
)
def test_secrets_that_are_tried_first_are_known(secret: str, user: str, guessed: bool) -> None:
    assert is_guessed(secret, user) is guessed


@asynccontextmanager
async def house_of(settings: Settings, engine: AsyncEngine, database_url: str) -> AsyncIterator[House]:
    """A house with an operator and an admin, and a small list of looks."""
    people = (
        *OFFICE.people,
        Person(key="oleg", name="Олег", role="operator"),
        Person(key="ada", name="Ада", role="admin"),
    )
    async with engine.begin() as connection:
        await apply(connection, replace(OFFICE, people=people))
    yield House(settings, database_url, engine)


async def test_the_daily_look_tells_what_changed_once(
    settings: Settings, engine: AsyncEngine, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two workers look once; the same again tells nothing; what is worse or well again is told operators and admins."""
    states = {"a thing": "fail", "another": "ok"}

    async def looked(_known: Known) -> list[Check]:
        return [Check(name, state, f"it is {state}", "mend it") for name, state in states.items()]  # type: ignore[arg-type]

    for group in ("OF_THE_HOUSE", "OF_A_PBX"):
        monkeypatch.setattr(f"service.doctor.examine.{group}", ())
    monkeypatch.setattr("service.doctor.examine.OF_THE_DATABASE", (Look("people", ("a thing", "another"), looked),))
    none = timedelta()
    async with house_of(settings, engine, database_url) as house:
        first = [one for one in await asyncio.gather(*(daily.examine_due(house) for _ in range(3))) if one]
        assert [one.worse for one in first] == [("a thing", "pbx")]
        assert await daily.examine_due(house) is None
        async with engine.connect() as connection:
            before = {one.name: one.since for one in await doctor.last(connection)}
        same = await daily.examine_due(house, none)
        assert same == doctor.Changes((), ())
        states |= {"a thing": "ok", "another": "warn"}
        changed = await daily.examine_due(house, none)
        assert changed == doctor.Changes(("another",), ("a thing",))
        async with engine.connect() as connection:
            last = {one.name: one for one in await doctor.last(connection)}
            told = (
                await connection.execute(
                    text("select person, values from notices where kind = 'doctor_found' order by id, person")
                )
            ).all()
    assert (last["pbx"].since, last["another"].since > before["another"]) == (before["pbx"], True)
    assert [(row.person, row.values["worse"], row.values["well"]) for row in told] == [
        ("ada", 2, 0), ("oleg", 2, 0), ("ada", 1, 1), ("oleg", 1, 1),
    ]  # fmt: skip
    assert told[0].values["check"] == "a_thing"


async def test_a_worker_of_its_queue_looks_again_and_again(
    settings: Settings, engine: AsyncEngine, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also after a look that could not be made."""
    looked, stop = asyncio.Queue[None](), asyncio.Event()

    async def breaks(_house: House) -> None:
        looked.put_nowait(None)
        raise ConnectionError

    monkeypatch.setattr(daily, "_SETTLED_SECONDS", 0.0)
    monkeypatch.setattr(daily, "_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(daily, "examine_due", breaks)
    working = asyncio.create_task(work_queues(House(settings, database_url, engine), ("doctor",), stop))
    async with asyncio.timeout(60):
        for _ in range(2):
            await looked.get()
        stop.set()
        await working


async def test_the_last_look_is_told_by_the_command_line(
    settings: Settings, engine: AsyncEngine, database_url: str
) -> None:
    environment = {"DATABASE_URL": database_url, "SWITCHHOOK_DATA_DIR": str(settings.data_dir)}
    never = await asyncio.to_thread(switchhook, "doctor", "--last", **environment)
    assert (never.returncode, "has not looked" in never.stderr) == (2, True)
    async with engine.begin() as connection:
        await doctor.keep(connection, [Check("disk", "ok", "much"), Check("pbx main", "warn", "late", "see")])
    done = await asyncio.to_thread(switchhook, "doctor", "--last", **environment)
    assert (done.returncode, done.stdout) == (1, "ok    disk: much\nwarn  pbx main: late\n      -> see\n")
    wrong = await asyncio.to_thread(switchhook, "doctor", "--topic", "disks", **environment)
    assert (wrong.returncode, "got 'disks'" in wrong.stderr) == (2, True)


async def test_a_check_whose_pbx_was_away_keeps_its_last_word(engine: AsyncEngine) -> None:
    """It is not told anew when it comes back as it was; what was not looked at for a month is forgotten."""
    trunks = Check("pbx main trunks", "fail", "not reachable")
    async with engine.begin() as connection:
        assert (await doctor.keep(connection, [trunks])).worse == ("pbx main trunks",)
        await doctor.keep(connection, [Check("pbx main", "fail", "away")])
        assert [one.name for one in await doctor.last(connection)] == ["pbx main"]
        assert (await doctor.keep(connection, [trunks])) == doctor.Changes((), ())
        await connection.execute(text("update doctor_checks set examined_at = now() - interval '40 days'"))
        await doctor.keep(connection, [Check("disk", "ok", "much")])
        count = (await connection.execute(text("select count(*) from doctor_checks"))).scalar_one()
    assert count == 1


async def test_one_look_that_breaks_or_hangs_breaks_no_other(settings: Settings) -> None:
    """It is a failed check of its own, with a remedy; no words of the error are told, for they may be a row's."""

    async def breaks(_of: object) -> list[Check]:
        raise ValueError("79161234567")

    async def hangs(_of: object) -> list[Check]:
        await asyncio.sleep(600)
        return []

    async def well(_of: object) -> list[Check]:
        return [Check("well", "ok", "yes")]

    several = (
        Look("x", ("pbx NAME broken", "second"), breaks),
        Look("x", ("hung",), hangs, seconds=0.05),
        Look("x", ("well",), well),
    )
    told = await asyncio.gather(*(made(look, settings, "main") for look in several))
    checks = [check for some in told for check in some]
    assert [(check.name, check.state) for check in checks] == [
        ("pbx main broken", "fail"), ("hung", "fail"), ("well", "ok"),
    ]  # fmt: skip
    assert [check.why for check in checks[:2]] == ["could not be looked at: ValueError", "not looked at within 0.05 s"]


async def test_a_file_that_hangs_keeps_neither_the_others_nor_the_end_waiting(
    settings: Settings, tmp_path: Path
) -> None:
    """A pipe that nobody writes to is as a disk behind a network that is gone."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    async def reads(_of: object) -> list[Check]:
        await aside(pipe.read_bytes)
        return []

    (hung,) = await made(Look("x", ("hung",), reads, seconds=0.05), settings)
    waited_for = [not thread.daemon for thread in threading.enumerate() if thread.name == "doctor"]
    pipe.write_bytes(b"")  # lets its thread end
    assert (hung.state, hung.why) == ("fail", "not looked at within 0.05 s")
    assert waited_for == [False]


async def test_a_database_that_is_away_leaves_the_rest_to_be_looked_at(tmp_path: Path) -> None:
    nowhere = SecretStr(f"postgresql://switchhook:hidden@127.0.0.1:{free_port()}/none")
    told = await found(load(data_dir=tmp_path, database_url=nowhere), "disk", "people")
    assert (told["database"].state, told["disk"].name, "directory" in told) == ("fail", "disk", False)


def test_every_check_is_told_in_the_operators_page() -> None:
    """The page's table has each check by name, and no other."""
    page = Path("docs/operations/doctor.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1].strip().strip("`") for line in page.splitlines() if line.startswith("| `")]
    assert sorted(rows) == sorted(looks.NAMES)
    assert len(set(rows)) == len(rows)


async def test_checks_are_called_as_the_list_has_them(settings: Settings, engine: AsyncEngine) -> None:
    """Whatever is found, its name is one of the list, with the name of what there may be several of."""
    async with engine.begin() as connection:
        await apply(connection, OFFICE)
    away = PbxSettings(name="main", port=free_port(), secret=SecretStr("b7cUq0sUOhI1zX2w"))
    checks = await examine(settings.model_copy(update={"pbx": [away]}))
    assert {check.name.replace("main", "NAME") for check in checks} <= set(looks.NAMES)
