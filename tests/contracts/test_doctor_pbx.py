"""The doctor's promises of a PBX that is set up wrongly: one Asterisk, broken in one way after the other."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from directory.store import apply
from service.doctor.check import Check
from service.doctor.examine import examine
from service.pbx import Pbx
from service.settings import PbxSettings, Settings, load
from telephony import dialplan_version
from tests.fakes.directories import OFFICE

_READ, _WRITE = "read = call,user,agent,system", "write = call,reporting,user,originate"


class OpenPbx(Pbx):
    """Its manager interface listens to everybody."""

    def configuration(self) -> dict[str, str]:
        told = super().configuration()
        told["manager.conf"] = told["manager.conf"].replace("bindaddr = 127.0.0.1", "bindaddr = 0.0.0.0")
        return told


@pytest.fixture(scope="module")
async def pbx() -> AsyncIterator[OpenPbx]:
    """A PBX without phones, whose trunk leads nowhere."""
    async with OpenPbx([]) as running:
        yield running


@pytest.fixture
def settings(pbx: OpenPbx, database_url: str, tmp_path: Path) -> Settings:
    """What an operator would set, with the PBX's own secret."""
    told = PbxSettings(port=pbx.ami_port, secret=SecretStr(pbx.ami_secret), recordings=pbx.recordings)
    return load(data_dir=tmp_path, database_url=SecretStr(database_url), pbx=[told])


async def found(settings: Settings, *topics: str) -> dict[str, Check]:
    """The checks by the last words of their names."""
    return {check.name.removeprefix("pbx pbx "): check for check in await examine(settings, topics)}


async def manage(pbx: Pbx, *changes: tuple[str, str]) -> None:
    """Change manager.conf as an operator would; without changes it is as shipped again."""
    text = pbx.configuration()["manager.conf"]
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    (pbx.folder / "etc/manager.conf").write_text(text)
    await pbx.cli("manager reload")


async def test_rights_that_are_missing_and_events_that_are_hidden_are_failures(
    pbx: OpenPbx, settings: Settings
) -> None:
    """Each right is named; an eventfilter shows as events that do not come, whatever the rights."""
    well = await found(settings, "pbx")
    assert (well["rights"].state, well["events"].state, well["calls out"].state) == ("ok", "ok", "ok")
    await manage(pbx, (_READ, "read = agent"), (_WRITE, "write = call"))
    bare = await found(settings, "pbx")
    assert bare["rights"].state == bare["events"].state == "fail"
    assert "CoreShowChannels (write = reporting)" in bare["rights"].why
    assert "UserEvent (write = user)" in bare["rights"].why
    assert "Setvar" not in bare["rights"].why
    assert "UserEvent (we may not raise any: write = user)" in bare["events"].why
    assert "FullyBooted (read = system), DeviceStateChange (read = call)" in bare["events"].why
    assert bare["calls out"].state == "warn"
    hidden = [(f"eventfilter(action(include),name({name})) =\n", "") for name in ("UserEvent", "DeviceStateChange")]
    await manage(pbx, *hidden)
    filtered = await found(settings, "pbx")
    assert filtered["rights"].state == "ok"
    assert filtered["events"].why == "do not reach us: UserEvent (read = user), DeviceStateChange (read = call)"
    await manage(pbx)
    assert (await found(settings, "pbx"))["events"].state == "ok"


async def test_a_dialplan_that_is_not_ours_or_not_this_one_is_told(pbx: OpenPbx, settings: Settings) -> None:
    assert (await found(settings, "pbx"))["dialplan"].state == "ok"
    await pbx.cli(f"dialplan remove context {dialplan_version.CONTEXT}")
    old = (await found(settings, "pbx"))["dialplan"]
    assert (old.state, "another switchhook.conf" in old.why) == ("warn", True)
    await pbx.cli("dialplan remove context switchhook")
    none = (await found(settings, "pbx"))["dialplan"]
    assert (none.state, "not included" in none.why) == ("fail", True)
    await pbx.cli("module unload func_dialplan.so")
    assert "no func_dialplan" in (await found(settings, "pbx"))["dialplan"].why
    await pbx.cli("module load func_dialplan.so")
    await pbx.cli("dialplan reload")
    assert (await found(settings, "pbx"))["dialplan"].state == "ok"


