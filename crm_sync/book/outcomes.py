"""What a person writes and tells of a call on its card: its note, its outcome, the next step; kept once, then booked.

Rules kept here:
1. What was told is kept at once, by call and person, whether there is a lead already or not.
2. It goes to the call's lead once (`booked_at`): at once where the call has one, else in the transaction that links it.
3. A call that joined another is told there; what was written of it before goes with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, Row, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.tables import calls
from crm_sync.book.decisions import decide
from crm_sync.book.leads import By
from crm_sync.book.lifecycle import OUTCOMES, LifecycleError, Move
from crm_sync.book.notes import add_note, add_task, written
from crm_sync.tables import desk_cards, leads
from directory.model import Directory

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

CHANNEL: Final = "switchhook_desk"
"""NOTIFY channel: something was written or told on a card of the person whose key is the payload."""

_ONE_AT_A_TIME: Final = text("select pg_advisory_xact_lock(hashtextextended(:call, 50))")
"""Whoever tells of a call and whoever links it come one after the other, so that one of them books what was told."""

_NOTIFY: Final = text("select pg_notify(:channel, :payload)")
_UNFINISHED: Final = frozenset({"new", "qualifying"})
_SAME: Final = timedelta(minutes=1)
"""In an hour, said twice within so long, is said once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a person tells of a call: its `outcome` (None: nothing), of which lead its own is a duplicate, what is next.

    `next_step` is what is to be done (None: nothing), `next_at` by when.
    """

    outcome: str | None = None
    duplicate_of: int | None = None
    next_step: str | None = None
    next_at: datetime | None = None


async def write_note(connection: AsyncConnection, call: UUID, person: str, note: str, at: datetime) -> None:
    """Keep a note as it is typed, in place of the one before. Raises LifecycleError for what is no text."""
    kept = written(note) if note.strip() else ""
    made = insert(desk_cards).values(call_id=call, person=person, note=kept, noted_at=at)
    again = made.on_conflict_do_update(index_elements=["call_id", "person"], set_={"note": kept, "noted_at": at})
    await connection.execute(again)
    await _notify(connection, person)


async def tell(
    connection: AsyncConnection, directory: Directory, call: UUID, person: str, told: Told, by: By
) -> int | None:
    """Keep what is told of a call and close its card; gives the lead that it went to, None: it goes when there is one.

    Whoever asks has seen that the other lead of a duplicate is there. Raises LifecycleError, NoSuchLead; then nothing
    is to be kept.
    """
    _check(told, by.at)
    await connection.execute(_ONE_AT_A_TIME, {"call": str(call)})
    row = await _card(connection, call, person)
    if _is_told(row, told):
        return None  # the same once more, as by a click that was sent twice
    values = {"duplicate_of": told.duplicate_of, "next_step": told.next_step, "next_at": told.next_at}
    changed = {"outcome": told.outcome, "told_at": by.at, "told_by": by.who, "closed_at": by.at, **values}
    await connection.execute(update(desk_cards).where(*_its(call, person)).values(changed))
    await _notify(connection, person)
    return await _book_now(connection, directory, call, person, by)


async def dismiss(connection: AsyncConnection, directory: Directory, call: UUID, person: str, by: By) -> None:
    """Take the card off the desk with nothing told but its note."""
    await connection.execute(_ONE_AT_A_TIME, {"call": str(call)})
    await _card(connection, call, person)
    gone = update(desk_cards).where(*_its(call, person), desk_cards.c.closed_at.is_(None)).values(closed_at=by.at)
    if (await connection.execute(gone)).rowcount:
        await _notify(connection, person)
        await _book_now(connection, directory, call, person, by)


async def book(connection: AsyncConnection, directory: Directory, call: UUID, lead: int) -> None:
    """Take what was told of a call to the lead that it was just linked to.

    A move that the lead refuses, as it changed meanwhile, stays on the call alone: nobody is there to be asked again.
    """
    await connection.execute(_ONE_AT_A_TIME, {"call": str(call)})
    asked = select(desk_cards).where(desk_cards.c.call_id.in_(_same_call(call)), desk_cards.c.closed_at.is_not(None))
    for row in (await connection.execute(asked.where(desk_cards.c.booked_at.is_(None)).with_for_update())).all():
        by = By(who=row.told_by or row.person, at=row.told_at or row.closed_at, call=call)
        for carry in (_move_lead, _write_to):
            try:
                async with connection.begin_nested():
                    await carry(connection, directory, lead, row, by)
            except LifecycleError as error:
                log.warning("what was told of a call could not be done", call=str(call), field=error.field)
        await _mark(connection, row, by.at)


async def of_call(connection: AsyncConnection, call: UUID) -> list[Row[Any]]:
    """The rows of `desk_cards` of a call, who told or wrote first before the others."""
    asked = select(desk_cards).where(desk_cards.c.call_id.in_(_same_call(call)))
    return list((await connection.execute(asked.order_by(desk_cards.c.told_at, desk_cards.c.noted_at))).all())


async def _book_now(connection: AsyncConnection, directory: Directory, call: UUID, person: str, by: By) -> int | None:
    lead = await _lead_of(connection, call)
    if lead is not None:
        row = await _card(connection, call, person)
        await _move_lead(connection, directory, lead, row, by)
        await _write_to(connection, directory, lead, row, by)
        await _mark(connection, row, by.at)
    return lead


async def _lead_of(connection: AsyncConnection, call: UUID) -> int | None:
    """The lead that a call was linked to; None: it is not linked yet, or has none."""
    return (await connection.execute(select(calls.c.lead_id).where(calls.c.id == call))).scalar_one_or_none()


def _is_told(row: Row[Any], told: Told) -> bool:
    """Whether this was told before, and whatever was written since is at the lead too."""
    if row.told_at is None or (row.outcome, row.duplicate_of, row.next_step) != (
        told.outcome,
        told.duplicate_of,
        told.next_step,
    ):
        return False
    if row.noted_at and row.booked_at and row.noted_at > row.booked_at:
        return False
    if row.next_at is None or told.next_at is None:
        return row.next_at is told.next_at
    return bool(abs(row.next_at - told.next_at) < _SAME)


async def _move_lead(connection: AsyncConnection, directory: Directory, lead: int, row: Row[Any], by: By) -> None:
    """Move the lead as was told; of another team's client only heads do."""
    now = (await connection.execute(select(leads.c.stage, leads.c.owner).where(leads.c.id == lead))).one()
    move = _move(row, now.stage)
    if move is not None:
        if not by.head and not _work_together(directory, row.person, now.owner):
            raise LifecycleError("reason", "another team works on this lead", why="other_team")
        await decide(connection, directory, lead, move, by)


