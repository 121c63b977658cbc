"""Brings a backup back: the whole database or nothing of it, then the recordings that the store lacks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.database import connect
from calls.tables import signs_of_life
from crm_sync.ledger.rows import doubt
from recordings import audit
from recordings.archive_rows import Held
from recordings.store import Store, StoreError
from service.backups import access, folder, programs
from service.backups.access import Access
from service.backups.folder import BackupError, Manifest
from service.backups.making import account
from service.database import knows, upgrade
from service.settings import Settings
from service.wiring import open_database, open_store

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

LEAVING_SECONDS: Final = 10.0
"""So long sessions that were closed a moment ago may still be there."""

_OTHERS: Final = text(
    """
    select count(*) from pg_stat_activity
    where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()
    """
)
_FULL: Final = text(
    "select exists (select from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r')"
)
_SERVER: Final = text("select current_setting('server_version_num')::int / 10000")


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back. `brought`: objects that the store had not; `missing`: those that it still has not."""

    manifest: Manifest
    brought: int
    missing: tuple[str, ...]
    doubted: int
    access: Access


async def restore(settings: Settings, backup: Path, *, replace: bool) -> Restored:
    """Make the database of the settings what it was, in the schema of this version, and the store too where it can be.

    `replace`: what is in the database is given up. Raises BackupError; then nothing is changed.
    """
    manifest = await asyncio.to_thread(read_known, backup)
    async with open_database(settings, migrate=False) as url:
        engine = connect(url, pool=1, longest=None)
        try:
            await _refuse(engine, replace=replace)
            await bring(engine, url, backup, manifest, emptied=replace)
            await upgrade(url)
            async with engine.begin() as connection:
                # What was owed at the moment of the backup may have been told since.
                doubted = await doubt(connection, manifest.made_at)
                opens = await access.close(connection)
                # Who looks next has missed nothing: what was since the backup is no outage.
                await connection.execute(signs_of_life.delete())
                told = {"of": manifest.made_at.isoformat(), "version": manifest.version}
                by = {"account": account()}
                await audit.note(
                    connection, audit.THE_OPERATOR, "database_restored", f"backup {backup.name}", told | by
                )
            log.warning("database restored", doubted=doubted, sessions_ended=opens.sessions_ended, **told)
        finally:
            await engine.dispose()
    try:
        brought, missing = await _recordings(open_store(settings), backup)
    except StoreError as error:
        raise BackupError(f"the database is restored, the recordings are not: {error}") from error
    return Restored(manifest, brought, missing, doubted, opens)


def read_known(backup: Path) -> Manifest:
    """The manifest of a whole backup that this version can take. Raises BackupError."""
    manifest = folder.read(backup)
    if not knows(manifest.revision):
        raise BackupError(
            f"{backup} is of Switchhook {manifest.version}, revision {manifest.revision}, which is newer than this one:"
            " install that version"
        )
    return manifest


async def bring(engine: AsyncEngine, url: str, backup: Path, manifest: Manifest, *, emptied: bool) -> None:
    """The dump into the database, all of it or nothing. Raises BackupError."""
    async with engine.connect() as connection:
        server = int((await connection.execute(_SERVER)).scalar_one())
    if server < manifest.server:
        raise BackupError(f"the backup is of PostgreSQL {manifest.server}, the server here is older: {server}")
    await programs.play(url, server, backup / folder.DUMP, manifest.dumped_by, emptied=emptied)


async def _refuse(engine: AsyncEngine, *, replace: bool) -> None:
    async with engine.connect() as connection:
        ends_at = asyncio.get_running_loop().time() + LEAVING_SECONDS
        while (others := (await connection.execute(_OTHERS)).scalar_one()) and (
            asyncio.get_running_loop().time() < ends_at
        ):
            await connection.rollback()  # within a transaction the server tells the same
            await asyncio.sleep(0.1)
        if others:
            raise BackupError(f"{others} other sessions use the database: stop the service and its workers first")
        if not replace and (await connection.execute(_FULL)).scalar_one():
            raise BackupError("the database is not empty: --replace gives up what is in it")


async def _recordings(store: Store, backup: Path) -> tuple[int, tuple[str, ...]]:
    """Put what the store lacks and the backup has; how many those were, and the paths of what is still missing."""
    brought, missing = 0, []
    for one in folder.read_store(backup):
        if await _is_there(store, one):
            continue
        copy = backup / folder.RECORDINGS / one.path
        if copy.is_file() and await asyncio.to_thread(folder.digest, copy) == one.sha256:
            await asyncio.to_thread(store.put, one.path, _blocks(copy))
            brought += 1
        else:
            missing.append(one.path)
    return brought, tuple(missing)


async def _is_there(store: Store, one: Held) -> bool:
    try:
        size = await store.size(one.path)
    except FileNotFoundError:
        return False
    return one.bytes in {None, size}


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            yield block
