"""Fetch Asterisk, its prompts, SIPp, libfaketime, Prometheus, its tools and Compose into the cache; none is installed.

Debian 12 and 13 carry no Asterisk, Debian's unstable suite does. apt itself downloads the packages and verifies them
(the Release file's signature, then SHA-256 of every index and package) with private state, so the machine's own
packages are never touched; `dpkg -x` unpacks them. Needs no root, only apt and dpkg: `python3 -m setup.asterisk`.
`service/installed.py` finds what this file put there.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from setup.debian_asterisk import mend

if TYPE_CHECKING:
    from collections.abc import Iterator

SUITE = "unstable"
KEYRINGS = ("debian-archive-keyring.gpg", "debian-archive-keyring.pgp")
# Recorded human speech, and (the packages without a format) the words it says.
SOUNDS = tuple(f"asterisk-core-sounds-{name}" for name in ("en", "en-wav", "ru", "ru-wav"))
# With their whole dependency closure: both run by the loader and libraries unpacked beside them.
ASTERISK = ("asterisk", *SOUNDS, "sip-tester")
# Without it: both are Go programs that need the C library at most.
PROMETHEUS = ("promtool", "prometheus", "prometheus-alertmanager", "libc6")
# As those; it reads compose.yaml and needs no engine for that.
COMPOSE = ("docker-compose", "libc6")
# A library that makes a PBX's clock wrong, for the tests of what must not depend on it.
CLOCK = ("libfaketime",)
GO_PROGRAMS = tuple(f"usr/bin/{name}" for name in ("promtool", "prometheus", "amtool", "prometheus-alertmanager"))
PLUGIN = "usr/libexec/docker/cli-plugins/docker-compose"
OLDEST_ASTERISK = 18
SHARED = Path("/var/cache/switchhook/asterisk")
MANIFEST = "manifest.json"


class SetupError(Exception):
    """Something is missing; the text says what, and how to get it."""


def say(text: str) -> None:
    """One line of progress."""
    print(f"asterisk: {text}", flush=True)


def cache_folder() -> Path:
    """Folder outside the checkout that keeps what was fetched; SWITCHHOOK_CACHE overrides it."""
    if own := os.environ.get("SWITCHHOOK_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "switchhook"


def asterisk_folder() -> Path:
    """Where the unpacked Asterisk is kept.

    Root starts it as an ordinary user, who cannot look into root's home: then it is in /var/cache, for everybody.
    """
    own = cache_folder()
    if os.geteuid() == 0 and "SWITCHHOOK_CACHE" not in os.environ and "XDG_CACHE_HOME" not in os.environ:
        return SHARED
    return own / "asterisk"


def installed_asterisk() -> str | None:
    """Version of the `asterisk` on PATH when it is new enough, else None."""
    if not shutil.which("asterisk"):
        return None
    told = subprocess.run(["asterisk", "-V"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"(\d+)\.\d+\S*", told)
    return version[0] if version and int(version[1]) >= OLDEST_ASTERISK else None


def mirror() -> str:
    """Address of the Debian mirror that this machine's own apt uses (its first source that is no security archive)."""
    told = subprocess.run(["apt-get", "update", "--print-uris"], capture_output=True, text=True, check=False)
    for address in re.findall(r"^'(\S+?)/dists/\S+/(?:In)?Release'", told.stdout, re.MULTILINE):
        if "security" not in address and "debian" in address:
            return str(address)
    message = (
        "apt's configuration on this machine names no Debian mirror to take Asterisk from. Name one in "
        "/etc/apt/sources.list.d, or install Asterisk 18 or newer so that `asterisk` is on PATH."
    )
    raise SetupError(message)


def need_tools() -> Path:
    """Debian's keyring, after checking that apt and dpkg are here."""
    for tool in ("apt-get", "dpkg"):
        if not shutil.which(tool):
            message = (
                f"`{tool}` is missing, so Asterisk cannot be fetched from Debian's packages. Install Asterisk 18 or "
                "newer, SIPp and Prometheus by this system's own means so that `asterisk`, `sipp` and `promtool` are "
                "on PATH, or use Docker: `docker compose up`."
            )
            raise SetupError(message)
    for name in KEYRINGS:
        if (keyring := Path("/usr/share/keyrings", name)).exists():
            return keyring
    message = "Debian's archive keys are missing. As root: apt-get install debian-archive-keyring"
    raise SetupError(message)


