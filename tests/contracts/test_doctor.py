"""The doctor's promises: every check a line with its remedy, no secret shown, an exit status that scripts can read."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import make_url, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from directory.calendars import refresh
from directory.feed import Limits
from directory.store import apply
from directory.tables import calendars
from service.backups.rows import note
from service.demo_world import OutsideWorld
from service.doctor.check import Check
from service.doctor.examine import examine, render
from service.doctor.pbx import build
from service.pbx import Pbx, Phone
from service.ports import free_port
from service.settings import CrmSettings, PbxSettings, Settings, TranscriptionSettings, load
from tests.fakes.command import switchhook
from tests.fakes.crm import TOKEN, open_crm
from tests.fakes.directories import OFFICE
from web import users

PHONES = (Phone("anna-desk", "101"), Phone("anna-soft"), Phone("boris-desk", "102"))


@pytest.fixture(scope="module")
async def pbx() -> AsyncIterator[Pbx]:
    """A PBX with a CEL file, the office's phones registered, and its trunk to the world outside."""
    async with Pbx(PHONES) as running, OutsideWorld(running):
        running.cel_file.parent.mkdir(parents=True, exist_ok=True)
        running.cel_file.touch()
        running.recordings.mkdir(parents=True, exist_ok=True)
        running.recordings.chmod(0o2750)
        yield running


def told_by(pbx: Pbx, url: str, folder: Path) -> Settings:
    """Settings with which nothing is wrong."""
    return load(
        data_dir=folder,
        database_url=SecretStr(url),
        pbx=[
            PbxSettings(
                port=pbx.ami_port,
                secret=SecretStr(pbx.ami_secret),
                cel_file=pbx.cel_file,
                recordings=pbx.recordings,
            )
        ],
    )


def states(checks: list[Check]) -> dict[str, str]:
    """State of each check by name."""
    return {check.name: check.state for check in checks}


async def switchhook_doctor(**environment: str) -> tuple[int, list[dict[str, str]], str]:
    """Exit status, the JSON on stdout, and all that was said."""
    done = await asyncio.to_thread(switchhook, "doctor", "--json", **environment)
    return done.returncode, json.loads(done.stdout), done.stdout + done.stderr


async def test_a_healthy_house_is_exit_0(pbx: Pbx, engine: AsyncEngine, database_url: str, tmp_path: Path) -> None:
    """Every check is ok, each with the same four keys; no secret is told."""
    async with engine.begin() as connection:
        await apply(connection, OFFICE)
        await users.add(connection, "vera", "head", password="a long password")
        await note(connection, "/backups/of-today")
    await pbx.cli(f"dialplan set global SWITCHHOOK_ALIVE {int(time.time()) + 2}")
    settings = told_by(pbx, database_url, tmp_path)
    code, checks, said = await switchhook_doctor(
        DATABASE_URL=database_url,
        SWITCHHOOK_DATA_DIR=str(tmp_path),
        SWITCHHOOK_PBX=json.dumps(
            [settings.pbx[0].model_dump(mode="json", exclude={"tls_ca_file", "secret"}) | {"secret": pbx.ami_secret}]
        ),
    )
    assert {check["name"] for check in checks if check["state"] != "ok"} <= {"pbx pbx service", "workers", "disk"}, said
    assert code == max({"ok": 0, "warn": 1, "fail": 2}[check["state"]] for check in checks) < 2
    assert {tuple(check) for check in checks} == {("name", "state", "why", "remedy")}
    assert {
        "database",
        "schema",
        "directory",
        "logins",
        "transcription",
        "pbx pbx",
        "pbx pbx clock",
        "pbx pbx calls out",
        "pbx pbx overhearing",
        "pbx pbx consultations",
    } <= {check["name"] for check in checks}
    assert pbx.ami_secret not in said
    assert "Traceback" not in said


async def test_a_crm_that_tells_no_owners_is_a_failure_with_its_reason(
    pbx: Pbx, engine: AsyncEngine, database_url: str, tmp_path: Path
) -> None:
    """Well, slower than a caller waits, wrong token, not there; without one there is nothing to look at."""
    settings = told_by(pbx, database_url, tmp_path)
    assert "crm" not in states(await examine(settings, ("crm",)))

    async def told(**crm: object) -> Check:
        asked = settings.model_copy(update={"crm": CrmSettings.model_validate(crm)})
        return next(check for check in await examine(asked, ("crm",)) if check.name == "crm")

    async with open_crm() as crm:
        assert (await told(owner_url=crm.url, token=TOKEN, budget_seconds=1)).state == "ok"
        slow = await told(owner_url=crm.url, token=TOKEN, budget_seconds=1e-6)
        assert (slow.state, "a caller waits" in slow.why) == ("warn", True)
        wrong = await told(owner_url=crm.url, token="wrong")
        assert (wrong.state, wrong.why) == ("fail", "tells no owners: status 401")
        assert "wrong" not in render([wrong])
    gone = await told(owner_url=crm.url, token=TOKEN)
    assert (gone.state, gone.why) == ("fail", "tells no owners: ClientConnectorError")


