"""The ledger of effects: plans what each connection is owed, and keeps the owed on their way.

Rules kept here:
1. An effect is planned in the transaction of the change that owes it, with its job; its key makes it one, however
   often the change is told.
2. Jobs of one connection and lane run one after another, in the order in which they were planned, also through
   retries; those of another connection never wait for them.
3. A connection is owed what happens from the moment that its row names (`since`). One that lets us in no more is still
   owed it, and told when a person mended it; one that a person stopped, or that wants nothing more, is not.
4. What a synthetic call would owe is written as shadow at once, whatever the connection's state: there is no job, and
   nothing that was ended is ever sent.
5. The row says what is so. A job is only its engine: one that got lost is put on its way again (`revive`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.due import Change, Job
from calls.jobs import enqueue
from crm_sync.ledger.owed import Owed, owed

TASK: Final = "crm_sync.send_effect"
QUEUE: Final = "effects"

_PLAN = text(
    r"""
    with told as (
        select * from rows from (
            jsonb_to_recordset(cast(:owed as jsonb))
            as (call_id uuid, pbx text, step text, subject bigint, lane text, waits boolean, at timestamptz,
                shadow boolean)
        ) with ordinality),
    made as (
        insert into crm_effects (key, connection, call_id, step, subject, lane, waits, state, ended_at)
        select cast(encode(substr(sha256(convert_to(
                   concat_ws(E'\n', c.key, pbx, call_id, step, subject), 'UTF8')), 1, 16), 'hex') as uuid),
               c.key, call_id, step, subject, lane, waits, case when shadow then 'shadow' else 'planned' end,
               case when shadow then clock_timestamp() end
        from told join crm_connections c on step = any(c.steps) and (c.state <> 'stopped' or c.stopped_by = 'auth_dead')
        where (at is null or at >= c.since) and c.key = coalesce(cast(:only as text), c.key)
        order by ordinality, c.key
        on conflict (key) do nothing
        returning *)
    select * from made where not waits and state = 'planned' order by number
    """
)


async def plan(connection: AsyncConnection, told: Sequence[Owed], only: str | None = None) -> int:
    """Write what every connection is owed, or `only` one, and its jobs, in the caller's transaction.

    Returns how many may be sent.
    """
    if not told:
        return 0
    asked = {"owed": json.dumps([asdict(one) for one in told], default=str), "only": only}
    rows = (await connection.execute(_PLAN, asked)).all()
    await enqueue(connection, [job_of(row) for row in rows])
    return len(rows)


async def plan_changes(connection: AsyncConnection, changes: Sequence[Change]) -> None:
    """Write what the changes owe, within their transaction (`calls.record.Owing`)."""
    await plan(connection, [one for change in changes for one in owed(change)])


def job_of(row: Row[Any]) -> Job:
    """The job of one effect's row."""
    args = {"effect": str(row.key), "call_id": str(row.call_id) if row.call_id else ""}
    return Job(TASK, QUEUE, args, lock=f"crm {row.connection} {row.lane}")


_HASTEN = text(
    """
    update procrastinate_jobs set scheduled_at = null
    where task_name = :task and status = 'todo' and scheduled_at is not null and starts_with(lock, :of)
    """
)
_RELEASE = text("update crm_effects set waits = false where call_id = :call_id and waits")
_MOST: Final = 500
_UNSENT = text(
    """
    select e.* from crm_effects e join crm_connections c on c.key = e.connection
    where e.state in ('planned', 'sent', 'unknown') and c.state <> 'stopped'
      and not e.waits
      and (cast(:connection as text) is null or e.connection = :connection)
      and (cast(:call_id as uuid) is null or e.call_id = :call_id)
      and not exists (
          select from procrastinate_jobs j
          where j.task_name = :task and j.status in ('todo', 'doing', 'failed')
            and j.args->>'effect' = cast(e.key as text))
    order by e.first_sent_at is null, e.number limit :most for update of e skip locked
    """
)


async def release(connection: AsyncConnection, call_id: UUID) -> None:
    """Let the recording of a call be told: it is there, as everybody may hear it."""
    if (await connection.execute(_RELEASE, {"call_id": call_id})).rowcount:
        await put_on_way(connection, call_id=call_id)


async def revive(connection: AsyncConnection, key: str | None = None) -> int:
    """Put effects without a job on their way again, in order, all of a connection or some of each; returns how many.

    What was begun was the first of its lane and is again (`rows.is_told_by`), also where an earlier one came late.
    One whose job failed is none of them: `upkeep.tidy` makes it a dead letter.
    """
    return len(await put_on_way(connection, key=key))


async def hasten(connection: AsyncConnection, key: str) -> None:
    """Let what waits to be tried again at a connection be tried now: whoever started it has mended what was wrong."""
    await connection.execute(_HASTEN, {"task": TASK, "of": f"crm {key} "})


async def put_on_way(
    connection: AsyncConnection, *, call_id: UUID | None = None, key: str | None = None
) -> frozenset[UUID]:
    """As `revive`, of a call or a connection; gives the keys of the effects."""
    asked = {"task": TASK, "call_id": call_id, "connection": key, "most": _MOST if key is None else None}
    rows = (await connection.execute(_UNSENT, asked)).all()
    await enqueue(connection, [job_of(row) for row in rows])
    return frozenset(row.key for row in rows)
