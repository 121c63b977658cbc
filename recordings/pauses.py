"""Wishes to pause and resume a recording: written down by whoever is asked, done by whoever attends the call's PBX.

What was done is told by the PBX itself (`calls.events.RecordingMuted`): a wish never makes a page say so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.call import Call, facts
from calls.events import RecordingMuted
from calls.record import state_call
from calls.tables import call_names, calls
from calls.view import CallView, view
from recordings.audit import Actor, note
from recordings.tables import recording_wishes

CHANNEL: Final = "switchhook_recording_wishes"
"""NOTIFY channel: a pause or its end is wanted; the payload is the call's id."""

Outcome = Literal["done", "not_recorded", "over", "refused_by_pbx"]
"""done; nothing of the call is recorded now; the call is over; the PBX did not do it."""

# No call lasts longer than a day.
_SILENT: Final = text(
    """
    select state from calls
    where pbx = :pbx and ended_at is null and settled_at is null and joined_into is null and (
        jsonb_path_exists(state, '$.facts[*] ? (@.kind == "RecordingRefused")')
        or id in (
            select kept from (
                select distinct on (kept) kept, paused from (
                    select coalesce(told.joined_into, told.id) as kept, paused, asked_at
                    from recording_wishes join calls as told on told.id = call_id
                    where outcome = 'done' and asked_at > now() - interval '1 day') as wishes
                order by kept, asked_at desc) as last
            where paused))
    """
)
_NOTIFY: Final = text("select pg_notify(:channel, :payload)")


@dataclass(frozen=True, slots=True)
class Wish:
    """One wish that nobody has settled yet, with the call as it is known now."""

    id: UUID
    paused: bool
    call: Call


async def ask(connection: AsyncConnection, call_id: UUID, *, paused: bool, by: Actor) -> UUID:
    """Write down a wish, and who wished it; told to who does it when the transaction commits.

    `by` has a login, or the device on which keys were pressed.
    """
    values = {"call_id": call_id, "paused": paused, "asked_by": by.login}
    asked = insert(recording_wishes).values(values).returning(recording_wishes.c.id)
    wish: UUID = (await connection.execute(asked)).scalar_one()
    await note(connection, by, "recording_paused" if paused else "recording_resumed", f"call {call_id}")
    await connection.execute(_NOTIFY, {"channel": CHANNEL, "payload": str(call_id)})
    return wish


async def call_with(connection: AsyncConnection, pbx: str, channel: str) -> tuple[UUID, Call] | None:
    """The call that has this channel of the PBX; None when the record knows none."""
    asked = (
        select(calls.c.id, calls.c.state)
        .join(call_names, call_names.c.call_id == calls.c.id)
        .where(call_names.c.pbx == pbx, call_names.c.name == channel)
    )
    row = (await connection.execute(asked)).one_or_none()
    return (row.id, state_call(row.state)) if row else None


async def unsettled(connection: AsyncConnection, pbx: str) -> list[Wish]:
    """The wishes for calls of the PBX, oldest first; the last one of a call is the one that counts."""
    joined = select(calls.c.id, func.coalesce(calls.c.joined_into, calls.c.id).label("kept")).subquery()
    asked = (
        select(recording_wishes.c.id, recording_wishes.c.paused, calls.c.state)
        .join(joined, joined.c.id == recording_wishes.c.call_id)
        .join(calls, calls.c.id == joined.c.kept)
        .where(recording_wishes.c.settled_at.is_(None), calls.c.pbx == pbx)
        .order_by(recording_wishes.c.asked_at, recording_wishes.c.id)
    )
    return [Wish(row.id, row.paused, state_call(row.state)) for row in await connection.execute(asked)]


async def silent(connection: AsyncConnection, pbx: str) -> list[Call]:
    """The calls of the PBX that go on and of which nothing may be heard now.

    The last wish that was done is a pause, or somebody in it has refused to be recorded.
    """
    rows = await connection.execute(_SILENT, {"pbx": pbx})
    return [state_call(row.state) for row in rows]


async def settle(connection: AsyncConnection, wish: UUID, outcome: Outcome) -> None:
    """Write down what became of a wish; what was settled before stays."""
    settled = update(recording_wishes).where(recording_wishes.c.id == wish, recording_wishes.c.settled_at.is_(None))
    await connection.execute(settled.values(settled_at=func.clock_timestamp(), outcome=outcome))


async def outcome_of(connection: AsyncConnection, wish: UUID) -> str | None:
    """What became of a wish; None while it is not settled."""
    asked = select(recording_wishes.c.outcome).where(recording_wishes.c.id == wish)
    told: str | None = (await connection.execute(asked)).scalar()
    return told


def is_paused(seen: CallView) -> bool:
    """Whether silence is written of the call now."""
    return any(span.until is None for span in seen.muted)


def still_heard(call: Call) -> list[str]:
    """The channels of a silent call whose sound is kept: their recording began in a pause, or before a refusal.

    A pause is the call's: it goes on when the channel ends that it began on, as one's that sends the call on. It is
    over when the PBX told so, whoever resumed.
    """
    seen, told = view(call), facts(call, RecordingMuted)
    muted = {span.channel for span in seen.muted if span.until is None}
    if not seen.refused and not (told and told[-1].muted):
        return []
    return [channel for channel in recorded_now(call, seen) if channel not in muted]


def recorded_now(call: Call, seen: CallView) -> list[str]:
    """The channels that the PBX records now, by uniqueid."""
    return [channel for channel in seen.recorded if call.channels[channel].ended_at is None]
