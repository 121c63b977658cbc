"""Tells what CRMs do not know: answered calls that are lost there, and sound that is not there in time (a loop)."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import structlog

from calls.events import IntegrationLost
from crm_sync.ledger.losses import late_sound, lost_calls
from recordings.rows import note_not_in_crm
from service.recorder import Recorder
from service.rounds import come_round

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

EVERY_SECONDS: Final = 15.0
_AT_ONCE: Final = 1000


async def tell_losses(recorder: Recorder, late: timedelta, at_once: int = _AT_ONCE) -> int:
    """Record each answered call that a CRM was not told of, once a connection; returns how many.

    And note whose sound is late, of so many calls at a time.
    """
    async with recorder.engine.connect() as connection:
        lost = await lost_calls(connection, late)
    told = [
        IntegrationLost(pbx=one.pbx, channel=one.channel, at=one.at, connection=one.connection, why=one.why)
        for one in lost
    ]
    await recorder.write(told)
    behind, is_last = None, False
    while not is_last:
        async with recorder.engine.begin() as connection:
            sound = await late_sound(connection, late, behind, at_once)
            is_last = len(sound) < at_once
            last = None if is_last else max(sound)
            await note_not_in_crm(connection, sound, behind, last)
        behind = last
    return len(told)


async def keep_telling_losses(recorder: Recorder, late: timedelta, every_seconds: float = EVERY_SECONDS) -> None:
    """Do so for ever; a database that is away is asked again."""

    async def once() -> None:
        if count := await tell_losses(recorder, late):
            log.warning("answered calls are lost in a CRM", count=count)

    await come_round("what CRMs do not know", once, every_seconds)
