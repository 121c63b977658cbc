"""What `switchhook person` does: each command opens the database, asks or changes one thing, and closes it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from directory import presence_store, store
from directory.model import Directory, Person
from directory.presence import Absence, Presence, Status, presence_at
from routing.there import why_not_there
from service.settings import Settings
from service.wiring import open_house


@asynccontextmanager
async def _transaction(settings: Settings) -> AsyncIterator[AsyncConnection]:
    async with open_house(settings, pool=1) as house, house.engine.begin() as connection:
        yield connection


async def send_away(
    settings: Settings, person: str, since: datetime, until: datetime, substitute: str | None, reason: str
) -> int:
    """Add an absence; returns its number."""
    async with _transaction(settings) as connection:
        return await presence_store.send_away(connection, person, Absence(0, since, until, substitute, reason))


async def come_back(settings: Settings, person: str, absence: int | None) -> list[int]:
    """End the absence that goes on, or the one of that number; returns which were ended."""
    async with _transaction(settings) as connection:
        return await presence_store.come_back(connection, person, absence)


async def set_status(settings: Settings, person: str, status: Status, until: datetime | None) -> None:
    """Set what a person says of themselves."""
    async with _transaction(settings) as connection:
        await presence_store.set_status(connection, person, status, until)


async def listed(settings: Settings) -> tuple[list[dict[str, Any]], str]:
    """(JSON, a line or more a person) of everybody's presence now and absences to come."""
    async with _transaction(settings) as connection:
        directory, book = await store.read(connection), await presence_store.read(connection)
    now = datetime.now(UTC)
    told, lines = [], []
    for person in directory.people:
        presence = presence_at(person, directory, book, now)
        coming = [it for it in book.absences.get(person.key, ()) if it.ends_at > now]
        told.append(_to_json(person, presence, coming))
        lines += _lines(person, presence, coming, directory)
    return told, "\n".join(lines)


def _to_json(person: Person, presence: Presence, coming: list[Absence]) -> dict[str, Any]:
    return {
        "key": person.key,
        "there": presence.there,
        "on_shift": presence.on_shift,
        "status": presence.status,
        "status_until": _iso(presence.status_until),
        "calendar_until": _iso(presence.calendar_until),
        "calendar_age_seconds": presence.calendar_age_seconds,
        "absences": [
            {
                "id": it.id,
                "from": _iso(it.starts_at),
                "to": _iso(it.ends_at),
                "substitute": it.substitute,
                "reason": it.reason,
            }
            for it in coming
        ],
    }


def _lines(person: Person, presence: Presence, coming: list[Absence], directory: Directory) -> list[str]:
    zone = ZoneInfo(directory.zone_of(person))
    why = why_not_there(person, presence, directory)
    lines = [f"{person.key}: {why.text if why else f'{person.name} may be rung'}"]
    for absence in coming:
        since, until = (it.astimezone(zone).strftime("%Y-%m-%d %H:%M") for it in (absence.starts_at, absence.ends_at))
        stands_in = f", {absence.substitute} stands in" if absence.substitute else ""
        reason = f" ({absence.reason})" if absence.reason else ""
        lines.append(f"  absence {absence.id}: {since} to {until}{stands_in}{reason}")
    return lines


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
