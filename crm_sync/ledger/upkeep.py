"""Keeps the ledger up: plans what no change of a call owes, revives lost effects, forgets what is old."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Row, or_, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.incidents import OF_PEOPLE
from crm_sync import heard
from crm_sync.book.locks import book_is_free
from crm_sync.connections import AUTH_DEAD
from crm_sync.ledger.owed import Owed, lane_of
from crm_sync.ledger.planning import TASK, plan, revive
from crm_sync.ledger.sending import ASK_AGAIN_SECONDS
from crm_sync.ledger.tables import crm_connections

KEPT_DAYS: Final = 30
"""What was told, or given up, is kept for so long, to be looked at and sent again; that it was stays."""

_LOOK_BACK: Final = 1000
"""Rows that were numbered earlier and committed later: who writes more than that many at once has the whole book."""

_MISSING = """
    a.at >= :since
    and a.id > (
        select coalesce(max(newest.subject), 0) - :back
        from unnest(cast(:steps as text[])) as asked (step) cross join lateral (
            select e.subject from crm_effects e
            where e.connection = :key and e.step = asked.step and e.subject is not null
            order by e.subject desc limit 1) as newest)
    and not exists (
        select from crm_effects e where e.step = any(:steps) and e.subject = a.id and e.connection = :key)
"""
_ACTIONS = text(
    f"""
    select a.id, a.at, f.call_id, f.number, c.pbx, 'task' as step
    from follow_up_actions a join follow_ups f on f.id = a.follow_up_id join calls c on c.id = f.call_id
    where {_MISSING} order by a.id limit 500
    """  # noqa: S608 - of our own text
)
_LEADS = text(
    f"""
    select a.id, a.at, a.lead_id, a.call_id, c.pbx, told.step,
           case when c.id is null then (select min(number) from party_numbers n where n.party_id = l.party_id)
                else coalesce(nullif(case c.direction when 'outbound' then c.dialed else c.caller_number end, ''),
                              cast(c.id as text)) end as number
    from lead_events a join leads l on l.id = a.lead_id left join calls c on c.id = a.call_id
    cross join lateral (select case a.kind when 'message' then 'message' else 'lead' end as step) as told
    where {_MISSING} and told.step = any(:steps) order by a.id limit 500
    """  # noqa: S608 - of our own text
)
_INCIDENTS = text(
    f"""
    select a.id, a.at, a.incident_id from incident_events a join incidents on incidents.id = a.incident_id
    where incidents.kind <> all(cast(:of_people as text[])) and {_MISSING} order by a.id limit 500
    """  # noqa: S608 - of our own text
)
_FORGET = text(
    """
    update crm_effects e
    set request = null,
        answer = case when answer ? 'not_told' then jsonb_build_object('not_told', answer->'not_told') end
    where e.request is not null and e.ended_at < statement_timestamp() - make_interval(days => :days)
    """
)
_FORGET_STOPPED = text(
    """
    update crm_effects e set request = null, answer = null
    from crm_connections c
    where c.key = e.connection and c.state = 'stopped' and c.stopped_by <> 'auth_dead'
      and e.request is not null and e.ended_at is null
      and coalesce(e.sent_at, e.planned_at) < clock_timestamp() - make_interval(days => :days)
    """
)
_REMOVE = text(
    """
    delete from crm_effects e
    where e.step in ('call_started', 'call_answered', 'task', 'lead', 'message') and e.remote_id is null
      and e.state in ('done', 'shadow') and e.ended_at < statement_timestamp() - make_interval(days => :days)
      and case when e.subject is null
          then exists (select from calls where calls.id = e.call_id and calls.ended_at is not null)
          else e.subject < (select max(n.subject) - :back from crm_effects n
                            where n.step = e.step and n.connection = e.connection)
          end
    """
)
"""What needs no proof any more that it was told: no call that is over rings, and of promises and leads nothing that is
so far behind is planned. A call's end, sound and text are kept as long as the call, and so is what has a name there.
"""

_FORGET_PACES = text(
    "delete from crm_paces p where not exists (select from crm_connections c where c.account = p.account)"
)

_GIVE_UP = text(
    """
    update crm_effects e
    set state = 'dead', error = 'fault', answer = jsonb_build_object('reason', 'its job failed'), next_at = null,
        ended_at = clock_timestamp()
    from procrastinate_jobs j
    where j.status = 'failed' and j.task_name = :task and e.key = cast(j.args->>'effect' as uuid)
      and e.ended_at is null
      and not exists (
          select from procrastinate_jobs n
          where n.task_name = :task and n.args->>'effect' = j.args->>'effect' and n.id > j.id)
    """
)
"""A job that failed is run no more: a person sees the dead letter, and sends it again."""

_LOOK_AGAIN = text(
    """
    update crm_effects set waits = false, next_at = null
    where waits and ended_at is null
      and coalesce(next_at, planned_at + make_interval(secs => :seconds)) < clock_timestamp()
    """
)


async def plan_told(engine: AsyncEngine) -> int:
    """Plan what each connection is owed of promises, leads and incidents; returns how many effects that is.

    All are written append-only in the transaction of what happened, so nothing is lost by being planned after it. Of
    incidents those are left out that tell of one person.
    """
    wanted = or_(crm_connections.c.state != "stopped", crm_connections.c.stopped_by == AUTH_DEAD)
    count = 0
    async with engine.begin() as connection:
        # What an import writes is numbered before, and seen after, what others write meanwhile.
        is_free = await book_is_free(connection)
        for to in (await connection.execute(select(crm_connections).where(wanted))).all():
            asked = {"key": to.key, "since": to.since, "back": _LOOK_BACK}
            told = list[Owed]()
            if steps := [step for step in to.steps if step == "task"]:
                actions = await connection.execute(_ACTIONS, asked | {"steps": steps})
                told += [
                    Owed(row.call_id, row.pbx, row.step, lane_of(row.number), row.id, at=row.at) for row in actions
                ]
            if is_free and (steps := [step for step in to.steps if step in {"lead", "message"}]):
                events = await connection.execute(_LEADS, asked | {"steps": steps})
                told += [_of_lead(row) for row in events]
            if steps := [step for step in to.steps if step == "incident"]:
                happened = await connection.execute(_INCIDENTS, asked | {"steps": steps, "of_people": list(OF_PEOPLE)})
                told += [
                    Owed(None, "", "incident", lane_of(f"incident {row.incident_id}"), row.id, at=row.at)
                    for row in happened
                ]
            count += await plan(connection, told, to.key)
    return count


def _of_lead(row: Row[Any]) -> Owed:
    # In turn with the call that brought it about, as `owed` has it: of several numbers that one.
    lane = lane_of(row.number or f"lead {row.lead_id}")
    # A call that an event names may be forgotten since.
    return Owed(row.pbx and row.call_id, row.pbx or "", row.step, lane, row.id, at=row.at)


async def tidy(engine: AsyncEngine) -> int:
    """Put what lost its job on its way again, and forget what was told long ago; returns how much was put.

    One whose job failed is a dead letter.
    """
    async with engine.begin() as connection:
        await connection.execute(_FORGET, {"days": KEPT_DAYS})
        await connection.execute(_FORGET_STOPPED, {"days": KEPT_DAYS})
        await connection.execute(_REMOVE, {"days": KEPT_DAYS, "back": _LOOK_BACK})
        await connection.execute(_FORGET_PACES)
        await connection.execute(_GIVE_UP, {"task": TASK})
        await connection.execute(_LOOK_AGAIN, {"seconds": ASK_AGAIN_SECONDS})
        await heard.forget(connection)
        return await revive(connection)
