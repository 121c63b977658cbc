"""Choosing a password by a link: nobody is logged in here, and the link opens once."""

from __future__ import annotations

from aiohttp import web

from recordings.audit import note
from web import users
from web.access import passwords
from web.audited import audited
from web.guard import read_form
from web.keeping import actor_named
from web.page import language_of
from web.render import render
from web.services import SERVICES
from web.theme import theme_of
from web.users import PASSWORD_LEAST, UserError


async def show(request: web.Request) -> web.Response:
    """GET /password/{secret}: the form, or with 410 that the link is over."""
    async with request.app[SERVICES].engine.begin() as connection:
        user = await passwords.whose(connection, request.match_info["secret"])
    return _form(request, user and user.login)


@audited("password_set")
async def choose(request: web.Request) -> web.Response:
    """POST /password/{secret}: the login has this password, its sessions end, and the link is over."""
    form = await read_form(request)
    password = form.get("password", "")
    async with request.app[SERVICES].engine.begin() as connection:
        user = await passwords.whose(connection, request.match_info["secret"])
        if user is None:
            return _form(request, None)
        try:
            if form.get("repeat", "") != password:
                raise UserError("repeat: is not the same as the password", "repeat")
            await users.set_password(connection, user.login, password)
        except UserError as error:
            return _form(request, user.login, error)
        await note(connection, actor_named(request, user.login, user.id), "password_set", f"user {user.id}")
    return web.Response(status=303, headers={"Location": "/login?chosen"})


def _form(request: web.Request, login: str | None, wrong: UserError | None = None) -> web.Response:
    status = 410 if login is None else 422 if wrong else 200
    language, theme = language_of(request), theme_of(request)
    text = render("password.html", language, theme=theme, login=login, wrong=wrong, least=PASSWORD_LEAST)
    return web.Response(status=status, text=text, content_type="text/html")
