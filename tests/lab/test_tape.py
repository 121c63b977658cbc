"""`switchhook tape` records a real Asterisk, and what it writes tells the call of invented people."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from calls.view import to_json
from service.commands.replay import replay
from service.demo_world import OutsideWorld, answer
from service.pbx import Pbx, Phone
from telephony.tape import content

CALLER, NAME, LINE = "79161234567", "Клиент Иванов", "74950000001"
WITNESS = "\n[witness]\nsecret = heard-and-not-told\nread = all\nwrite = user\n"
FIELDS = (
    "EventType,eventenum,userdeftype,EventTime,Name,Num,ani,rdnis,dnid,Exten,Context,ChanName,AppName,AppData,AMAFlags,"
    "AccountCode,UniqueID,LinkedID,Peer,PeerAccount,UserField,EventExtra"
)
JSON_CEL = f"\n[rows.json]\nformat = json\nfields = {FIELDS}\n"


class _Witnessed(Pbx):
    """The PBX with a second AMI user, who may hear everything, and CEL as JSON beside the CSV."""

    def configuration(self) -> dict[str, str]:
        files = super().configuration()
        return files | {
            "manager.conf": files["manager.conf"] + WITNESS,
            "cel_custom.conf": files["cel_custom.conf"] + JSON_CEL,
        }


@pytest.fixture(scope="module")
async def office() -> AsyncIterator[OutsideWorld]:
    """A company's PBX whose fallback rings Anna, and the outside world."""
    async with (
        _Witnessed(
            [Phone("anna-desk", "101", "Анна")], variables={"SWITCHHOOK_FALLBACK_default": "PJSIP/anna-desk"}
        ) as pbx,
        OutsideWorld(pbx) as world,
    ):
        yield world


def settings(folder: Path, pbx: Pbx, user: str, secret: str, cel: Path | None = None) -> Path:
    path = folder / "switchhook.toml"
    path.write_text(
        f'[[pbx]]\nname = "main"\nport = {pbx.ami_port}\nusername = "{user}"\nsecret = "{secret}"\n'
        f'cel_file = "{cel or pbx.cel_file}"\n'
    )
    return path


@asynccontextmanager
async def recording(folder: Path, config: Path, *words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The command, started and listening; killed if the test ends before it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "service.cli.main", "tape", "record", *words, "--into", str(folder)),
        env={**os.environ, "SWITCHHOOK_CONFIG": str(config), "SWITCHHOOK_LOG": "quiet"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def listening(process: asyncio.subprocess.Process) -> None:
    assert process.stderr is not None
    async with asyncio.timeout(20):
        line = (await process.stderr.readline()).decode()
    assert line.startswith("recording main"), line


async def one_call(world: OutsideWorld) -> None:
    await world.phone("anna-desk").behave(answer(0.2, speak=("ru/hello",)))
    call = await world.call(CALLER, NAME, LINE, speak=("ru/hello",))
    await call.answered()
    await call.ended()
    async with asyncio.timeout(10):
        while await world.pbx.cli("core show channels concise"):
            await asyncio.sleep(0.05)


def record_of(*tapes: Path) -> dict[str, Any]:
    (record,), skipped = replay(tapes)
    assert skipped == 0
    return to_json(record)


async def test_a_recorded_call_is_the_call_of_somebody_else(office: OutsideWorld, tmp_path: Path) -> None:
    """It ends by itself with the call; both witnesses tell the same record, and neither the true number nor name."""
    pbx = office.pbx
    config = settings(tmp_path, pbx, "witness", "heard-and-not-told")
    async with recording(tmp_path, config, "answered_here") as process:
        await listening(process)
        await one_call(office)
        out, err = await asyncio.wait_for(process.communicate(), 30)
        assert process.returncode == 0, err.decode()
    live, durable = tmp_path / "answered_here.ami", tmp_path / "answered_here.cel.csv"
    assert out.decode().split() == [str(live), str(durable)]
    assert err == b"", err.decode()
    assert [stat.S_IMODE(path.stat().st_mode) for path in (live, durable)] == [0o600, 0o600]
    text = live.read_text() + durable.read_text()
    for private in (CALLER, CALLER[1:], LINE, "Клиент", "Иванов", "Анна"):
        assert private not in text
    told = record_of(live)
    assert told["caller"]["number"] == record_of(durable)["caller"]["number"] != CALLER
    assert record_of(live, durable)["answered_by"] == told["answered_by"] == ["PJSIP/anna-desk"]
    assert (told["status"], told["direction"], len(told["caller"]["name"])) == ("answered", "inbound", len(NAME))
    assert "SwitchhookHeartbeat" not in text
    assert {"VarSet", "Newexten"} <= {str(one["Event"]) for one in content(live)[1]}

    async with recording(tmp_path, config, "answered_here") as process:
        _, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 2
    assert err.decode() == f"{live}: is there already; a tape is never overwritten\n"

    rows = json_rows(pbx)
    (tmp_path / "rows.json").write_bytes(rows)
    spelt = to_json(replay([tmp_path / "rows.json"])[0][-1])
    assert (spelt["caller"]["number"], spelt["status"], spelt["dialed"]) == (CALLER, "answered", LINE)
    assert spelt["talk_seconds"] == pytest.approx(told["talk_seconds"], abs=0.01)


def json_rows(pbx: Pbx) -> bytes:
    """What cel_custom wrote as JSON, which is JSON."""
    rows = pbx.cel_file.with_name("rows.json").read_bytes()
    assert all(json.loads(line) for line in rows.splitlines())
    return rows


async def test_the_services_own_user_is_told_what_it_cannot_hear(office: OutsideWorld, tmp_path: Path) -> None:
    """With the shipped rights the record is whole, also without CEL; what is missing is said. SIGINT ends it."""
    pbx = office.pbx
    config = settings(tmp_path, pbx, pbx.ami_username, pbx.ami_secret, tmp_path / "gone" / "cel.csv")
    async with recording(tmp_path, config, "own", "--seconds", "60") as process:
        await listening(process)
        await one_call(office)
        process.send_signal(2)
        _, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0, err.decode()
    assert "hears no application and no variable" in err.decode()
    assert "CEL cannot be read, only AMI is written" in err.decode()
    assert not (tmp_path / "own.cel.csv").exists()
    assert record_of(tmp_path / "own.ami")["status"] == "answered"


async def test_a_refused_login_writes_nothing(office: OutsideWorld, tmp_path: Path) -> None:
    """One line that says what to do, exit 2, no file, no secret."""
    config = settings(tmp_path, office.pbx, "witness", "wrong-secret")
    async with recording(tmp_path, config, "never") as process:
        _, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 2
    assert err.decode().splitlines()[-1].startswith("pbx main: the PBX refuses the login of AMI user 'witness'")
    assert "wrong-secret" not in err.decode()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["switchhook.toml"]
