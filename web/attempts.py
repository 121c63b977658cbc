"""How often a password may be tried: a few times per address and login, more per address alone.

All web processes count in one table. A row stands for a password that is looked at, which is slow and done for few at a
time, and goes with the first try after the window: so there are never many.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from web.tables import password_tries as tries

WINDOW: Final = timedelta(minutes=5)
PER_LOGIN: Final = 5
PER_ADDRESS: Final = 40

_ONE_AT_A_TIME: Final = text("select pg_advisory_xact_lock(hashtextextended(:address, 66))")


class TooManyTriesError(Exception):
    """This address has to wait for so many seconds before it may try this login again."""

    def __init__(self, wait_seconds: float) -> None:
        super().__init__(f"wait for {wait_seconds:.0f} s")
        self.wait_seconds = wait_seconds


async def book(connection: AsyncConnection, address: str, login: str) -> int:
    """Count a try as failed until it succeeds; gives its id. Raises TooManyTriesError.

    It is counted before its password is looked at, so that those who try at the same time are counted too.
    """
    await connection.execute(_ONE_AT_A_TIME, {"address": address})
    old = select(tries.c.id).where(tries.c.at < func.now() - WINDOW).with_for_update(skip_locked=True)
    await connection.execute(delete(tries).where(tries.c.id.in_(old)))
    digest = hashlib.sha256(login.encode()).digest()
    asked = select(tries.c.at, tries.c.login == digest, func.clock_timestamp()).where(tries.c.address == address)
    failed = (await connection.execute(asked.order_by(tries.c.at.desc()).limit(PER_ADDRESS))).all()
    if failed:
        now = failed[0][2]
        theirs = _wait([at for at, same, _ in failed if same], PER_LOGIN, now)
        wait = max(theirs, _wait([at for at, _, _ in failed], PER_ADDRESS, now))
        if wait > 0:
            raise TooManyTriesError(wait)
    row = {"address": address, "login": digest}
    made: int = (await connection.execute(insert(tries).values(row).returning(tries.c.id))).scalar_one()
    return made


async def take_back(connection: AsyncConnection, tried: int) -> None:
    """Forget one try, for its password was never looked at."""
    await connection.execute(delete(tries).where(tries.c.id == tried))


async def succeed(connection: AsyncConnection, tried: int) -> None:
    """Forget this try, and forgive the login's failures from this address."""
    one = tries.alias()
    theirs = (tries.c.address == one.c.address) & (tries.c.login == one.c.login)
    await connection.execute(delete(tries).where(one.c.id == tried, theirs))


def _wait(failed: Sequence[datetime], most: int, now: datetime) -> float:
    """How long until fewer than `most` of these, the newest first, are in the window."""
    return (failed[most - 1] + WINDOW - now).total_seconds() if len(failed) >= most else 0.0
