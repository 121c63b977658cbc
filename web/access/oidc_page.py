"""Logging in by the provider of OpenID Connect: it says who comes, our own rows say what they may do."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any, Final

import structlog
from aiohttp import web
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from directory.tables import users
from recordings.audit import note
from web import attempts, sessions
from web.access import oidc
from web.access.oidc import Attempt, Client, OidcRefused
from web.access.provider import SingleSignOn
from web.addresses import counted
from web.attempts import TRIES
from web.guard import address_of
from web.keeping import actor_named
from web.login import login_page, own_path
from web.page import language_of
from web.services import SERVICES
from web.words import say

COOKIE: Final = "switchhook-oidc"
SECURE_COOKIE: Final = "__Host-switchhook-oidc"
LASTS_SECONDS: Final = 600
COUNTED_AS: Final = "by a provider"
"""What tries are counted as; no login has spaces."""

_log = structlog.get_logger(__name__)


async def begin(request: web.Request) -> web.Response:
    """GET /login/oidc: to the provider, with what the browser keeps meanwhile in a cookie."""
    sign_on = _sign_on(request)
    try:
        attempt, where = await sign_on.begin(own_path(request.query.get("next", "/")))
    except OidcRefused as refused:
        return _refused(request, refused)
    response = web.Response(status=303, headers={"Location": where})
    _keep(request, response, attempt)
    return response


async def come_back(request: web.Request) -> web.Response:
    """GET /login/oidc/return: the provider sent the browser back; a session begins, or the login page says why not."""
    sign_on, services = _sign_on(request), request.app[SERVICES]
    attempt = oidc.unsealed(request.cookies.get(_cookie_name(request)))
    if attempt is None or not oidc.belongs(attempt, request.query):
        # Not counted: another site can send any browser here, so that its address would have to wait.
        return _refused(request, OidcRefused("failed", "the answer belongs to no login that this browser began"))
    try:
        tried = await request.app[TRIES].book(counted(address_of(request)), COUNTED_AS)
    except attempts.TooManyTriesError as error:
        headers = {"Retry-After": str(ceil(error.wait_seconds))}
        raise web.HTTPTooManyRequests(headers=headers, text="Too many logins were refused.") from None
    try:
        claims = await sign_on.finish(attempt, request.query)
        async with services.engine.begin() as connection:
            user = await _whose(connection, request, sign_on.client, claims)
            cookie = await sessions.begin(connection, user.id, request.headers.get("User-Agent", ""))
            await attempts.succeed(connection, tried)
            actor = actor_named(request, user.login, user.id)
            await note(connection, actor, "logged_in", f"user {user.id}", {"by": sign_on.label})
    except OidcRefused as refused:
        return _refused(request, refused)
    response = web.Response(status=303, headers={"Location": own_path(attempt.goes_on)})
    sessions.give_cookie(response, cookie, secure=services.secure)
    _forget(request, response)
    return response


async def _whose(connection: AsyncConnection, request: web.Request, client: Client, claims: Mapping[str, Any]) -> Any:
    """The login of a subject: the one that it came as before, else the one that the claim names. Raises OidcRefused.

    There has to be such a login, made here: nobody gets one, or a role, by what a provider says. Nor does anybody take
    one over: a login that has a password, or is an admin's, never becomes a subject's by its name alone.
    """
    has_password = users.c.password_hash.is_not(None).label("has_password")
    columns = (users.c.id, users.c.login, users.c.role, users.c.disabled_at, users.c.oidc_subject, has_password)
    subject = str(claims["sub"])
    known = select(*columns).where(users.c.oidc_issuer == client.issuer, users.c.oidc_subject == subject)
    user = (await connection.execute(known.with_for_update())).first()
    if user is None:
        named = select(*columns).where(users.c.login == oidc.login_of(client, claims)).with_for_update()
        user = (await connection.execute(named)).first()
        if user is not None and user.oidc_subject is not None:
            raise OidcRefused("other_account", f"user {user.id} came as another subject before")
    if user is None or user.disabled_at is not None:
        raise OidcRefused("no_login", "the provider's account has no login here that is enabled")
    if user.oidc_subject is None:
        if user.has_password or user.role == "admin":
            raise OidcRefused("no_login", f"user {user.id} has a password or is an admin: it comes by no first use")
        told = {"oidc_issuer": client.issuer, "oidc_subject": subject}
        await connection.execute(update(users).where(users.c.id == user.id).values(told))
        actor = actor_named(request, user.login, user.id)
        await note(connection, actor, "provider_connected", f"user {user.id}", {"by": client.label})
    return user


def _sign_on(request: web.Request) -> SingleSignOn:
    sign_on = request.app[SERVICES].sign_on
    if sign_on is None:
        raise web.HTTPNotFound(text="No provider is set.")
    return sign_on


def _refused(request: web.Request, refused: OidcRefused) -> web.Response:
    _log.warning("login by the provider refused", why=refused.why, reason=str(refused))
    response = login_page(request, refusal=say(language_of(request), f"oidc.{refused.why}"), status=403)
    _forget(request, response)
    return response


def _cookie_name(request: web.Request) -> str:
    return SECURE_COOKIE if request.app[SERVICES].secure else COOKIE


def _keep(request: web.Request, response: web.Response, attempt: Attempt) -> None:
    response.set_cookie(
        _cookie_name(request),
        attempt.sealed(),
        max_age=LASTS_SECONDS,
        path="/",
        httponly=True,
        secure=request.app[SERVICES].secure,
        samesite="Lax",
    )


def _forget(request: web.Request, response: web.Response) -> None:
    secure = request.app[SERVICES].secure
    response.del_cookie(_cookie_name(request), path="/", secure=secure, httponly=True, samesite="Lax")
