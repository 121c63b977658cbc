"""Who is who: persons of the directory and users of a CRM, by extension, or as a person said by hand.

Users of a CRM may write their own extension there: one that several say they have is nobody's until it is said by hand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from crm_sync.connection_tables import crm_users
from crm_sync.crm import CrmUser
from directory.tables import devices, people


class People(Protocol):
    """Who is who in one CRM: what it said last, also when it says nothing now."""

    async def user_of(self, person: str | None) -> str | None:
        """What the CRM calls a person (by their key here); None: nobody there, or nobody known."""

    async def person_of(self, user: str | None) -> str | None:
        """The key of the person whom the CRM calls so; None: nobody here."""


@dataclass(frozen=True, slots=True)
class Known:
    """One user of a CRM; `person` is who that is here, by hand or by extension, None for nobody known."""

    user: str
    name: str
    extension: str | None
    person: str | None
    by_hand: bool
    seen_at: Any


class KnownPeople:
    """The people of one connection in the database."""

    def __init__(self, engine: AsyncEngine, key: str) -> None:
        self._engine = engine
        self._key = key

    async def user_of(self, person: str | None) -> str | None:
        """See `People`."""
        if person is None:
            return None
        async with self._engine.connect() as connection:
            return next((one.user for one in await known(connection, self._key) if one.person == person), None)

    async def person_of(self, user: str | None) -> str | None:
        """See `People`."""
        if user is None:
            return None
        async with self._engine.connect() as connection:
            return next((one.person for one in await known(connection, self._key) if one.user == user), None)


async def known(connection: AsyncConnection, key: str) -> list[Known]:
    """Every user of a connection by name. What was said by hand goes before extensions, for both sides of the pair."""
    by_hand = {
        row.person: row.user
        for row in await connection.execute(
            select(crm_users.c.user, crm_users.c.person).where(
                crm_users.c.connection == key, crm_users.c.person.is_not(None)
            )
        )
    }
    extensions = await _extensions(connection)
    asked = select(crm_users).where(crm_users.c.connection == key).order_by(crm_users.c.name, crm_users.c.user)
    rows = (await connection.execute(asked)).all()
    claims = Counter(row.extension for row in rows)
    told, taken = [], set(by_hand)
    for row in rows:
        person = row.person
        if person is None and claims[row.extension] == 1:
            person = extensions.get(row.extension)
            person = None if person in taken else person
        if person is not None:
            taken.add(person)
        told.append(Known(row.user, row.name, row.extension, person, row.person is not None, row.seen_at))
    return told


async def disputed(connection: AsyncConnection, key: str) -> tuple[str, ...]:
    """What `Probed.missing` tells of extensions that several users have, while nobody said whose they are."""
    told = await known(connection, key)
    extensions, by_hand = await _extensions(connection), {one.person for one in told if one.by_hand}
    claims = Counter(one.extension for one in told if one.extension is not None)
    return tuple(
        f"extension {extension} of one user alone, or `switchhook crm pair`"
        for extension, count in sorted(claims.items())
        if count > 1 and extension in extensions and extensions[extension] not in by_hand
    )


async def _extensions(connection: AsyncConnection) -> dict[str, str]:
    """The persons by the internal numbers of their devices."""
    asked = select(devices.c.number, devices.c.person).where(devices.c.number.is_not(None))
    return {row.number: row.person for row in await connection.execute(asked.order_by(devices.c.position))}


async def unknown(connection: AsyncConnection, key: str) -> list[str]:
    """Keys of persons whom the CRM does not know."""
    there = {one.person for one in await known(connection, key)}
    rows = await connection.execute(select(people.c.key).order_by(people.c.position))
    return [row.key for row in rows if row.key not in there]


async def is_person(connection: AsyncConnection, person: str) -> bool:
    """Whether the directory has a person of that key."""
    return bool(await connection.scalar(select(people.c.key).where(people.c.key == person)))


async def keep_users(connection: AsyncConnection, key: str, users: Sequence[CrmUser]) -> None:
    """Keep what the CRM says now. Who is not named any more is forgotten, unless a person said who that is.

    No user at all is no answer to believe: the last one stays.
    """
    if not users:
        return
    rows = [{"connection": key, "user": one.id, "name": one.name, "extension": one.extension} for one in users]
    asked = insert(crm_users).values([row | {"seen_at": func.clock_timestamp()} for row in rows])
    anew = {name: asked.excluded[name] for name in ("name", "extension", "seen_at")}
    await connection.execute(asked.on_conflict_do_update(index_elements=["connection", "user"], set_=anew))
    gone = crm_users.c.connection == key, crm_users.c.user.not_in([one.id for one in users])
    await connection.execute(delete(crm_users).where(*gone, crm_users.c.person.is_(None)))


async def pair(connection: AsyncConnection, key: str, user: str, person: str | None) -> None:
    """Say who a user of the CRM is, instead of what was said before; None: whoever has their extension."""
    ours = crm_users.c.connection == key
    if person is not None:
        await connection.execute(update(crm_users).where(ours, crm_users.c.person == person).values(person=None))
    asked = insert(crm_users).values(connection=key, user=user, person=person)
    anew = {"person": asked.excluded.person}
    await connection.execute(asked.on_conflict_do_update(index_elements=["connection", "user"], set_=anew))
