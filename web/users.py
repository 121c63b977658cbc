"""Logins, passwords and API tokens: what the command line and the login page do with them."""

import asyncio
import hashlib
import re
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

from pwdlib import PasswordHash
from sqlalchemy import ColumnElement, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from directory.model import ROLES
from directory.tables import people, sessions, tokens, users
from web import links, wall_links
from web.cards import When

PASSWORD_LEAST: Final = 8
LOGIN_MOST: Final = 64
HASHERS: Final = 2
WAITING_MOST: Final = 8
DAYS_MOST: Final = 3650
TOKEN_PREFIX: Final = "sh_"  # noqa: S105 - the visible start of every token, not a secret
_LOGIN: Final = re.compile(rf"[\w.@+-]{{1,{LOGIN_MOST}}}")
_HASHES: Final = PasswordHash.recommended()
_NOBODY: Final = _HASHES.hash(secrets.token_urlsafe())
"""Checked when the login does not exist, so that both refusals take the same time."""


class UserError(ValueError):
    """A login, role or password that cannot be; the text is one clear line."""


@dataclass(frozen=True, slots=True)
class Login:
    """One login as the command line lists it; `tokens` are the names of those that open something."""

    login: str
    role: str
    person: str | None
    disabled_at: datetime | None
    sessions: int
    tokens: list[str]


class BusyError(Exception):
    """So many passwords wait to be checked that this one is not."""


T = TypeVar("T")


class _Hasher:
    """Argon2's own two threads: whatever comes to the login page, the threads and processors of calls stay free."""

    def __init__(self) -> None:
        self.asked = 0
        self._threads = ThreadPoolExecutor(HASHERS, thread_name_prefix="argon2")

    async def run(self, work: Callable[..., T], *told: str) -> T:
        """The result of `work(*told)`. It takes a fifth of a second on purpose."""
        self.asked += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *told)
        finally:
            self.asked -= 1

    @property
    def busy(self) -> bool:
        """Whether as many wait as may."""
        return self.asked >= HASHERS + WAITING_MOST


_HASHER: Final = _Hasher()


async def add(
    connection: AsyncConnection,
    login: str,
    role: str,
    *,
    person: str | None = None,
    language: str | None = None,
    password: str | None = None,
) -> int:
    """Create a login and return its id. Without a password it can use tokens only. Raises UserError."""
    if not _LOGIN.fullmatch(login):
        raise UserError(f"login: must be letters, digits and . @ + - _, got {login!r}")
    if role not in ROLES:
        raise UserError(f"role: must be one of {', '.join(ROLES)}, got {role!r}")
    if language not in {None, "ru", "en"}:
        raise UserError(f"language: must be ru or en, got {language!r}")
    if person is not None and await connection.scalar(select(people.c.key).where(people.c.key == person)) is None:
        raise UserError(f"person: nobody in the directory has the key {person!r}")
    if await connection.scalar(select(users.c.id).where(users.c.login == login)) is not None:
        raise UserError(f"login: {login!r} exists already")
    hashed = None if password is None else await hash_password(password)
    row = {"login": login, "role": role, "person_key": person, "language": language, "password_hash": hashed}
    return int((await connection.execute(insert(users).values(row).returning(users.c.id))).scalar_one())


async def set_password(connection: AsyncConnection, login: str, password: str) -> None:
    """Give the login a new password and end its sessions. Raises UserError."""
    user = await _user(connection, login)
    hashed = await hash_password(password)
    await connection.execute(update(users).where(users.c.id == user).values(password_hash=hashed))
    await connection.execute(delete(sessions).where(sessions.c.user_id == user))


async def choose_cards(connection: AsyncConnection, user: int, when: When) -> None:
    """Keep when the cards of calls are shown to a login (by its id)."""
    await connection.execute(update(users).where(users.c.id == user).values(cards=when))


