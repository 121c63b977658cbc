"""Settles calls: 5 s after the last word on an ended call, nothing more is expected and its follow-up work is owed.

A missed call is told then, too, which of the phones and trunks it needed could not be reached.
"""

from __future__ import annotations

from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from calls.events import DeviceUnreachable, Event, Settled
from service.recorder import Recorder
from service.rounds import come_round
from telephony.reachability import gone_during

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
        gone = await gone_during(connection, [row.id for row in ripe]) if ripe else []
    last_words: dict[UUID, list[Event]] = {}
    for row in ripe:
        where = {"pbx": row.pbx, "channel": row.name, "at": row.last_at}
        found = [
            DeviceUnreachable(**where, device=one.device, since=one.since) for one in gone if one.call_id == row.id
        ]
        last_words[row.id] = [*found, Settled(**where)]
    try:
        return len(await recorder.write([event for events in last_words.values() for event in events]))
    except (SQLAlchemyError, ValueError):
        return sum([await _settle(recorder, events, call_id) for call_id, events in last_words.items()])


async def _settle(recorder: Recorder, last_words: list[Event], call_id: UUID) -> bool:
    """Settle one call alone: a row that cannot be read must not hold up the others."""
    try:
        await recorder.write(last_words)
    except (SQLAlchemyError, ValueError) as error:
        log.warning("a call could not be settled", call=str(call_id), error=type(error).__name__)
        return False
    return True


async def keep_settling(recorder: Recorder, every_seconds: float = 1.0) -> None:
    """Settle for ever; a database that is away is asked again."""

    async def once() -> None:
        await settle_ripe(recorder)

    await come_round("the settling of calls", once, every_seconds)
