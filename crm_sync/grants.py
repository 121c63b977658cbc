"""Access by OAuth: a grant is renewed by one process alone, and stored before it is used.

Bitrix24 and amoCRM kill the old refresh token with each renewal: two who renew at once, or one who ends between the
answer and the row, lose the account. So whoever renews holds the row meanwhile and is not cancelled, a process that
ends in order waits for it (`settled`), and whoever waited for it takes what is newer there. What is left is a process
that is killed just then (docs/decisions/0046). Tokens are sealed as all secrets are (`crm_sync.secrets`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, repeat
from typing import Any, Final, Protocol

import msgspec
import structlog
from sqlalchemy import Row, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from crm_sync.connection_tables import crm_grants
from crm_sync.errors import AuthDeadError
from crm_sync.secrets import Keeper

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_STORE_WAITS: Final = (0.2, 1.0, 5.0)
"""Seconds before a grant that could not be stored is stored again, the last for ever: it is the only one."""

_SETTLE_SECONDS: Final = 75.0
"""So long a process that ends waits for what it renews: a token server's minute, and the row."""

_renewals: Final[set[asyncio.Task[Grant]]] = set()
"""What this process renews now."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What lets us in: the `access` token, and with what it is renewed. Times are aware UTC; None: never.

    `told` is what came with it and is no secret: the account's address, its id.
    """

    access: str = field(repr=False)
    refresh: str = field(default="", repr=False)
    expires_at: datetime | None = None
    refresh_expires_at: datetime | None = None
    told: Mapping[str, str] = field(default_factory=dict)


class NoGrantError(AuthDeadError):
    """Nobody has let us in yet."""


Renewing = Callable[[Grant], Awaitable[Grant]]
"""Asks for a newer grant with the one that is over. Raises AuthDeadError when that is no good any more."""


class Grants(Protocol):
    """The grant of one connection, shared by all processes."""

    async def current(self) -> Grant:
        """The newest grant. Raises AuthDeadError when there is none: a person has to give it."""

    async def renew(self, used: Grant, ask: Renewing) -> Grant:
        """A newer grant than `used`: somebody else's, else what `ask` gets, which is stored before it is returned.

        Raises AuthDeadError when there is none, and what `ask` raises.
        """


class SealedGrants:
    """The grant of one connection in the database."""

    def __init__(self, engine: AsyncEngine, keeper: Keeper, key: str) -> None:
        self._engine = engine
        self._keeper = keeper
        self._key = key
        self._renewing: asyncio.Task[Grant] | None = None

    async def current(self) -> Grant:
        """See `Grants`."""
        async with self._engine.connect() as connection:
            row = (await connection.execute(select(crm_grants).where(crm_grants.c.connection == self._key))).first()
        return _opened(self._keeper, self._key, row)

    async def renew(self, used: Grant, ask: Renewing) -> Grant:
        """See `Grants`."""
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.create_task(self._renewed(used, ask))
            _renewals.add(self._renewing)
            self._renewing.add_done_callback(_renewals.discard)
        # Whoever asked may be cancelled, as by the end of a caller's patience: what is asked for must be stored.
        return await asyncio.shield(self._renewing)

    async def _renewed(self, used: Grant, ask: Renewing) -> Grant:
        asked = select(crm_grants).where(crm_grants.c.connection == self._key).with_for_update()
        newer: Grant | None = None
        try:
            async with self._engine.begin() as connection:
                known = _opened(self._keeper, self._key, (await connection.execute(asked)).first())
                if known.access != used.access:
                    return known
                newer = await ask(known)
                await keep_grant(connection, self._keeper, self._key, newer)
                return newer
        except (SQLAlchemyError, OSError):
            if newer is None:
                raise
        return await self._stored(newer)

    async def _stored(self, newer: Grant) -> Grant:
        """Store what the database did not take at first, however long that takes."""
        for seconds in chain(_STORE_WAITS, repeat(_STORE_WAITS[-1])):
            log.error("a renewed access is not stored yet", crm=self._key)
            await asyncio.sleep(seconds)
            try:
                async with self._engine.begin() as connection:
                    await keep_grant(connection, self._keeper, self._key, newer)
            except IntegrityError:
                raise NoGrantError("the connection was removed meanwhile") from None
            except (SQLAlchemyError, OSError):
                continue
            break
        return newer


async def settled() -> None:
    """Wait until what this process renews is stored, before its database goes; a minute at most."""
    mine = [task for task in _renewals if task.get_loop() is asyncio.get_running_loop()]
    if mine:
        await asyncio.wait(mine, timeout=_SETTLE_SECONDS)


async def forget(connection: AsyncConnection, key: str) -> None:
    """Forget what a person gave: it is for another CRM than the connection's now."""
    await connection.execute(delete(crm_grants).where(crm_grants.c.connection == key))


async def keep_grant(connection: AsyncConnection, keeper: Keeper, key: str, grant: Grant) -> None:
    """Store the grant of a connection, instead of the one before."""
    told = {"access": grant.access, "refresh": grant.refresh, "told": dict(grant.told)}
    row = {
        "connection": key,
        "sealed": keeper.seal(_bound(key), told),
        "expires_at": grant.expires_at,
        "refresh_expires_at": grant.refresh_expires_at,
    }
    anew = {**row, "number": crm_grants.c.number + 1, "granted_at": func.clock_timestamp()}
    asked = insert(crm_grants).values(**row)
    await connection.execute(asked.on_conflict_do_update(index_elements=["connection"], set_=anew))


def _opened(keeper: Keeper, key: str, row: Row[Any] | None) -> Grant:
    if row is None:
        raise NoGrantError(f"nobody has let us in yet: `switchhook crm grant {key}`")
    told = keeper.open(_bound(key), row.sealed)
    times = {"expires_at": row.expires_at, "refresh_expires_at": row.refresh_expires_at}
    return msgspec.convert({**told, **times}, Grant)


def _bound(key: str) -> str:
    """What the tokens are sealed for: moved to another connection, or to its secrets, they open nothing."""
    return f"{key} grant"
