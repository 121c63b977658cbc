"""What the answers of a CRM make of its connection: it is stopped, paused, left in peace for a while, or goes on."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, update
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync.connections import AUTH_DEAD, Connection
from crm_sync.errors import AuthDeadError, BannedError, CrmError, NoRoomError, RateLimitedError
from crm_sync.ledger.retry import BANNED_SECONDS
from crm_sync.ledger.tables import crm_connections
from directory import store
from notices.model import Notice
from notices.telling import people_of, tell

QUIET_SECONDS: Final = 30.0
"""So long nobody asks a CRM that said it is asked too much, and not until when."""


async def ended(connection: AsyncConnection, to: Connection, by: str) -> bool:
    """Stop it for what it answered as `to`; whether that was so. What a person changed since then stays.

    That it lets us in no more is told those who can connect it again.
    """
    same = crm_connections.c.changed_at == to.changed_at, crm_connections.c.state != "stopped"
    values = {"state": "stopped", "stopped_by": by, "changed_at": func.clock_timestamp()}
    asked = update(crm_connections).where(crm_connections.c.key == to.key, *same).values(**values)
    is_ended = bool((await connection.execute(asked)).rowcount)
    if is_ended and by == AUTH_DEAD:
        await _tell(connection, to)
    return is_ended


async def refused(connection: AsyncConnection, to: Connection, error: CrmError, now: datetime) -> None:
    """Write what everybody is to know of an answer to what is no effect: `to` lets us in no more, or shut us out.

    Or it was asked too much (`leave_in_peace`).
    """
    if isinstance(error, AuthDeadError):
        await ended(connection, to, error.kind)
    elif isinstance(error, BannedError):
        await pause(connection, to, now, BANNED_SECONDS)
    await leave_in_peace(connection, to, error, now)


async def leave_in_peace(connection: AsyncConnection, to: Connection, error: CrmError, now: datetime) -> None:
    """Let nobody of its account ask anything for as long as it said, where it said that it is asked too much.

    That as much was sent as may be by our own count is known by the pace, which all share.
    """
    if isinstance(error, NoRoomError) or not isinstance(error, RateLimitedError) or error.scope != "connection":
        return
    seconds = QUIET_SECONDS if error.retry_after is None else error.retry_after
    until = func.greatest(crm_connections.c.quiet_until, now + timedelta(seconds=seconds))
    same = crm_connections.c.account == to.account
    await connection.execute(update(crm_connections).where(same).values(quiet_until=until))


async def pause(connection: AsyncConnection, to: Connection, now: datetime, seconds: float) -> None:
    """Send nothing for so long from `now`, or for as long as it is paused already; it failed once more than `to` says.

    What fails together counts once.
    """
    until = func.greatest(crm_connections.c.paused_until, now + timedelta(seconds=seconds))
    values = {"paused_until": until, "paused_at": now, "failures": to.failures + 1}
    await connection.execute(update(crm_connections).where(crm_connections.c.key == to.key).values(**values))


async def resume(connection: AsyncConnection, key: str, sent_at: datetime) -> None:
    """Send again at once: it took something that was sent then, after it was paused last."""
    before = crm_connections.c.paused_at < sent_at
    going = {"paused_until": None, "paused_at": None, "failures": 0}
    await connection.execute(update(crm_connections).where(crm_connections.c.key == key, before).values(**going))


async def _tell(connection: AsyncConnection, to: Connection) -> None:
    directory = await store.read(connection)
    told = f"crm_access_ended {to.key} {to.changed_at.isoformat()}"
    notice = Notice(key=told, kind="crm_access_ended", subject="house", subject_id=to.key)
    await tell(connection, directory, notice, people_of(directory, "admin") or people_of(directory, "head"))
