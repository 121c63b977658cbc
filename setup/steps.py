"""What every part of the set-up shares: where things are kept, how it talks, how a finished step is remembered."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")


class SetupError(Exception):
    """Something cannot be had; the text says what, and how to get it."""


def say(part: str, text: str) -> None:
    """One line of progress."""
    print(f"{part}: {text}", flush=True)


def cache_folder() -> Path:
    """Folder outside the checkout that keeps what was fetched; SWITCHHOOK_CACHE overrides it."""
    if own := os.environ.get("SWITCHHOOK_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "switchhook"


def fingerprint(*parts: Path | str) -> str:
    """One line that changes when a file (by content) or a text among `parts` does."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.read_bytes() if isinstance(part, Path) else part.encode())
        digest.update(b"\0")
    return digest.hexdigest()


def run(part: str, command: list[str], *, help_text: str, cwd: Path = ROOT) -> None:
    """Run a long command with its output shown. Raises SetupError with `help_text` when it fails."""
    done = subprocess.run(command, cwd=cwd, env=_trusting(), stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        message = f"{part}: `{Path(command[0]).name} {command[1]}` failed (exit {done.returncode}). {help_text}"
        raise SetupError(message)


def _trusting() -> dict[str, str]:
    """Our environment, with pip, uv and npm trusting whom this machine trusts: a proxy may have its own authority."""
    ours = {"UV_SYSTEM_CERTS": "true", "NODE_USE_SYSTEM_CA": "1", "PIP_CERT": str(_AUTHORITIES)}
    return {**(ours if _AUTHORITIES.exists() else {}), **os.environ}


@contextmanager
def only_one(lock: Path) -> Iterator[None]:
    """Let a second set-up at the same time wait for the first."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("setup", "waiting for another set-up of this checkout to end")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def apt_install(part: str, packages: tuple[str, ...], why: str) -> None:
    """Install Debian packages as root; anybody else is told what to ask for."""
    wanted = " ".join(packages)
    remedy = f"{why}. As root: apt-get update && apt-get install {wanted}"
    if not shutil.which("apt-get"):
        message = f"{part}: {why}, and there is no apt-get to install it with. Install {wanted} by this system's means."
        raise SetupError(message)
    if os.geteuid() != 0:
        message = f"{part}: {remedy}"
        raise SetupError(message)
    say(part, f"installing Debian's {wanted}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
    for command in (["apt-get", "update", "-q"], install):
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode:
            said = "\n  ".join((done.stderr or done.stdout).strip().splitlines()[-5:])
            message = f"{part}: `{' '.join(command[:2])}` failed:\n  {said}\n{remedy}"
            raise SetupError(message)


def old_enough() -> None:
    """Refuse a Python that Switchhook does not run on, in words that even it understands."""
    if sys.version_info < (3, 11):  # noqa: UP036 - it is the machine's Python that runs this
        message = (
            f"Switchhook needs Python 3.11 or newer, this is {sys.version.split()[0]} ({sys.executable}). "
            "Name another: make PYTHON=/path/to/python3.11 …"
        )
        raise SetupError(message)