class PrivateApt:
    """apt with its own state, cache and sources in one folder; the machine's proxy and access settings still hold."""

    def __init__(self, folder: Path, suites: tuple[str, ...] = (SUITE,)) -> None:
        """Lay out `folder` and write its only sources; of a package that several suites have, the first's is taken."""
        keyring = need_tools()
        for part in ("state/lists/partial", "cache/archives/partial", "log"):
            (folder / part).mkdir(parents=True)
        (folder / "status").touch()
        self.archives = folder / "cache/archives"
        source = folder / "sources.list"
        address = mirror()
        source.write_text("".join(f"deb [signed-by={keyring}] {address} {suite} main\n" for suite in suites))
        settings = {
            "Dir::State": folder / "state",
            "Dir::State::status": folder / "status",
            "Dir::Cache": folder / "cache",
            "Dir::Log": folder / "log",
            "Dir::Etc::sourcelist": source,
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::Etc::preferences": "/dev/null",
            "Dir::Etc::preferencesparts": "/dev/null",
            # The folder belongs to whoever runs this, and root's helper user could not read it.
            "APT::Sandbox::User": "root" if os.geteuid() == 0 else "",
            "APT::Install-Recommends": "false",
            "APT::Default-Release": suites[0],
            "Acquire::Languages": "none",
            "Acquire::Check-Valid-Until": "false",
            "Acquire::Retries": "3",
            "Debug::NoLocking": "true",
        }
        self._options = [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]

    def update(self) -> None:
        """Fetch the suites' signed indexes."""
        say("reading Debian's package index")
        self._run(["update"])

    def download(self, packages: tuple[str, ...], *, closure: bool) -> list[Path]:
        """Download `packages`, with everything they depend on when `closure`; apt has verified every file returned."""
        for old in self.archives.glob("*.deb"):
            old.unlink()
        self._run(["install", "--download-only", "--yes", *packages] if closure else ["download", *packages])
        return sorted(self.archives.glob("*.deb"))

    def _run(self, arguments: list[str]) -> None:
        command = ["apt-get", "-q", *self._options, *arguments]
        # C: the messages below are apt's English ones. noninteractive: nobody is asked anything.
        environment = os.environ | {"LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
        last_told = time.monotonic()
        lines: list[str] = []
        with subprocess.Popen(
            command, cwd=self.archives, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process:
            for line in process.stdout or ():
                lines.append(line.rstrip())
                fetched = sum(one.startswith("Get:") for one in lines)
                if time.monotonic() - last_told > 2:
                    say(f"  {fetched} files so far")
                    last_told = time.monotonic()
        if process.returncode:
            told = [line for line in lines if line.startswith(("E:", "W:", "Err"))] or lines[-3:]
            message = f"`apt-get {arguments[0]}` failed, so nothing was set up:\n  " + "\n  ".join(told)
            raise SetupError(message)


def unpack(packages: list[Path], folder: Path) -> None:
    """Unpack every package below `folder`, side by side."""
    say(f"unpacking {len(packages)} packages")
    # Packages of the unstable suite ship everything below /usr; a few still name the old top folders.
    for name in ("bin", "sbin", "lib", "lib64"):
        (folder / "usr" / name).mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(f"usr/{name}")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        commands = [["dpkg", "-x", str(package), str(folder)] for package in packages]
        for done in pool.map(lambda command: subprocess.run(command, capture_output=True, check=False), commands):
            if done.returncode:
                message = f"`{' '.join(done.args)}` failed: {done.stderr.decode(errors='replace').strip()}"
                raise SetupError(message)


def contents(folder: Path) -> dict[str, int]:
    """Every regular file below `folder` with its size in bytes."""
    found: dict[str, int] = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            if not path.is_symlink() and name != MANIFEST:
                found[str(path.relative_to(folder))] = path.stat().st_size
    return found


def whole(folder: Path, wanted: tuple[str, ...]) -> bool:
    """Whether `folder` holds all that its manifest lists, for at least the packages `wanted`."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        return set(wanted) <= set(manifest["wanted"]) and contents(folder) == manifest["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return False


def keep(packages: list[Path], wanted: tuple[str, ...], target: Path) -> None:
    """Unpack `packages` as `target` in one step: it is there whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".unpacking-") as temporary:
        folder = Path(temporary, "tree")
        folder.mkdir()
        unpack(packages, folder)
        if "libc6" in wanted:
            write_starters(folder)
        if "asterisk" in wanted:
            mend(folder / "usr/sbin/asterisk")
        manifest = {
            "wanted": list(wanted),
            "packages": {package.name: hashlib.sha256(package.read_bytes()).hexdigest() for package in packages},
            "files": contents(folder),
        }
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=0))
        # An unprivileged user may run what root fetched.
        folder.chmod(0o755)
        if target.exists():
            shutil.rmtree(target)
        folder.rename(target)


