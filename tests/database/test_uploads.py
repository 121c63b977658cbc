"""Recordings of a PBX on another machine, sent by the real program over the loopback to the real web role."""

from __future__ import annotations

import ast
import asyncio
import hashlib
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import ClientSession
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls import events as e
from calls.record import record
from recordings.due import due
from recordings.store import Store
from recordings.storing import WAITS, StoringJobs
from service.commands.recordings import make_token, revoke_tokens
from service.faults import UserFault
from service.ports import free_port
from service.settings import load
from tests.fakes.full_disk import room_for
from tests.fakes.recorded import T0, pbx_recorded, settled_call, tone, unclosed, write_wav
from tests.fakes.site import Site, open_site
from web import upload_tokens, users

PROGRAM = Path(__file__).parents[2] / "telephony" / "uploader" / "switchhook_upload.py"
UID = "1795427050.1"
CALLER, STAFF = f"{UID}-caller.wav", f"{UID}-staff.wav"
PIECE = 512 * 1024


@dataclass
class Remote:
    """A PBX elsewhere with its spool folder and the program, and the service's side of it."""

    site: Site
    spool: Path
    inbox: Path
    config: Path
    token: str

    def configure(self, token: str | None = None, *, bytes_per_second: int = 0) -> None:
        """Write the program's configuration."""
        secret = self.config.with_suffix(".token")
        secret.write_text(f"{token or self.token}\n")
        told = {"url": self.site.url, "pbx": "pbx", "token_file": secret, "spool": self.spool}
        lines = [f"{name} = {value}" for name, value in (told | {"bytes_per_second": bytes_per_second}).items()]
        self.config.write_text("\n".join(["[switchhook]", *lines]))

    async def begin(self, *words: str) -> asyncio.subprocess.Process:
        """Start the program, as Asterisk's shell does."""
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            sys.executable, "-I", str(PROGRAM), "--config", str(self.config), *words, stderr=pipe
        )

    async def run(self, *words: str) -> tuple[int, str]:
        """(exit status, stderr) of the program, waited for."""
        running = await self.begin("--wait", *words)
        _, told = await asyncio.wait_for(running.communicate(), 40)
        return running.returncode or 0, told.decode()

    async def rows(self, sql: str) -> list[tuple[Any, ...]]:
        async with self.site.engine.connect() as connection:
            return [tuple(row) for row in await connection.execute(text(sql))]

    def left(self) -> list[str]:
        """What waits in the spool folder."""
        return sorted(path.name for path in self.spool.glob("*.wav"))

    def came(self) -> list[str]:
        """All that the service has, parts too."""
        return sorted(path.name for path in self.inbox.iterdir()) if self.inbox.exists() else []


async def until(what: Any) -> None:
    """Wait for a process of its own, which tells nobody."""
    async with asyncio.timeout(20):
        while not what():
            await asyncio.sleep(0.02)


@pytest.fixture
async def remote(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Remote]:
    """Set up as the how-to says."""
    inbox, spool = tmp_path / "data" / "uploads" / "pbx", tmp_path / "spool"
    spool.mkdir()
    async with open_site(engine, tmp_path / "store", uploads={"pbx": inbox, "other": tmp_path / "other"}) as site:
        async with engine.begin() as connection:
            token = await upload_tokens.create(connection, "pbx")
        found = Remote(site, spool, inbox, tmp_path / "upload.conf", token)
        found.configure()
        yield found


