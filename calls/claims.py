"""Who is on a promise to call back just now: everybody who sees the promise sees it, and it ends by itself.

It is a word among colleagues, so that two do not call one client; whose promise it is stays as it was.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.tables import follow_up_claims, follow_ups

CHANNEL: Final = "switchhook_follow_ups"
"""NOTIFY channel: a promise is new, or something about it changed; the payload is its id."""

LASTS: Final = timedelta(minutes=30)
"""Who has not called back by then is on something else."""

_NOTIFY: Final = text("select pg_notify(:channel, :payload)")
_NOW: Final = func.clock_timestamp()
_GOES_ON: Final = and_(follow_up_claims.c.ended_at.is_(None), follow_up_claims.c.until > _NOW)


def of_each(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """A column of the claim on a row of `follow_ups` that goes on; null: nobody is on it."""
    mine = select(column).where(follow_up_claims.c.follow_up_id == follow_ups.c.id, _GOES_ON)
    return mine.correlate(follow_ups).scalar_subquery()


WHO: Final = of_each(follow_up_claims.c.who).label("claimed_by")
SINCE: Final = of_each(follow_up_claims.c.at).label("claimed_at")


async def claim(connection: AsyncConnection, follow_up_id: int, who: str) -> str | None:
    """`who` is on it from now on, or goes on to be; tells who is instead, None when it is they.

    The caller holds the promise's row, so that of two at once one is the first.
    """
    mine = follow_up_claims.c.follow_up_id == follow_up_id
    row = (await connection.execute(select(follow_up_claims).where(mine, _GOES_ON))).one_or_none()
    if row is not None and row.who != who:
        return str(row.who)
    if row is not None:
        await connection.execute(
            update(follow_up_claims).where(follow_up_claims.c.id == row.id).values(until=_NOW + LASTS)
        )
    else:
        over = update(follow_up_claims).where(mine, follow_up_claims.c.ended_at.is_(None))
        await connection.execute(over.values(ended_at=follow_up_claims.c.until))
        values = {"follow_up_id": follow_up_id, "who": who, "until": _NOW + LASTS}
        await connection.execute(insert(follow_up_claims).values(**values))
    await tell(connection, follow_up_id)
    return None


async def on_it(connection: AsyncConnection, follow_up_id: int) -> str | None:
    """Who is on a promise just now."""
    mine = follow_up_claims.c.follow_up_id == follow_up_id
    found: str | None = await connection.scalar(select(follow_up_claims.c.who).where(mine, _GOES_ON))
    return found


async def release(connection: AsyncConnection, follow_up_id: int) -> None:
    """Nobody is on it any more."""
    mine = follow_up_claims.c.follow_up_id == follow_up_id
    asked = update(follow_up_claims).where(mine, follow_up_claims.c.ended_at.is_(None))
    await connection.execute(asked.values(ended_at=func.least(follow_up_claims.c.until, _NOW)))
    await tell(connection, follow_up_id)


async def tell(connection: AsyncConnection, follow_up_id: int) -> None:
    """Let open pages know, when the caller's transaction commits."""
    await connection.execute(_NOTIFY, {"channel": CHANNEL, "payload": str(follow_up_id)})
