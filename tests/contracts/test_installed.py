"""The service as it is installed, in an image or beside a PBX: built by the same steps, for real, and started."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
import yaml

from calls.database import plain
from service.cli.main import app
from service.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
UNITS = ("switchhook.service", "switchhook-worker@crm.service", "switchhook-backup.service", "switchhook-backup.timer")


def steps(stage: str) -> list[str]:
    """What the image runs in a stage."""
    (text,) = re.findall(rf"^FROM \S+ AS {stage}$(.*?)(?=^FROM |\Z)", DOCKERFILE, re.MULTILINE | re.DOTALL)
    return re.findall(r"^RUN (.*)$", text, re.MULTILINE)


def admitted() -> list[str]:
    """What the image is built from: all else is left out by .dockerignore."""
    return [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]


def install(checkout: Path, target: Path, **told: str) -> subprocess.CompletedProcess[str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("SWITCHHOOK_", "DATABASE_URL"))}
    ours |= {"DESTDIR": str(target), "SWITCHHOOK_WITHOUT_MODEL": "1", **told}
    command = [checkout / "deploy/systemd/install"]
    return subprocess.run(command, env=ours, capture_output=True, text=True, check=False, cwd="/")


@pytest.fixture(scope="module")
def context() -> Iterator[Path]:
    """A checkout of nothing but what the image is built from, and the units; on the disk, where packages are linked."""
    (ROOT / "var").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "var", prefix="installed-") as place:
        folder = Path(place, "checkout")
        for name in [*admitted(), "deploy/systemd"]:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / name, folder / name)
        yield folder


@pytest.fixture(scope="module")
def installed(context: Path) -> Path:
    """The root of a machine where it was installed."""
    target = context.parent / "root"
    done = install(context, target)
    assert done.returncode == 0, done.stdout + done.stderr
    return target


def test_the_image_is_built_by_the_steps_that_install_it_elsewhere() -> None:
    """So what the tests here build is what is in the image."""
    script = (ROOT / "deploy/systemd/install").read_text()
    assert steps("build") == [
        "deploy/build dependencies /opt/switchhook",
        "python -m setup.whisper",
        "deploy/build switchhook /opt/switchhook",
    ]
    for step in steps("build"):
        words = shlex.split(step)
        assert " ".join(words[1:2]) in script
        assert words[-1] in script
    copied = [word for line in re.findall(r"^COPY (?!--)(.*)$", DOCKERFILE, re.MULTILINE) for word in line.split()[:-1]]
    assert [name for name in copied if name != "." and name not in admitted()] == []


def started() -> list[str]:
    """What the units, the image and the containers call: `switchhook` with its words."""
    units = "".join(path.read_text() for path in (ROOT / "deploy/systemd").glob("*.service"))
    told = re.findall(r"^ExecStart=\S+/(switchhook .*)$", units, re.MULTILINE)
    told += [" ".join(json.loads(words)) for words in re.findall(r"^CMD (.*)$", DOCKERFILE, re.MULTILINE)]
    for service in yaml.safe_load((ROOT / "compose.yaml").read_text())["services"].values():
        command = [str(word) for word in service.get("command", [])]
        told += [" ".join(command)] if command[:1] == ["switchhook"] else []
        told += re.findall(r"^ *(switchhook [a-z].*)$", command[-1], re.MULTILINE) if command[:1] == ["sh"] else []
    return told


def test_what_is_started_is_a_command_of_ours() -> None:
    """With options that it has; nothing is run."""
    assert len(started()) > 5
    group = typer.main.get_command(app)
    for line in started():
        name, *words = shlex.split(line.replace("%i", "crm"))[1:]
        group.commands[name].make_context(name, words)  # type: ignore[attr-defined] # it is a group


@pytest.mark.timeout(300)
async def test_what_is_installed_answers_the_healthcheck_of_the_container(installed: Path, database_url: str) -> None:
    """From its own environment, without the checkout; then it ends in order."""
    told = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["switchhook"]["healthcheck"]["test"]
    program, port = installed / "opt/switchhook/current/bin", free_port()
    ours = {
        "PATH": f"{program.resolve()}:/usr/bin:/bin",
        "DATABASE_URL": plain(database_url),
        "SWITCHHOOK_DATA_DIR": str(installed / "var/lib/switchhook"),
        "SWITCHHOOK_METRICS__PORT": str(port),
        "SWITCHHOOK_WEB__PORT": str(free_port()),
    }
    check = [word.replace("9465", str(port)) for word in told[1:]]
    serving = await asyncio.create_subprocess_exec(
        program / "switchhook", "serve", "--role", "web", env=ours, cwd="/", stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(120):
            while not await _listens(port) or await _status(check, ours):
                assert serving.returncode is None, await serving.stderr.read()  # type: ignore[union-attr] # a pipe
                await asyncio.sleep(0.3)
        serving.send_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            assert await serving.wait() == 0
    finally:
        if serving.returncode is None:
            serving.kill()
        await serving.communicate()


def test_what_is_installed_tells_traces_where_it_is_told_to(installed: Path) -> None:
    """The image and the units need no other installation for `traces.endpoint`."""
    python = installed / "opt/switchhook/current/bin/python"
    told = "from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter"
    done = subprocess.run([python, "-c", told], capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0, done.stderr


async def _listens(port: int) -> bool:
    """Whether it is worth while to ask: each asking is a process of its own."""
    with contextlib.suppress(OSError):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        await writer.wait_closed()
        return True
    return False


async def _status(command: list[str], environment: dict[str, str]) -> int:
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, cwd="/", stderr=asyncio.subprocess.DEVNULL
    )
    return await process.wait()


def test_systemd_takes_the_units_and_finds_them_hardened(installed: Path) -> None:
    """Verified without a word, and an exposure of 2 of 10 at most."""
    shutil.copytree("/usr/lib/systemd/system", installed / "usr/lib/systemd/system", symlinks=True, dirs_exist_ok=True)
    judge = ["systemd-analyze", f"--root={installed}"]
    done = subprocess.run([*judge, "verify", "--man=no", *UNITS], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    for unit in ("switchhook.service", "switchhook-backup.service", "switchhook-worker@.service"):
        done = subprocess.run(
            [*judge, "security", "--offline=yes", "--threshold=20", unit], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout


def test_the_account_is_of_the_pbxs_group_and_secrets_are_for_it_alone(installed: Path) -> None:
    assert re.search(r"^asterisk:x:\d+:switchhook$", (installed / "etc/group").read_text(), re.MULTILINE)
    assert "switchhook:x:" in (installed / "etc/passwd").read_text()
    units = (installed / "etc/systemd/system/switchhook.service.d/hardening.conf").read_text()
    loaded = dict(re.findall(r"^LoadCredential=(\w+):(\S+)$", units, re.MULTILINE))
    secrets = list((installed / "etc/switchhook/secrets").iterdir())
    assert {f"/{path.relative_to(installed)}" for path in secrets} == set(loaded.values())
    assert {path.stat().st_mode & 0o777 for path in secrets} == {0o640}
    assert all(len(path.read_text().strip()) > 40 for path in secrets)


def test_an_upgrade_keeps_settings_and_one_version_to_go_back_to(context: Path, tmp_path: Path) -> None:
    """The new one takes its place only when it is whole; a build that fails changes nothing."""
    stub = context / "deploy/build"
    real = stub.read_text()
    made = '#!/bin/sh\nmkdir -p "$2/bin"\nprintf "#!/bin/sh\\n" >"$2/bin/switchhook"; chmod +x "$2/bin/switchhook"\n'
    python = 'ln -sf "$(command -v python3)" "$2/bin/python"\n'
    target, current = tmp_path / "root", tmp_path / "root/opt/switchhook/current"
    try:
        stub.write_text(made + python)
        assert install(context, target).returncode == 0
        (target / "etc/switchhook/switchhook.toml").write_text("language = 'en'\n")
        secret = (target / "etc/switchhook/secrets/ami_secret").read_text()
        (target / "opt/switchhook/20260101T000000Z-abcd").mkdir()
        first = current.readlink()
        stub.write_text(made + python + "exit 1\n")
        assert install(context, target).returncode == 1
        assert current.readlink() == first
        assert len([path for path in current.parent.iterdir() if not path.is_symlink()]) == 2
        stub.write_text(made + python)
        assert install(context, target).returncode == 0
    finally:
        stub.write_text(real)
    versions = sorted(path.name for path in current.parent.iterdir() if not path.is_symlink())
    assert versions == sorted([str(first), str(current.readlink())])
    assert (target / "etc/switchhook/switchhook.toml").read_text() == "language = 'en'\n"
    assert (target / "etc/switchhook/secrets/ami_secret").read_text() == secret
