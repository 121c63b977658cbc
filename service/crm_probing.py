"""Asks every connected CRM once an hour how it is and who works there, so that trouble is known before a call is."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final, cast

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_sync import connections
from crm_sync.crm import Asked
from crm_sync.errors import AuthDeadError, CrmError
from crm_sync.people import keep_users
from crm_sync.secrets import SecretKeyError
from service.crm_workplaces import Adapters
from service.settings import Settings

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

EVERY: Final = timedelta(hours=1)
_LOOK_SECONDS: Final = 60.0


async def keep_probing(engine: AsyncEngine, settings: Settings, look: float = _LOOK_SECONDS) -> None:
    """Ask whoever is due, until cancelled; of all processes one asks."""
    adapters = Adapters(settings, engine)
    try:
        while True:
            try:
                await probe_due(engine, adapters)
            except (SQLAlchemyError, OSError) as error:
                log.warning("connections could not be asked now", error=type(error).__name__)
            await asyncio.sleep(look)
    finally:
        await adapters.close()


async def probe_due(engine: AsyncEngine, adapters: Adapters, every: timedelta = EVERY) -> int:
    """Ask the connections that were not asked for so long; returns how many answered."""
    async with engine.begin() as connection:
        keys = await connections.probing(connection, every)
    return sum([await _probe(engine, adapters, key) for key in keys])


async def _probe(engine: AsyncEngine, adapters: Adapters, key: str) -> bool:
    try:
        opened = await adapters.of(key)
        if opened is None or not opened[1].capabilities:
            return False  # who can only be told, as a webhook, has nothing to be asked
        to, crm = opened
        told = await crm.probe()
        users = await cast("Asked", crm).users() if "parties" in crm.capabilities else ()
    except AuthDeadError as error:
        log.warning("a CRM lets us in no more", crm=key, reason=str(error))
        async with engine.begin() as connection:
            await connections.stop(connection, key, error.kind)
        return False
    except (CrmError, SecretKeyError) as error:
        log.warning("a CRM could not be asked how it is", crm=key, error=type(error).__name__, reason=str(error))
        return False
    async with engine.begin() as connection:
        await connections.probed(connection, key, told.missing)
        await keep_users(connection, key, users)
    log.info("crm probed", crm=key, kind=to.kind, missing=list(told.missing), users=len(users))
    return True
