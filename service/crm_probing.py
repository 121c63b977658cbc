"""Asks every connected CRM once an hour how it is and who works there, so that trouble is known before a call is."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, cast

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_sync import connections
from crm_sync.crm import Asked
from crm_sync.errors import AuthDeadError, CrmError
from crm_sync.people import disputed, keep_users
from crm_sync.secrets import SecretKeyError
from service.crm_workplaces import Adapters, heeding
from service.rounds import come_round
from service.settings import Settings

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

EVERY: Final = timedelta(hours=1)
_LOOK_SECONDS: Final = 60.0


async def keep_probing(engine: AsyncEngine, settings: Settings, look: float = _LOOK_SECONDS) -> None:
    """Ask whoever is due, until cancelled; of all processes one asks."""
    adapters = Adapters(settings, engine)

    async def once() -> None:
        await probe_due(engine, adapters)

    try:
        await come_round("the probing of CRMs", once, look)
    finally:
        await adapters.close()


async def probe_due(engine: AsyncEngine, adapters: Adapters, every: timedelta = EVERY) -> int:
    """Ask the connections that were not asked for so long; returns how many answered."""
    async with engine.begin() as connection:
        keys = await connections.probing(connection, every)
    return sum([await _probe(engine, adapters, key) for key in keys])


async def _probe(engine: AsyncEngine, adapters: Adapters, key: str) -> bool:
    """Whether one answered; whatever it answers, the others are asked."""
    try:
        return await _ask(engine, adapters, key)
    except (CrmError, SecretKeyError) as error:
        log.warning("a CRM could not be asked how it is", crm=key, error=type(error).__name__, reason=str(error))
    except Exception as error:  # noqa: BLE001  # whatever an adapter makes of an answer that nobody foresaw
        log.error("a CRM could not be asked how it is", crm=key, error=type(error).__name__)  # noqa: TRY400  # no words of answers
    return False


async def _ask(engine: AsyncEngine, adapters: Adapters, key: str) -> bool:
    opened = await adapters.asked(key)
    if opened is None or not opened[1].capabilities:
        return False  # who can only be told, as a webhook, has nothing to be asked
    to, crm = opened
    try:
        async with heeding(engine, to):
            told = await crm.probe()
            users = await cast("Asked", crm).users() if "parties" in crm.capabilities else ()
    except AuthDeadError as error:
        log.warning("a CRM lets us in no more", crm=key, reason=str(error))
        return False
    async with engine.begin() as connection:
        await keep_users(connection, key, users)
        missing = (*told.missing, *await disputed(connection, key))
        await connections.probed(connection, key, missing)
    log.info("crm probed", crm=key, kind=to.kind, missing=list(missing), users=len(users))
    return True