async def _write_to(connection: AsyncConnection, directory: Directory, lead: int, row: Row[Any], by: By) -> None:
    """Write the note that is new, and give whoever told it the next step, once."""
    if row.note and (row.booked_at is None or (row.noted_at and row.noted_at > row.booked_at)):
        await add_note(connection, lead, row.note, by)
    if row.next_step and (row.booked_at is None or row.told_at > row.booked_at):
        await add_task(connection, directory, lead, row.next_step, by, assignee=row.person, due_at=row.next_at)


def _move(row: Row[Any], stage: str) -> Move | None:
    """What the outcome makes of a lead at that stage; None: nothing, for it is there, or further, already."""
    if row.outcome in {None, "call_again"}:
        return None
    if row.outcome == "qualified":
        return Move(stage="qualified") if stage in _UNFINISHED else None
    if stage == "disqualified":
        return None
    return Move(stage="disqualified", reason=row.outcome, duplicate_of=row.duplicate_of)


def _work_together(directory: Directory, person: str, owner: str | None) -> bool:
    """Whether a lead is nobody's, one's own, or of somebody in a team of one's own."""
    if owner in {None, person}:
        return True
    return any({person, owner} <= set(team.members) for team in directory.teams)


async def _mark(connection: AsyncConnection, row: Row[Any], at: datetime) -> None:
    booked = update(desk_cards).where(*_its(row.call_id, row.person))
    await connection.execute(booked.values(booked_at=func.greatest(at, desk_cards.c.noted_at)))


def _check(told: Told, now: datetime) -> None:
    if told.outcome is not None and told.outcome not in OUTCOMES:
        raise LifecycleError("reason", f"must be one of {', '.join(OUTCOMES)}, got {told.outcome[:40]!r}")
    if (told.outcome == "duplicate") != (told.duplicate_of is not None):
        raise LifecycleError("duplicate_of", "a duplicate names the other lead, and nothing else does")
    if told.outcome == "call_again" and told.next_at is None:
        raise LifecycleError("due_at", "when to call again is to be told", why="when")
    if told.next_at is not None and told.next_step is None:
        raise LifecycleError("text", "what is to be done then is to be told")
    if told.next_at is not None and told.next_at <= now:
        raise LifecycleError("due_at", f"must be in the future, got {told.next_at.isoformat()}", why="past")
    if told.next_step is not None:
        written(told.next_step)


async def _card(connection: AsyncConnection, call: UUID, person: str) -> Row[Any]:
    """The row of a card, locked; made where nothing was written or told on it."""
    await connection.execute(insert(desk_cards).values(call_id=call, person=person).on_conflict_do_nothing())
    return (await connection.execute(select(desk_cards).where(*_its(call, person)).with_for_update())).one()


def _its(call: UUID, person: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return desk_cards.c.call_id == call, desk_cards.c.person == person


def _same_call(call: UUID) -> Any:
    """The ids of a call and of those that joined it."""
    return select(calls.c.id).where((calls.c.id == call) | (calls.c.joined_into == call))


async def _notify(connection: AsyncConnection, person: str) -> None:
    await connection.execute(_NOTIFY, {"channel": CHANNEL, "payload": person})
