"""Keeps an embedded PostgreSQL running below a data folder for as long as its parent lives."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import secrets
import signal
from collections.abc import Mapping
from io import TextIOWrapper
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Final, Self

import asyncpg
import structlog

from service.ports import free_port
from service.postgres_cluster import (
    Account,
    PostgresError,
    account,
    clear_previous,
    environment,
    initialise,
    locate_binaries,
    reachable_programs,
    refuse_other_version,
)

__all__ = ["AlreadyServedError", "Postgres", "PostgresError", "locate_binaries", "served_url"]

NAME: Final = "switchhook"  # of the superuser and of the database
_START_SECONDS = 60.0  # crash recovery included
_STOP_SECONDS = 20.0
_LONGEST_SOCKET_PATH = 90  # a socket's address holds 107 bytes
_LARGEST_LOG_BYTES = 10_000_000
_SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "listen_addresses": "127.0.0.1",
        "cluster_name": NAME,
        "max_connections": "200",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "jit": "off",  # the queries are short: compiling one costs more than it saves
        "log_min_messages": "warning",
        "log_error_verbosity": "terse",  # DETAIL would carry callers' numbers into the log
    }
)
log = structlog.get_logger()


class AlreadyServedError(PostgresError):
    """Another process of ours runs the server of this folder; `served_url` tells where."""


def served_url(folder: Path) -> str | None:
    """Address of the server that another process of ours runs for `folder`; None while it is not ready."""
    try:
        lines = (folder / "cluster/postmaster.pid").read_text().splitlines()
        password = (folder / "password").read_text().strip()
    except OSError:
        return None
    ready = len(lines) > 7 and lines[7].strip() == "ready"
    return f"postgresql+asyncpg://{NAME}:{password}@127.0.0.1:{lines[3].strip()}/{NAME}" if ready else None


class Postgres:
    """A PostgreSQL server of our own: `async with Postgres(folder) as server: server.url`.

    Started as root it runs as an ordinary account. It is restarted when it dies, ends when this process ends, however
    that ends, and one folder is served once. Raises PostgresError.
    """

    def __init__(self, folder: Path, *, port: int = 0, settings: Mapping[str, str] = MappingProxyType({})) -> None:
        """`folder` is made if need be; `port` 0 takes a free one; `settings` are added to postgresql.conf's."""
        self.folder = folder.resolve()
        self.port = port
        self._settings = {**_SETTINGS, **settings}
        self._password = ""
        self._process: asyncio.subprocess.Process | None = None
        self._watching: asyncio.Task[None] | None = None
        self._lock: TextIOWrapper | None = None
        self._command: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        """SQLAlchemy's address of the database, by asyncpg."""
        return self.dsn.replace("postgresql://", "postgresql+asyncpg://", 1)

    @property
    def dsn(self) -> str:
        """The same for libpq and psycopg."""
        return f"postgresql://{NAME}:{self._password}@127.0.0.1:{self.port}/{NAME}"

    @property
    def pid(self) -> int | None:
        """Process id of the postmaster while it runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Make the data folder if there is none, recover it if need be, and answer when connections are served."""
        runs_as = account()
        self._prepare_folder(runs_as)
        self._lock = self._only_one()
        try:
            programs = await asyncio.to_thread(reachable_programs, locate_binaries(), runs_as, self.folder)
            # pdeathsig: the kernel asks the server to end as soon as we are gone, however we went.
            die_with_us = "--pdeathsig=INT"
            self._command = (*(runs_as.prefix or ("setpriv",)), die_with_us, "--", f"{programs}/postgres")
            self._password = self._read_password()
            if not self._cluster.exists():
                log.info("database_initialised", folder=str(self.folder))
                await initialise(programs, self._cluster, runs_as, NAME, self._password)
            refuse_other_version(programs, self._cluster)
            await self._launch()
            await self._ensure_database()
        except BaseException:
            await self.stop()
            raise
        self._watching = asyncio.create_task(self._watch(), name="postgres-watch")

    async def stop(self) -> None:
        """End every session and the server; data is flushed, so that the next start needs no recovery."""
        if self._watching:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watching
            self._watching = None
        for insistence in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            if not self._process or self._process.returncode is not None:
                break
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(insistence)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_STOP_SECONDS):
                    await self._process.wait()
        self._process = None
        if self._lock:
            self._lock.close()
            self._lock = None

    @property
    def _cluster(self) -> Path:
        return self.folder / "cluster"

    @property
    def _sockets(self) -> Path:
        return self.folder / "run"

    def _prepare_folder(self, runs_as: Account) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.folder.chmod(0o711 if runs_as.switched else 0o700)
            self._sockets.mkdir(mode=0o700, exist_ok=True)
            if runs_as.switched:
                os.chown(self._sockets, runs_as.uid, runs_as.gid)
        except OSError as error:
            message = f"The database folder {self.folder} cannot be used: {error.strerror}."
            raise PostgresError(message) from error
        if closed := runs_as.reaches(self.folder):
            message = (
                f"PostgreSQL runs as `{runs_as.name}` when started by root, and {closed} lets no other account in: "
                "set data_dir to a folder outside it, such as /var/lib/switchhook, or start as an ordinary user."
            )
            raise PostgresError(message)

    def _only_one(self) -> TextIOWrapper:
        lock = (self.folder / "lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            message = (
                f"Another Switchhook already serves {self.folder}: stop it, set DATABASE_URL to its database, "
                "or give this one its own data_dir."
            )
            raise AlreadyServedError(message) from None
        return lock

    def _read_password(self) -> str:
        path = self.folder / "password"
        if not self._cluster.exists() or not path.exists():
            if self._cluster.exists():
                message = f"{path} is missing, and only it opens the database: put it back from your copy."
                raise PostgresError(message)
            path.unlink(missing_ok=True)
            path.touch(mode=0o600)
            path.write_text(secrets.token_urlsafe(32))
        return path.read_text().strip()

    async def _launch(self) -> None:
        """Start the postmaster, as often as what a crash left behind makes it refuse, and wait until it serves."""
        deadline = asyncio.get_running_loop().time() + _START_SECONDS
        free = self.port == 0
        while True:
            if free:
                self.port = free_port()
            await clear_previous(self._cluster)
            self._process = await self._spawn()
            while self._process.returncode is None:
                if self._serves():
                    return
                if asyncio.get_running_loop().time() > deadline:
                    message = f"PostgreSQL does not get ready in {_START_SECONDS:.0f} s: see {self._log_path}."
                    raise PostgresError(message)
                await asyncio.sleep(0.01)
            # Sessions of a killed postmaster hold its shared memory for a moment; a free port may have been taken.
            if asyncio.get_running_loop().time() > deadline or not self._may_pass():
                message = f"PostgreSQL does not start: {self._last_words() or f'see {self._log_path}'}"
                raise PostgresError(message)
            await asyncio.sleep(0.1)

    async def _spawn(self) -> asyncio.subprocess.Process:
        settings = {
            **self._settings,
            "port": str(self.port),
            "unix_socket_directories": str(self._sockets) if len(str(self._sockets)) < _LONGEST_SOCKET_PATH else "",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with self._open_log() as output:
            return await asyncio.create_subprocess_exec(
                *self._command,
                "-D",
                self._cluster,
                *options,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment(),
                cwd="/",
                start_new_session=True,  # Ctrl-C at a terminal reaches us first: sessions are closed before the server
            )

    def _serves(self) -> bool:
        """Whether the postmaster says that it is ready (the eighth line of its pid file)."""
        try:
            lines = (self._cluster / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[0] == str(self.pid) and lines[7].strip() == "ready"

    async def _ensure_database(self) -> None:
        connection = await asyncpg.connect(self.dsn.rpartition("/")[0] + "/postgres", timeout=20)
        try:
            if not await connection.fetchval("select 1 from pg_database where datname = $1", NAME):
                await connection.execute(f"create database {NAME}")
        finally:
            await connection.close()

    async def _watch(self) -> None:
        """Start the server again on the same port whenever it dies; sessions reconnect by themselves."""
        pause = 0.0
        while self._process:
            code = await self._process.wait()
            log.error("database_died", exit_code=code, folder=str(self.folder))
            try:
                await asyncio.sleep(pause)
                await self._launch()
                log.warning("database_restarted", folder=str(self.folder))
                pause = 0.0
            except PostgresError as error:
                log.error("database_does_not_start", reason=str(error))  # noqa: TRY400 - the message says all
                pause = min(5.0, pause + 1.0)

    @property
    def _log_path(self) -> Path:
        return self.folder / "postgres.log"

    def _open_log(self) -> TextIOWrapper:
        with contextlib.suppress(FileNotFoundError):
            if self._log_path.stat().st_size > _LARGEST_LOG_BYTES:
                self._log_path.rename(self._log_path.with_suffix(".log.1"))
        self._log_path.touch(mode=0o600)
        return self._log_path.open("a")

    def _last_words(self) -> str:
        with contextlib.suppress(OSError):
            lines = [line for line in self._log_path.read_text(errors="replace").splitlines() if "FATAL" in line]
            return lines[-1].partition("FATAL:")[2].strip() if lines else ""
        return ""

    def _may_pass(self) -> bool:
        words = self._last_words()
        return "shared memory" in words or "could not create any TCP/IP sockets" in words or "lock file" in words
