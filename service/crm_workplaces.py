"""What adapters of CRMs are given: their settings and secrets opened, the database, and the sound of calls."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_sync.connections import Connection, Open
from crm_sync.crm import Crm
from crm_sync.grants import SealedGrants
from crm_sync.http import Http
from crm_sync.kinds import KINDS
from crm_sync.pacing import SharedPace
from crm_sync.people import KnownPeople
from crm_sync.secrets import Keeper
from crm_sync.workplace import Sounds, Workplace
from directory import store as directory_store
from recordings.mp3 import mp3_of
from recordings.store import Store
from service.settings import Settings
from service.wiring import open_store
from web.hearing import archive_for_all


def opener(settings: Settings, engine: AsyncEngine) -> Open:
    """Makes adapters of connections, by the settings."""

    def open_crm(to: Connection) -> Crm:
        keeper = Keeper(settings.secret_key.get_secret_value())
        return KINDS[to.kind].open(workplace(settings, engine, to, keeper.open(to.key, to.secrets)))

    return open_crm


def workplace(settings: Settings, engine: AsyncEngine, to: Connection, secrets: Mapping[str, Any]) -> Workplace:
    """The workplace of one connection, whose secrets are opened. Raises SecretKeyError."""
    return Workplace(
        key=to.key,
        settings=msgspec.convert(dict(to.settings), KINDS[to.kind].settings),
        secrets=secrets,
        http=Http(settings.crm.networks, secrets=texts_of(secrets)),
        grants=SealedGrants(engine, Keeper(settings.secret_key.get_secret_value()), to.key),
        pace=SharedPace(engine, to.key),
        people=KnownPeople(engine, to.key),
        sound=sounds_of(engine, open_store(settings)),
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


def texts_of(secrets: Mapping[str, Any]) -> list[str]:
    """Every text among the secrets, to be masked wherever it is repeated."""
    told: list[str] = []
    for value in secrets.values():
        told += [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]
    return told
