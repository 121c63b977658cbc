"""The pages on a free port of this machine, with a house, logins and a store of recordings behind them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest
from aiohttp import ClientResponse, ClientSession, CookieJar, web
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine
from yarl import URL

from directory import store as directory_store
from directory.tables import users as logins
from recordings.store import Store
from service.erasing import Erasing
from service.removing import Remover
from tests.fakes.story import HOUSE as FAMILY
from tests.fakes.story import PASSWORD
from web import sessions, users
from web.access.provider import SingleSignOn
from web.addresses import Network
from web.app import WebServices, make_app
from web.house import HOUSE
from web.live import LIVE
from web.services import Connects, CrmDoors, Part, always_ready

LOGINS = (
    ("anna", "manager", "anna"),
    ("boris", "manager", "boris"),
    ("gleb", "manager", "gleb"),
    ("vera", "head", "vera"),
    ("olga", "operator", None),
)

_COSTLY = {"_HASHES": users._HASHES, "_NOBODY": users._NOBODY}
_QUICK = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),))
_HASHED = _QUICK.hash(PASSWORD)
# A password takes a fifth of a second of a processor on purpose: where that is not asked about it is Argon2's quickest.
vars(users).update(_HASHES=_QUICK, _NOBODY=_HASHED)


def hash_as_served(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have passwords cost in this test what they cost in the service."""
    for name, costly in _COSTLY.items():
        monkeypatch.setattr(users, name, costly)


class _Read(ClientResponse):
    """An answer that is read at once where it has an end: none is left behind half read, whatever a test looks at."""

    async def start(self, connection: Any) -> Self:
        await super().start(connection)
        if self.content_type != "text/event-stream":
            await self.read()
        return self


@dataclass
class Site:
    """A running web role; `pushes` are the seconds from each change to its cards on the wire."""

    engine: AsyncEngine
    store: Path
    recordings: Store | None = None
    secure: bool = False
    trusted_proxies: Sequence[Network] = ()
    readiness: Callable[[], Awaitable[Sequence[Part]]] = always_ready
    uploads: Mapping[str, Path] = field(default_factory=dict)
    crm: CrmDoors | None = None
    connects: Connects | None = None
    sign_on: SingleSignOn | None = None
    port: int = 0
    pushes: list[float] = field(default_factory=list)
    app: web.Application = field(init=False)
    _runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen; on the same port again when it was stopped."""
        store = self.recordings or Store.in_folder(self.store)
        services = WebServices(
            engine=self.engine,
            recordings=store,
            erasing=Erasing(self.engine, Remover(store, {})),
            readiness=self.readiness,
            secure=self.secure,
            trusted_proxies=self.trusted_proxies,
            on_push=self.pushes.append,
            uploads=self.uploads,
            crm=self.crm,
            connects=self.connects,
            sign_on=self.sign_on,
        )
        self.app = make_app(services)
        self._runner = web.AppRunner(self.app, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """End as the service ends."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def listening(self) -> bool:
        """Whether it hears of changes."""
        return self.app[LIVE].connected

    async def knows_anew(self) -> None:
        """The pages know the directory as it is now; else they may for seconds go on with what they read before."""
        house = self.app[HOUSE]
        async with house._directory._reading:  # what is read this moment may be from before the change
            house._directory.read_at = float("-inf")
        await house.read()

    async def session(self, login: str) -> str:
        """A session's cookie without the slow check of a password."""
        async with self.engine.begin() as connection:
            user = await connection.scalar(select(logins.c.id).where(logins.c.login == login))
            assert user is not None
            return await sessions.begin(connection, user, "test")

    @asynccontextmanager
    async def visitor(self, login: str | None = None, **headers: str) -> AsyncIterator[ClientSession]:
        """An HTTP client, logged in or anonymous."""
        jar = CookieJar(unsafe=True)
        async with ClientSession(self.url, headers=headers, cookie_jar=jar, response_class=_Read) as client:
            if login is not None:
                client.cookie_jar.update_cookies({"switchhook": await self.session(login)}, URL(self.url))
            yield client


async def move_in(engine: AsyncEngine) -> None:
    """Put the house and its logins into the database, unless it was cloned with them."""
    async with engine.begin() as connection:
        if await connection.scalar(select(logins.c.id).limit(1)) is not None:
            return
        await directory_store.apply(connection, FAMILY)
        for login, role, person in LOGINS:
            await users.add(connection, login, role, person=person)
        await connection.execute(logins.update().values(password_hash=_HASHED))


@asynccontextmanager
async def open_site(engine: AsyncEngine, store: Path, **how: Any) -> AsyncIterator[Site]:
    """A furnished house with its web role running."""
    await move_in(engine)
    site = Site(engine, store, **how)
    await site.start()
    try:
        yield site
    finally:
        await site.stop()
