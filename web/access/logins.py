"""What pages tell of a login: its sessions and tokens, each by a number that opens nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, delete, func, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from directory.tables import password_links, sessions, tokens, users
from web.users import alive_tokens, digest

SHOWN_MOST = 200


async def all_logins(connection: AsyncConnection) -> Sequence[Any]:
    """Every login by name, with how many sessions are open and when one was last seen."""
    rows: Sequence[Any] = (await connection.execute(_logins().order_by(users.c.login))).all()
    return rows


async def one_login(connection: AsyncConnection, user: int) -> Any:
    """One of them, held until the transaction ends; None when there is no such login."""
    return (await connection.execute(_logins().where(users.c.id == user).with_for_update(of=users))).first()


def _logins() -> Select[Any]:
    opened = select(func.count().label("count"), func.max(sessions.c.seen_at).label("seen_at"))
    opened = opened.where(sessions.c.user_id == users.c.id, sessions.c.expires_at > func.now())
    seen = opened.lateral("opened")
    columns = (users.c.id, users.c.login, users.c.role, users.c.person_key, users.c.disabled_at, users.c.created_at)
    return select(
        *columns,
        users.c.language,
        users.c.password_hash.is_not(None).label("has_password"),
        users.c.oidc_subject.is_not(None).label("has_provider"),
        seen.c.count.label("session_count"),
        seen.c.seen_at,
        select(password_links.c.expires_at)
        .where(password_links.c.user_id == users.c.id, password_links.c.expires_at > func.now())
        .scalar_subquery()
        .label("link_until"),
    ).join_from(users, seen, true())


async def sessions_of(connection: AsyncConnection, user: int) -> Sequence[Any]:
    """The open sessions of a login, the one seen last first."""
    asked = select(sessions.c.id, sessions.c.digest, sessions.c.user_agent, sessions.c.created_at, sessions.c.seen_at)
    asked = asked.where(sessions.c.user_id == user, sessions.c.expires_at > func.now())
    return (await connection.execute(asked.order_by(sessions.c.seen_at.desc()).limit(SHOWN_MOST))).all()


async def tokens_of(connection: AsyncConnection, user: int) -> Sequence[Any]:
    """The API tokens of a login that open something, the newest first."""
    asked = select(
        tokens.c.id, tokens.c.name, tokens.c.scope, tokens.c.created_at, tokens.c.used_at, tokens.c.expires_at
    ).where(tokens.c.user_id == user, alive_tokens())
    return (await connection.execute(asked.order_by(tokens.c.id.desc()).limit(SHOWN_MOST))).all()


async def end_session(connection: AsyncConnection, user: int, session: int) -> bool:
    """End one session of a login; False: it has no such one."""
    ended = delete(sessions).where(sessions.c.user_id == user, sessions.c.id == session)
    return bool((await connection.execute(ended)).rowcount)


async def end_others(connection: AsyncConnection, user: int, cookie: str) -> int:
    """End every session of a login but that of `cookie`, and return how many there were."""
    ended = delete(sessions).where(sessions.c.user_id == user, sessions.c.digest != digest(cookie))
    return (await connection.execute(ended)).rowcount


async def revoke_token(connection: AsyncConnection, user: int, token: int) -> str | None:
    """End one API token of a login and return its name; None: it has no such one."""
    mine = (tokens.c.user_id == user) & (tokens.c.id == token) & alive_tokens()
    ended = update(tokens).where(mine).values(revoked_at=func.now()).returning(tokens.c.name)
    name: str | None = (await connection.execute(ended)).scalar()
    return name


async def forget_provider(connection: AsyncConnection, user: int) -> None:
    """Let the login come by another account of the provider: the next that the claim names becomes its own."""
    await connection.execute(update(users).where(users.c.id == user).values(oidc_issuer=None, oidc_subject=None))