async def test_a_calendar_that_cannot_be_fetched_is_a_warning_with_its_person_and_never_its_address(
    pbx: Pbx, engine: AsyncEngine, database_url: str, tmp_path: Path
) -> None:
    """Not fetched yet, failing with the age of the copy, and well."""
    people = tuple(replace(it, calendar="http://127.0.0.1:9/private-secret/basic.ics") for it in OFFICE.people[:1])
    async with engine.begin() as connection:
        await apply(connection, replace(OFFICE, people=people + OFFICE.people[1:]))
    settings = told_by(pbx, database_url, tmp_path)

    async def told() -> Check:
        return next(check for check in await examine(settings, ("people",)) if check.name == "calendars")

    assert (await told()).why == "anna: not fetched yet"
    await refresh(engine, Limits(networks=(ip_network("127.0.0.0/8"),)), 300)
    failed = await told()
    assert (failed.state, failed.why) == ("warn", "anna: the server cannot be reached")
    row = update(calendars).values(fetched_at=datetime.now(UTC) - timedelta(hours=2))
    async with engine.begin() as connection:
        await connection.execute(row)
    assert (await told()).why == "anna: the server cannot be reached, a copy of 120 min ago is used"
    async with engine.begin() as connection:
        await connection.execute(update(calendars).values(failure=None))
    well = await told()
    assert (well.state, well.why) == ("ok", "1, the oldest copy is 120 min old")
    assert "secret" not in render([failed, well])


async def test_a_house_without_anything_is_exit_2(tmp_path: Path) -> None:
    """No database and no PBX: each is a failure with its remedy, and the password is not shown."""
    code, checks, said = await switchhook_doctor(
        DATABASE_URL="postgresql://switchhook:hidden@127.0.0.1:9/none", SWITCHHOOK_DATA_DIR=str(tmp_path)
    )
    failed = {check["name"]: check["remedy"] for check in checks if check["state"] == "fail"}
    assert code == 2
    assert failed.keys() >= {"database", "pbx"}
    assert all(failed.values())
    assert "hidden" not in said
    assert "Traceback" not in said


async def test_a_pbx_that_lacks_what_pages_ask_of_it_is_a_warning(pbx: Pbx, database_url: str, tmp_path: Path) -> None:
    """A module that is not loaded is named, each with what to do; where none can be asked for, that is said."""
    settings = told_by(pbx, database_url, tmp_path)

    async def told(name: str) -> Check:
        return next(check for check in await examine(settings, ("pbx",)) if check.name == f"pbx pbx {name}")

    for module, name, word in (
        ("app_chanspy", "overhearing", "app_chanspy is not loaded"),
        ("func_export", "consultations", "no func_export"),
        ("func_module", "overhearing", "no func_module"),
        ("func_module", "consultations", "no func_module"),
    ):
        await pbx.cli(f"module unload {module}.so")
        lacks = await told(name)
        assert (lacks.state, word in lacks.why, module in lacks.remedy) == ("warn", True, True), lacks
        await pbx.cli(f"module load {module}.so")
        assert (await told(name)).state == "ok"


@pytest.mark.parametrize(
    "features, word", [("", "no atxfer"), ("[featuremap]\natxfer => *2\n", "send clients away by #")]
)
async def test_keys_that_would_do_what_nobody_wants_are_a_warning(
    database_url: str, tmp_path: Path, features: str, word: str
) -> None:
    async with Pbx([], extra_files={"features.conf": f"[general]\n{features}"}) as bare:
        checks = await examine(told_by(bare, database_url, tmp_path), ("pbx",))
    (check,) = [check for check in checks if check.name == "pbx pbx consultations"]
    assert (check.state, word in check.why, "connect_your_asterisk" in check.remedy) == ("warn", True, True), check


