"""Who is who: persons of the directory and users of a CRM, by extension, by mailbox, or as a person said by hand.

Users of a CRM may write their own there: an extension that several say they have is nobody's until it is said by hand,
and so is a mailbox.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from sqlalchemy import Row, delete, func, select, update
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
    """One user of a CRM; `person` is who that is here, None for nobody known; `by` says how that is known."""

    user: str
    name: str
    extension: str | None
    email: str | None
    person: str | None
    by: Literal["hand", "extension", "email"] | None
    seen_at: Any

    @property
    def by_hand(self) -> bool:
        """Whether somebody said so."""
        return self.by == "hand"


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
    """Every user of a connection by name.

    What was said by hand goes before extensions, and they before mailboxes, for both sides of the pair.
    """
    asked = select(crm_users).where(crm_users.c.connection == key).order_by(crm_users.c.name, crm_users.c.user)
    rows = (await connection.execute(asked)).all()
    found: dict[str, tuple[str, Literal["hand", "extension", "email"]]] = {
        row.user: (row.person, "hand") for row in rows if row.person is not None
    }
    taken = {person for person, _ in found.values()}
    ways: tuple[tuple[Literal["extension", "email"], dict[str, str]], ...] = (
        ("extension", await _extensions(connection)),
        ("email", await _mailboxes(connection)),
    )
    for by, whose in ways:
        claims = Counter(_claim(row, by) for row in rows)
        for row in rows:
            claim = _claim(row, by)
            person = whose.get(claim) if claim and claims[claim] == 1 else None
            if person is not None and person not in taken and row.user not in found:
                found[row.user] = person, by
                taken.add(person)
    told = []
    for row in rows:
        person, known_by = found.get(row.user, (None, None))
        told.append(Known(row.user, row.name, row.extension, row.email, person, known_by, row.seen_at))
    return told


def _claim(row: Row[Any], by: Literal["extension", "email"]) -> str | None:
    """What a user says of themselves there."""
    told: str | None = getattr(row, by)
    return told.casefold() if told and by == "email" else told


async def _mailboxes(connection: AsyncConnection) -> dict[str, str]:
    """The persons by their mailbox; one that several have is nobody's."""
    rows = (await connection.execute(select(people.c.email, people.c.key).where(people.c.email.is_not(None)))).all()
    claims = Counter(row.email.casefold() for row in rows)
    return {row.email.casefold(): row.key for row in rows if claims[row.email.casefold()] == 1}


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
    rows = [
        {"connection": key, "user": one.id, "name": one.name, "extension": one.extension, "email": one.email}
        for one in {one.id: one for one in users}.values()
    ]
    asked = insert(crm_users).values([row | {"seen_at": func.clock_timestamp()} for row in rows])
    anew = {name: asked.excluded[name] for name in ("name", "extension", "email", "seen_at")}
    await connection.execute(asked.on_conflict_do_update(index_elements=["connection", "user"], set_=anew))
    gone = crm_users.c.connection == key, crm_users.c.user.not_in([one.id for one in users])
    await connection.execute(delete(crm_users).where(*gone, crm_users.c.person.is_(None)))


async def forget(connection: AsyncConnection, key: str) -> None:
    """Forget who works there: it is another CRM now, whose users may be called by the same ids."""
    await connection.execute(delete(crm_users).where(crm_users.c.connection == key))


async def pair(connection: AsyncConnection, key: str, user: str, person: str | None) -> None:
    """Say who a user of the CRM is, instead of what was said before; None: whoever has their extension or mailbox."""
    ours = crm_users.c.connection == key
    if person is not None:
        await connection.execute(update(crm_users).where(ours, crm_users.c.person == person).values(person=None))
    asked = insert(crm_users).values(connection=key, user=user, person=person)
    anew = {"person": asked.excluded.person}
    await connection.execute(asked.on_conflict_do_update(index_elements=["connection", "user"], set_=anew))
