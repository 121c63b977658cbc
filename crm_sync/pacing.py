"""The limits of a CRM, kept to before they bite, by all processes together and by all connections to one account.

A bucket fills by what is sent and drains with time, as the CRM's own does. Whoever finds it full has its place kept and
waits for it, up to a bound; low requests (cards) get in while half of it is free. What a CRM says about what we used of
another limit (Bitrix24's `operating`) is kept too, and shown before it is reached.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol
from weakref import WeakKeyDictionary

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_sync.connection_tables import crm_paces
from crm_sync.errors import NoRoomError, RateLimitedError

WITHIN_SECONDS: Final = 5.0
"""So long a request waits for its place."""

_LOW_SHARE: Final = 0.5
_LOW_SECONDS: Final = 1.0
_NEARLY: Final = 0.95
"""Of what a CRM says that we used: its limit lets one more through when it is nearly reached, and then none."""

_TAKE = text(
    """
    insert into crm_paces as p (account, bucket, level, level_at)
    values (:account, :bucket, 1, clock_timestamp())
    on conflict (account, bucket) do update
    set level = greatest(p.level - extract(epoch from clock_timestamp() - p.level_at) * :rate, 0) + 1,
        level_at = clock_timestamp()
    where greatest(p.level - extract(epoch from clock_timestamp() - p.level_at) * :rate, 0) + 1
          <= :most + :within * :rate
    returning level
    """
)
_LEVEL = text(
    """
    select greatest(level - extract(epoch from clock_timestamp() - level_at) * :rate, 0) as level
    from crm_paces where account = :account and bucket = :bucket
    """
)

_rooms: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, asyncio.Semaphore]]] = WeakKeyDictionary()
"""The room of each account for requests in flight, in this process."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """Requests that a CRM limits together: it holds `most` of them and drains `per_second`."""

    name: str
    most: float
    per_second: float


class Pace(Protocol):
    """How much was sent to one account, shared by all its connections and all processes."""

    async def take(self, bucket: Bucket, *, low: bool = False) -> None:
        """Wait for a place in a bucket.

        Raises NoRoomError when there is none soon; with `low`, when less than half is free.
        """

    async def fill(self, bucket: Bucket) -> None:
        """The CRM says that the bucket is full: somebody else sends there too."""

    async def used(self, name: str, amount: float, most: float, resets_at: datetime | None) -> None:
        """The CRM says that we used so much of `most`, until `resets_at`, of what it calls `name`."""

    async def check(self, name: str, *, low: bool = False) -> None:
        """Raise NoRoomError (of the method) when what `used` said is nearly all; with `low`, half of it."""

    def at_once(self, most: int) -> AbstractAsyncContextManager[None]:
        """Wait until fewer than `most` requests of this process to the account are in flight, and be one of them."""


class SharedPace:
    """The pace of one account in the database; with `low` every request is so. `within`: seconds that others wait."""

    def __init__(self, engine: AsyncEngine, account: str, *, low: bool = False, within: float = WITHIN_SECONDS) -> None:
        self._engine = engine
        self._account = account
        self._low = low
        self._within = within

    async def take(self, bucket: Bucket, *, low: bool = False) -> None:
        """See `Pace`."""
        patience = 0.0 if low else min(self._within, _LOW_SECONDS) if self._low else self._within
        until = asyncio.get_running_loop().time() + patience
        while True:
            try:
                await self._take(bucket, 0.0 if self._low else patience, low=low or self._low)
            except RateLimitedError as error:
                # A place is not taken before it is free, for others would wait behind it.
                if not self._low or asyncio.get_running_loop().time() + (error.retry_after or 0.0) > until:
                    raise
                await asyncio.sleep(error.retry_after or 0.0)
            else:
                return

    async def _take(self, bucket: Bucket, patience: float, *, low: bool) -> None:
        room, rate = bucket.most * (_LOW_SHARE if low else 1), bucket.per_second
        of = {"account": self._account, "bucket": bucket.name, "rate": rate}
        async with self._engine.begin() as connection:
            level = (await connection.execute(_TAKE, of | {"most": room, "within": patience})).scalar()
            if level is None:
                full = (await connection.execute(_LEVEL, of)).scalar() or 0.0
                raise NoRoomError("as much was sent as may be", retry_after=max((full + 1 - room) / rate, 0.0))
        if level > room:
            await asyncio.sleep((level - room) / rate)

    async def fill(self, bucket: Bucket) -> None:
        """See `Pace`."""
        row = {"account": self._account, "bucket": bucket.name, "level": bucket.most}
        asked = insert(crm_paces).values(**row)
        full = {"level": func.greatest(crm_paces.c.level, bucket.most), "level_at": func.clock_timestamp()}
        async with self._engine.begin() as connection:
            await connection.execute(asked.on_conflict_do_update(index_elements=["account", "bucket"], set_=full))

    async def used(self, name: str, amount: float, most: float, resets_at: datetime | None) -> None:
        """See `Pace`."""
        told = {"used": amount, "most": most, "resets_at": resets_at}
        asked = insert(crm_paces).values(account=self._account, bucket=name, **told)
        async with self._engine.begin() as connection:
            await connection.execute(asked.on_conflict_do_update(index_elements=["account", "bucket"], set_=told))

    async def check(self, name: str, *, low: bool = False) -> None:
        """See `Pace`."""
        share = _LOW_SHARE if low or self._low else _NEARLY
        seconds = func.extract("epoch", crm_paces.c.resets_at - func.clock_timestamp())
        asked = select(seconds).where(
            crm_paces.c.account == self._account,
            crm_paces.c.bucket == name,
            crm_paces.c.used >= crm_paces.c.most * share,
            crm_paces.c.resets_at > func.clock_timestamp(),
        )
        async with self._engine.connect() as connection:
            left = await connection.scalar(asked)
        if left is not None:
            raise NoRoomError("nearly all that may be used is used", retry_after=float(left), scope="method")

    def at_once(self, most: int) -> AbstractAsyncContextManager[None]:
        """See `Pace`."""
        rooms = _rooms.setdefault(asyncio.get_running_loop(), {})
        return rooms.setdefault(self._account, asyncio.Semaphore(most))
