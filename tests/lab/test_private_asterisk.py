"""A private Asterisk starts fast, belongs to nobody, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import wave
from pathlib import Path

import pytest

from service import asterisk
from service.asterisk import AMI, AsteriskError, Ports
from service.demo_world.speech import CALLER, CALLER_ENGLISH, STAFF, seconds, words
from service.installed import locate, locate_amtool, locate_promtool, prompt_texts
from service.pbx import Pbx, Phone

PHONES = (Phone("anna-desk", "101"),)
HOLDER = """
import asyncio, sys
from service.pbx import Pbx, Phone

async def hold() -> None:
    async with Pbx([Phone("anna-desk")]) as pbx:
        print(pbx.process.pid, pbx.folder, flush=True)
        await asyncio.sleep(60)

asyncio.run(hold())
"""


def alive(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


async def gone(pid: int) -> None:
    """Wait until the process is gone."""
    async with asyncio.timeout(5):
        while alive(pid):
            await asyncio.sleep(0.02)


async def test_it_is_up_and_gone_without_a_trace() -> None:
    async with Pbx(PHONES) as pbx:
        assert pbx.process is not None
        pid, folder = pbx.process.pid, pbx.folder
        assert "anna-desk" in await pbx.cli("pjsip show endpoints")
        if os.geteuid() == 0:
            assert Path(f"/proc/{pid}").stat().st_uid != 0
        assert os.getpgid(pid) == pid
        assert (folder / "etc/manager.conf").stat().st_mode & 0o077 == 0
    assert not alive(pid)
    assert not folder.exists()


async def test_two_live_side_by_side() -> None:
    async with Pbx(PHONES) as one, Pbx(PHONES) as two:
        assert {one.sip_port, one.ami_port}.isdisjoint({two.sip_port, two.ami_port})
        assert one.ami_secret != two.ami_secret
        for pbx in (one, two):
            with socket.create_connection((pbx.host, pbx.ami_port), timeout=2) as ami:
                assert ami.recv(100).startswith(b"Asterisk Call Manager/")


def test_a_block_of_ports_is_free_as_soon_as_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux remembers a connection that the PBX ended for a minute; where many begin and end, all would be taken."""
    monkeypatch.setattr(asterisk, "FIRST_PORT", 7100)
    monkeypatch.setattr(asterisk, "BLOCKS", 1)
    block = Ports.reserve()
    with socket.create_server(("127.0.0.1", block.first + AMI)) as listening:
        with pytest.raises(AsteriskError):
            Ports.reserve()
        with socket.create_connection(listening.getsockname()) as client:
            listening.accept()[0].close()
            assert client.recv(1) == b""
    block.lock.close()
    again = Ports.reserve()
    again.lock.close()
    with socket.create_server(("127.0.0.1", again.first + AMI)), pytest.raises(AsteriskError):
        Ports.reserve()


async def test_nothing_is_left_when_its_owner_is_killed(tmp_path: Path) -> None:
    """SIGKILL gives the owner no chance to clean up; the kernel ends Asterisk."""
    with subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        line = await asyncio.to_thread(owner.stdout.readline)
        pid, folder = int(line.split()[0]), Path(line.split()[1])
        assert alive(pid)
        owner.send_signal(signal.SIGKILL)
    await gone(pid)
    subprocess.run(["rm", "-r", str(folder)], check=True)


async def test_killed_one_starts_again_in_its_place() -> None:
    async with Pbx(PHONES) as pbx:
        port = pbx.ami_port
        await pbx.kill()
        assert not pbx.running
        with pytest.raises(OSError, match=r"refused|Connect"):
            await pbx.cli("core show version")
        await pbx.start()
        assert pbx.ami_port == port
        assert "Asterisk" in await pbx.cli("core show version")


async def test_frozen_one_answers_nothing_and_goes_on() -> None:
    async with Pbx(PHONES) as pbx:
        pbx.suspend()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(pbx.cli("core show version"), 0.5)
        pbx.resume()
        assert "Asterisk" in await pbx.cli("core show version")


async def test_one_that_cannot_start_says_why() -> None:
    """The error carries Asterisk's own last words."""
    pbx = Pbx(PHONES, extra_files={"modules.conf": "[modules]\nautoload = no\nrequire = no_such_module.so\n"})
    with pytest.raises(AsteriskError, match="no_such_module"):
        await pbx.start()
    await pbx.__aexit__(None, None, None)
    assert not pbx.folder.exists()


@pytest.mark.parametrize("language", ["ru", "en"])
def test_recorded_speech_is_there_with_its_words(language: str) -> None:
    texts = prompt_texts(language)
    assert len(texts) > 300
    for name in ("vm-nobodyavail", "vm-goodbye", "followme/options", "hello", "queue-youarenext"):
        with wave.open(str(locate().sounds[language] / f"{name}.wav")) as sound:
            assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (8000, 1, 2)
    assert texts["vm-goodbye"]


def test_talks_of_the_demo_last_seconds_and_have_words() -> None:
    assert 15 < seconds(STAFF) < 40
    assert 10 < seconds(CALLER) < 40
    assert "операторы заняты" in words(CALLER)
    assert "representative" in words(CALLER_ENGLISH)


def test_tools_of_prometheus_run() -> None:
    for tool in (locate_promtool(), locate_amtool()):
        told = subprocess.run([str(tool), "--version"], capture_output=True, text=True, check=True)
        assert "version" in told.stdout + told.stderr


def test_sipp_runs() -> None:
    told = subprocess.run([*locate().sipp, "-v"], capture_output=True, text=True, check=False)
    assert "SIPp v3" in told.stdout
