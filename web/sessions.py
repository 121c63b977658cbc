"""Who is there: a session row behind an opaque cookie, or an API token; never anything the browser could forge."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from aiohttp import web
from sqlalchemy import delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from directory.model import Role
from directory.tables import sessions, tokens, users
from web.cards import When
from web.users import digest

LIFETIME: Final = timedelta(days=14)
SEEN_EVERY: Final = timedelta(minutes=1)
COOKIE: Final = "switchhook"
SECURE_COOKIE: Final = "__Host-switchhook"


@dataclass(frozen=True, slots=True)
class Viewer:
    """Someone who is logged in. `person` is their key in the directory, `language` their own choice if any.

    `cards` is when the card of a call is shown to them: ring, answer or never. `by_token`: a token let them in;
    `reads_only`: one that changes nothing.
    """

    user: int
    login: str
    role: Role
    person: str | None
    language: str | None
    cards: When = "ring"
    by_token: bool = False
    reads_only: bool = False


_COLUMNS: Final = (users.c.id, users.c.login, users.c.role, users.c.person_key, users.c.language, users.c.cards)


async def begin(connection: AsyncConnection, user: int, user_agent: str) -> str:
    """Open a session and return the cookie's value. Sessions that ran out are swept on the way."""
    cookie = secrets.token_urlsafe(32)
    now = datetime.now(UTC)
    await connection.execute(delete(sessions).where(sessions.c.expires_at <= now))
    row = {"digest": digest(cookie), "user_id": user, "user_agent": user_agent[:300], "expires_at": now + LIFETIME}
    await connection.execute(insert(sessions).values(row))
    return cookie


async def still_proven(connection: AsyncConnection, user: int, hashed: str) -> bool:
    """Whether a login still has the password that was checked, and may come in, held until the transaction ends.

    The check takes its time: a new password meanwhile, or a disabling, is what counts.
    """
    same = (users.c.id == user) & (users.c.password_hash == hashed) & users.c.disabled_at.is_(None)
    return (await connection.execute(select(users.c.id).where(same).with_for_update())).first() is not None


async def end(connection: AsyncConnection, cookie: str) -> None:
    """Close a session; the cookie is worth nothing from here on."""
    await connection.execute(delete(sessions).where(sessions.c.digest == digest(cookie)))


async def by_cookie(connection: AsyncConnection, cookie: str) -> Viewer | None:
    """Who holds this cookie, None when it is unknown, has run out, or the login was disabled."""
    asked = (
        select(*_COLUMNS, sessions.c.seen_at)
        .join(users, users.c.id == sessions.c.user_id)
        .where(sessions.c.digest == digest(cookie), sessions.c.expires_at > func.now(), users.c.disabled_at.is_(None))
    )
    row = (await connection.execute(asked)).first()
    if row is None:
        return None
    if row.seen_at < datetime.now(UTC) - SEEN_EVERY:
        seen = update(sessions).where(sessions.c.digest == digest(cookie)).values(seen_at=func.now())
        await connection.execute(seen)
    return _viewer(row)


async def by_token(connection: AsyncConnection, token: str) -> Viewer | None:
    """Whose token this is, None when it is unknown, revoked, has run out, or the login was disabled."""
    alive = or_(tokens.c.expires_at.is_(None), tokens.c.expires_at > func.now())
    asked = (
        select(*_COLUMNS, tokens.c.id.label("token"), tokens.c.used_at, tokens.c.scope)
        .join(users, users.c.id == tokens.c.user_id)
        .where(tokens.c.digest == digest(token), tokens.c.revoked_at.is_(None), alive, users.c.disabled_at.is_(None))
    )
    row = (await connection.execute(asked)).first()
    if row is None:
        return None
    if row.used_at is None or row.used_at < datetime.now(UTC) - SEEN_EVERY:
        await connection.execute(update(tokens).where(tokens.c.id == row.token).values(used_at=func.now()))
    return _viewer(row, by_token=True, reads_only=row.scope == "read")


def cookie_of(request: web.Request, *, secure: bool) -> str | None:
    """The session cookie the browser sent. Behind TLS only the `__Host-` name counts, which no other site can set."""
    return request.cookies.get(SECURE_COOKIE if secure else COOKIE)


def give_cookie(response: web.StreamResponse, cookie: str, *, secure: bool) -> None:
    """Put the cookie into the browser, out of reach of scripts and of other sites."""
    response.set_cookie(
        SECURE_COOKIE if secure else COOKIE,
        cookie,
        max_age=int(LIFETIME.total_seconds()),
        path="/",
        httponly=True,
        secure=secure,
        samesite="Lax",
    )


def take_cookie(response: web.StreamResponse, *, secure: bool) -> None:
    """Take the cookie out of the browser again."""
    name = SECURE_COOKIE if secure else COOKIE
    response.del_cookie(name, path="/", secure=secure, httponly=True, samesite="Lax")


def _viewer(row: Any, *, by_token: bool = False, reads_only: bool = False) -> Viewer:
    return Viewer(row.id, row.login, row.role, row.person_key, row.language, row.cards, by_token, reads_only)
