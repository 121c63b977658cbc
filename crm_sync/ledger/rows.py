"""What `crm_sync.ledger.sending` reads and writes of single effects."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, and_, case, func, literal, or_, select, text, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.tables import calls
from crm_sync.ledger.tables import OPEN_STATES, crm_effects
from crm_sync.tables import lead_events, party_numbers

_LATELY: Final = 1000
"""So many effects back it is looked for what the last one of a number left: more than are sent in a few minutes."""

_SHARED: Final = 20_000
"""So many effects back a call may share its name there with another: more than are planned in half an hour."""

_HOLD: Final = text("select pg_advisory_xact_lock(hashtextextended(:lanes, 17))")

_OF_A_CALL: Final = frozenset({"call_started", "call_answered", "call_finished"})
_OF_A_LEAD: Final = frozenset({"lead", "message"})


async def write(connection: AsyncConnection, key: UUID, values: Mapping[str, Any]) -> None:
    """Write an effect that has not ended."""
    still = crm_effects.c.key == key, crm_effects.c.ended_at.is_(None)
    await connection.execute(update(crm_effects).where(*still).values(**values))


async def same(connection: AsyncConnection, row: Row[Any]) -> Row[Any, Any] | None:
    """The `state` and `remote_id` of the same step of a call which became part of this one; None: it was not told.

    It is `done`, or still on its way; what was given up, or not to be told, tells nothing of this one.
    """
    if row.step not in _OF_A_CALL:
        return None
    was_told = and_(
        crm_effects.c.state == "done",
        crm_effects.c.sent_at.is_not(None),
        ~func.coalesce(crm_effects.c.answer.has_key("not_told"), literal(value=False)),
    )
    earlier = select(crm_effects.c.state, crm_effects.c.remote_id).where(
        crm_effects.c.connection == row.connection,
        crm_effects.c.call_id == row.call_id,
        crm_effects.c.step == row.step,
        crm_effects.c.number < row.number,
        or_(was_told, crm_effects.c.state.in_(OPEN_STATES)),
    )
    return (await connection.execute(earlier.order_by(~was_told, crm_effects.c.number))).first()


_LINKING: Final = text(
    """
    select exists (
        select from procrastinate_jobs
        where status in ('todo', 'doing') and task_name = 'crm_sync.link_call' and args->>'call_id' = :call_id)
    """
)


async def is_being_linked(connection: AsyncConnection, call_id: UUID) -> bool:
    """Whether a call's party and lead are not known yet, but will be: both are written at once."""
    is_linked = select(calls.c.party_id.is_not(None)).where(calls.c.id == call_id)
    if await connection.scalar(is_linked):
        return False
    # Nothing finds a job by its call: all that are open are read.
    return bool(await connection.scalar(_LINKING, {"call_id": str(call_id)}))


async def remote(connection: AsyncConnection, row: Row[Any]) -> dict[str, str]:
    """What the steps that were told of the same call are called there, by step; of a lead those of the same lead."""
    named = select(crm_effects.c.step, crm_effects.c.remote_id).where(
        crm_effects.c.connection == row.connection, crm_effects.c.remote_id.is_not(None)
    )
    asked = []
    if row.call_id is not None:
        of_call = named.where(crm_effects.c.call_id == row.call_id)
        asked.append(of_call.where(crm_effects.c.step.not_in(_OF_A_LEAD)) if row.step in _OF_A_LEAD else of_call)
    if row.step in _OF_A_LEAD:
        whose = select(lead_events.c.lead_id).where(lead_events.c.id == row.subject).scalar_subquery()
        of_lead = named.join(lead_events, lead_events.c.id == crm_effects.c.subject).where(
            crm_effects.c.step.in_(_OF_A_LEAD), crm_effects.c.number <= row.number, lead_events.c.lead_id == whose
        )
        asked.append(of_lead)
    told: dict[str, str] = {}
    for one in asked:
        rows = await connection.execute(one.order_by(crm_effects.c.number))
        told |= {found.step: found.remote_id for found in rows}
    return told


async def is_of_another(connection: AsyncConnection, row: Row[Any], remote_id: str) -> bool:
    """Whether the end of another call of the same lane is called so there."""
    asked = select(crm_effects.c.key).where(
        crm_effects.c.connection == row.connection,
        crm_effects.c.number > row.number - _SHARED,
        crm_effects.c.lane == row.lane,
        crm_effects.c.step == "call_finished",
        crm_effects.c.remote_id == remote_id,
        crm_effects.c.call_id != row.call_id,
    )
    return await connection.scalar(asked.limit(1)) is not None


async def others(connection: AsyncConnection, numbers: Collection[str]) -> tuple[str, ...]:
    """The other numbers of whoever has one of these."""
    mine = select(party_numbers.c.party_id).where(party_numbers.c.number.in_(numbers))
    asked = select(party_numbers.c.number).where(
        party_numbers.c.party_id.in_(mine), party_numbers.c.number.not_in(numbers)
    )
    return tuple((await connection.execute(asked.order_by(party_numbers.c.number))).scalars())


_TURN: Final = case({"sent": 0, "unknown": 1}, value=crm_effects.c.state, else_=2)


async def is_told_by(connection: AsyncConnection, row: Row[Any], lanes: Collection[str]) -> bool:
    """Whether an effect of another of these lanes goes before this one, to the same connection.

    What is on its way goes first, then what is in doubt, then what is planned; of two alike the one planned earlier.
    That is one order of all effects: each waits for earlier ones alone, and never two for each other. Waited for is
    what was begun, since it was planned or told again by hand: that is the first of its lane, and stands behind nothing
    there. Whoever asks holds the lanes until the transaction is over.
    """
    await connection.execute(_HOLD, {"lanes": f"{row.connection} {min(lanes)}"})
    mine = {"sent": 0, "unknown": 1}.get(row.state, 2)
    asked = select(crm_effects.c.key).where(
        crm_effects.c.connection == row.connection,
        crm_effects.c.lane.in_(lanes),
        crm_effects.c.lane != row.lane,
        crm_effects.c.state.in_(OPEN_STATES),
        crm_effects.c.first_sent_at.is_not(None),
        ~crm_effects.c.waits,
        tuple_(_TURN, crm_effects.c.number) < tuple_(literal(mine), literal(row.number)),
    )
    return await connection.scalar(asked.limit(1)) is not None


async def lately(connection: AsyncConnection, row: Row[Any], lanes: Collection[str]) -> str | None:
    """What the latest effect of these lanes is called there, of those not long ago."""
    asked = select(crm_effects.c.remote_id).where(
        crm_effects.c.connection == row.connection,
        crm_effects.c.number > row.number - _LATELY,
        crm_effects.c.key != row.key,
        crm_effects.c.lane.in_(lanes),
        crm_effects.c.remote_id.is_not(None),
    )
    told: str | None = await connection.scalar(asked.order_by(crm_effects.c.number.desc()).limit(1))
    return told


async def doubt(connection: AsyncConnection, since: datetime) -> int:
    """Whatever is owed may have been told since then: it is read back before it is told; how many those are."""
    open_ones = crm_effects.c.state.in_(("planned", "sent"))
    values = {"state": "unknown", "sent_at": since}
    return (await connection.execute(update(crm_effects).where(open_ones).values(values))).rowcount
