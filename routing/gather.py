"""The facts of a decision, read from the database."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.tables import calls
from directory import presence_store, store
from directory.model import Directory
from directory.presence import Presences
from routing import answers
from routing.arrival import Arrival, DeviceFact, Facts

REMEMBERED: Final = timedelta(days=400)
"""Who talked with a number longer ago than this is not asked for."""

_DIGITS_LEAST: Final = 7
_TALKED: Final = ("talking", "answered")
"""A call out has its person before anybody answers."""


class DeviceReader(Protocol):
    """Reads the states of one PBX's devices by their addresses."""

    async def __call__(self, connection: AsyncConnection, pbx: str, /) -> Mapping[str, DeviceFact]:
        """Read them."""
        ...


class OwnerReader(Protocol):
    """Reads who owns the open leads of these numbers (E.164 digits), as keys of people; None asks for all numbers."""

    async def __call__(self, connection: AsyncConnection, numbers: Collection[str] | None, /) -> Mapping[str, str]:
        """Read them; a number without an owner is absent."""
        ...


class PartyReader(Protocol):
    """Reads the stage of the lead of these numbers' parties (E.164 digits); None asks for all numbers."""

    async def __call__(
        self, connection: AsyncConnection, numbers: Collection[str] | None, /
    ) -> Mapping[str, str | None]:
        """Read them; a number that is no party's is absent, one whose party never had a lead has None."""
        ...


@dataclass(frozen=True, slots=True)
class Talk:
    """Who talked with a number, and when; ``number`` stands as a person dialled it when ``dialed`` says so."""

    number: str
    person: str
    at: datetime
    dialed: bool


async def read_facts(
    connection: AsyncConnection,
    arrival: Arrival,
    devices: DeviceReader,
    owners: OwnerReader,
    parties: PartyReader | None = None,
    ahead: timedelta = timedelta(),
    directory: Directory | None = None,
) -> Facts:
    """Read everything that a decision on this arrival rests on; ``ahead`` is its PBX's clock minus ours.

    ``directory`` is one that is not saved, in place of the one that is.
    """
    directory = directory or await store.read(connection)
    number = caller(arrival, directory)
    party = await parties(connection, [number]) if parties and number else {}
    return Facts(
        directory=directory,
        devices=await devices(connection, arrival.pbx),
        presence=Presences(directory, await presence_store.read(connection), arrival.at - ahead),
        owner=(await owners(connection, [number])).get(number) if number else None,
        last_talked=await last_talked(connection, number) if number else None,
        answers=await answers.read(connection),
        known=number in party if parties else None,
        stage=party.get(number),
    )


def caller(arrival: Arrival, directory: Directory) -> str:
    """Give the number by which a caller can be known again; empty for a hidden or an internal one."""
    number = directory.normal(arrival.caller_number, arrival.line)
    return number if is_public(number) else ""


async def last_talked(connection: AsyncConnection, number: str) -> str | None:
    """Find who talked with a number last, in either direction."""
    dialed = and_(calls.c.direction == "outbound", calls.c.dialed.in_((number, f"+{number}")))
    query = _talks().where(or_(calls.c.caller_number == number, dialed)).limit(1)
    found = (await connection.execute(query)).first()
    return found.person if found else None


async def all_talks(connection: AsyncConnection, most: int) -> list[Talk]:
    """Read who talked with each number last: the latest ``most`` calls that somebody talked on, newest first."""
    return _read_talks((await connection.execute(_talks().limit(most))).all())


async def talks_of(connection: AsyncConnection, call_ids: Collection[UUID]) -> list[Talk]:
    """Read who talked on these calls."""
    return _read_talks((await connection.execute(_talks().where(calls.c.id.in_(call_ids)))).all())


async def callers_of(connection: AsyncConnection, call_ids: Collection[UUID]) -> list[str]:
    """Read the numbers of those who called in on these calls."""
    query = select(calls.c.caller_number).where(calls.c.id.in_(call_ids), calls.c.direction == "inbound")
    return [number for number in await connection.scalars(query) if is_public(number or "")]


def _other_side() -> ColumnElement[Any]:
    return case((calls.c.direction == "outbound", calls.c.dialed), else_=calls.c.caller_number)


def _talks() -> Select[Any]:
    return (
        select(_other_side().label("number"), calls.c.person, calls.c.started_at, calls.c.direction)
        .where(
            calls.c.person.is_not(None),
            calls.c.status.in_(_TALKED),
            calls.c.joined_into.is_(None),
            calls.c.started_at > func.now() - REMEMBERED,
        )
        .order_by(calls.c.started_at.desc())
    )


def _read_talks(rows: Collection[Any]) -> list[Talk]:
    return [
        Talk(row.number, row.person, row.started_at, row.direction == "outbound")
        for row in rows
        if is_public(row.number or "")
    ]


def is_public(number: str) -> bool:
    """Tell whether a caller can be known again by this number."""
    return number.isascii() and number.isdigit() and len(number) >= _DIGITS_LEAST