async def test_what_the_pbx_recorded_is_sent_stored_and_only_then_removed_there(remote: Remote, tmp_path: Path) -> None:
    """Both sides and a message; the call that was told missing meanwhile is looked at again, and is well."""
    left = e.VoicemailLeft(pbx="pbx", channel=UID, linkedid=UID, at=T0 + timedelta(seconds=8), box="b", seconds=3.0)
    async with remote.site.engine.begin() as connection:
        (change,) = await record(connection, [*settled_call(UID), left])
    store = Store.in_folder(tmp_path / "store")
    jobs = StoringJobs(engine=remote.site.engine, owes=due, store=store, folders={"pbx": remote.inbox})
    await jobs.store_recording(change.call_id, len(WAITS))
    assert await remote.rows("select state from call_audio") == [("missing",)]

    pbx_recorded(remote.spool, UID, tone(90), tone(90))
    message = write_wav(remote.spool / f"{UID}-message-caller.wav", tone(3))
    sent = {path.name: path.read_bytes() for path in remote.spool.iterdir()}
    os.utime(message, (time.time() - 61, time.time() - 61))
    assert await remote.run(str(remote.spool / CALLER), str(remote.spool / STAFF)) == (0, "")
    assert remote.left() == []
    assert {name: (remote.inbox / name).read_bytes() for name in remote.came()} == sent
    assert {(remote.inbox / name).stat().st_mode & 0o777 for name in sent} == {0o600}
    looks = "select count(*) > 0 from procrastinate_jobs where task_name = 'recordings.store_recording'"
    assert await remote.rows(looks) == [(True,)]
    await jobs.store_recording(change.call_id, 0)
    assert await remote.rows("select state from call_audio") == [("stored",)]
    assert remote.came() == []
    # The answer to the last piece was lost on the way: asked again, the service knows that it has it for good.
    (remote.spool / CALLER).write_bytes(sent[CALLER])
    assert await remote.run() == (0, "")
    assert (remote.left(), remote.came()) == ([], [])


