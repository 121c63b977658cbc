"""Runs PostgreSQL's own programs, those that are as new as the server: pg_dump, pg_restore and psql."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import subprocess
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from calls.database import plain
from service.backups.folder import BackupError
from service.postgres_cluster import PostgresError, environment, locate_binaries

_BLOCK: Final = 1 << 20
_FAULT: Final = re.compile(r"^.*?\b(?:error|fatal):\s*", re.IGNORECASE)
_EMPTIED: Final = "drop schema public cascade; create schema public;"


@cache
def _versions() -> Mapping[int, Path]:
    """Folders of PostgreSQL's client programs that are here, by major version; the embedded server's come first."""
    folders = [Path(found).parent] if (found := shutil.which("pg_dump")) else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    with contextlib.suppress(PostgresError):
        folders.append(locate_binaries())
    told: dict[int, Path] = {}
    for folder in folders:
        if all((folder / name).exists() for name in ("pg_dump", "pg_restore", "psql")):
            said = subprocess.run([folder / "pg_dump", "--version"], capture_output=True, text=True, check=False).stdout
            if version := re.search(r"(\d+)(?:\.\d+|\w*)", said):
                told[int(version[1])] = folder
    return told


def programs(at_least: int) -> tuple[int, Path]:
    """The oldest programs that are as new as a server of that major version, with theirs. Raises BackupError."""
    found = min((one for one in _versions().items() if one[0] >= at_least), default=None)
    if found is None:
        newest = max(_versions(), default=None)
        here = f"pg_dump here is {newest}" if newest else "there is no pg_dump here"
        raise BackupError(f"the server is PostgreSQL {at_least}, {here}: install postgresql-client-{at_least}")
    return found


async def dump(url: str, server: int, snapshot: str, file: Path) -> int:
    """Write all of the database as that exported snapshot sees it; the major version of pg_dump. Raises BackupError."""
    major, folder = programs(server)
    place, told = _place(url)
    options = ("--format=custom", "--no-owner", "--no-privileges", "--no-password", f"--snapshot={snapshot}")
    process = await asyncio.create_subprocess_exec(
        folder / "pg_dump", *options, f"--file={file}", f"--dbname={place}",
        stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE, env=told,
    )  # fmt: skip
    async with _ended(process):
        _, said = await process.communicate()
    if process.returncode:
        raise BackupError(f"the database cannot be dumped: {_fault(said)}")
    return major


async def play(url: str, server: int, file: Path, dumped_by: int, *, emptied: bool) -> None:
    """Bring a dump into the database in one transaction, `emptied` before or not: all of it, or nothing is changed.

    Raises BackupError.
    """
    _, folder = programs(max(server, dumped_by))
    place, told = _place(url)
    reading = await asyncio.create_subprocess_exec(
        folder / "pg_restore", "--no-owner", "--no-privileges", "--exit-on-error", "--file=-", file,
        stdin=DEVNULL, stdout=PIPE, stderr=PIPE, env=told,
    )  # fmt: skip
    writing = await asyncio.create_subprocess_exec(
        folder / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "--no-password", f"--dbname={place}",
        stdin=PIPE, stdout=DEVNULL, stderr=PIPE, env=told,
    )  # fmt: skip
    async with _ended(reading), _ended(writing):
        assert reading.stdout is not None and writing.stdin is not None  # noqa: S101, PT018 - they are pipes
        told_by = asyncio.gather(_words(reading), _words(writing))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # what psql says tells why
            writing.stdin.write(f"begin;{_EMPTIED if emptied else ''}\n".encode())
            while block := await reading.stdout.read(_BLOCK):
                writing.stdin.write(block)
                await writing.stdin.drain()
            # Of a dump that breaks off nothing is kept: without this line psql's session ends, and all is undone.
            if await reading.wait() == 0:
                writing.stdin.write(b"\ncommit;\n")
            writing.stdin.close()
            await writing.stdin.wait_closed()
        if await writing.wait():
            with contextlib.suppress(ProcessLookupError):
                reading.kill()
        said, words = await told_by
        if writing.returncode:
            raise BackupError(f"the database does not take it, and is as it was: {_fault(words)}")
        if await reading.wait():
            raise BackupError(f"the dump cannot be read, and the database is as it was: {_fault(said)}")


async def _words(process: Process) -> bytes:
    assert process.stderr is not None  # noqa: S101 - it is a pipe
    return await process.stderr.read()


@contextlib.asynccontextmanager
async def _ended(process: Process) -> AsyncIterator[None]:
    """The program ends with the body, however that ends."""
    try:
        yield
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def shell(url: str, command: str | None) -> int:
    """Have psql on the database in this terminal; its exit status. Raises BackupError when there is none here."""
    if not _versions():
        raise BackupError("there is no psql here: install postgresql-client")
    place, told = _place(url)
    psql = _versions()[max(_versions())] / "psql"
    asked = () if command is None else ("--command", command)
    terminal = {name: os.environ[name] for name in ("TERM", "HOME") if name in os.environ}
    return subprocess.run(
        [psql, "--no-password", f"--dbname={place}", *asked], env=told | terminal, check=False
    ).returncode


def _place(url: str) -> tuple[str, dict[str, str]]:
    """Where the database is, for libpq, and the environment with the password, which no list of processes shows."""
    told = conninfo_to_dict(plain(url))
    password = told.pop("password", None)
    return make_conninfo("", **told), environment() | ({"PGPASSWORD": str(password)} if password else {})


def _fault(said: bytes) -> str:
    """The line that says why; not those below it, which may hold what is in a row."""
    lines = [line for line in said.decode(errors="replace").splitlines() if line.strip()]
    found = next((line for line in lines if _FAULT.search(line)), "".join(lines[-1:]) or "no reason was told")
    return _FAULT.sub("", found)