def test_the_dialplan_carries_the_digest_of_itself() -> None:
    """Whoever changes what it does writes the new digest into it; what is said beside changes nothing."""
    text = dialplan_version.shipped()
    assert dialplan_version.version(text) == dialplan_version.digest(text)
    assert dialplan_version.digest(text + "; a word more\n") == dialplan_version.digest(text)
    assert dialplan_version.digest(text.replace("Hangup()", "Busy()", 1)) != dialplan_version.digest(text)


async def test_a_pbx_that_records_nothing_is_a_warning(pbx: OpenPbx, settings: Settings) -> None:
    pbx.recordings.mkdir(parents=True, exist_ok=True)
    assert (await found(settings, "recordings"))["recordings"].state == "ok"
    await pbx.cli('dialplan set global SWITCHHOOK_RECORDINGS ""')
    silent = (await found(settings, "recordings"))["recordings"]
    assert (silent.state, silent.why) == ("warn", "the PBX records nothing")
    await pbx.cli(f"dialplan set global SWITCHHOOK_RECORDINGS {pbx.recordings}")
    away = settings.pbx[0].model_copy(update={"recordings": pbx.folder / "none"})
    gone = (await found(settings.model_copy(update={"pbx": [away]}), "recordings"))["recordings"]
    assert (gone.state, "does not exist" in gone.why) == ("warn", True)


async def test_trunks_and_phones_are_compared_with_the_directory(
    pbx: OpenPbx, settings: Settings, engine: AsyncEngine
) -> None:
    """The trunk leads nowhere, and the office's phones are not there; those that another PBX has are not missed."""
    async with engine.begin() as connection:
        await apply(connection, OFFICE)
    async with asyncio.timeout(60):
        while "not reachable" not in (told := await found(settings, "pbx"))["trunks"].why:
            await asyncio.sleep(0.5)
    assert (told["trunks"].state, told["trunks"].why) == ("fail", "not reachable: PJSIP/trunk")
    missed = "in the directory and not on the PBX: PJSIP/anna-desk, PJSIP/anna-soft, PJSIP/boris-desk"
    assert (told["devices"].state, told["devices"].why) == ("warn", missed)
    elsewhere = "insert into device_states select 'other', address, 'not_inuse', true, now() from devices"
    async with engine.begin() as connection:
        await connection.execute(text(elsewhere))
        await connection.execute(text("update lines set trunk = 'PJSIP/renamed'"))
        await connection.execute(text("update devices set trunk = null"))
    told = await found(settings, "pbx")
    assert (told["trunks"].state, told["trunks"].why) == ("fail", "the PBX has no PJSIP/renamed")
    assert told["devices"].why == "on the PBX and nobody's: PJSIP/trunk"


async def test_a_manager_interface_that_everybody_reaches_is_a_warning(pbx: OpenPbx, settings: Settings) -> None:
    told = (await found(settings, "security"))["ports"]
    assert (told.state, f"manager interface of pbx pbx at 0.0.0.0:{pbx.ami_port}" in told.why) == ("warn", True)


async def test_cel_that_tells_too_little_is_a_warning(pbx: OpenPbx, settings: Settings, tmp_path: Path) -> None:
    """Rows without eventextra, or of some events alone; the same rows whole are well."""
    with Path("tests/tapes/answered.cel.csv").open(newline="") as tape:
        rows = list(csv.reader(tape))[1:]

    async def told(rows: list[list[str]]) -> Check:
        file = tmp_path / "switchhook.csv"
        with file.open("w", newline="") as written:
            csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
        changed = settings.pbx[0].model_copy(update={"cel_file": file})
        return (await found(settings.model_copy(update={"pbx": [changed]}), "cel"))["CEL fields"]

    well = await told(rows)
    assert (well.state, well.why) == ("ok", f"{len(rows)} rows looked at, with eventextra")
    bare = await told([[*row[:-1], ""] for row in rows])
    assert (bare.state, "no eventextra" in bare.why) == ("warn", True)
    some = await told([row for row in rows if row[0] != "LINKEDID_END"])
    assert (some.state, some.why) == ("warn", "no rows of LINKEDID_END")
    assert (await told([row for row in rows if row[0] == "CHAN_START"])).state == "ok"  # nobody has hung up yet
