"""What is owed to one connection of calls that were over before it was made, when it asks for them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.due import Change
from calls.events import Event
from calls.record import event_from_json, state_call
from calls.tables import calls
from calls.view import view
from crm_sync.ledger.owed import Owed, owed
from crm_sync.ledger.planning import plan

_AT_ONCE: Final = 200

_SOUND_AND_TEXT = text(
    """
    select call_id, body from call_events
    where call_id = any(cast(:ids as uuid[])) and kind in ('RecordingStored', 'Transcribed')
    """
)


async def plan_past(connection: AsyncConnection, key: str, since: datetime) -> int:
    """Plan what one connection is owed of calls that were over since then, in their order; returns how many effects.

    It is what one who comes to know of them only now is owed (`owed`). Promises and leads are `upkeep.plan_told`'s.
    """
    over = calls.c.ended_at >= since, calls.c.settled_at.is_not(None), calls.c.joined_into.is_(None)
    asked = select(calls.c.id).where(*over).order_by(calls.c.ended_at, calls.c.id)
    ids = (await connection.execute(asked)).scalars().all()
    count = 0
    for first in range(0, len(ids), _AT_ONCE):
        count += await plan(connection, await owed_of(connection, ids[first : first + _AT_ONCE]), key)
    return count


async def owed_of(connection: AsyncConnection, ids: Sequence[UUID]) -> list[Owed]:
    """What whoever comes to know of these calls only now is owed."""
    told: dict[UUID, list[Event]] = {}
    for row in await connection.execute(_SOUND_AND_TEXT, {"ids": list(ids)}):
        told.setdefault(row.call_id, []).append(event_from_json(row.body))
    rows = await connection.execute(select(calls.c.id, calls.c.state).where(calls.c.id.in_(ids)))
    seen = {row.id: view(state_call(row.state)) for row in rows}
    return [one for id_ in ids for one in owed(Change(id_, None, seen[id_], tuple(told.get(id_, ()))))]
