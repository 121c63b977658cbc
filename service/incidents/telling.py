"""Tells operators and admins that something grave began, and that it is over, once each."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.incidents import What
from directory import store
from notices.model import Notice, plain
from notices.telling import people_of, tell


async def tell_of(connection: AsyncConnection, what: What, incident: Row[Any]) -> None:
    """In the transaction in which it happened; of one that is open again nobody is told anew."""
    if not incident.grave or what == "reopened":
        return
    values: dict[str, str | int] = {
        "fault": incident.kind,
        "about": plain(incident.subject),
        "began_at": incident.started_at.isoformat(timespec="seconds"),
    }
    if what == "closed":
        values |= {
            "ended_at": incident.ended_at.isoformat(timespec="seconds"),
            "lost": incident.calls_lost,
            "saved": incident.calls_saved,
        }
    directory = await store.read(connection)
    people = people_of(directory, "operator") + people_of(directory, "admin") or people_of(directory, "head")
    key = f"incident_{what} {incident.id}"
    notice = Notice(key=key, kind=f"incident_{what}", subject="house", subject_id=str(incident.id), values=values)
    await tell(connection, directory, notice, people)
