"""Who may come in after a restore: nobody by what was made invalid since, where that can be known."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from directory.tables import password_links, sessions, tokens, users
from web.users import alive_tokens


@dataclass(frozen=True, slots=True)
class Access:
    """How many sessions were ended; how many API tokens and logins open the house again, as they did at the backup."""

    sessions_ended: int
    tokens: int
    logins: int


async def close(connection: AsyncConnection) -> Access:
    """End what people can have anew at once: sessions and links to a password, each of which may have ended since.

    Of API tokens and logins nobody here knows which were revoked or disabled since: they are counted for whoever looks.
    """
    await connection.execute(delete(password_links))
    ended = (await connection.execute(delete(sessions))).rowcount
    enabled = users.c.disabled_at.is_(None)
    theirs = select(func.count()).select_from(tokens.join(users)).where(alive_tokens(), enabled)
    alive = int(await connection.scalar(theirs) or 0)
    logins = int(await connection.scalar(select(func.count()).select_from(users).where(enabled)) or 0)
    return Access(ended, alive, logins)
