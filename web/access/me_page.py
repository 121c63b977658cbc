"""What everybody keeps of their own login: password, language, open sessions, API tokens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from math import ceil
from typing import Any, Final

from aiohttp import web
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from directory.tables import users as table
from web import attempts, sessions, users
from web.access import logins
from web.access.agents import browser_of
from web.access.forms import number_of
from web.access.users_page import NOTHING, Asked, Shown, make_token, revoke_token
from web.addresses import counted
from web.attempts import TRIES
from web.audited import audited
from web.guard import VIEWER, address_of, read_form
from web.page import page
from web.services import SERVICES
from web.users import BusyError, UserError, digest, password_fits


async def show(request: web.Request) -> web.Response:
    """GET /me."""
    return await _page(request)


@audited("password_set", "sessions_ended", "token_made", "token_revoked")
async def change(request: web.Request) -> web.Response:
    """POST /me: `do` is password, session, others, token or revoke; what may not be is answered with 422."""
    form = await read_form(request)
    if form.get("do") == "password":
        return await _set_password(request, form)
    does = _DOES.get(form.get("do", ""))
    if does is None:
        raise web.HTTPBadRequest(text=f"do must be one of password, {', '.join(_DOES)}")
    try:
        user, proves = request[VIEWER].user, does is _make_token
        proven = await _prove(request, form.get("old", "")) if proves else None
        async with request.app[SERVICES].engine.begin() as connection:
            one = await (_held(connection, user, proven) if proves else logins.one_login(connection, user))
            shown = await does(Asked(request, connection, one, form)) if one else None
    except UserError as error:
        return await _page(request, Shown(wrong=error, form=form), status=422)
    return web.Response(status=303, headers={"Location": "/me"}) if shown is None else await _page(request, shown)


async def _end_session(asked: Asked) -> None:
    if await logins.end_session(asked.connection, asked.one.id, number_of(asked.form, "id")):
        await asked.note("sessions_ended", details={"count": 1})


async def _end_others(asked: Asked) -> None:
    count = await logins.end_others(asked.connection, asked.one.id, _cookie(asked.request))
    if count:
        await asked.note("sessions_ended", details={"count": count})


async def _make_token(asked: Asked) -> Shown:
    return Shown(token=await make_token(asked))


_DOES: Final[Mapping[str, Callable[[Asked], Awaitable[Shown | None]]]] = {
    "session": _end_session, "others": _end_others, "token": _make_token, "revoke": revoke_token,
}  # fmt: skip


async def _set_password(request: web.Request, form: Mapping[str, str]) -> web.Response:
    """Take a new password from who knows the old one; all sessions end, and this browser gets a new one."""
    services, viewer = request.app[SERVICES], request[VIEWER]
    try:
        proven = await _prove(request, form.get("old", ""))
        if proven is None:
            raise UserError("old: the login has no password", "old")
        async with services.engine.begin() as connection:
            one = await _held(connection, viewer.user, proven)
            await users.set_password(connection, one.login, _repeated(form))
            await Asked(request, connection, one, form).note("password_set")
            cookie = await sessions.begin(connection, viewer.user, request.headers.get("User-Agent", ""))
    except UserError as error:
        return await _page(request, Shown(wrong=error, form=form), status=422)
    response = web.Response(status=303, headers={"Location": "/me?saved"})
    sessions.give_cookie(response, cookie, secure=services.secure)
    return response


async def _prove(request: web.Request, password: str) -> str | None:
    """Ask that the viewer knows their password, as slowly and as seldom as at the login. Raises UserError, 429.

    Gives the hash that it fits; None for a login without a password, which is asked for none.
    """
    engine, viewer = request.app[SERVICES].engine, request[VIEWER]
    asked = select(table.c.password_hash).where(table.c.id == viewer.user)
    async with engine.connect() as connection:
        hashed: str | None = await connection.scalar(asked)
    if hashed is None:
        return None
    try:
        tried = await request.app[TRIES].book(counted(address_of(request)), viewer.login)
    except attempts.TooManyTriesError as error:
        headers = {"Retry-After": str(ceil(error.wait_seconds))}
        raise web.HTTPTooManyRequests(headers=headers, text="Too many wrong passwords.") from None
    try:
        fits = await password_fits(password, hashed)
    except BusyError:
        async with engine.begin() as connection:
            await attempts.take_back(connection, tried)
        raise web.HTTPTooManyRequests(headers={"Retry-After": "5"}, text="Too many passwords are checked.") from None
    if not fits:
        raise UserError("old: is not the password of this login", "old")
    async with engine.begin() as connection:
        await attempts.succeed(connection, tried)
    return hashed


async def _held(connection: AsyncConnection, user: int, proven: str | None) -> Any:
    """The viewer's login, if its password is still the one that was proven. Raises UserError."""
    one = await logins.one_login(connection, user)
    stands = one is not None and (
        not one.has_password if proven is None else await sessions.still_proven(connection, user, proven)
    )
    if not stands:
        raise UserError("old: is not the password of this login", "old")
    return one


def _repeated(form: Mapping[str, str]) -> str:
    password = form.get("password", "")
    if form.get("repeat", "") != password:
        raise UserError("repeat: is not the same as the password", "repeat")
    return password


def _cookie(request: web.Request) -> str:
    return sessions.cookie_of(request, secure=request.app[SERVICES].secure) or ""


async def _page(request: web.Request, shown: Shown = NOTHING, status: int = 200) -> web.Response:
    user = request[VIEWER].user
    async with request.app[SERVICES].engine.begin() as connection:
        one = await logins.one_login(connection, user)
        opened = await logins.sessions_of(connection, user)
        tokens = await logins.tokens_of(connection, user)
    answer = await page(
        request,
        "me.html",
        shown=shown,
        one=one,
        sessions=[(row, browser_of(row.user_agent), row.digest == digest(_cookie(request))) for row in opened],
        tokens=tokens,
        saved="saved" in request.query,
        least=users.PASSWORD_LEAST,
    )
    answer.set_status(status)
    return answer
