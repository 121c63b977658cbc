"""Secrets that the service makes for itself and keeps in the database, by what they are for."""

from __future__ import annotations

import hmac
import secrets
from typing import Final, Literal

from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from directory.tables import keys

Purpose = Literal["links", "wishes"]

_BYTES: Final = 32
_LOCK: Final = text("select pg_advisory_xact_lock(hashtext('switchhook keys'))")


async def newest(connection: AsyncConnection, purpose: Purpose) -> tuple[int, bytes]:
    """(id, secret) of the key that signs now; the first one is made when it is asked for."""
    found = await _newest(connection, purpose)
    if found is None:
        await connection.execute(_LOCK)
        found = await _newest(connection, purpose) or await make(connection, purpose)
    return found


async def make(connection: AsyncConnection, purpose: Purpose) -> tuple[int, bytes]:
    """Make the next key; from now on it signs, and what older ones signed stays good."""
    secret = secrets.token_bytes(_BYTES)
    asked = insert(keys).values(purpose=purpose, secret=secret).returning(keys.c.id)
    return (await connection.execute(asked)).scalar_one(), secret


async def secret_of(connection: AsyncConnection, key_id: int, purpose: Purpose) -> bytes | None:
    """The secret of a key; None when there is no such key."""
    asked = select(keys.c.secret).where(keys.c.id == key_id, keys.c.purpose == purpose)
    found: bytes | None = (await connection.execute(asked)).scalar_one_or_none()
    return found


async def known(connection: AsyncConnection, purpose: Purpose) -> bytes | None:
    """The secret that signs now; None when nothing was ever signed."""
    found = await _newest(connection, purpose)
    return found[1] if found else None


def signed(secret: bytes, *parts: str) -> bytes:
    """HMAC-SHA256 of the parts, none of which may hold the separator."""
    if any("\n" in part for part in parts):
        raise ValueError("a part that is signed is one line")
    return hmac.digest(secret, "\n".join(parts).encode(), "sha256")


async def _newest(connection: AsyncConnection, purpose: Purpose) -> tuple[int, bytes] | None:
    asked = select(keys.c.id, keys.c.secret).where(keys.c.purpose == purpose).order_by(keys.c.id.desc()).limit(1)
    row = (await connection.execute(asked)).one_or_none()
    return (row.id, row.secret) if row else None
