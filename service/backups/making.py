"""Makes a backup while the service runs: the database of one moment, and what the store holds by it."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import structlog
from pydantic import BaseModel, SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.database import connect
from directory import file, store
from recordings import audit
from recordings.archive_rows import Held, held
from recordings.store import Store, StoreError
from service.backups import folder, programs, rows
from service.backups.folder import BackupError, Manifest
from service.database import status
from service.settings import Settings
from service.shown import shown
from service.wiring import open_database, open_house, open_store

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_TABLES = "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace order by relname"


@dataclass(frozen=True, slots=True)
class Made:
    """A whole backup. `missing`: objects of recordings that could not be copied, or were not what they should be."""

    folder: Path
    manifest: Manifest
    missing: tuple[str, ...]
    removed: tuple[Path, ...]


async def back_up(settings: Settings, to: Path, *, keep: int | None, recordings: bool) -> Made:
    """Make a backup in `to`, then leave only the newest `keep` there. Raises BackupError; then nothing is left of it.

    `recordings`: the sound is copied too. What the last backup in `to` has of it is not copied again, but linked.
    """
    async with open_database(settings, migrate=False) as url:
        revision = await _current(url)
        engine = connect(url, pool=2, longest=None)
        made_at = datetime.now(UTC)
        try:
            with folder.begun(to, made_at) as place:
                copies = _Copies(open_store(settings), place, to) if recordings else None
                if copies is not None:
                    # Most of it, which takes long, before the moment; what came until then, after it.
                    async with engine.connect() as connection:
                        objects = await held(connection)
                    await copies.take(objects)
                async with engine.connect() as connection:
                    await connection.execution_options(isolation_level="REPEATABLE READ")
                    told, objects = await _moment(connection, url, place, settings)
                    told |= {"revision": revision}
                missing = () if copies is None else await copies.take(objects)
                if copies is not None:
                    await asyncio.to_thread(copies.leave, objects)
                manifest = Manifest(
                    format=folder.FORMAT, version=version("switchhook"), copied=recordings,
                    objects=len(objects), **told,
                )  # fmt: skip
                await asyncio.to_thread(folder.finish, place, manifest)
            whole = folder.place_of(to, made_at)
            told = {"of": manifest.made_at.isoformat(), "bytes": await asyncio.to_thread(folder.size, whole)}
            async with engine.begin() as connection:
                await rows.note(connection, str(whole.resolve()), manifest.made_at)
                await _audit(connection, f"backup {whole.name}", told)
            log.info("backup made", objects=manifest.objects, missing=len(missing), **told)
        except StoreError as error:
            raise BackupError(str(error)) from error
        finally:
            await engine.dispose()
    removed = await asyncio.to_thread(folder.prune, to, keep) if keep else []
    return Made(whole, manifest, missing, tuple(removed))


async def note_other(settings: Settings) -> None:
    """Note that the database was copied now by the means of its server."""
    async with open_house(settings, pool=1) as house, house.engine.begin() as connection:
        await rows.note(connection, None)
        await _audit(connection, "backup by other means", {})
    log.info("backup by other means noted")


async def _audit(connection: AsyncConnection, subject: str, told: dict[str, Any]) -> None:
    await audit.note(connection, audit.THE_OPERATOR, "backup_made", subject, told | {"account": account()})


def account() -> str:
    """The account of this machine that makes a backup or restores one."""
    with suppress(KeyError):
        return pwd.getpwuid(os.geteuid()).pw_name
    return str(os.geteuid())


async def _moment(
    connection: AsyncConnection, url: str, place: Path, settings: Settings
) -> tuple[dict[str, Any], list[Held]]:
    """All that is of one moment: the dump, the directory, what the store has to hold, and how much is in each table."""
    # The server may end transactions that ask nothing for a while, as this one does while the dump is written.
    await connection.execute(text("select set_config('idle_in_transaction_session_timeout', '0', true)"))
    snapshot = await connection.scalar(text("select pg_export_snapshot()"))
    at = await connection.scalar(text("select transaction_timestamp()"))
    server = int(await connection.scalar(text("select current_setting('server_version_num')::int / 10000")))
    dumped_by = await programs.dump(url, server, snapshot, place / folder.DUMP)
    (place / folder.DUMP).chmod(0o600)
    objects = await held(connection)
    folder.write_store(place, objects)
    folder.write(place / folder.DIRECTORY, file.dumps(await store.read(connection)).encode())
    told = json.dumps(without_secrets(settings), indent=1, ensure_ascii=False, default=str)
    folder.write(place / folder.SETTINGS, told.encode())
    rows_of = await count_rows(connection)
    return {"made_at": at, "server": server, "dumped_by": dumped_by, "rows": rows_of}, objects


async def _current(url: str) -> str:
    """The revision of the database, which is this version's: of another one nobody here knows what must be kept."""
    found, newest = await status(url)
    if found is None or found != newest:
        raise BackupError(
            f"the database is at revision {found or 'none'}, this version at {newest}: make the backup with the version"
            " that the service runs"
        )
    return found


async def count_rows(connection: AsyncConnection) -> dict[str, int]:
    """How many rows each table has."""
    names = list((await connection.execute(text(_TABLES))).scalars())
    asked = {name: f'select count(*) from "{name}"' for name in names}  # noqa: S608 - names of our own tables
    return {name: int(await connection.scalar(text(statement))) for name, statement in asked.items()}


def without_secrets(told: BaseModel) -> dict[str, Any]:
    """The settings, without those that are secrets; of addresses, where they lead."""
    return {name: _plain(value) for name, value in told if not isinstance(value, SecretStr)}


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return without_secrets(value)
    if isinstance(value, str) and "://" in value:
        return shown(value)
    return [_plain(one) for one in value] if isinstance(value, list) else value


class _Copies:
    """Objects of the store in a backup: linked from the last backup where it has them, else copied and compared."""

    def __init__(self, store: Store, place: Path, to: Path) -> None:
        self._store = store
        self._folder = place / folder.RECORDINGS
        copied = (one for one in reversed(folder.whole_ones(to)) if (one / folder.RECORDINGS).is_dir())
        self._last = next(copied, None)
        self._known = {} if self._last is None else {one.path: one for one in folder.read_store(self._last)}
        self._have: set[Held] = set()

    async def take(self, objects: list[Held]) -> tuple[str, ...]:
        """Bring these objects; the paths of those that cannot be had, or are not what they should be."""
        missing = []
        for one in objects:
            if one in self._have:
                continue
            if self._link(one) or await self._copy(one):
                self._have.add(one)
            else:
                missing.append(one.path)
        return tuple(missing)

    def leave(self, objects: list[Held]) -> None:
        """Of what was copied before the moment only this stays: the rest was removed, or is in an archive by now."""
        for path in {one.path for one in self._have} - {one.path for one in objects}:
            (self._folder / path).unlink()

    def _target(self, one: Held) -> Path:
        target = self._folder / one.path
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        return target

    def _link(self, one: Held) -> bool:
        """Whether the last backup has it; then its file has a second name now. What is in the store never changes."""
        if self._last is None or self._known.get(one.path) != one:
            return False
        known = self._last / folder.RECORDINGS / one.path
        if not known.is_file() or one.bytes not in {None, known.stat().st_size}:
            return False
        os.link(known, self._target(one))
        return True

    async def _copy(self, one: Held) -> bool:
        target = self._target(one)
        try:
            async with self._store.fetch(one.path) as source:
                if await asyncio.to_thread(folder.copy, source, target) == one.sha256:
                    return True
        except FileNotFoundError:
            pass
        target.unlink(missing_ok=True)
        return False
