"""Folds stored calls anew from their events; on a healthy store nothing changes."""

from __future__ import annotations

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.call import Call, apply
from calls.record import event_from_json, state_call
from calls.tables import call_events, calls
from calls.view import view
from calls.write import Written, row_of, write
from directory.store import read_regions


async def rebuild(connection: AsyncConnection) -> int:
    """Refold every call and rewrite those whose rows differ; returns how many did. The caller owns the transaction."""
    await connection.execute(text("lock table calls in exclusive mode"))
    ids = (await connection.execute(select(calls.c.id).where(calls.c.joined_into.is_(None)))).scalars().all()
    regions = await read_regions(connection)
    changed = 0
    for call_id in ids:
        row = (await connection.execute(select(calls).where(calls.c.id == call_id))).one()
        bodies = await connection.execute(select(call_events.c.body).where(call_events.c.call_id == call_id))
        call = Call(pbx=row.pbx)
        for body in bodies.scalars():
            call = apply(call, event_from_json(body))
        seen = view(call)
        wanted = row_of(call_id, seen, regions)
        if call != state_call(row.state) or any(getattr(row, name) != value for name, value in wanted.items()):
            await write(connection, [Written(call_id, call, seen, ())], regions)
            changed += 1
    return changed