async def test_a_program_killed_in_the_middle_goes_on_where_it_was(remote: Remote) -> None:
    """The original stays until the whole is there; not a byte is sent twice."""
    write_wav(remote.spool / CALLER, tone(200))
    whole = (remote.spool / CALLER).read_bytes()
    remote.configure(bytes_per_second=PIECE // 2)
    running = await remote.begin("--wait")
    await until(remote.came)
    running.send_signal(signal.SIGKILL)
    await running.wait()
    (part,) = remote.inbox.iterdir()
    assert PIECE <= part.stat().st_size < len(whole)
    assert remote.left() == [CALLER]
    before = part.stat().st_ino
    remote.configure()
    assert await remote.run() == (0, "")
    assert (remote.inbox / CALLER).stat().st_ino == before
    assert (remote.inbox / CALLER).read_bytes() == whole
    assert remote.left() == []


async def test_asterisk_does_not_wait_for_a_service_that_is_away(remote: Remote) -> None:
    """The program returns at once, tries on behind, and a second one leaves it to the first."""
    pbx_recorded(remote.spool, UID, tone(1), tone(1))
    await remote.site.stop()
    for _ in range(2):
        began = await remote.begin(str(remote.spool / CALLER))
        assert await asyncio.wait_for(began.wait(), 10) == 0
    assert remote.left() == [CALLER, STAFF]
    await remote.site.start()
    await until(lambda: not remote.left())
    assert remote.came() == [CALLER, STAFF]


async def test_a_wrong_token_sends_nothing_and_loses_nothing(remote: Remote) -> None:
    """None, an invented one, another PBX's, a person's, a revoked one: told apart, and said what to look at."""
    write_wav(remote.spool / CALLER, tone(1))
    async with remote.site.engine.begin() as connection:
        others = await upload_tokens.create(connection, "other")
        persons = await users.create_token(connection, "anna", "api")
    for token, status in (("shu_invented", 401), (others, 403), (persons, 403)):
        remote.configure(token)
        code, told = await remote.run()
        assert (code, remote.left(), remote.came()) == (1, [CALLER], [])
        assert f"nothing is sent: {status} " in told
        assert token not in told
    async with remote.site.visitor("vera") as client:
        assert (await client.get(f"/api/v1/uploads/pbx/{CALLER}?sha256={'0' * 64}&size=1")).status == 403
    headers = {"Authorization": f"Bearer {remote.token}"}
    async with ClientSession(remote.site.url, headers=headers) as client:
        for path in ("/api/v1/calls", "/api/v1/recordings/gaps", "/calls"):
            response = await client.get(path, allow_redirects=False)
            assert response.status in {401, 303}, path
        assert (await client.get(f"/api/v1/uploads/other/{CALLER}?sha256={'0' * 64}&size=1")).status == 403
    async with remote.site.engine.begin() as connection:
        assert await upload_tokens.revoke(connection, "pbx") == 1
    remote.configure()
    code, told = await remote.run()
    assert code == 1
    assert "nothing is sent: 401 " in told


@dataclass
class Sender:
    """Sends pieces as no program of ours would."""

    client: ClientSession

    async def put(self, name: str, body: bytes, **told: object) -> int:
        query = {"sha256": hashlib.sha256(body).hexdigest(), "size": len(body), "offset": 0} | told
        words = "&".join(f"{key}={value}" for key, value in query.items())
        response = await self.client.put(f"/api/v1/uploads/pbx/{name}?{words}", data=io.BytesIO(body))
        return response.status


@pytest.fixture
async def sender(remote: Remote) -> AsyncIterator[Sender]:
    async with ClientSession(remote.site.url, headers={"Authorization": f"Bearer {remote.token}"}) as client:
        yield Sender(client)


async def test_what_is_not_what_was_announced_is_not_kept(remote: Remote, sender: Sender) -> None:
    """A wrong checksum, a piece from elsewhere, more than was said; and the same again changes nothing."""
    body = tone(1)
    assert await sender.put(CALLER, body, sha256="0" * 64) == 422
    assert remote.came() == []
    assert await sender.put(CALLER, body, offset=7, size=len(body) + 7) == 409
    assert await sender.put(CALLER, body, size=len(body) - 1) == 409
    assert await sender.put(CALLER, body) == 200
    assert await sender.put(CALLER, body) == 200
    assert await sender.put(CALLER, body[:-2]) == 409
    assert (remote.inbox / CALLER).read_bytes() == body
    assert await sender.put(STAFF, bytes((1 << 20) + 1)) == 413


async def test_a_name_from_outside_reaches_nothing_but_its_folder(remote: Remote, sender: Sender) -> None:
    """Neither up, nor absolute, nor hidden, nor another kind of file; and a link in the folder is not followed."""
    up = ("../x-caller.wav", "/etc/x-caller.wav", ".x-caller.wav", "..-caller.wav", "-caller.wav")
    for name in (*up, "x-both.wav", "x-caller.wav.part", "a\0-caller.wav", "x" * 90 + "-caller.wav", "x y-caller.wav"):
        assert await sender.put(quote(name, safe=""), b"RIFF") in {400, 404}, name
    assert await sender.put(CALLER, b"RIFF", sha256="../../x") == 400
    assert remote.came() == []
    remote.inbox.mkdir(parents=True)
    target = remote.inbox.parent / "target"
    (remote.inbox / CALLER).symlink_to(target)
    assert await sender.put(CALLER, b"RIFF") == 409
    assert not target.exists()


async def test_a_full_disk_keeps_no_half_and_the_program_comes_again(remote: Remote) -> None:
    """507, the part goes, the original stays; and the next try sends the whole."""
    write_wav(remote.spool / CALLER, tone(100))
    remote.configure()
    with room_for(PIECE + 1000):
        running = await remote.begin("--wait")
        assert running.stderr is not None
        said = (await asyncio.wait_for(running.stderr.readline(), 20)).decode()
        assert "507 the disk is full" in said
        assert (remote.left(), remote.came()) == ([CALLER], [])
    assert await asyncio.wait_for(running.wait(), 30) == 0
    assert (remote.left(), remote.came()) == ([], [CALLER])


async def test_many_at_once_keep_apart_what_they_send(remote: Remote, sender: Sender) -> None:
    """Both sides of ten calls, each by two senders that race: each file is whole, once."""
    files = {f"17954270{n:02}.1-{side}.wav": tone(0.1 + n / 100) for n in range(10) for side in ("caller", "staff")}
    statuses = await asyncio.gather(*(sender.put(name, body) for name, body in files.items() for _ in range(2)))
    assert set(statuses) <= {200, 409}
    assert {name: (remote.inbox / name).read_bytes() for name in remote.came()} == files


async def test_a_file_that_is_not_closed_waits(remote: Remote) -> None:
    """Asterisk still writes it, or died; what is no recording is not ours."""
    unclosed(write_wav(remote.spool / CALLER, tone(1)))
    (remote.spool / "notes.txt").write_text("mine")
    (remote.spool / STAFF).symlink_to(remote.spool / "notes.txt")
    assert await remote.run() == (0, "")
    assert (remote.left(), remote.came()) == ([CALLER, STAFF], [])
    day = time.time() - 86_400
    os.utime(remote.spool / CALLER, (day, day))
    assert await remote.run() == (0, "")
    assert (remote.left(), remote.came()) == ([STAFF], [CALLER])


async def test_a_token_is_made_for_a_pbx_that_uploads_and_for_no_other(
    engine: AsyncEngine, database_url: str, tmp_path: Path
) -> None:
    """By the settings, which say too where its recordings land; ended, it opens nothing."""
    told: list[dict[str, Any]] = [
        {"name": "far", "secret": "s", "port": free_port(), "uploads": True},
        {"name": "near", "secret": "s", "port": free_port(), "recordings": "/var/spool/near"},
    ]
    settings = load(database_url=SecretStr(database_url), data_dir=tmp_path / "data", log="quiet", pbx=told)
    assert [settings.recordings_of(pbx) for pbx in settings.pbx] == [
        tmp_path / "data" / "uploads" / "far",
        Path("/var/spool/near"),
    ]
    with pytest.raises(UserFault, match=r"uploads by the settings \(uploads = true; far\), got 'near'"):
        await make_token(settings, "near")
    token = await make_token(settings, "far")
    async with engine.begin() as connection:
        assert await upload_tokens.pbx_of(connection, token) == "far"
        assert await upload_tokens.pbx_of(connection, f"{token}x") is None
    assert await revoke_tokens(settings, "far") == 1
    with pytest.raises(users.UserError, match="far has no upload token"):
        await revoke_tokens(settings, "far")


async def test_a_file_that_is_not_taken_holds_up_no_other(remote: Remote) -> None:
    """There is another of its name: nothing is written over, it stays, and the log names it."""
    pbx_recorded(remote.spool, UID, tone(1), tone(1))
    remote.inbox.mkdir(parents=True)
    write_wav(remote.inbox / CALLER, tone(2))
    before = (remote.inbox / CALLER).read_bytes()
    code, told = await remote.run()
    assert (code, remote.left(), remote.came()) == (1, [CALLER], [CALLER, STAFF])
    assert f"{CALLER} is not taken and stays here: 409 there is another {CALLER}" in told
    assert (remote.inbox / CALLER).read_bytes() == before


@pytest.mark.parametrize(
    "line, said",
    [
        ("url = http://switchhook.example", "need https://"),
        ("url = switchhook.example", "must begin with https://"),
        ("spool = /nowhere", "there is no folder '/nowhere'"),
        ("token_file = /nowhere", "No such file"),
        ("bytes_per_second = many", "many"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_named(tmp_path: Path, line: str, said: str) -> None:
    """Exit 2 before anything is sent; the token is never printed."""
    config, token = tmp_path / "upload.conf", tmp_path / "token"
    token.write_text("shu_secret")
    told = {"url": "https://switchhook.example", "pbx": "main", "token_file": str(token), "spool": str(tmp_path)}
    name, _, value = line.partition(" = ")
    config.write_text("[switchhook]\n" + "\n".join(f"{key} = {one}" for key, one in (told | {name: value}).items()))
    words = (sys.executable, "-I", str(PROGRAM), "--wait", "--config", str(config))
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 2
    assert said in done.stderr
    assert "shu_secret" not in done.stderr


def test_the_program_is_one_file_for_an_old_python() -> None:
    """It reads as Python 3.8 and imports what every Python brings, and nothing of ours."""
    tree = ast.parse(PROGRAM.read_text(encoding="utf-8"), feature_version=(3, 8))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names
    assert os.access(PROGRAM, os.X_OK)
