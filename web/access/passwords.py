"""Addresses at which a login chooses its password without the old one: good once, and for a day."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from directory.tables import password_links, users
from web.guard import PASSWORDS
from web.users import digest

LASTS: Final = timedelta(hours=24)


async def make(connection: AsyncConnection, user: int) -> str:
    """Make a link for a login and return its path: only its SHA-256 is stored. An older link of theirs ends."""
    secret = secrets.token_urlsafe(32)
    told = {"digest": digest(secret), "made_at": func.now(), "expires_at": datetime.now(UTC) + LASTS}
    kept = insert(password_links).values(user_id=user, **told)
    await connection.execute(kept.on_conflict_do_update(index_elements=["user_id"], set_=told))
    return PASSWORDS + secret


async def whose(connection: AsyncConnection, secret: str) -> Any:
    """Whose password a link sets (`id`, `login`, `language`), held until the transaction ends; None: it opens nothing.

    A link of a disabled login opens nothing; setting the password ends the link (`web.users.set_password`).
    """
    asked = select(users.c.id, users.c.login, users.c.language).join(
        password_links, password_links.c.user_id == users.c.id
    )
    alive = (password_links.c.expires_at > func.now()) & users.c.disabled_at.is_(None)
    asked = asked.where(password_links.c.digest == digest(secret), alive)
    return (await connection.execute(asked.with_for_update(of=(password_links, users)))).first()
