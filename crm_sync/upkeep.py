"""Keeps the ledger up: plans what happened to promises and leads, revives lost effects, forgets old texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Row, TextClause, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from crm_sync.ledger import plan, revive
from crm_sync.ledger_tables import crm_connections
from crm_sync.locks import book_is_free
from crm_sync.owed import Owed, lane_of
from crm_sync.sending import ASK_AGAIN_SECONDS

KEPT_DAYS: Final = 30
"""What was told, or given up, is kept for so long, to be looked at and sent again; that it was stays."""

_LOOK_BACK: Final = 1000
"""Rows that were numbered earlier and committed later: who writes more than that many at once has the whole book."""

_ACTIONS = text(
    """
    select a.id, f.call_id, f.number, c.pbx
    from follow_up_actions a join follow_ups f on f.id = a.follow_up_id join calls c on c.id = f.call_id
    where a.at > :since
      and a.id > (select coalesce(max(subject), 0) - :back from crm_effects where step = 'task')
      and not exists (select from crm_effects e where e.step = 'task' and e.subject = a.id)
    order by a.id limit 500
    """
)
_LEADS = text(
    """
    select a.id, a.lead_id, a.call_id, c.pbx, told.step,
           (select min(number) from party_numbers n where n.party_id = l.party_id) as number
    from lead_events a join leads l on l.id = a.lead_id left join calls c on c.id = a.call_id
    cross join lateral (select case a.kind when 'message' then 'message' else 'lead' end as step) as told
    where a.at > :since
      and a.id > (select coalesce(max(subject), 0) - :back from crm_effects where step in ('lead', 'message'))
      and not exists (select from crm_effects e where e.step in ('lead', 'message') and e.subject = a.id)
      and exists (select from crm_connections w
                  where told.step = any(w.steps) and (w.state <> 'stopped' or w.stopped_by = 'auth_dead'))
    order by a.id limit 500
    """
)
_FORGET = text(
    """
    update crm_effects e set request = null, answer = null from crm_connections c
    where c.key = e.connection and e.request is not null
      and (e.ended_at is not null or c.state = 'stopped' and c.stopped_by <> 'auth_dead')
      and coalesce(e.ended_at, e.sent_at, e.planned_at) < clock_timestamp() - make_interval(days => :days)
    """
)


_LOOK_AGAIN = text(
    """
    update crm_effects set waits = false, next_at = null
    where waits and ended_at is null
      and coalesce(next_at, planned_at + make_interval(secs => :seconds)) < clock_timestamp()
    """
)


async def plan_told(engine: AsyncEngine) -> int:
    """Plan what happened to promises and leads since the first connection was made; returns how many effects that is.

    Both are written append-only in the transaction of what happened, so nothing is lost by being planned after it.
    """
    async with engine.begin() as connection:
        actions = await _asked(connection, _ACTIONS, "task")
        told = [Owed(row.call_id, row.pbx, "task", lane_of(row.number), subject=row.id) for row in actions]
        # What an import writes is numbered before, and seen after, what others write meanwhile.
        events = await _asked(connection, _LEADS, "lead") if await book_is_free(connection) else ()
        for row in events:
            # A call that an event names may be forgotten since.
            lane = lane_of(row.number or f"lead {row.lead_id}")
            told.append(Owed(row.pbx and row.call_id, row.pbx or "", row.step, lane, subject=row.id))
        return await plan(connection, told)


async def tidy(engine: AsyncEngine) -> int:
    """Put what lost its job on its way again, and forget what was told long ago; returns how much was put."""
    async with engine.begin() as connection:
        await connection.execute(_FORGET, {"days": KEPT_DAYS})
        await connection.execute(_LOOK_AGAIN, {"seconds": ASK_AGAIN_SECONDS})
        return await revive(connection)


async def _asked(connection: AsyncConnection, sql: TextClause, step: str) -> Sequence[Row[Any]]:
    """What nobody is owed yet since the first connection that wants this step was made."""
    wanted = or_(crm_connections.c.state != "stopped", crm_connections.c.stopped_by == "auth_dead")
    wants = crm_connections.c.steps.any_() == step
    first = select(func.min(crm_connections.c.created_at)).where(wanted, wants)
    since = (await connection.execute(first)).scalar()
    if since is None:
        return ()
    return (await connection.execute(sql, {"since": since, "back": _LOOK_BACK})).all()
