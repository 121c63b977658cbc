"""Logins, passwords and API tokens: what the command line and the login page do with them."""

import asyncio
import hashlib
import re
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, TypeVar

from pwdlib import PasswordHash
from sqlalchemy import ColumnElement, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from directory.model import ROLES
from directory.tables import password_links, people, sessions, tokens, users
from recordings.audit import THE_OPERATOR, Actor
from web import links, wall_links
from web.cards import When

PASSWORD_LEAST: Final = 8
NAME_MOST: Final = 64
LOGIN_MOST: Final = 64
HASHERS: Final = 2
WAITING_MOST: Final = 8
DAYS_MOST: Final = 3650
LINKERS: Final = ("head", "admin")
"""Who makes links that open without a login."""

TOKEN_PREFIX: Final = "sh_"  # noqa: S105 - the visible start of every token, not a secret
_LOGIN: Final = re.compile(rf"[\w.@+-]{{1,{LOGIN_MOST}}}")
_HASHES: Final = PasswordHash.recommended()
_NOBODY: Final = "$argon2id$v=19$m=65536,t=3,p=4$rLy8JHvY9pYqGVBlbmk6oQ$BDJuGukB3W17NxYbXxveRhF2SkBBbxV7++dCyNABVEo"
"""Checked when the login does not exist, so that both refusals take the same time: as costly as those that are made."""


class UserError(ValueError):
    """A login, role or password that cannot be; the text is one clear line, `why` a key of `access.wrong.*`."""

    def __init__(self, text: str, why: str) -> None:
        """Keep the key beside the words."""
        super().__init__(text)
        self.why = why

    @property
    def field(self) -> str:
        """What is wrong: the words before the colon."""
        return str(self).partition(":")[0]


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


Scope = Literal["all", "read"]
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
        raise UserError(f"login: must be letters, digits and . @ + - _, got {login!r}", "login")
    if language not in {None, "ru", "en"}:
        raise UserError(f"language: must be ru or en, got {language!r}", "language")
    await _check(connection, role, person)
    if await connection.scalar(select(users.c.id).where(users.c.login == login)) is not None:
        raise UserError(f"login: {login!r} exists already", "exists")
    hashed = None if password is None else await hash_password(password)
    row = {"login": login, "role": role, "person_key": person, "language": language, "password_hash": hashed}
    return int((await connection.execute(insert(users).values(row).returning(users.c.id))).scalar_one())


async def change(
    connection: AsyncConnection, login: str, role: str, person: str | None, actor: Actor = THE_OPERATOR
) -> None:
    """Give the login another role and person. Raises UserError.

    Who made links as a head or an admin, and is neither any more, leaves none behind.
    """
    user = await id_of(connection, login)
    await _check(connection, role, person)
    before = await connection.scalar(select(users.c.role).where(users.c.id == user).with_for_update())
    await connection.execute(update(users).where(users.c.id == user).values(role=role, person_key=person))
    if before in LINKERS and role not in LINKERS:
        await _revoke_links(connection, actor, login)


async def keep_an_admin(connection: AsyncConnection, login: str) -> None:
    """Ask that somebody else is an admin who may log in, until the transaction ends. Raises UserError."""
    admins = select(users.c.login).where(users.c.role == "admin", users.c.disabled_at.is_(None)).order_by(users.c.id)
    if not set((await connection.execute(admins.with_for_update())).scalars()) - {login}:
        raise UserError(f"login: {login!r} is the last admin", "last_admin")


async def set_password(connection: AsyncConnection, login: str, password: str) -> int:
    """Give the login a new password, and end all that opened it before; gives its id. Raises UserError."""
    user = await id_of(connection, login)
    hashed = await hash_password(password)
    await connection.execute(update(users).where(users.c.id == user).values(password_hash=hashed))
    await connection.execute(delete(password_links).where(password_links.c.user_id == user))
    await end_sessions(connection, user)
    await end_tokens(connection, user)
    return user


async def end_tokens(connection: AsyncConnection, user: int) -> int:
    """Revoke every API token of a login, whoever made it, and return how many there were."""
    mine = (tokens.c.user_id == user) & tokens.c.revoked_at.is_(None)
    return (await connection.execute(update(tokens).where(mine).values(revoked_at=func.now()))).rowcount


async def end_sessions(connection: AsyncConnection, user: int) -> int:
    """End every session of a login and return how many there were; its open streams end within half a minute."""
    ended = delete(sessions).where(sessions.c.user_id == user)
    return (await connection.execute(ended)).rowcount


async def choose_cards(connection: AsyncConnection, user: int, when: When) -> None:
    """Keep when the cards of calls are shown to a login (by its id)."""
    await connection.execute(update(users).where(users.c.id == user).values(cards=when))


