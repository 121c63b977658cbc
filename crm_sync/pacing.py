"""The limits of a CRM, kept to before they bite, by all processes together.

A bucket fills by what is sent and drains with time, as the CRM's own does. Whoever finds it full has its place kept and
waits for it, up to a bound; low requests (cards) get in while half of it is free. What a CRM says about what we used of
another limit (Bitrix24's `operating`) is kept too, and shown before it is reached.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Final, Protocol

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_sync.connection_tables import crm_paces
from crm_sync.errors import RateLimitedError

WITHIN_SECONDS: Final = 5.0
"""So long a request waits for its place, unless its caller says otherwise."""

_LOW_SHARE: Final = 0.5
_LOW_SECONDS: Final = 1.0
_NEARLY: Final = 0.95
"""Of what a CRM says that we used: its limit lets one more through when it is nearly reached, and then none."""

_TAKE = text(
    """
    insert into crm_paces as p (connection, bucket, level, level_at)
    values (:key, :bucket, :cost, clock_timestamp())
    on conflict (connection, bucket) do update
    set level = greatest(p.level - extract(epoch from clock_timestamp() - p.level_at) * :rate, 0) + :cost,
        level_at = clock_timestamp()
    where greatest(p.level - extract(epoch from clock_timestamp() - p.level_at) * :rate, 0) + :cost
          <= :most + :within * :rate
    returning level
    """
)
_LEVEL = text(
    """
    select greatest(level - extract(epoch from clock_timestamp() - level_at) * :rate, 0) as level
    from crm_paces where connection = :key and bucket = :bucket
    """
)


class Pace(Protocol):
    """How much one connection has sent, shared by all processes."""

    async def take(
        self,
        bucket: str,
        *,
        most: float,
        per_second: float,
        cost: float = 1.0,
        low: bool = False,
        within: float = WITHIN_SECONDS,
    ) -> None:
        """Wait for a place in a bucket that holds `most` and drains `per_second`.

        Raises RateLimitedError when there is none within `within` seconds; with `low`, when less than half is free.
        """

    async def fill(self, bucket: str, *, most: float) -> None:
        """The CRM says that the bucket is full: somebody else sends there too."""

    async def used(self, bucket: str, amount: float, most: float, resets_at: datetime | None) -> None:
        """The CRM says that we used so much of `most`, until `resets_at`."""

    async def check(self, bucket: str, *, low: bool = False) -> None:
        """Raise RateLimitedError (of the method) when what `used` said is nearly all; with `low`, half of it."""


class SharedPace:
    """The pace of one connection in the database; with `low` every request is so."""

    def __init__(self, engine: AsyncEngine, key: str, *, low: bool = False) -> None:
        self._engine = engine
        self._key = key
        self._low = low

    async def take(
        self,
        bucket: str,
        *,
        most: float,
        per_second: float,
        cost: float = 1.0,
        low: bool = False,
        within: float = WITHIN_SECONDS,
    ) -> None:
        """See `Pace`."""
        patience = 0.0 if low else min(within, _LOW_SECONDS) if self._low else within
        until = asyncio.get_running_loop().time() + patience
        while True:
            try:
                await self._take(bucket, most, per_second, cost, 0.0 if self._low else patience, low=low or self._low)
            except RateLimitedError as error:
                # A place is not taken before it is free, for others would wait behind it.
                if not self._low or asyncio.get_running_loop().time() + (error.retry_after or 0.0) > until:
                    raise
                await asyncio.sleep(error.retry_after or 0.0)
            else:
                return

    async def _take(
        self, bucket: str, most: float, per_second: float, cost: float, patience: float, *, low: bool
    ) -> None:
        room = most * _LOW_SHARE if low else most
        asked = {"key": self._key, "bucket": bucket, "cost": cost, "rate": per_second, "most": room, "within": patience}
        async with self._engine.begin() as connection:
            level = (await connection.execute(_TAKE, asked)).scalar()
            if level is None:
                full = (await connection.execute(_LEVEL, asked)).scalar() or 0.0
                seconds = max((full + cost - room) / per_second, 0.0)
                raise RateLimitedError("as much was sent as may be", retry_after=seconds)
        if level > room:
            await asyncio.sleep((level - room) / per_second)

    async def fill(self, bucket: str, *, most: float) -> None:
        """See `Pace`."""
        row = {"connection": self._key, "bucket": bucket, "level": most}
        asked = insert(crm_paces).values(**row)
        full = {"level": func.greatest(crm_paces.c.level, most), "level_at": func.clock_timestamp()}
        async with self._engine.begin() as connection:
            await connection.execute(asked.on_conflict_do_update(index_elements=["connection", "bucket"], set_=full))

    async def used(self, bucket: str, amount: float, most: float, resets_at: datetime | None) -> None:
        """See `Pace`."""
        told = {"used": amount, "most": most, "resets_at": resets_at}
        asked = insert(crm_paces).values(connection=self._key, bucket=bucket, **told)
        async with self._engine.begin() as connection:
            await connection.execute(asked.on_conflict_do_update(index_elements=["connection", "bucket"], set_=told))

    async def check(self, bucket: str, *, low: bool = False) -> None:
        """See `Pace`."""
        share = _LOW_SHARE if low or self._low else _NEARLY
        seconds = func.extract("epoch", crm_paces.c.resets_at - func.clock_timestamp())
        asked = select(seconds).where(
            crm_paces.c.connection == self._key,
            crm_paces.c.bucket == bucket,
            crm_paces.c.used >= crm_paces.c.most * share,
            crm_paces.c.resets_at > func.clock_timestamp(),
        )
        async with self._engine.connect() as connection:
            left = await connection.scalar(asked)
        if left is not None:
            raise RateLimitedError("nearly all that may be used is used", retry_after=float(left), scope="method")
