"""Keeps that a backup was made, and tells when the newest was."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from service.backups.tables import backups


async def note(connection: AsyncConnection, folder: str | None, made_at: datetime | None = None) -> None:
    """A backup of that moment (now) is whole in `folder`; None: the server was copied by other means."""
    told = {"folder": folder} | ({} if made_at is None else {"made_at": made_at})
    await connection.execute(insert(backups).values(told))


async def newest_backup(connection: AsyncConnection) -> datetime | None:
    """Of which moment the newest backup is; None: none was ever made."""
    newest: datetime | None = await connection.scalar(select(func.max(backups.c.made_at)))
    return newest


async def newest_folder(connection: AsyncConnection) -> str | None:
    """Where the newest of our own backups was put; None: none was made."""
    ours = select(backups.c.folder).where(backups.c.folder.is_not(None))
    folder: str | None = await connection.scalar(ours.order_by(backups.c.made_at.desc()).limit(1))
    return folder
