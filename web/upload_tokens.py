"""Tokens by which a PBX sends its recordings: each is for one PBX, and opens nothing else."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from web.tables import upload_tokens
from web.users import UserError, digest

PREFIX: Final = "shu_"
_SEEN_EVERY: Final = timedelta(minutes=1)


async def create(connection: AsyncConnection, pbx: str) -> str:
    """Make a token for a PBX and return it: only its SHA-256 is stored."""
    token = PREFIX + secrets.token_urlsafe(32)
    await connection.execute(insert(upload_tokens).values(digest=digest(token), pbx=pbx))
    return token


async def revoke(connection: AsyncConnection, pbx: str) -> int:
    """End every token of a PBX and return how many there were. Raises UserError when there was none."""
    its = (upload_tokens.c.pbx == pbx) & upload_tokens.c.revoked_at.is_(None)
    count = (await connection.execute(update(upload_tokens).where(its).values(revoked_at=func.now()))).rowcount
    if not count:
        raise UserError(f"pbx: {pbx} has no upload token", "token")
    return count


async def pbx_of(connection: AsyncConnection, token: str) -> str | None:
    """The PBX that this token is of, None when it opens nothing."""
    alive = (upload_tokens.c.digest == digest(token)) & upload_tokens.c.revoked_at.is_(None)
    row = (await connection.execute(select(upload_tokens.c.pbx, upload_tokens.c.used_at).where(alive))).first()
    if row is None:
        return None
    if row.used_at is None or row.used_at < datetime.now(UTC) - _SEEN_EVERY:
        await connection.execute(update(upload_tokens).where(alive).values(used_at=func.now()))
    return str(row.pbx)


async def used_at(connection: AsyncConnection, pbx: str) -> tuple[int, datetime | None]:
    """How many tokens of a PBX open something, and when one was last used."""
    its = (upload_tokens.c.pbx == pbx) & upload_tokens.c.revoked_at.is_(None)
    asked = select(func.count(), func.max(upload_tokens.c.used_at)).where(its)
    count, at = (await connection.execute(asked)).one()
    return int(count), at
