"""Reads one lead with everything that belongs to it, and refuses the one who may not see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web
from sqlalchemy import ColumnElement, and_, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.follow_up_list import OPEN as PROMISED
from calls.follow_up_list import most_urgent
from calls.tables import calls, follow_ups
from crm_sync.book.lifecycle import LifecycleError
from crm_sync.tables import lead_events, leads, notes, parties, party_numbers, tasks
from directory import store
from directory.model import Directory
from recordings.gaps import KEPT
from recordings.tables import recordings, transcripts
from web.api.operations import number_in
from web.guard import VIEWER
from web.rights import Scope, leads_seen, own_follow_ups, scope_of, tasks_worked
from web.sessions import Viewer

EVENTS_MOST: Final = 500
CALLS_MOST: Final = 50
CALLS_ALL: Final = 1000
"""Shown where somebody asks for all of them."""

UNDOERS: Final = frozenset({"head", "admin"})


@dataclass(frozen=True, slots=True)
class OneLead:
    """A lead's row with the party's name, e-mail and wish, the numbers, and what the viewer may do about it."""

    row: Any
    numbers: tuple[str, ...]
    directory: Directory
    scope: Scope
    may_change: bool
    head: bool


@dataclass(frozen=True, slots=True)
class Belongings:
    """What belongs to a lead or a party: of calls and promises only those that the viewer may see."""

    events: Sequence[Any]
    notes: Sequence[Any]
    tasks: Sequence[Any]
    calls: Sequence[Any]
    promises: Sequence[Any]


async def read_lead(request: web.Request, connection: AsyncConnection) -> OneLead:
    """The lead of `{number}` in the path. Raises 404 when there is none, 403 when the viewer may not see it."""
    number = number_in(request)
    directory = await store.read(connection)  # not the House: what it knows may be some seconds old
    viewer = request[VIEWER]
    scope = scope_of(viewer, directory)
    asked = (
        select(leads, parties.c.name, parties.c.email, parties.c.do_not_call_at, leads_seen(scope).label("seen"))
        .join(parties, parties.c.id == leads.c.party_id)
        .where(leads.c.id == number)
    )
    row = (await connection.execute(asked)).first()
    if row is None:
        raise web.HTTPNotFound(text="There is no such lead.")
    if not row.seen:
        raise web.HTTPForbidden(text="This lead is neither yours nor your team's.")
    return OneLead(
        row=row,
        numbers=await numbers_of_party(connection, row.party_id),
        directory=directory,
        scope=scope,
        may_change=scope.works_on(row.owner, row.source_line),
        head=viewer.role in UNDOERS,
    )


async def see_other(connection: AsyncConnection, scope: Scope, lead: int) -> None:
    """Raise LifecycleError for a lead, which another is to be a duplicate of, that is not there or not seen."""
    seen = select(leads.c.id).where(leads.c.id == lead, leads_seen(scope))
    if (await connection.execute(seen)).first() is None:
        raise LifecycleError("duplicate_of", f"there is no lead {lead}")


async def numbers_of_party(connection: AsyncConnection, party: int) -> tuple[str, ...]:
    """Every number of a party, in order."""
    asked = select(party_numbers.c.number).where(party_numbers.c.party_id == party).order_by(party_numbers.c.number)
    return tuple((await connection.execute(asked)).scalars())


async def belongings(
    connection: AsyncConnection, viewer: Viewer, one: OneLead, calls_most: int = CALLS_MOST
) -> Belongings:
    """Everything that belongs to a lead; its notes are those of its party that are of no other lead."""
    lead, party = one.row.id, one.row.party_id
    return Belongings(
        events=await events_of(connection, lead),
        notes=await notes_of(connection, and_(notes.c.party_id == party, notes.c.lead_id.in_([lead]))),
        tasks=await tasks_of(connection, tasks.c.lead_id == lead, tasks_worked(viewer, one.scope)),
        calls=await calls_of(connection, one.scope, calls.c.lead_id == lead, calls_most),
        promises=await promises_of(connection, viewer, one.scope, one.numbers),
    )


async def events_of(connection: AsyncConnection, lead: int, after: int = 0) -> Sequence[Any]:
    """What happened to a lead after the event of that id, the last EVENTS_MOST of it, in order."""
    asked = select(lead_events).where(lead_events.c.lead_id == lead, lead_events.c.id > after)
    newest = asked.order_by(lead_events.c.id.desc()).limit(EVENTS_MOST)
    rows: Sequence[Any] = (await connection.execute(newest)).all()
    return list(reversed(rows))


async def notes_of(connection: AsyncConnection, wanted: ColumnElement[bool]) -> Sequence[Any]:
    """Notes, the newest first."""
    return (await connection.execute(select(notes).where(wanted).order_by(notes.c.id.desc()).limit(EVENTS_MOST))).all()


async def tasks_of(
    connection: AsyncConnection, wanted: ColumnElement[bool], worked: ColumnElement[bool]
) -> Sequence[Any]:
    """Tasks: open ones first, by when they are due; each with whether the viewer may do it (`worked`)."""
    asked = select(tasks, worked.label("worked")).where(wanted)
    ordered = asked.order_by(tasks.c.done_at.is_not(None), tasks.c.due_at.nulls_last(), tasks.c.id.desc())
    rows: Sequence[Any] = (await connection.execute(ordered.limit(CALLS_MOST))).all()
    return rows


async def calls_of(
    connection: AsyncConnection, scope: Scope, wanted: ColumnElement[bool], most: int = CALLS_MOST
) -> Sequence[Any]:
    """The calls that the viewer may see, the newest first, each with whether it was recorded and written down."""
    recorded = exists(
        select(recordings.c.call_id).where(recordings.c.call_id == calls.c.id, recordings.c.state.in_(KEPT))
    )
    written = exists(select(transcripts.c.call_id).where(transcripts.c.call_id == calls.c.id))
    own = [column for column in calls.c if column.name not in {"state", "linkedids", "joined_into"}]
    asked = select(*own, recorded.label("recorded"), written.label("transcribed"))
    asked = asked.where(wanted, calls.c.joined_into.is_(None), calls.c.started_at.is_not(None), scope.rows())
    return (await connection.execute(asked.order_by(calls.c.started_at.desc()).limit(most))).all()


async def promises_of(
    connection: AsyncConnection, viewer: Viewer, scope: Scope, numbers: Sequence[str]
) -> Sequence[Any]:
    """The open promises to call these numbers back that the viewer may see."""
    mine = and_(own_follow_ups(viewer, scope), PROMISED, follow_ups.c.number.in_(numbers))
    rows: Sequence[Any] = (await connection.execute(most_urgent(mine).limit(CALLS_MOST))).all()
    return rows
