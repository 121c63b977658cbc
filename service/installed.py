"""Where the programs that pip cannot bring are: Asterisk, SIPp, promtool, and the recorded speech with its words."""

from __future__ import annotations

import functools
import gzip
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

OLDEST_ASTERISK = 18
VOICES = {"en": "en_US_f_Allison", "ru": "ru_RU_f_IvrvoiceRU"}
HOW_TO_GET = "Run `python3 -m setup.asterisk` in the checkout, or install it so that it is on PATH."


class NotInstalledError(Exception):
    """A program or its data is missing; the text says which, and how to get it."""


@dataclass(frozen=True)
class Installation:
    """One Asterisk that can be started: from PATH, or unpacked in the cache and started by the loader beside it."""

    version: str
    program: tuple[str, ...]
    modules: Path
    data: Path
    sounds: Mapping[str, Path]
    texts: Path
    sipp: tuple[str, ...]


def cache_folders() -> list[Path]:
    """Folders that may hold what setup fetched, the user's own first; root's Asterisk is in /var/cache."""
    if own := os.environ.get("SWITCHHOOK_CACHE"):
        return [Path(own)]
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return [Path(home) / "switchhook", Path("/var/cache/switchhook")]


@functools.cache
def locate() -> Installation:
    """The Asterisk to use: `asterisk` on PATH when it is 18 or newer, else the newest unpacked one.

    Raises NotInstalledError.
    """
    trees = [tree for cache in cache_folders() for tree in (cache / "asterisk").glob("[!.]*") if _readable(tree)]
    trees.sort(key=lambda tree: (tree / "manifest.json").stat().st_mtime, reverse=True)
    installed = _from_path()
    if installed is None:
        whole = [tree for tree in trees if (tree / "usr/sbin/asterisk").exists()]
        if not whole:
            message = f"Asterisk {OLDEST_ASTERISK} or newer is missing. {HOW_TO_GET}"
            raise NotInstalledError(message)
        start = _start(whole[0])
        program: tuple[str, ...] = (*start, str(whole[0] / "usr/sbin/asterisk"))
        libraries = Path(start[2])
        installed = (_version(program), program, libraries / "asterisk/modules", whole[0] / "usr/share/asterisk")
    version, program, modules, data = installed
    for shared in [tree / "usr/share" for tree in trees] + [Path("/usr/share")]:
        voices = {language: shared / "asterisk/sounds" / voice for language, voice in VOICES.items()}
        if all(voice.is_dir() for voice in voices.values()):
            return Installation(version, program, modules, data, voices, shared / "doc", _sipp(trees))
    message = f"Asterisk's Russian and English prompts are missing. {HOW_TO_GET}"
    raise NotInstalledError(message)


def with_wrong_clock(installation: Installation) -> Installation:
    """The same Asterisk under libfaketime, whose variable FAKETIME sets its clock (`+3600`: an hour ahead).

    Raises NotInstalledError.
    """
    for cache in cache_folders():
        for library in (cache / "faketime/files").glob("usr/lib/*/faketime/libfaketimeMT.so.1"):
            *start, program = installation.program
            # Its own loader takes it as an argument; one that is on PATH is told by the environment.
            more = ["--preload", str(library)] if start else ["env", f"LD_PRELOAD={library}"]
            return replace(installation, program=(*start, *more, program))
    message = f"libfaketime is missing. {HOW_TO_GET}"
    raise NotInstalledError(message)


def locate_promtool() -> Path:
    """The promtool program. Raises NotInstalledError."""
    return _go_program("promtool")


def locate_amtool() -> Path:
    """The amtool program. Raises NotInstalledError."""
    return _go_program("amtool")


def locate_prometheus() -> Path:
    """The Prometheus server. Raises NotInstalledError."""
    return _go_program("prometheus")


def locate_alertmanager() -> Path:
    """The Alertmanager server, by Debian's name of it. Raises NotInstalledError."""
    return _go_program("prometheus-alertmanager")


def locate_compose() -> Path:
    """The docker-compose program, which judges compose.yaml without an engine. Raises NotInstalledError."""
    return _go_program("docker-compose", "compose")


@functools.cache
def prompt_texts(language: str) -> Mapping[str, str]:
    """Words of every recorded prompt of `language` (ru, en), by its name: {"vm-goodbye": "До свидания"}."""
    listed = locate().texts / f"asterisk-core-sounds-{language}" / f"core-sounds-{language}.txt.gz"
    with gzip.open(listed, "rt", encoding="utf-8") as lines:
        pairs = (line.partition(":") for line in lines if not line.startswith(";"))
        return {name.strip(): text.strip() for name, _, text in pairs if text.strip()}


def _readable(tree: Path) -> bool:
    try:
        return os.access(tree / "manifest.json", os.R_OK)
    except OSError:
        return False


def _from_path() -> tuple[str, tuple[str, ...], Path, Path] | None:
    program = shutil.which("asterisk")
    if program is None:
        return None
    version = _version((program,))
    if not version or int(version.split(".")[0]) < OLDEST_ASTERISK:
        return None
    places = {"astmoddir": Path("/usr/lib/asterisk/modules"), "astdatadir": Path("/var/lib/asterisk")}
    for modules in (*Path("/usr/lib").glob("*-linux-gnu/asterisk/modules"), Path("/usr/lib64/asterisk/modules")):
        if modules.is_dir():
            places["astmoddir"] = modules
    if Path("/usr/share/asterisk/documentation").is_dir():
        places["astdatadir"] = Path("/usr/share/asterisk")
    # What the machine's own configuration says is right, when it says anything.
    configuration = Path("/etc/asterisk/asterisk.conf")
    if os.access(configuration, os.R_OK):
        for name, value in re.findall(r"^\s*(ast\w+dir)\s*=>?\s*(\S+)", configuration.read_text(), re.MULTILINE):
            if name in places and Path(value).is_dir():
                places[name] = Path(value)
    return version, (program,), places["astmoddir"], places["astdatadir"]


def _version(program: tuple[str, ...]) -> str:
    told = subprocess.run([*program, "-V"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"(\d+\.\d+\S*)", told)
    return found[1] if found else ""


def _start(tree: Path) -> tuple[str, str, str]:
    """How to start a program of `tree`: its own loader and libraries, for this machine's may be older."""
    for pattern in ("usr/lib64/ld-linux-*.so.*", "usr/lib/ld-linux-*.so.*", "usr/lib/*/ld-linux-*.so.*"):
        for loader in sorted(tree.glob(pattern)):
            libraries = next(tree.glob("usr/lib/*-linux-gnu*/libc.so.6")).parent
            return str(loader), "--library-path", str(libraries)
    message = f"{tree} holds no dynamic loader. Remove it and run `python3 -m setup.asterisk`."
    raise NotInstalledError(message)


def _sipp(trees: list[Path]) -> tuple[str, ...]:
    if found := shutil.which("sipp"):
        return (found,)
    for tree in trees:
        if (tree / "usr/bin/sipp").exists():
            return (*_start(tree), str(tree / "usr/bin/sipp"))
    message = f"SIPp is missing. {HOW_TO_GET}"
    raise NotInstalledError(message)


def _go_program(name: str, tree: str = "prometheus") -> Path:
    if found := shutil.which(name):
        return Path(found)
    for cache in cache_folders():
        starter = cache / tree / "files/starters" / name
        if os.access(starter, os.X_OK):
            return starter
    message = f"{name} is missing. {HOW_TO_GET}"
    raise NotInstalledError(message)
