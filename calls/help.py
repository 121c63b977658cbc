"""Who asks the head for help in a call that goes on; it is over when the call is, when it is withdrawn, or taken."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.tables import calls, help_requests

CHANNEL: Final = "switchhook_help"
"""NOTIFY channel: somebody asks for help, withdrew that, or a head came; the payload is the call's id."""

_NOTIFY: Final = text("select pg_notify(:channel, :payload)")


async def ask(connection: AsyncConnection, call_id: UUID, person: str) -> int | None:
    """Ask for help in a call, as the person of this key, and give the request's id; None: it is asked already."""
    asked = insert(help_requests).values(call_id=call_id, person=person).on_conflict_do_nothing()
    request: int | None = (await connection.execute(asked.returning(help_requests.c.id))).scalar_one_or_none()
    if request is not None:
        await _tell(connection, call_id)
    return request


async def withdraw(connection: AsyncConnection, call_id: UUID, person: str) -> bool:
    """Need no help any more; False: none was asked for."""
    mine = (help_requests.c.call_id == call_id, help_requests.c.person == person)
    gone = update(help_requests).where(*mine, help_requests.c.withdrawn_at.is_(None))
    withdrawn = (await connection.execute(gone.values(withdrawn_at=func.clock_timestamp()))).rowcount > 0
    if withdrawn:
        await _tell(connection, call_id)
    return withdrawn


async def take(connection: AsyncConnection, call_id: UUID, by: str) -> int:
    """Note that a head (key, or login) comes to help in a call; gives how many requests were open."""
    taken = update(help_requests).where(help_requests.c.call_id == call_id, *_open())
    count = (await connection.execute(taken.values(taken_by=by, taken_at=func.clock_timestamp()))).rowcount
    if count:
        await _tell(connection, call_id)
    return count


def open_requests(*where: ColumnElement[bool]) -> Select[Any]:
    """The rows of `help_requests` that nobody came to yet, of calls that go on, the oldest first."""
    going_on = (
        select(help_requests).join(calls, calls.c.id == help_requests.c.call_id).where(calls.c.ended_at.is_(None))
    )
    return going_on.where(*_open(), *where).order_by(help_requests.c.asked_at, help_requests.c.id)


async def standing(connection: AsyncConnection, call_id: UUID, person: str) -> Any:
    """The row of the person's request in a call that was not withdrawn; None: they did not ask."""
    mine = (help_requests.c.call_id == call_id, help_requests.c.person == person)
    asked = select(help_requests).where(*mine, help_requests.c.withdrawn_at.is_(None))
    return (await connection.execute(asked)).one_or_none()


def _open() -> tuple[ColumnElement[bool], ...]:
    return help_requests.c.taken_at.is_(None), help_requests.c.withdrawn_at.is_(None)


async def _tell(connection: AsyncConnection, call_id: UUID) -> None:
    await connection.execute(_NOTIFY, {"channel": CHANNEL, "payload": str(call_id)})
