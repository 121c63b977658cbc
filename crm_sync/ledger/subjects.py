"""Reads what an effect tells of, as it is now; afterwards it is kept with the effect, but for sound and text."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.follow_up import stored_number
from calls.record import state_call
from calls.tables import calls, follow_up_actions, follow_ups, incident_events, incidents
from calls.view import view
from crm_sync.connections import Connection
from crm_sync.crm import SUBJECTS
from crm_sync.tables import lead_events, leads, parties, party_numbers
from crm_sync.told import (
    CrmCall,
    CrmIncident,
    CrmLead,
    CrmRecording,
    CrmTask,
    CrmTranscript,
    Subject,
)
from directory.store import read_regions


class NothingToTell(Exception):
    """What the effect was to tell of is not there any more, or is for nobody outside; the text is a key."""


class NotThereYet(Exception):
    """What the effect tells of is being prepared; `crm_sync.ledger.planning.release` is called when it is there."""


async def _no_link(_connection: AsyncConnection, _event: int) -> str | None:
    return None


async def _no_wish(_connection: AsyncConnection, _call_id: UUID) -> UUID | None:
    return None


@dataclass(frozen=True, slots=True)
class Rooms:
    """What other rooms know. `recording` makes a link for a connection, in shadow none; `address` tells an old one's.
    `wish` is the request that a call out came of, None for one that nobody asked for; `link` the address that stands in
    the words of a message, by the event of its lead.

    Each gives None for what is not there, or not for everybody's ears; `recording` raises NotThereYet.
    """

    recording: Callable[[AsyncConnection, UUID, Connection], Awaitable[CrmRecording | None]]
    address: Callable[[AsyncConnection, int], Awaitable[str | None]]
    transcript: Callable[[AsyncConnection, UUID], Awaitable[CrmTranscript | None]]
    wish: Callable[[AsyncConnection, UUID], Awaitable[UUID | None]] = _no_wish
    link: Callable[[AsyncConnection, int], Awaitable[str | None]] = _no_link


async def subject_of(
    connection: AsyncConnection, effect: Row[Any], rooms: Rooms, to: Connection
) -> tuple[datetime, Subject]:
    """What the effect tells, and when it happened. Raises NothingToTell, NotThereYet.

    A step of a newer version is a fault, which is tried again: a process of that version knows it.
    """
    if effect.step not in SUBJECTS:
        raise LookupError(effect.step)
    if effect.step == "task":
        return await _task(connection, effect.subject)
    if effect.step in {"lead", "message"}:
        return await _lead(connection, effect.subject)
    if effect.step == "incident":
        return await _incident(connection, effect.subject)
    row = await _call(connection, effect.call_id)
    if effect.step == "recording":
        recording = await rooms.recording(connection, row.id, to)
        if recording is None:
            raise NothingToTell("not_for_everybody")
        return row.ended_at or row.updated_at, recording
    if effect.step == "transcript":
        transcript = await rooms.transcript(connection, row.id)
        if transcript is None:
            raise NothingToTell("removed")
        return row.ended_at or row.updated_at, transcript
    times = {"call_started": row.started_at, "call_answered": row.answered_at, "call_finished": row.ended_at}
    return times[effect.step] or row.started_at or row.updated_at, await _told(connection, row)


async def call_told(connection: AsyncConnection, call_id: UUID) -> CrmCall:
    """A call as it is now. Raises NothingToTell."""
    return await _told(connection, await _call(connection, call_id))


async def _call(connection: AsyncConnection, call_id: UUID) -> Any:
    row = (await connection.execute(select(calls).where(calls.c.id == call_id))).one_or_none()
    if row is not None and row.joined_into is not None:
        return await _call(connection, row.joined_into)
    if row is None or row.erased:
        raise NothingToTell("erased")
    return row


async def _told(connection: AsyncConnection, row: Any) -> CrmCall:
    seen = view(state_call(row.state))
    regions = await read_regions(connection)
    joined = select(calls.c.id).where(calls.c.joined_into == row.id).order_by(calls.c.id)
    return CrmCall(
        id=row.id,
        pbx=row.pbx,
        direction=row.direction,
        status=row.status,
        line=row.line,
        number=stored_number(seen, regions) or None,
        name=row.caller_name if row.direction == "inbound" else None,
        started_at=row.started_at,
        answered_at=row.answered_at,
        ended_at=row.ended_at,
        wait_seconds=round(row.wait_seconds, 1),
        talk_seconds=round(row.talk_seconds, 1),
        person=row.person,
        missed_cause=row.missed_cause,
        party=row.party_id,
        lead=row.lead_id,
        recovered=row.recovered,
        joined=tuple((await connection.execute(joined)).scalars()),
    )


async def _task(connection: AsyncConnection, action_id: int) -> tuple[datetime, CrmTask]:
    asked = select(follow_up_actions.c.what, follow_up_actions.c.at, follow_ups).join(follow_ups)
    row = (await connection.execute(asked.where(follow_up_actions.c.id == action_id))).one_or_none()
    if row is None or row.number.startswith("erased"):
        raise NothingToTell("erased")
    told = CrmTask(
        id=row.id,
        change=row.what,
        call=row.call_id,
        number=row.number,
        line=row.line or None,
        origin=row.origin,
        cause=row.cause,
        owner=row.owner,
        due_at=row.due_at,
        attempt_count=row.attempt_count,
        closed_by=row.closed_by,
    )
    return row.at, told


async def _lead(connection: AsyncConnection, event_id: int) -> tuple[datetime, CrmLead]:
    event = (await connection.execute(select(lead_events).where(lead_events.c.id == event_id))).one_or_none()
    if event is None:
        raise NothingToTell("erased")
    asked = select(leads, parties.c.name).join(parties).where(leads.c.id == event.lead_id)
    row = (await connection.execute(asked)).one()
    known = select(party_numbers.c.number).where(party_numbers.c.party_id == row.party_id)
    numbers = (await connection.execute(known.order_by(party_numbers.c.number))).scalars()
    told = CrmLead(
        id=row.id,
        change=event.kind,
        party=row.party_id,
        name=row.name,
        numbers=tuple(numbers),
        stage=row.stage,
        step=row.step,
        owner=row.owner,
        line=row.source_line,
        before=event.before,
        after=event.after,
        reason=event.reason,
        by=event.by,
        call=event.call_id,
    )
    return event.at, told


async def _incident(connection: AsyncConnection, event_id: int) -> tuple[datetime, CrmIncident]:
    asked = select(incident_events.c.what, incident_events.c.at, incidents).join(incidents)
    row = (await connection.execute(asked.where(incident_events.c.id == event_id))).one()
    told = CrmIncident(
        id=row.id,
        change=row.what,
        kind=row.kind,
        subject=row.subject,
        grave=row.grave,
        started_at=row.started_at,
        ended_at=row.ended_at if row.what == "closed" else None,
        calls_lost=row.calls_lost,
        calls_saved=row.calls_saved,
    )
    return row.at, told


def numbers_of(subject: Subject) -> tuple[str, ...]:
    """Whom it is about; nobody: it belongs to a call that was told already."""
    match subject:
        case CrmCall(number=str(number)) | CrmTask(number=str(number)):
            return (number,)
        case CrmLead(numbers=numbers):
            return numbers
    return ()


def kept(at: datetime, subject: Subject) -> dict[str, Any]:
    """How it is stored: a signed address is a secret, and what was said is the archive's, which forgets it in time."""
    told = msgspec.to_builtins(subject)
    if isinstance(subject, CrmRecording):
        del told["url"]
    if isinstance(subject, CrmTranscript):
        told = {"call": told["call"]}
    request: dict[str, Any] = msgspec.to_builtins({"at": at, "told": told})
    return request
