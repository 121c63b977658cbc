"""What connected CRMs should know and do not: calls that people talked on, and the sound of calls."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# A connection that a person stopped, or that wants nothing more, waits for nothing.
_OWED = """
    (e.state = 'dead' or (e.planned_at < clock_timestamp() - cast(:late as interval)
                          and (c.state = 'active' or c.stopped_by = 'auth_dead')))
"""
_CALLS = text(
    f"""
    select e.call_id, e.connection, case e.state when 'dead' then 'dead' else 'late' end as why,
           calls.pbx, calls.ended_at as at, (select min(name) from call_names n where n.call_id = calls.id) as channel
    from crm_effects e join crm_connections c on c.key = e.connection join calls on calls.id = e.call_id
    where e.state in ('planned', 'sent', 'unknown', 'dead') and e.step = 'call_finished'
      and calls.answered_at is not null and calls.ended_at is not null and not calls.erased
      and {_OWED}
      and not exists (
          select from call_events v
          where v.call_id = e.call_id and v.kind = 'IntegrationLost' and v.body->>'connection' = e.connection)
    order by e.number limit 200
    """  # noqa: S608 - of our own text
)
_SOUND = text(
    f"""
    select e.call_id, min(e.planned_at) as since
    from crm_effects e join crm_connections c on c.key = e.connection
    where e.state in ('planned', 'sent', 'unknown', 'dead') and e.step = 'recording' and {_OWED}
      and (cast(:behind as uuid) is null or e.call_id > :behind)
    group by e.call_id order by e.call_id limit :most
    """  # noqa: S608 - of our own text
)


@dataclass(frozen=True, slots=True)
class LostCall:
    """A call that people talked on and that `connection` was not told of; `channel` is one of its names."""

    call_id: UUID
    connection: str
    why: str
    pbx: str
    channel: str
    at: datetime


async def lost_calls(connection: AsyncConnection, late: timedelta) -> list[LostCall]:
    """Such calls of which no event says so yet; not told within `late`, or given up."""
    rows = await connection.execute(_CALLS, {"late": late})
    return [LostCall(row.call_id, row.connection, row.why, row.pbx, row.channel, row.at) for row in rows]


async def late_sound(
    connection: AsyncConnection, late: timedelta, behind: UUID | None, most: int
) -> dict[UUID, datetime]:
    """Calls whose sound a CRM is owed for longer than `late`, or will not have, and since when it is owed.

    `most` of them, in the order of their ids, `behind` one where that is told: fewer, and there are no others.
    """
    rows = await connection.execute(_SOUND, {"late": late, "behind": behind, "most": most})
    return {row.call_id: row.since for row in rows}
