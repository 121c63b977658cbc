"""Tries a backup: it is restored into a server of its own, which is thrown away."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import tempfile
from pathlib import Path
from types import MappingProxyType
from typing import Final

import asyncpg

from calls.database import connect
from service.backups import folder
from service.backups.folder import BackupError, Manifest
from service.backups.making import count_rows
from service.backups.restoring import bring, read_known
from service.database import upgrade
from service.postgres import Postgres

# Nothing of it has to outlive a power cut.
_FAST: Final = MappingProxyType({"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"})
_OWNER: Final = "tried"  # of the role and of its database


async def verify(backup: Path) -> Manifest:
    """Restore it into an empty place, count all rows, bring it to this version, and read every copied recording.

    Raises BackupError: this backup is not what it says.
    """
    manifest = await asyncio.to_thread(read_known, backup)
    place = Path(tempfile.mkdtemp(prefix="switchhook-verify-"))
    try:
        async with Postgres(place, settings=_FAST) as server:
            url = await _owned(server)
            engine = connect(url, pool=1, longest=None)
            try:
                await bring(engine, url, backup, manifest, emptied=False)
                async with engine.connect() as connection:
                    found = await count_rows(connection)
            finally:
                await engine.dispose()
            differing = sorted(name for name in found | manifest.rows if found.get(name) != manifest.rows.get(name))
            if differing:
                raise BackupError(f"{backup}: restored, {', '.join(differing)} had not as many rows as at the backup")
            await upgrade(url)
    finally:
        await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)
    if manifest.copied and (lost := await asyncio.to_thread(_damaged, backup)):
        raise BackupError(f"{backup}: {len(lost)} recordings are missing or damaged in it, the first is {lost[0]}")
    return manifest


async def _owned(server: Postgres) -> str:
    """The address of a database whose role owns it and nothing else: a dump is a program of whoever could write it.

    All that follows is that role's too, for the dump may have left triggers behind.
    """
    password = secrets.token_urlsafe(24)
    connection = await asyncpg.connect(server.dsn, timeout=60)
    try:
        await connection.execute(f"create role {_OWNER} login password '{password}'")
        await connection.execute(f"create database {_OWNER} owner {_OWNER}")
    finally:
        await connection.close()
    return f"postgresql+asyncpg://{_OWNER}:{password}@127.0.0.1:{server.port}/{_OWNER}"


def _damaged(backup: Path) -> list[str]:
    """Recordings that are not in the backup as they were in the store."""
    copies = backup / folder.RECORDINGS
    return [
        one.path
        for one in folder.read_store(backup)
        if not (copies / one.path).is_file() or folder.digest(copies / one.path) != one.sha256
    ]