def loader(folder: Path) -> tuple[str, str]:
    """The dynamic loader unpacked in `folder` and its library path, both relative to `folder`."""
    for pattern in ("usr/lib64/ld-linux-*.so.*", "usr/lib/ld-linux-*.so.*", "usr/lib/*/ld-linux-*.so.*"):
        for found in sorted(folder.glob(pattern)):
            libraries = next(folder.glob("usr/lib/*-linux-gnu*/libc.so.6")).parent
            return str(found.relative_to(folder)), str(libraries.relative_to(folder))
    message = f"the packages unpacked in {folder} hold no dynamic loader"
    raise SetupError(message)


def write_starters(folder: Path) -> None:
    """Make bin/NAME for the Go programs: this machine's C library may be older than the one they were built with."""
    program, libraries = loader(folder)
    starters = folder / "starters"
    starters.mkdir()
    for path in (*GO_PROGRAMS, PLUGIN):
        if (folder / path).exists():
            starter = starters / Path(path).name
            starter.write_text(
                "#!/bin/sh\n"
                'here=$(dirname "$(readlink -f "$0")")/..\n'
                f'exec "$here/{program}" --library-path "$here/{libraries}" "$here/{path}" "$@"\n'
            )
            starter.chmod(0o755)


def version_of(packages: list[Path], name: str) -> str:
    """Version of the package `name` among `packages`, fit for a folder's name."""
    for package in packages:
        if package.name.startswith(f"{name}_"):
            return re.sub(r"[^\w.+~-]", "_", package.name.split("_")[1].replace("%3a", "_"))
    return "unknown"


@contextlib.contextmanager
def only_one(cache: Path) -> Iterator[None]:
    """Let a second setup at the same time wait for the first."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "setup-asterisk.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def fetch() -> None:
    """Bring the cache up to what this version of Switchhook needs; does nothing when it is there and whole."""
    with only_one(cache_folder()):
        own = installed_asterisk()
        wanted = ASTERISK
        if own:
            # The machine's own Asterisk is used; only the prompts and SIPp may be missing.
            wanted = SOUNDS if shutil.which("sipp") else (*SOUNDS, "sip-tester")
        home, prometheus = asterisk_folder(), cache_folder() / "prometheus/files"
        have = any(whole(folder, wanted) for place in {home, SHARED} for folder in place.glob("[!.]*"))
        clock = asterisk_folder().parent / "faketime/files"
        tools = all(shutil.which(name) for name in ("promtool", "amtool")) or whole(prometheus, PROMETHEUS)
        compose = cache_folder() / "compose/files"
        clocked, composed = whole(clock, CLOCK), whole(compose, COMPOSE)
        if not (have and tools and clocked and composed):
            with tempfile.TemporaryDirectory(dir=cache_folder(), prefix=".apt-") as temporary:
                apt = PrivateApt(Path(temporary))
                apt.update()
                if not have:
                    say("downloading Asterisk, its Russian and English prompts and SIPp (about 110 MB, once)")
                    packages = apt.download(wanted, closure=True)
                    keep(packages, wanted, home / ("prompts" if own else version_of(packages, "asterisk")))
                if not tools:
                    say("downloading Prometheus, promtool and amtool (about 45 MB, once)")
                    keep(apt.download(PROMETHEUS, closure=False), PROMETHEUS, prometheus)
                if not composed:
                    say("downloading Docker Compose (14 MB, once)")
                    keep(apt.download(COMPOSE, closure=False), COMPOSE, compose)
                if not clocked:
                    keep(apt.download(CLOCK, closure=False), CLOCK, clock)
        for program in home.glob("[!.]*/usr/sbin/asterisk"):
            with contextlib.suppress(PermissionError):  # fetched by root, who mends it
                mend(program)
        say(f"ready in {home}" + (f"; the machine's own Asterisk {own} is used" if own else ""))


if __name__ == "__main__":
    try:
        fetch()
    except SetupError as problem:
        sys.exit(f"asterisk: {problem}")
