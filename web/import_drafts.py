"""Files that a login has looked at and not imported yet: each is for one session and one form, for half an hour."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from web.tables import import_drafts
from web.users import digest

LIFETIME: Final = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Draft:
    """A file, and what its columns were told to be."""

    body: bytes
    mapping: Mapping[str, str]


async def keep(connection: AsyncConnection, cookie: str, body: bytes) -> str:
    """Keep a file for the session of this cookie, in place of its last one; gives the token of its form."""
    token, session = secrets.token_urlsafe(32), digest(cookie)
    await forget_old(connection)
    await connection.execute(delete(import_drafts).where(import_drafts.c.session == session))
    row = {"digest": digest(token), "session": session, "body": body, "mapping": {}}
    await connection.execute(insert(import_drafts).values(row | {"expires_at": func.now() + LIFETIME}))
    return token


async def find(connection: AsyncConnection, cookie: str, token: str) -> Draft | None:
    """The file of a form, None when it is another session's or no longer kept."""
    alive = (import_drafts.c.session == digest(cookie)) & (import_drafts.c.expires_at > func.now())
    asked = select(import_drafts).where(import_drafts.c.digest == digest(token), alive)
    row = (await connection.execute(asked)).one_or_none()
    return Draft(row.body, row.mapping) if row is not None else None


async def tell_columns(connection: AsyncConnection, token: str, mapping: Mapping[str, str]) -> None:
    """Keep what the columns of a file are told to be."""
    mine = import_drafts.c.digest == digest(token)
    await connection.execute(update(import_drafts).where(mine).values(mapping=dict(mapping)))


async def forget(connection: AsyncConnection, token: str) -> None:
    """Keep a file no longer."""
    await connection.execute(delete(import_drafts).where(import_drafts.c.digest == digest(token)))


async def forget_old(connection: AsyncConnection) -> None:
    """Keep no file longer than it may be."""
    await connection.execute(delete(import_drafts).where(import_drafts.c.expires_at <= func.now()))


async def forget_all(connection: AsyncConnection) -> int:
    """Keep no file at all: any of them may name a person who is to be forgotten. Gives how many there were."""
    return (await connection.execute(delete(import_drafts))).rowcount
