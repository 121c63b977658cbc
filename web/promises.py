"""What people do about a promise to call back, as the page and the API share it: call, be on it, let go, close."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web
from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from calls import claims
from calls.follow_up_list import COLUMNS
from calls.follow_ups import close_by_hand, note
from calls.tables import follow_ups
from directory.model import Directory
from recordings import audit
from routing import requests
from routing.requests import Answered, TooManyAskedError, UnknownPersonError, Wish
from routing.tables import UNDER_WAY, outgoing_calls
from web.guard import VIEWER
from web.house import HOUSE
from web.keeping import actor_of
from web.rights import own_follow_ups, scope_of
from web.services import SERVICES
from web.sessions import Viewer

CLOSERS: Final = ("head", "admin")
"""Who closes a promise without a talk, and takes a colleague off one."""


class PromiseError(Exception):
    """It cannot be done; `why` is a key of `missed.cannot.*`, `who` the colleague who is on it, where one is."""

    def __init__(self, why: str, who: str = "") -> None:
        super().__init__(why)
        self.why, self.who = why, who


async def read_mine(request: web.Request, connection: AsyncConnection, number: int) -> Any:
    """The promise of that id, held to the end of the transaction. Raises 404 for none, 403 for somebody else's."""
    viewer, directory = request[VIEWER], await request.app[HOUSE].read()
    mine = own_follow_ups(viewer, scope_of(viewer, directory)).label("mine")
    asked = select(*COLUMNS, claims.WHO, claims.SINCE, mine).where(follow_ups.c.id == number)
    row = (await connection.execute(asked.with_for_update(of=follow_ups))).one_or_none()
    if row is None:
        raise web.HTTPNotFound(text=f"There is no follow-up {number}.")
    if not row.mine:
        raise web.HTTPForbidden(text="This promise is neither yours nor nobody's of your lines.")
    return row


def name_of(viewer: Viewer) -> str:
    """How a claim names who made it."""
    return viewer.person or viewer.login


async def call_back(request: web.Request, connection: AsyncConnection, row: Any, key: str | None = None) -> Answered:
    """Have the viewer's phone called, then whoever waits; the viewer is on it then.

    Raises PromiseError, 403 for a login without a phone, 400 and 429.
    """
    viewer, services = request[VIEWER], request.app[SERVICES]
    if viewer.person is None:
        raise web.HTTPForbidden(text="This login belongs to nobody in the directory: there is no phone to ring.")
    if key is None or not await _was_asked(connection, viewer.login, key):
        await _must_be_free(connection, row, name_of(viewer))
    line = _line_of(await request.app[HOUSE].read(), row.line)
    wish = Wish(
        to=f"+{row.number}" if row.number.isdecimal() else row.number,
        person=viewer.person,
        purpose="click",
        asked_by=viewer.login,
        key=key,
        line=line,
        follow_up=row.id,
    )
    try:
        told = await requests.ask(connection, wish, services.outgoing)
    except UnknownPersonError:
        raise web.HTTPBadRequest(text=f"There is nobody {viewer.person!r} in the directory.") from None
    except TooManyAskedError:
        raise web.HTTPTooManyRequests(text="Too many calls were asked for within a minute.") from None
    if told.id == wish.id:  # not what was answered before, for the same key
        await note(connection, row.id, "tried", told.reason_key or "callback", who=viewer.login)
        asked = {"person": viewer.person, "state": told.state, "reason": told.reason_key, "follow_up": row.id}
        await audit.note(connection, actor_of(request), "call_asked", f"outgoing {told.id}", asked)
        if told.state == "wanted":
            await claims.claim(connection, row.id, name_of(viewer))
    return told


async def _was_asked(connection: AsyncConnection, login: str, key: str) -> bool:
    mine = outgoing_calls.c.asked_by == login, outgoing_calls.c.idempotency_key == key
    return bool(await connection.scalar(select(exists(select(outgoing_calls.c.id).where(*mine)))))


async def _must_be_free(connection: AsyncConnection, row: Any, who: str) -> None:
    _must_be_open(row)
    if row.claimed_by not in {None, who}:
        raise PromiseError("taken", row.claimed_by)
    called = exists(
        select(outgoing_calls.c.id).where(outgoing_calls.c.number == row.number, outgoing_calls.c.state.in_(UNDER_WAY))
    )
    if await connection.scalar(select(called)):
        raise PromiseError("being_called")


def _must_be_open(row: Any) -> None:
    if row.closed_at is not None:
        raise PromiseError("closed")


def _line_of(directory: Directory, number: str) -> str | None:
    """The line that they called, so that they know who calls back; None: it has no way out."""
    line = directory.line(number)
    return line.number if line is not None and line.trunk else None


async def take(request: web.Request, connection: AsyncConnection, row: Any) -> None:
    """The viewer is on it. Raises PromiseError."""
    _must_be_open(row)
    other = await claims.claim(connection, row.id, name_of(request[VIEWER]))
    if other is not None:
        raise PromiseError("taken", other)
    await audit.note(connection, actor_of(request), "follow_up_taken", f"follow-up {row.id}")


async def let_go(request: web.Request, connection: AsyncConnection, row: Any) -> None:
    """Whoever is on it is no more: the viewer, or for heads and admins anybody. Raises PromiseError."""
    viewer = request[VIEWER]
    if row.claimed_by not in {None, name_of(viewer)} and viewer.role not in CLOSERS:
        raise PromiseError("taken", row.claimed_by)
    await claims.release(connection, row.id)
    told = {"by": row.claimed_by} if row.claimed_by else None
    await audit.note(connection, actor_of(request), "follow_up_let_go", f"follow-up {row.id}", before=told)


async def close(request: web.Request, connection: AsyncConnection, row: Any, reason: str) -> None:
    """Close it without a talk, by heads and admins; one that is closed stands. Raises FollowUpRefused."""
    viewer = request[VIEWER]
    if viewer.role not in CLOSERS:
        raise web.HTTPForbidden(text="Only heads and admins close a promise without a talk.")
    if row.closed_at is None:
        await close_by_hand(connection, row.id, viewer.login, reason)
        await audit.note(connection, actor_of(request), "follow_up_closed", f"follow-up {row.id}")