async def listed(connection: AsyncConnection) -> list[Login]:
    """Every login, by name."""
    alive = (tokens.c.user_id == users.c.id) & _alive_tokens()
    names = select(func.array_agg(tokens.c.name.distinct())).where(alive).scalar_subquery()
    open_ = (sessions.c.user_id == users.c.id) & (sessions.c.expires_at > func.now())
    count = select(func.count()).select_from(sessions).where(open_).scalar_subquery()
    asked = select(users.c.login, users.c.role, users.c.person_key, users.c.disabled_at, count, names)
    rows = (await connection.execute(asked.order_by(users.c.login))).all()
    return [Login(login, role, person, at, number, names or []) for login, role, person, at, number, names in rows]


async def disable(connection: AsyncConnection, login: str) -> None:
    """Shut the login out: its sessions, streams, tokens and the links that it made end. Raises UserError."""
    user = await _user(connection, login)
    off = update(users).where(users.c.id == user, users.c.disabled_at.is_(None)).values(disabled_at=func.now())
    await connection.execute(off)
    await connection.execute(delete(sessions).where(sessions.c.user_id == user))
    mine = (tokens.c.user_id == user) & tokens.c.revoked_at.is_(None)
    await connection.execute(update(tokens).where(mine).values(revoked_at=func.now()))
    await links.revoke_of(connection, login)
    await wall_links.revoke_of(connection, login)


async def enable(connection: AsyncConnection, login: str) -> None:
    """Let the login in again, with its old password; its old tokens and links stay revoked. Raises UserError."""
    user = await _user(connection, login)
    # One may have begun while the login was being disabled.
    await connection.execute(delete(sessions).where(sessions.c.user_id == user))
    await connection.execute(update(users).where(users.c.id == user).values(disabled_at=None))


def expiry(days: int | None) -> datetime | None:
    """When a token for so many days ends; None: never. Raises UserError."""
    if days is None:
        return None
    if not 1 <= days <= DAYS_MOST:
        raise UserError(f"days: must be from 1 to {DAYS_MOST}, got {days}")
    return datetime.now(UTC) + timedelta(days=days)


async def create_token(connection: AsyncConnection, login: str, name: str, expires_at: datetime | None = None) -> str:
    """Make an API token that acts as the login, and return it: only its SHA-256 is stored. Raises UserError."""
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    row = {"user_id": await _user(connection, login), "name": name, "digest": digest(token), "expires_at": expires_at}
    await connection.execute(insert(tokens).values(row))
    return token


async def revoke_tokens(connection: AsyncConnection, login: str, name: str) -> int:
    """End every token of that name and return how many there were. Raises UserError when there was none."""
    user = await _user(connection, login)
    mine = (tokens.c.user_id == user) & (tokens.c.name == name) & tokens.c.revoked_at.is_(None)
    count = (await connection.execute(update(tokens).where(mine).values(revoked_at=func.now()))).rowcount
    if not count:
        raise UserError(f"name: {login} has no token {name!r}")
    return count


async def hash_password(password: str) -> str:
    """Hash with Argon2. Raises UserError."""
    if len(password) < PASSWORD_LEAST:
        raise UserError(f"password: must have at least {PASSWORD_LEAST} characters")
    return await _HASHER.run(_HASHES.hash, password)


async def password_fits(password: str, hashed: str | None) -> bool:
    """Tell whether the password is right; takes as long when there is no such login. Raises BusyError."""
    if _HASHER.busy:
        raise BusyError
    fits = await _HASHER.run(_HASHES.verify, password, hashed or _NOBODY)
    return fits and hashed is not None


def digest(secret: str) -> bytes:
    """What is stored of a cookie or token: its SHA-256, which is enough for 256 bits of randomness."""
    return hashlib.sha256(secret.encode()).digest()


def _alive_tokens() -> ColumnElement[bool]:
    lasting = tokens.c.expires_at.is_(None) | (tokens.c.expires_at > func.now())
    return tokens.c.revoked_at.is_(None) & lasting


async def _user(connection: AsyncConnection, login: str) -> int:
    found = await connection.scalar(select(users.c.id).where(users.c.login == login))
    if found is None:
        raise UserError(f"login: there is no login {login!r}")
    return int(found)
