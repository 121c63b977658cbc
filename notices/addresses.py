"""Where a channel finds a person, and which of these addresses are dead."""

from __future__ import annotations

from hashlib import sha256

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from directory.model import Person
from notices.tables import dead_channels


def address_of(person: Person, channel: str) -> str | None:
    """Where a channel finds a person; the company's webhook knows them by their key."""
    return {"email": person.email, "telegram": person.telegram, "webhook": person.key}.get(channel)


async def dead_of(connection: AsyncConnection, person: Person) -> dict[str, str]:
    """The channels whose address of now is dead, each with the reason."""
    rows = await connection.execute(select(dead_channels).where(dead_channels.c.person == person.key))
    return {row.channel: row.reason for row in rows if row.address_digest == _digest(person, row.channel)}


async def bury(connection: AsyncConnection, person: Person, channel: str, reason: str) -> None:
    """Note that a person's address of now is dead."""
    row = {"person": person.key, "channel": channel, "address_digest": _digest(person, channel), "reason": reason}
    dead = insert(dead_channels).values(row)
    again = {"address_digest": dead.excluded.address_digest, "reason": reason, "since": func.clock_timestamp()}
    await connection.execute(dead.on_conflict_do_update(index_elements=["person", "channel"], set_=again))


async def revive(connection: AsyncConnection, person: Person, channel: str) -> None:
    """Note that a person's address lives."""
    mine = dead_channels.c.person == person.key, dead_channels.c.channel == channel
    await connection.execute(delete(dead_channels).where(*mine))


def _digest(person: Person, channel: str) -> bytes:
    """What stands for an address where it need not be readable."""
    return sha256((address_of(person, channel) or "").encode()).digest()
