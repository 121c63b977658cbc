"""Tells what CRMs do not know: answered calls that are lost there, and sound that is not there in time (a loop)."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import structlog

from calls.events import IntegrationLost
from crm_sync.losses import late_sound, lost_calls
from recordings.rows import note_not_in_crm
from service.recorder import Recorder
from service.rounds import come_round

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

EVERY_SECONDS: Final = 15.0


async def tell_losses(recorder: Recorder, late: timedelta) -> int:
    """Record each answered call that a CRM was not told of, once a connection; returns how many."""
    async with recorder.engine.connect() as connection:
        lost = await lost_calls(connection, late)
    told = [
        IntegrationLost(pbx=one.pbx, channel=one.channel, at=one.at, connection=one.connection, why=one.why)
        for one in lost
    ]
    await recorder.write(told)
    async with recorder.engine.begin() as connection:
        await note_not_in_crm(connection, await late_sound(connection, late))
    return len(told)


async def keep_telling_losses(recorder: Recorder, late: timedelta, every_seconds: float = EVERY_SECONDS) -> None:
    """Do so for ever; a database that is away is asked again."""

    async def once() -> None:
        if count := await tell_losses(recorder, late):
            log.warning("answered calls are lost in a CRM", count=count)

    await come_round("what CRMs do not know", once, every_seconds)
