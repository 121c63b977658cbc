"""Asks a CRM whose caller it is, for so long as a caller may wait; what it said last stands in for a late answer.

A look-up that is late goes on behind the caller's back, so that the next call finds a younger copy. Copies are kept in
PostgreSQL and told to every process; who learns from the CRM that an owner changed writes over the copy with ``renew``.
"""

import asyncio
import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import structlog
from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from routing.arrival import Arrival, Facts
from routing.gather import caller
from routing.owner import Copy, Told, with_owner
from routing.tables import owner_copies

_log = structlog.get_logger()

CHANNEL: Final = "switchhook_owners"
"""NOTIFY channel; the payload is a number."""

BUDGET_SECONDS: Final = 0.3
DAYS: Final = 90
"""So long a copy is kept that no call and no word of the CRM renewed."""
COPIES_MOST: Final = 200_000
"""Copies kept in memory, about 200 bytes each; of the others none stands in for the CRM."""

_PATIENCE_SECONDS: Final = 10.0
_AT_ONCE: Final = 32
"""A CRM that hangs is not asked by more than so many calls at a time."""


class OwnerLookup(Protocol):
    """Asks a CRM who owns a number (E.164 digits): a key of a person, None for nobody. Raises what goes wrong."""

    async def __call__(self, number: str, /) -> str | None:
        """Ask it."""
        ...


Waited = Callable[[str, float], None]
"""Is told how a caller's wait for the CRM ended (told, late, failed), and after how many seconds."""


async def read(connection: AsyncConnection, numbers: Collection[str] | None = None) -> dict[str, Copy]:
    """Read the copies of these numbers, None asks for the youngest of all; of all, the oldest comes first."""
    query = select(owner_copies)
    if numbers is None:
        query = query.order_by(owner_copies.c.told_at.desc()).limit(COPIES_MOST)
    else:
        query = query.where(owner_copies.c.number.in_(numbers))
    rows = (await connection.execute(query)).all()
    return {row.number: Copy(row.owner, row.told_at) for row in reversed(rows)}


def put(copies: dict[str, Copy], number: str, copy: Copy, most: int = COPIES_MOST) -> None:
    """Keep a copy in memory as the youngest; of more than ``most`` the one that was put longest ago goes."""
    copies.pop(number, None)
    copies[number] = copy
    while len(copies) > most:
        del copies[next(iter(copies))]


async def keep(connection: AsyncConnection, number: str, copy: Copy) -> None:
    """Write what the CRM said and tell `switchhook_owners`; an older word never overwrites a newer one."""
    new = insert(owner_copies).values(number=number, owner=copy.owner, told_at=copy.told_at)
    upsert = new.on_conflict_do_update(
        index_elements=[owner_copies.c.number],
        set_={"owner": new.excluded.owner, "told_at": new.excluded.told_at},
        where=owner_copies.c.told_at <= new.excluded.told_at,
    )
    await connection.execute(upsert)
    await connection.execute(select(func.pg_notify(CHANNEL, number)))


async def renew(connection: AsyncConnection, number: str, copy: Copy) -> None:
    """Write what the CRM told unasked over an older word; of a number that nobody called from nothing is kept."""
    is_older = owner_copies.c.number == number, owner_copies.c.told_at <= copy.told_at
    await connection.execute(update(owner_copies).where(*is_older).values(owner=copy.owner, told_at=copy.told_at))
    await connection.execute(select(func.pg_notify(CHANNEL, number)))


async def forget(connection: AsyncConnection) -> int:
    """Forget what the CRM said last of numbers that nobody called from for so long; returns how many."""
    old = owner_copies.c.told_at < func.clock_timestamp() - func.make_interval(0, 0, 0, DAYS)
    gone = await connection.execute(delete(owner_copies).where(old))
    if gone.rowcount:
        await connection.execute(select(func.pg_notify(CHANNEL, "")))
    return gone.rowcount


class CrmOwners:
    """Owners by a CRM's word. ``copies`` is by number, kept true by routing.memory."""

    def __init__(
        self,
        look_up: OwnerLookup,
        engine: AsyncEngine,
        *,
        budget_seconds: float = BUDGET_SECONDS,
        waited: Waited = lambda _result, _seconds: None,
        name: str | None = None,
    ) -> None:
        """Take who is asked, and for how long at most a caller waits for it; ``waited`` is told of each wait.

        ``name`` is what people call that CRM.
        """
        self.copies: dict[str, Copy] = {}
        self._look_up = look_up
        self._engine = engine
        self._budget_seconds = budget_seconds
        self._waited = waited
        self._name = name
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._asking: dict[str, asyncio.Task[Copy]] = {}
        self._keeping: set[asyncio.Task[None]] = set()

    async def complete(self, arrival: Arrival, facts: Facts, most_seconds: float) -> Facts:
        """Give the facts with the owner that the CRM tells; colleagues, the blocked and the hidden are nobody's."""
        number = caller(arrival, facts.directory)
        if not number or facts.directory.is_staff(number) or facts.directory.is_blocked(number):
            return facts
        told = await self.owner(number, most_seconds)
        self._waited(told.fault or "told", told.seconds)
        return with_owner(facts, told, datetime.now(UTC))

    async def owner(self, number: str, most_seconds: float) -> Told:
        """Ask whose number it is, for as long as the budget and ``most_seconds`` allow; raises nothing."""
        began_at = time.monotonic()
        asking = self._asked(number)
        done, _ = await asyncio.wait({asking}, timeout=max(0.0, min(self._budget_seconds, most_seconds)))
        seconds = time.monotonic() - began_at
        if not done:
            return Told(self.copies.get(number), seconds, "late", self._name)
        if asking.cancelled() or asking.exception() is not None:
            return Told(self.copies.get(number), seconds, "failed", self._name)
        return Told(asking.result(), seconds, crm=self._name)

    async def close(self) -> None:
        """Give up what is still asked."""
        tasks: list[asyncio.Task[Any]] = [*self._asking.values(), *self._keeping]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _asked(self, number: str) -> "asyncio.Task[Copy]":
        """The question about this number, which may be open already."""
        asking = self._asking.get(number)
        if asking is None:
            asking = self._asking[number] = asyncio.create_task(self._ask(number))
            asking.add_done_callback(lambda task: self._answered(number, task))
        return asking

    async def _ask(self, number: str) -> Copy:
        async with asyncio.timeout(_PATIENCE_SECONDS), self._room:
            return Copy(await self._look_up(number), datetime.now(UTC))

    def _answered(self, number: str, asking: "asyncio.Task[Copy]") -> None:
        del self._asking[number]
        if asking.cancelled():
            return
        error = asking.exception()
        if error is not None:
            # What a CRM's error says may repeat the number.
            _log.warning("the CRM did not tell an owner", error=type(error).__name__)
            return
        copy = asking.result()
        put(self.copies, number, copy)
        task = asyncio.create_task(self._keep(number, copy))
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)

    async def _keep(self, number: str, copy: Copy) -> None:
        try:
            async with self._engine.begin() as connection:
                await keep(connection, number, copy)
        except (SQLAlchemyError, OSError) as error:
            _log.warning("what the CRM told could not be kept", error=type(error).__name__)
