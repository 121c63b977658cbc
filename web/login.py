"""The login page, logging out, and choosing a language or a theme."""

from math import ceil
from typing import Final

import structlog
from aiohttp import web
from sqlalchemy import select, update

from directory.tables import users
from recordings.audit import note
from web import attempts, sessions
from web.addresses import counted
from web.attempts import TRIES
from web.audited import audited, unaudited
from web.guard import VIEWER, address_of, read_form
from web.keeping import actor_named, actor_of
from web.page import language_of
from web.render import render
from web.services import SERVICES
from web.theme import SYSTEM, THEMES, keep, theme_of
from web.users import LOGIN_MOST, BusyError, password_fits
from web.words import LANGUAGES, plural, say

BUSY_SECONDS: Final = 5
_log = structlog.get_logger(__name__)


async def show(request: web.Request) -> web.Response:
    """GET /login."""
    return login_page(request)


@audited("logged_in", "login_refused")
async def enter(request: web.Request) -> web.Response:
    """POST /login: check the password, slowly and not too often, and open a session."""
    services, language = request.app[SERVICES], language_of(request)
    form = await read_form(request)
    login, password = form.get("login", "").strip()[:LOGIN_MOST], form.get("password", "")
    address = counted(address_of(request))
    try:
        tried = await request.app[TRIES].book(address, login)
    except attempts.TooManyTriesError as error:
        minutes = plural(language, "login.minutes", ceil(error.wait_seconds / 60))
        return _later(request, login, say(language, "login.wait", minutes=minutes), ceil(error.wait_seconds))
    async with services.engine.connect() as connection:
        asked = select(users.c.id, users.c.password_hash)
        user = (await connection.execute(asked.where(users.c.login == login, users.c.disabled_at.is_(None)))).first()
    try:
        fits = await password_fits(password, user.password_hash if user else None)
    except BusyError:
        async with services.engine.begin() as connection:
            await attempts.take_back(connection, tried)
        return _later(request, login, say(language, "login.busy"), BUSY_SECONDS)
    cookie = None
    if user is not None:
        async with services.engine.begin() as connection:
            if fits and await sessions.still_proven(connection, user.id, user.password_hash):
                cookie = await sessions.begin(connection, user.id, request.headers.get("User-Agent", ""))
                await attempts.succeed(connection, tried)
            did = "logged_in" if cookie else "login_refused"  # what else was typed there may be a password
            await note(connection, actor_named(request, login, user.id), did, f"user {user.id}")
    if cookie is None:
        _log.warning("login refused")
        return login_page(request, login, say(language, "login.wrong"), status=403)
    response = web.Response(status=303, headers={"Location": own_path(form.get("next", ""))})
    sessions.give_cookie(response, cookie, secure=services.secure)
    return response


@audited("logged_out")
async def leave(request: web.Request) -> web.Response:
    """POST /logout: the session ends here and now."""
    services = request.app[SERVICES]
    cookie = sessions.cookie_of(request, secure=services.secure)
    async with services.engine.begin() as connection:
        await sessions.end(connection, cookie or "")
        await note(connection, actor_of(request), "logged_out", f"user {request[VIEWER].user}")
    response = web.Response(status=303, headers={"Location": "/login"})
    sessions.take_cookie(response, secure=services.secure)
    return response


@audited("language_chosen")
async def choose_language(request: web.Request) -> web.Response:
    """POST /language: remember the viewer's language."""
    form = await read_form(request)
    language = form.get("language", "")
    if language not in LANGUAGES:
        raise web.HTTPBadRequest(text="language must be ru or en")
    async with request.app[SERVICES].engine.begin() as connection:
        viewer = request[VIEWER]
        await connection.execute(update(users).where(users.c.id == viewer.user).values(language=language))
        before, after = {"language": viewer.language}, {"language": language}
        await note(connection, actor_of(request), "language_chosen", f"user {viewer.user}", before=before, after=after)
    return web.Response(status=303, headers={"Location": own_path(form.get("next", ""))})


@unaudited("how this browser shows the pages")
async def choose_theme(request: web.Request) -> web.Response:
    """POST /theme: light, dark, or as the device has it, from now on and on this device."""
    form = await read_form(request)
    theme = form.get("theme", "")
    if theme not in {*THEMES, SYSTEM}:
        raise web.HTTPBadRequest(text="theme must be light, dark or system")
    response = web.Response(status=303, headers={"Location": own_path(form.get("next", ""))})
    keep(response, theme, secure=request.app[SERVICES].secure)
    return response


def login_page(request: web.Request, login: str = "", refusal: str = "", status: int = 200) -> web.Response:
    """The form, with who tried and why not."""
    told = {"login": login, "refusal": refusal, "next": own_path(request.query.get("next", "/"))}
    text = render(
        "login.html",
        language_of(request),
        theme=theme_of(request),
        chosen="chosen" in request.query and not refusal,
        sign_on=request.app[SERVICES].sign_on,
        **told,
    )
    return web.Response(status=status, text=text, content_type="text/html")


def _later(request: web.Request, login: str, refusal: str, seconds: int) -> web.Response:
    refused = login_page(request, login, refusal, status=429)
    refused.headers["Retry-After"] = str(seconds)
    return refused


def own_path(path: str) -> str:
    """A path of this site, `/` for anything that could lead elsewhere."""
    own = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if own else "/"