async def listed(connection: AsyncConnection) -> list[Login]:
    """Every login, by name."""
    alive = (tokens.c.user_id == users.c.id) & alive_tokens()
    names = select(func.array_agg(tokens.c.name.distinct())).where(alive).scalar_subquery()
    open_ = (sessions.c.user_id == users.c.id) & (sessions.c.expires_at > func.now())
    count = select(func.count()).select_from(sessions).where(open_).scalar_subquery()
    asked = select(users.c.login, users.c.role, users.c.person_key, users.c.disabled_at, count, names)
    rows = (await connection.execute(asked.order_by(users.c.login))).all()
    return [Login(login, role, person, at, number, names or []) for login, role, person, at, number, names in rows]


async def disable(connection: AsyncConnection, login: str, actor: Actor = THE_OPERATOR) -> int:
    """Shut the login out: its sessions, streams, tokens and the links it made end; gives its id. Raises UserError."""
    user = await id_of(connection, login)
    off = update(users).where(users.c.id == user, users.c.disabled_at.is_(None)).values(disabled_at=func.now())
    await connection.execute(off)
    await connection.execute(delete(password_links).where(password_links.c.user_id == user))
    await end_sessions(connection, user)
    await end_tokens(connection, user)
    await _revoke_links(connection, actor, login)
    return user


async def enable(connection: AsyncConnection, login: str) -> int:
    """Let the login in again, with its old password, but no old token or link; gives its id. Raises UserError."""
    user = await id_of(connection, login)
    # One may have begun while the login was being disabled.
    await end_sessions(connection, user)
    await connection.execute(update(users).where(users.c.id == user).values(disabled_at=None))
    return user


def expiry(days: int | None) -> datetime | None:
    """When a token for so many days ends; None: never. Raises UserError."""
    if days is None:
        return None
    if not 1 <= days <= DAYS_MOST:
        raise UserError(f"days: must be from 1 to {DAYS_MOST}, got {days}", "days")
    return datetime.now(UTC) + timedelta(days=days)


async def create_token(
    connection: AsyncConnection, login: str, name: str, expires_at: datetime | None = None, *, scope: Scope = "all"
) -> str:
    """Make an API token that acts as the login, and return it: only its SHA-256 is stored. Raises UserError.

    `scope`: all that the login may do, or only to read by GET.
    """
    if not (name.strip() and name.isprintable() and len(name) <= NAME_MOST):
        raise UserError(f"name: must be 1 to {NAME_MOST} printable characters, got {name[:NAME_MOST]!r}", "name")
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    row = {"user_id": await id_of(connection, login), "name": name.strip(), "digest": digest(token)}
    await connection.execute(insert(tokens).values(row | {"expires_at": expires_at, "scope": scope}))
    return token


async def revoke_tokens(connection: AsyncConnection, login: str, name: str) -> int:
    """End every token of that name and return how many there were. Raises UserError when there was none."""
    user = await id_of(connection, login)
    mine = (tokens.c.user_id == user) & (tokens.c.name == name) & tokens.c.revoked_at.is_(None)
    count = (await connection.execute(update(tokens).where(mine).values(revoked_at=func.now()))).rowcount
    if not count:
        raise UserError(f"name: {login} has no token {name!r}", "token")
    return count


async def hash_password(password: str) -> str:
    """Hash with Argon2. Raises UserError."""
    if len(password) < PASSWORD_LEAST:
        raise UserError(f"password: must have at least {PASSWORD_LEAST} characters", "password")
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


def alive_tokens() -> ColumnElement[bool]:
    """Tokens that open something."""
    lasting = tokens.c.expires_at.is_(None) | (tokens.c.expires_at > func.now())
    return tokens.c.revoked_at.is_(None) & lasting


async def _revoke_links(connection: AsyncConnection, actor: Actor, login: str) -> None:
    await links.revoke_of(connection, actor, login)
    await wall_links.revoke_of(connection, actor, login)


async def _check(connection: AsyncConnection, role: str, person: str | None) -> None:
    if role not in ROLES:
        raise UserError(f"role: must be one of {', '.join(ROLES)}, got {role!r}", "role")
    if person is not None and await connection.scalar(select(people.c.key).where(people.c.key == person)) is None:
        raise UserError(f"person: nobody in the directory has the key {person!r}", "person")


async def id_of(connection: AsyncConnection, login: str) -> int:
    """The id of a login. Raises UserError."""
    found = await connection.scalar(select(users.c.id).where(users.c.login == login))
    if found is None:
        raise UserError(f"login: there is no login {login!r}", "unknown")
    return int(found)
