"""Settles calls: 5 s after the last word on an ended call, nothing more is expected and its follow-up work is owed."""

from __future__ import annotations

import asyncio
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from calls.events import Settled
from service.recorder import Recorder

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

SETTLE_SECONDS = 5.0
_RIPE = text(
    """
    select id, pbx,
           (select max(cast(value->>'ended_at' as timestamptz)) from jsonb_each(state->'channels')) as last_at,
           (select min(name) from call_names where call_id = calls.id) as name from calls
    where settled_at is null and joined_into is null and ended_at is not null
      and updated_at < clock_timestamp() - make_interval(secs => :quiet)
    order by updated_at limit 200
    """
)


async def settle_ripe(recorder: Recorder, quiet_seconds: float = SETTLE_SECONDS) -> int:
    """Settle every ended call that has been quiet for so long; returns how many. The row is all the memory it needs."""
    async with recorder.engine.connect() as connection:
        ripe = (await connection.execute(_RIPE, {"quiet": quiet_seconds})).all()
    settled = [Settled(pbx=row.pbx, channel=row.name, at=row.last_at) for row in ripe]
    try:
        return len(await recorder.write(settled))
    except (SQLAlchemyError, ValueError):
        return sum([await _settle(recorder, event, row.id) for event, row in zip(settled, ripe, strict=True)])


async def _settle(recorder: Recorder, settled: Settled, call_id: UUID) -> bool:
    """Settle one call alone: a row that cannot be read must not hold up the others."""
    try:
        await recorder.write([settled])
    except (SQLAlchemyError, ValueError) as error:
        log.warning("a call could not be settled", call=str(call_id), error=type(error).__name__)
        return False
    return True


async def keep_settling(recorder: Recorder, every_seconds: float = 1.0) -> None:
    """Settle for ever; a database that is away is asked again."""
    while True:
        try:
            await settle_ripe(recorder)
        except (SQLAlchemyError, OSError) as error:
            log.warning("calls could not be settled now", error=type(error).__name__)
        await asyncio.sleep(every_seconds)
