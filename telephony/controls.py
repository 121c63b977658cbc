"""What is asked of the PBX for a call that goes on: to hold it, to hand it over, to hang up one's own device.

Written down by whoever is asked, done by whoever attends the call's PBX, at most once and only while it is fresh. What
was done is told by the PBX itself, in the events of the call.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.call import Call
from calls.record import state_call
from calls.tables import calls
from telephony.tables import call_controls

CHANNEL: Final = "switchhook_call_controls"
"""NOTIFY channel: something is wanted of a call; the payload is its id."""

What = Literal["hang_up", "hold", "resume", "transfer", "consult", "connect"]
"""resume takes the other side back, off hold or out of a consultation; connect hands them to who is consulted."""
Outcome = Literal[
    "done", "over", "too_late", "nobody_free", "no_hold", "refused_by_pbx", "not_yet",
    "no_consult", "on_hold", "consulting", "not_answered", "crowd",
]  # fmt: skip
"""done; the person does not talk in it any more; it was asked too long ago; no device of the colleague can ring now;
the person's device may not hold (see switchhook-held in the dialplan); the PBX did not do it; it was
asked, and nobody was told whether it did; the person's device may not consult (see switchhook-consult); the other side
is on hold; a consultation goes on; nobody who is consulted talks; more than two talk with each other."""

FRESH_SECONDS: Final = 5.0
"""So long after somebody asked it is still what they want: no call is hung up because of what was wanted in it once."""

_ONE_AT_A_TIME: Final = text("select pg_advisory_xact_lock(hashtextextended(:who, 50_404))")
_NOTIFY: Final = text("select pg_notify(:channel, :payload)")


class UnsettledError(Exception):
    """What was wanted of the person's device in the call before is not settled yet; nothing was written."""


@dataclass(frozen=True, slots=True)
class Control:
    """Something wanted that nobody has settled yet, with the call as it is known now; `age_seconds` since it was asked.

    `started_seconds` since the PBX was asked for it, which is done once; None: it was not yet.
    `person` is the key of whose device it is about; a transfer or a consultation is with `colleague` (a
    key) or `number`.
    """

    id: UUID
    what: What
    person: str
    colleague: str | None
    number: str | None
    age_seconds: float
    started_seconds: float | None
    call: Call


async def ask(  # what a wish is
    connection: AsyncConnection,
    call_id: UUID,
    what: What,
    person: str,
    *,
    by: str,
    colleague: str | None = None,
    number: str | None = None,
) -> UUID:
    """Write down what is wanted, and by which login; told to who does it when the transaction commits.

    One thing at a time is wanted of a device, as long as it is fresh: so nobody fills the line in which all wait.
    Raises UnsettledError.
    """
    await connection.execute(_ONE_AT_A_TIME, {"who": f"{call_id} {person}"})
    fresh = call_controls.c.asked_at > func.clock_timestamp() - timedelta(seconds=FRESH_SECONDS)
    of_device = (call_controls.c.call_id == call_id, call_controls.c.person == person)
    open_ = (*of_device, call_controls.c.settled_at.is_(None), fresh)
    if (await connection.execute(select(call_controls.c.id).where(*open_).limit(1))).first() is not None:
        raise UnsettledError
    values = {"call_id": call_id, "what": what, "person": person, "asked_by": by}
    asked = insert(call_controls).values(**values, colleague=colleague, number=number).returning(call_controls.c.id)
    control: UUID = (await connection.execute(asked)).scalar_one()
    await connection.execute(_NOTIFY, {"channel": CHANNEL, "payload": str(call_id)})
    return control


async def unsettled(connection: AsyncConnection, pbx: str) -> list[Control]:
    """What is wanted of calls of the PBX, in the order of asking."""
    joined = select(calls.c.id, func.coalesce(calls.c.joined_into, calls.c.id).label("kept")).subquery()
    age = func.extract("epoch", func.clock_timestamp() - call_controls.c.asked_at).label("age")
    started = func.extract("epoch", func.clock_timestamp() - call_controls.c.started_at).label("started")
    asked = (
        select(call_controls, age, started, calls.c.state)
        .join(joined, joined.c.id == call_controls.c.call_id)
        .join(calls, calls.c.id == joined.c.kept)
        .where(call_controls.c.settled_at.is_(None), calls.c.pbx == pbx)
        .order_by(call_controls.c.asked_at, call_controls.c.id)
    )
    return [
        Control(
            id=row.id,
            what=row.what,
            person=row.person,
            colleague=row.colleague,
            number=row.number,
            age_seconds=float(row.age),
            started_seconds=None if row.started is None else float(row.started),
            call=state_call(row.state),
        )
        for row in await connection.execute(asked)
    ]


async def start(connection: AsyncConnection, control: UUID) -> bool:
    """Note, before the PBX is asked, that it is; False when somebody did so already, or it is settled."""
    started = (
        update(call_controls)
        .where(
            call_controls.c.id == control, call_controls.c.settled_at.is_(None), call_controls.c.started_at.is_(None)
        )
        .values(started_at=func.clock_timestamp())
        .returning(call_controls.c.id)
    )
    return (await connection.execute(started)).scalar_one_or_none() is not None


async def settle(connection: AsyncConnection, control: UUID, outcome: Outcome) -> None:
    """Write down what became of it, and forget the number outside; what was settled before stays."""
    settled = update(call_controls).where(call_controls.c.id == control, call_controls.c.settled_at.is_(None))
    await connection.execute(settled.values(settled_at=func.clock_timestamp(), outcome=outcome, number=None))


async def outcome_of(connection: AsyncConnection, control: UUID) -> str | None:
    """What became of it; None while it is not settled."""
    asked = select(call_controls.c.outcome).where(call_controls.c.id == control)
    told: str | None = (await connection.execute(asked)).scalar()
    return told
