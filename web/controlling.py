"""Holds, hands over and hangs up a call, and asks the head for help in it, for the card and for the API."""

from __future__ import annotations

import asyncio
from typing import Final
from uuid import UUID

from aiohttp import web
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from calls import help as helping
from directory.model import Directory, Person
from directory.numbers import is_short
from notices.model import Notice
from notices.telling import heads_of, tell
from recordings.audit import note
from recordings.privacy_tables import audit
from routing.outgoing import Refused
from routing.requests import Wish, judge, usage
from telephony import controls
from telephony.controls import What
from web.audited import audited
from web.guard import VIEWER, read_form
from web.house import HOUSE
from web.keeping import actor_of
from web.own_calls import OwnCall, read_own_call
from web.page import language_of
from web.refused import why_refused
from web.services import SERVICES
from web.words import say

DONE_SECONDS: Final = 5.0
"""Who attends the PBX does what is wanted within milliseconds; so long it is waited for."""
_LOOK_SECONDS: Final = 0.05

ASKED_PER_MINUTE_MOST: Final = 30
"""So much one login has done to calls in a minute, whatever becomes of it."""

_ONE_AT_A_TIME: Final = text("select pg_advisory_xact_lock(hashtextextended(:login, 50_405))")

DOES: Final[tuple[What, ...]] = ("hang_up", "hold", "resume", "transfer", "consult", "connect")
_WITH: Final[tuple[What, ...]] = ("transfer", "consult")
"""They are to somebody."""


UNASKED: Final = {"pending": 409, "too_often": 429}
"""Why the PBX is not asked at all, with the statuses of that: it is still at what was wanted before; too much was."""


class NotDoneError(Exception):
    """It could not be done; `reason` is a stable key, `words` say it to the viewer."""

    def __init__(self, reason: str, words: str) -> None:
        """Keep both."""
        super().__init__(reason)
        self.reason = reason
        self.words = words


async def control(request: web.Request, what: What, *, to: str = "") -> UUID:
    """Have something done to the call of `{id}`, which goes on; returns the call's id when the PBX did it.

    `to` is where it is transferred, or who is consulted: the key of a person, or a number. Raises 403 and 404, 400 for
    no `to`, and NotDoneError.
    """
    engine, viewer = request.app[SERVICES].engine, request[VIEWER]
    async with engine.begin() as connection:
        own = await read_own_call(request, connection)
        if not own.talks:
            raise _not_done(request, "over")
        if await _asks_too_often(connection, viewer.login):
            raise _not_done(request, "too_often")
        where = await _where(request, connection, own, to) if what in _WITH else {}
        try:
            asked = await controls.ask(connection, own.one.id, what, own.person, by=viewer.login, **where)
        except controls.UnsettledError:
            raise _not_done(request, "pending") from None
        told = {"do": what, "colleague": where.get("colleague")}
        await note(connection, actor_of(request), "call_controlled", f"call {own.one.id}", told)
    outcome = None
    for _ in range(round(DONE_SECONDS / _LOOK_SECONDS)):
        async with engine.connect() as connection:
            outcome = await controls.outcome_of(connection, asked)
        if outcome is not None:
            break
        await asyncio.sleep(_LOOK_SECONDS)
    if outcome != "done":
        raise _not_done(request, outcome or "not_yet")
    return own.one.id


async def _asks_too_often(connection: AsyncConnection, login: str) -> bool:
    """Whether a login had as much done in the last minute as anybody needs; the audit has it."""
    await connection.execute(_ONE_AT_A_TIME, {"login": login})
    asked = (audit.c.actor == login, audit.c.action == "call_controlled")
    lately = audit.c.at > func.now() - text("interval '1 minute'")
    count: int = (await connection.execute(select(func.count()).where(*asked, lately))).scalar_one()
    return count >= ASKED_PER_MINUTE_MOST


