"""What adapters of CRMs are given: their settings and secrets opened, the database, and the sound of calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_sync import answers, connections
from crm_sync.connections import Connection, Open
from crm_sync.crm import Crm
from crm_sync.errors import CrmError
from crm_sync.grants import SealedGrants
from crm_sync.http import ANSWER_BYTES, Http
from crm_sync.kinds import KINDS
from crm_sync.pacing import SharedPace
from crm_sync.people import KnownPeople
from crm_sync.secrets import Keeper
from crm_sync.workplace import Links, Sounds, Workplace
from directory import store as directory_store
from recordings.mp3 import mp3_of
from recordings.store import Store
from service.crm.ledger import maker
from service.settings import Settings
from service.wiring import open_store
from web import links
from web.hearing import archive_for_all


def opener(settings: Settings, engine: AsyncEngine, answer_bytes: int = ANSWER_BYTES, *, low: bool = False) -> Open:
    """Makes adapters of connections, by the settings; of an answer they read so much. `low`: they yield to others."""

    def open_crm(to: Connection) -> Crm:
        keeper = Keeper(settings.secret_key.get_secret_value())
        return KINDS[to.kind].open(
            workplace(settings, engine, to, keeper.open(to.key, to.secrets), answer_bytes, low=low)
        )

    return open_crm


def workplace(
    settings: Settings,
    engine: AsyncEngine,
    to: Connection,
    secrets: Mapping[str, Any],
    answer_bytes: int = ANSWER_BYTES,
    *,
    low: bool = False,
) -> Workplace:
    """The workplace of one connection, whose secrets are opened. Raises SecretKeyError."""
    return Workplace(
        key=to.key,
        settings=msgspec.convert(dict(to.settings), KINDS[to.kind].settings),
        secrets=secrets,
        http=Http(settings.crm.networks, secrets=texts_of(secrets), answer_bytes=answer_bytes),
        grants=SealedGrants(engine, Keeper(settings.secret_key.get_secret_value()), to.key),
        pace=SharedPace(engine, to.account, low=low),
        people=KnownPeople(engine, to.key),
        sound=sounds_of(engine, open_store(settings)),
        link=links_of(engine, to, settings.web.public_url),
        now=lambda: datetime.now(UTC),
    )


def sounds_of(engine: AsyncEngine, store: Store) -> Sounds:
    """The sound of calls as everybody may hear it."""

    async def sound(call_id: UUID) -> bytes | None:
        async with engine.connect() as connection:
            archive = await archive_for_all(connection, call_id, await directory_store.read(connection))
        if archive is None:
            return None
        async with store.fetch(archive.path) as file:
            return await asyncio.to_thread(mp3_of, file)

    return sound


def links_of(engine: AsyncEngine, to: Connection, base: str | None) -> Links:
    """Links to the sound of calls, the same one for a call while it opens for half of its days."""

    async def link(call_id: UUID) -> str | None:
        if not base:
            return None
        made_by, until = maker(to.key), datetime.now(UTC) + timedelta(days=to.link_days / 2)
        async with engine.begin() as connection:
            known = [one for one in await links.of_call(connection, call_id) if one.made_by == made_by.login]
            if not known or known[0].expires_at < until:
                known = [await links.make(connection, made_by, call_id, to.link_days)]
        return base + known[0].path

    return link


def texts_of(secrets: Mapping[str, Any]) -> list[str]:
    """Every text among the secrets, to be masked wherever it is repeated."""
    told: list[str] = []
    for value in secrets.values():
        told += [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]
    return told


@asynccontextmanager
async def heeding(engine: AsyncEngine, to: Connection) -> AsyncIterator[None]:
    """What it answers is known to all who ask it: that it lets us in no more, shut us out, or was asked too much."""
    try:
        yield
    except CrmError as error:
        async with engine.begin() as connection:
            await answers.refused(connection, to, error, datetime.now(UTC))
        raise


class Adapters:
    """The adapters of this process by the key of their connection, each kept until that changes."""

    def __init__(
        self, settings: Settings, engine: AsyncEngine, answer_bytes: int = ANSWER_BYTES, *, low: bool = False
    ) -> None:
        self._open = opener(settings, engine, answer_bytes, low=low)
        self._engine = engine
        self._opened: dict[str, tuple[datetime, Crm]] = {}

    async def of(self, key: str) -> tuple[Connection, Crm] | None:
        """A connection as it stands, and its adapter; None: there is none. Raises SecretKeyError."""
        async with self._engine.connect() as connection:
            to = await connections.read(connection, key)
        if to is None:
            return None
        known = self._opened.get(key)
        if known is None or known[0] != to.changed_at:
            if known is not None:
                await known[1].close()
            known = self._opened[key] = to.changed_at, self._open(to)
        return to, known[1]

    async def asked(self, key: str) -> tuple[Connection, Crm] | None:
        """As `of`, to be asked something; None also while it is stopped, paused, or was asked too much."""
        opened = await self.of(key)
        return opened if opened is not None and opened[0].may_be_asked(datetime.now(UTC)) else None

    async def close(self) -> None:
        """Give back the connections of every adapter."""
        for _, crm in self._opened.values():
            await crm.close()
        self._opened.clear()
