"""Asks every connected CRM once an hour how it is and who works there, so that trouble is known before a call is."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_sync import probes
from crm_sync.connecting import meet
from crm_sync.errors import AuthDeadError, CrmError
from crm_sync.secrets import SecretKeyError
from service.crm.workplaces import Adapters, heeding
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
        keys = await probes.probing(connection, every)
    return sum([await _probe(engine, adapters, key) for key in keys])


async def _probe(engine: AsyncEngine, adapters: Adapters, key: str) -> bool:
    """Whether one answered; whatever it answers, the others are asked."""
    try:
        return await _ask(engine, adapters, key)
    except CrmError as error:
        text = "a CRM lets us in no more" if isinstance(error, AuthDeadError) else "a CRM could not be asked how it is"
        log.warning(text, crm=key, error=type(error).__name__, reason=str(error))
        async with engine.begin() as connection:
            await probes.not_probed(connection, key, error)
    except SecretKeyError as error:
        log.warning("a connection cannot be opened", crm=key, reason=str(error))
    except Exception as error:  # noqa: BLE001  # whatever an adapter makes of an answer that nobody foresaw
        log.error("a CRM could not be asked how it is", crm=key, error=type(error).__name__)  # noqa: TRY400  # no words of answers
    return False


async def _ask(engine: AsyncEngine, adapters: Adapters, key: str) -> bool:
    opened = await adapters.asked(key)
    if opened is None or not opened[1].capabilities:
        return False  # who can only be told, as a webhook, has nothing to be asked
    to, crm = opened
    async with heeding(engine, to):
        met = await meet(engine, key, crm)
    log.info("crm probed", crm=key, kind=to.kind, missing=list(met.missing), users=met.user_count)
    return True