async def test_what_is_only_missing_is_a_warning(pbx: Pbx, database_url: str, tmp_path: Path) -> None:
    """A new house without lines, logins, model and service works; it is told what it lacks."""
    await pbx.cli("dialplan set global SWITCHHOOK_ALIVE 0")
    settings = told_by(pbx, database_url, tmp_path)
    settings = settings.model_copy(update={"transcription": TranscriptionSettings(model=str(tmp_path))})
    checks = await examine(settings, ("people", "work", "pbx"))
    found = states(checks)
    assert [found[name] for name in ("directory", "logins", "transcription", "pbx pbx service")] == ["warn"] * 4
    assert max(check.level for check in checks) == 1
    assert "-> switchhook directory apply FILE" in render(checks)


async def test_a_pbx_that_is_away_is_a_failure_of_its_own(pbx: Pbx, database_url: str, tmp_path: Path) -> None:
    """The address that nobody answers is named; the database is fine all the same."""
    port = free_port()
    settings = told_by(pbx, database_url, tmp_path)
    away = settings.pbx[0].model_copy(update={"port": port})
    checks = await examine(settings.model_copy(update={"pbx": [away]}), ("pbx",))
    assert states(checks)["database"] == "ok"
    (failed,) = [check for check in checks if check.state == "fail"]
    assert failed.name == "pbx pbx"
    assert f"127.0.0.1:{port}" in failed.why


async def test_an_old_schema_is_a_warning_with_the_command(pbx: Pbx, empty_database_url: str, tmp_path: Path) -> None:
    """The doctor changes nothing: an empty database stays empty."""
    settings = told_by(pbx, empty_database_url, tmp_path)
    for _ in range(2):
        (schema,) = [check for check in await examine(settings, ("database",)) if check.name == "schema"]
        assert (schema.state, schema.remedy) == ("warn", "switchhook db upgrade")


async def test_cel_in_a_table_is_looked_at_there(
    pbx: Pbx, engine: AsyncEngine, database_url: str, tmp_path: Path
) -> None:
    """Reachable, its columns, the newest row's age, an index on the time; the address' password is never told."""
    settings = told_by(pbx, database_url, tmp_path)

    async def looked(url: str = database_url) -> Check:
        table = settings.pbx[0].model_copy(update={"cel_file": None, "cel_url": SecretStr(url)})
        checks = await examine(settings.model_copy(update={"pbx": [table]}), ("cel",))
        (cel,) = [check for check in checks if check.name == "pbx pbx CEL"]
        assert str(make_url(database_url).password) not in render(checks)
        return cel

    assert "there is no table 'cel'" in (await looked()).why
    columns = "eventtype text, eventtime timestamp, uniqueid text, linkedid text"
    async with engine.begin() as connection:
        await connection.execute(text(f"create table cel ({columns})"))
        row = "insert into cel values ('CHAN_START', clock_timestamp() at time zone 'UTC', {}, '')"
        await connection.execute(text(row.format("extract(epoch from clock_timestamp())::text")))
    slow = await looked()
    assert (slow.state, slow.remedy) == ("warn", 'create index on cel ("eventtime")')
    async with engine.begin() as connection:
        await connection.execute(text("create index on cel (eventtime)"))
    well = await looked()
    assert well.state == "ok"
    assert re.search(r"newest row \d s old", well.why)
    away = await looked("postgresql://switchhook:hidden@127.0.0.1:9/none")
    assert (away.state, "hidden" in away.why) == ("fail", False)


async def test_a_cel_file_of_another_shape_is_a_failure(pbx: Pbx, database_url: str, tmp_path: Path) -> None:
    """A file that grows without a row that we know would be no second witness."""
    settings = told_by(pbx, database_url, tmp_path)
    other = tmp_path / "Master.csv"
    other.write_text("CHAN_START,1,2,3\n")
    changed = settings.pbx[0].model_copy(update={"cel_file": other})
    checks = await examine(settings.model_copy(update={"pbx": [changed]}), ("cel",))
    (cel,) = [check for check in checks if check.name.endswith("cel_file") or check.name.endswith("CEL")]
    assert (cel.state, "no row that we know" in cel.why) == ("fail", True)


def test_debians_package_is_warned_of_and_a_mended_one_is_not() -> None:
    """Its recordings lose the colleague's sound after transfers, and nothing but its version tells of it."""
    known = {"22.10.1+dfsg+~cs6.17.60671434-1": "warn", "20.6.0~dfsg+~cs6.13.40431414-2build5": "warn"}
    known["22.10.1+dfsg+mend.17.60671434-1"] = "fail"  # as we mended it first
    well = {"22.10.1+dfsg+mnd2.17.60671434-1": "ok", "21.4.3": "ok", "certified-20.7-cert2": "ok"}
    for version, state in (known | well).items():
        assert build("pbx main build", version).state == state, version