async def _where(request: web.Request, connection: AsyncConnection, own: OwnCall, to: str) -> dict[str, str]:
    """Where a call is transferred: to a colleague, or to a number that may be called. Raises 400, NotDoneError."""
    directory = await request.app[HOUSE].read()
    told = to.strip()
    colleague = directory.person(told) or (directory.person_of_number(told) if told else None)
    if colleague is not None:
        if colleague.key == own.person:
            raise web.HTTPBadRequest(text="to: a call is not transferred to who talks in it")
        return {"colleague": colleague.key}
    if not told or is_short(told):
        raise web.HTTPBadRequest(text=f"to must be the key of a person or a number, got {told[:40]!r}")
    desk = request.app[SERVICES].outgoing
    wish = Wish(to=told, person=own.person, purpose="dialled", asked_by=request[VIEWER].login)
    used = await usage(connection, directory, directory.person(own.person), desk)
    flagged = await desk.flagged(connection, directory.normal(told))
    answered, judged = judge(wish, directory, used, flagged=flagged)
    if isinstance(judged, Refused):
        raise NotDoneError(judged.reason.key, why_refused(language_of(request), judged.reason.key))
    return {"number": answered.number}


def _not_done(request: web.Request, reason: str) -> NotDoneError:
    return NotDoneError(reason, say(language_of(request), f"control.{reason}"))


def colleagues(directory: Directory, person: str | None) -> list[Person]:
    """To whom a call may be transferred: whoever else has a device, by name."""
    others = (it for it in directory.people if it.devices and it.key != person)
    return sorted(others, key=lambda it: it.name)


@audited("call_controlled")
async def turn(request: web.Request) -> web.Response:
    """POST /calls/{id}/control: `do`, and for who is reached `to`; the page shows what the PBX then tells."""
    form = await read_form(request)
    what = next((it for it in DOES if it == form.get("do")), None)
    if what is None:
        raise web.HTTPBadRequest(text=f"do must be one of {', '.join(DOES)}")
    try:
        await control(request, what, to=form.get("to_number", "").strip() or form.get("to", ""))
    except NotDoneError as error:
        return _refused(request, error.words)
    return _done(request)


@audited("help_asked", "help_withdrawn")
async def ask_head(request: web.Request) -> web.Response:
    """POST /calls/{id}/help: `do` is ask or withdraw."""
    wanted = (await read_form(request)).get("do", "")
    if wanted not in {"ask", "withdraw"}:
        raise web.HTTPBadRequest(text="do must be one of ask, withdraw")
    try:
        await need_help(request, wanted=wanted == "ask")
    except NotDoneError as error:
        return _refused(request, error.words)
    return _done(request)


async def need_help(request: web.Request, *, wanted: bool) -> UUID:
    """Ask the heads for help in the call of `{id}`, or need it no more; returns the call's id.

    The heads of its line's team see it at once, and are told as they want to be. Raises 403, 404 and NotDoneError.
    """
    async with request.app[SERVICES].engine.begin() as connection:
        own = await read_own_call(request, connection)
        if not own.talks:
            raise _not_done(request, "over")
        if not wanted:
            await helping.withdraw(connection, own.one.id, own.person)
            await note(connection, actor_of(request), "help_withdrawn", f"call {own.one.id}")
            return own.one.id
        asked = await helping.ask(connection, own.one.id, own.person)
        if asked is not None:
            await note(connection, actor_of(request), "help_asked", f"call {own.one.id}")
            directory = await request.app[HOUSE].read()
            told = Notice(
                key=f"help_asked {asked}",
                kind="help_asked",
                subject="call",
                subject_id=str(own.one.id),
                values={"person": own.person},
            )
            heads = [key for key in heads_of(directory, own.one.row.line) if key != own.person]
            await tell(connection, directory, told, heads)
    return own.one.id


def _refused(request: web.Request, words: str) -> web.Response:
    if "HX-Request" in request.headers:
        return web.Response(text=words)
    raise web.HTTPConflict(text=words)


def _done(request: web.Request) -> web.Response:
    if "HX-Request" in request.headers:
        return web.Response(text="")
    return web.Response(status=303, headers={"Location": "/"})
