"""Wishes to overhear a call: written down by whoever is asked, done by whoever attends its PBX, kept for good."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.record import CHANNEL as CALLS
from calls.tables import calls
from telephony.chan_spy import Mode
from telephony.tables import UNDER_WAY, overhearings

CHANNEL: Final = "switchhook_overhearings"
"""NOTIFY channel: somebody wants to overhear a call; the payload is the call's id."""

FAILURES: Final = (
    *("over", "nobody_talks", "no_device", "in_use", "pbx_refused", "no_answer", "rejected", "busy", "unreachable"),
    *("too_late", "interrupted"),
)
"""Why a call was not overheard: it is over, nobody of ours talks in it now, who wants to has no telephone that is
registered, or talks on it; what the PBX or that telephone said; nobody attended the PBX, or not to the end."""

_NOTIFY: Final = text("select pg_notify(:channel, :payload)")
_kept: Final = func.coalesce(calls.c.joined_into, calls.c.id)


@dataclass(frozen=True, slots=True)
class Wanted:
    """One overhearing that is not over, with its call as it is known now (`state`, as the row keeps it)."""

    id: UUID
    call_id: UUID
    person: str
    heard: str
    mode: Mode
    asked_by: str
    step: str
    channel: str | None
    age_seconds: float
    ended_at: datetime | None
    state: Any


async def ask(
    connection: AsyncConnection, call_id: UUID, *, person: str, heard: str, mode: Mode, asked_by: str
) -> UUID:
    """Write down that a person wants to overhear a call; told to who does it, and to pages, at the commit.

    `heard` is the key of the colleague whose telephone is heard.
    """
    row = {"call_id": call_id, "person": person, "heard": heard, "mode": mode, "asked_by": asked_by}
    made = await connection.execute(insert(overhearings).values(row).returning(overhearings.c.id))
    wanted: UUID = made.scalar_one()
    for channel in (CHANNEL, CALLS):
        await connection.execute(_NOTIFY, {"channel": channel, "payload": str(call_id)})
    return wanted


async def under_way(connection: AsyncConnection, pbx: str) -> list[Wanted]:
    """All that is not over of calls of a PBX, the oldest first."""
    kept = calls.alias("kept")
    asked = (
        select(
            overhearings.c.id,
            kept.c.id.label("call_id"),
            overhearings.c.person,
            overhearings.c.heard,
            overhearings.c.mode,
            overhearings.c.asked_by,
            overhearings.c.state.label("step"),
            overhearings.c.channel,
            func.extract("epoch", func.clock_timestamp() - overhearings.c.asked_at).label("age_seconds"),
            kept.c.ended_at,
            kept.c.state,
        )
        .join(calls, calls.c.id == overhearings.c.call_id)
        .join(kept, kept.c.id == _kept)
        .where(overhearings.c.state.in_(UNDER_WAY), kept.c.pbx == pbx)
        .order_by(overhearings.c.asked_at, overhearings.c.id)
    )
    return [Wanted(**row._mapping) for row in await connection.execute(asked)]  # noqa: SLF001 - its public name


async def place(connection: AsyncConnection, overhearing: UUID, device: str, channel: str) -> bool:
    """Note, before the PBX is told, which telephone it calls; False when somebody did so already."""
    told = {"state": "placed", "device": device, "channel": channel}
    return await _move(connection, overhearing, ("wanted",), told)


async def begin(connection: AsyncConnection, overhearing: UUID, channel: str | None = None) -> None:
    """Note that it is heard from now on; `channel`, where an overhearing that goes on becomes this one."""
    told = {"state": "heard", "began_at": func.clock_timestamp()} | ({"channel": channel} if channel else {})
    await _move(connection, overhearing, ("wanted", "placed"), told)


async def end(connection: AsyncConnection, overhearing: UUID) -> None:
    """Note that it is heard no more."""
    await _move(connection, overhearing, ("heard",), {"state": "over", "ended_at": func.clock_timestamp()})


async def end_channel(connection: AsyncConnection, channel: str) -> None:
    """The same of whatever is heard on a channel that has ended."""
    asked = select(overhearings.c.id).where(overhearings.c.state == "heard", overhearings.c.channel == channel)
    for overhearing in (await connection.execute(asked)).scalars().all():
        await end(connection, overhearing)


async def fail(connection: AsyncConnection, overhearing: UUID, reason: str) -> None:
    """Note that it did not come to be, and why: one of FAILURES."""
    told = {"state": "failed", "reason": reason, "ended_at": func.clock_timestamp()}
    await _move(connection, overhearing, ("wanted", "placed"), told)


async def find(connection: AsyncConnection, overhearing: UUID) -> Row[Any] | None:
    """One overhearing; None when there is none."""
    return (await connection.execute(select(overhearings).where(overhearings.c.id == overhearing))).one_or_none()


async def of_person(connection: AsyncConnection, person: str | None, within_seconds: float) -> list[Row[Any]]:
    """What a person overhears, and what failed or ended so short a time ago, the newest first; at most twenty."""
    recent = overhearings.c.asked_at > func.clock_timestamp() - func.make_interval(0, 0, 0, 0, 0, 0, within_seconds)
    asked = (
        select(overhearings)
        .where(overhearings.c.person == person, recent | overhearings.c.state.in_(UNDER_WAY))
        .order_by(overhearings.c.asked_at.desc())
        .limit(20)
    )
    return list((await connection.execute(asked)).all()) if person else []


async def _move(connection: AsyncConnection, overhearing: UUID, before: tuple[str, ...], told: dict[str, Any]) -> bool:
    """Change a row that is in one of the states `before`, and have the pages that show its call look again."""
    moved = (
        update(overhearings)
        .where(overhearings.c.id == overhearing, overhearings.c.state.in_(before))
        .values(told)
        .returning(overhearings.c.call_id)
    )
    call_id = (await connection.execute(moved)).scalar_one_or_none()
    if call_id is not None:
        await connection.execute(_NOTIFY, {"channel": CALLS, "payload": str(call_id)})
    return call_id is not None
