"""How often a password may be tried: a few times per address and login, more per address alone.

All web processes count in one table, by a row for each password that is looked at. Who tries at will is kept off the
database: of one address few are counted at a time, and a refusal is believed for a moment without another look.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic
from typing import Final

from aiohttp import web
from sqlalchemy import delete, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from directory import keys
from web.tables import password_tries as tries

WINDOW: Final = timedelta(minutes=5)
PER_LOGIN: Final = 5
PER_ADDRESS: Final = 40

AT_ONCE: Final = 2
"""So many tries of one address are counted at a time; the next wait in line, without a connection."""
IN_LINE_MOST: Final = 40
CROWD_SECONDS: Final = 5.0
BELIEVED_SECONDS: Final = 1.0
"""No longer: somebody may come in meanwhile, which forgives."""
BELIEVED_MOST: Final = 10_000
SWEEP_SECONDS: Final = 60.0

_ONE_AT_A_TIME: Final = text("select pg_advisory_xact_lock(hashtextextended(:address, 66))")


class TooManyTriesError(Exception):
    """This address has to wait for so many seconds before it may try this login again."""

    def __init__(self, wait_seconds: float) -> None:
        super().__init__(f"wait for {wait_seconds:.0f} s")
        self.wait_seconds = wait_seconds


@dataclass
class _Line:
    """Who of one address is counted now, or waits for it."""

    length: int = 0
    turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))


class Tries:
    """The tries at this process. `run` forgets those that count no more, until cancelled."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._lines: dict[str, _Line] = {}
        self._refused: dict[tuple[str, bytes], tuple[float, float]] = {}

    async def book(self, address: str, login: str) -> int:
        """Count a try as failed until it succeeds; gives its id. Raises TooManyTriesError.

        It is counted before its password is looked at, so that those who try at the same time are counted too.
        """
        who = (address, hashlib.sha256(login.encode()).digest())
        async with self._in_line(address):
            at, wait = self._refused.get(who, (0.0, 0.0))
            if (age := monotonic() - at) < BELIEVED_SECONDS:
                raise TooManyTriesError(wait - age)
            try:
                async with self._engine.begin() as connection:
                    return await _book(connection, *who)
            except TooManyTriesError as error:
                self._refused.pop(who, None)
                if len(self._refused) >= BELIEVED_MOST:
                    del self._refused[next(iter(self._refused))]
                self._refused[who] = (monotonic(), error.wait_seconds)
                raise

    async def run(self) -> None:
        """Forget what is past the window, until cancelled, also when nobody tries any more."""
        while True:
            with suppress(Exception):  # whatever the driver raises: the next round does it
                async with self._engine.begin() as connection:
                    await forget_old(connection)
            await asyncio.sleep(SWEEP_SECONDS)

    @asynccontextmanager
    async def _in_line(self, address: str) -> AsyncIterator[None]:
        line = self._lines.setdefault(address, _Line())
        if line.length >= AT_ONCE + IN_LINE_MOST:
            raise TooManyTriesError(CROWD_SECONDS)
        line.length += 1
        try:
            async with line.turn:
                yield
        finally:
            line.length -= 1
            if not line.length:
                del self._lines[address]


TRIES: Final = web.AppKey("tries", Tries)


async def _book(connection: AsyncConnection, address: str, login: bytes) -> int:
    await connection.execute(_ONE_AT_A_TIME, {"address": address})
    _, secret = await keys.newest(connection, "wishes")
    digest = keys.signed(secret, "password try", login.hex())
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


async def forget_old(connection: AsyncConnection) -> None:
    """Forget the tries that count no more."""
    old = select(tries.c.id).where(tries.c.at < func.now() - WINDOW).with_for_update(skip_locked=True)
    await connection.execute(delete(tries).where(tries.c.id.in_(old)))


def _wait(failed: Sequence[datetime], most: int, now: datetime) -> float:
    """How long until fewer than `most` of these, the newest first, are in the window."""
    return (failed[most - 1] + WINDOW - now).total_seconds() if len(failed) >= most else 0.0
