"""How far the figures of a report can be trusted: asked of everything that may be late or missing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.nps import OF_NOBODY
from crm_sync.ledger.health import read as read_health
from recordings.gaps import LOST
from reports.fact_rows import built
from reports.periods import Period
from reports.report import Freshness

# Times in `calls` are the PBX's, and its clock is `ahead` of ours, by less than a day: so the index is read.
_CALLS: Final = f"""
    from calls left join pbx_clocks using (pbx)
    where joined_into is null and direction not in {OF_NOBODY!r} and settled_at is not null
      and started_at - coalesce(ahead, interval '0') >= :since and started_at - coalesce(ahead, interval '0') < :until
      and started_at >= cast(:since as timestamptz) - interval '1 day'
      and started_at < cast(:until as timestamptz) + interval '1 day'
"""
_LAST_CALL: Final = text(f"select started_at - coalesce(ahead, interval '0') {_CALLS} order by started_at desc limit 1")
_RECOVERED: Final = text(f"select count(*) {_CALLS} and recovered")
_LOST: Final = "select from recordings where call_id = calls.id and recordings.state = any(cast(:lost as text[]))"
_MISSING: Final = text(f"select count(*) {_CALLS} and exists ({_LOST})")


async def read_freshness(connection: AsyncConnection, periods: Sequence[Period], zone: str, now: datetime) -> Freshness:
    """How far what is told of a period, the first, and of others beside it can be trusted, as of `now`."""
    since, until = periods[0].moments(zone)
    counted = await built(connection, periods)
    owing = [one.owes_since for one in (await read_health(connection)).values() if one.owes_since is not None]
    asked = {"since": since, "until": until}
    return Freshness(
        counted_at=counted.at,
        calls_until=(await connection.execute(_LAST_CALL, asked)).scalar(),
        recovered_calls=(await connection.execute(_RECOVERED, asked)).scalar_one(),
        crm_oldest_seconds=(now - min(owing)).total_seconds() if owing else None,
        recordings_missing=(await connection.execute(_MISSING, asked | {"lost": list(LOST)})).scalar_one(),
        days_waiting=counted.days_waiting,
    )
