"""Leads by the API: read by who may see them, changed by who works on them, undone and given away by heads."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from pydantic import Field
from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync.book import decisions, notes
from crm_sync.book.decisions import UNSEEN, ChangedMeanwhile
from crm_sync.book.lead_list import Wanted, WantedRefused, checked, count, last_lost, newest, on_managers_list, whole
from crm_sync.book.leads import By
from crm_sync.book.lifecycle import OPEN, LifecycleError, Move
from crm_sync.tables import leads
from directory import store
from directory.blocking import blocked_of
from directory.model import Directory
from recordings.audit import note
from web.api import lead_models as models
from web.api.house import PageQuery
from web.api.operations import NoQuery, Query, number_in, refusal
from web.audited import audited
from web.guard import VIEWER
from web.house import HOUSE
from web.keeping import actor_of
from web.leads.one import see_other
from web.rights import Scope, leads_seen, scope_of
from web.services import SERVICES
from web.sessions import Viewer


class SegmentQuery(Query):
    """Which leads; `fields[name]=value` asks for what the house's own fields hold, `owner` `-` for nobody's.

    `stage`: one, or `open` for every one that is worked on.
    """

    stage: str = ""
    step: str = ""
    owner: str = ""
    line: str = ""
    reason: str = ""
    overdue: bool = False
    fields: dict[str, str] = Field(default_factory=dict)

    def wanted(self, directory: Directory) -> Wanted:
        """Which leads are asked for. Raises WantedRefused."""
        told = Wanted(
            stages=OPEN if self.stage == "open" else (self.stage,) if self.stage else (),
            step=self.step,
            owner=self.owner,
            line=self.line,
            reason=self.reason,
            overdue=self.overdue,
            fields=self.fields,
        )
        return checked(told, directory)


def refused_wanted(error: WantedRefused) -> web.Response:
    """The problem document of leads that are looked for by what the house does not know."""
    return refusal(422, f"wrong_{error.field}", str(error), field=error.field)


class LeadsQuery(SegmentQuery, PageQuery):
    """Which leads, and which page of them."""


async def list_leads(request: web.Request, query: LeadsQuery) -> models.LeadPage | web.Response:
    """GET /leads: for a manager, what they work on and whose parties called; what was lost long ago is heads' only."""
    try:
        where = await _where(request, query)
    except WantedRefused as error:
        return refused_wanted(error)
    async with request.app[SERVICES].engine.connect() as connection:
        asked = newest(where, before=query.cursor).limit(query.limit + 1)
        rows = (await connection.execute(asked)).all()
    items = [_told(row) for row in rows[: query.limit]]
    return models.LeadPage(items=items, next=str(items[-1].id) if len(rows) > query.limit else None)


async def count_leads(request: web.Request, query: SegmentQuery) -> models.LeadCount | web.Response:
    """GET /leads/count: of the same."""
    try:
        where = await _where(request, query)
    except WantedRefused as error:
        return refused_wanted(error)
    async with request.app[SERVICES].engine.connect() as connection:
        stages = await count(connection, where)
    return models.LeadCount(total=sum(stages.values()), stages=stages)


async def _where(request: web.Request, query: SegmentQuery) -> ColumnElement[bool]:
    directory = await request.app[HOUSE].read()
    scope = scope_of(request[VIEWER], directory)
    wanted = query.wanted(directory)
    if scope.everything:
        return wanted.condition()
    return and_(wanted.condition(), leads_seen(scope), on_managers_list(directory.leads, datetime.now(UTC)))


async def get_lead(request: web.Request, _query: NoQuery) -> models.LeadWhole:
    """GET /leads/{number}."""
    lead = number_in(request)
    scope = scope_of(request[VIEWER], await request.app[HOUSE].read())
    async with request.app[SERVICES].engine.connect() as connection:
        told = await _whole(connection, lead)
        seen = select(leads.c.id).where(leads.c.id == lead, leads_seen(scope))
        if (await connection.execute(seen)).scalar() is None:
            raise web.HTTPForbidden(text="This lead is another team's.")
    return told


@audited("lead_changed")
async def move_lead(request: web.Request, wish: models.LeadMove) -> models.LeadWhole | web.Response:
    """POST /leads/{number}/move."""
    move = Move(stage=wish.stage, step=wish.step, reason=wish.reason, duplicate_of=wish.duplicate_of)

    async def decide(connection: AsyncConnection, directory: Directory, lead: int, by: By) -> None:
        seen = UNSEEN if wish.seen is None else wish.seen
        if move.duplicate_of is not None:
            await see_other(connection, scope_of(request[VIEWER], directory), move.duplicate_of)
        await decisions.decide(connection, directory, lead, move, by, seen=seen, block=wish.block)

    return await _change(request, decide)


@audited("lead_changed")
async def return_lead(request: web.Request, wish: models.LeadReturn) -> models.LeadWhole | web.Response:
    """POST /leads/{number}/return."""

    async def bring_back(connection: AsyncConnection, directory: Directory, lead: int, by: By) -> None:
        seen = UNSEEN if wish.seen is None else wish.seen
        await decisions.bring_back(connection, directory, lead, by, seen=seen)

    return await _change(request, bring_back)


@audited("lead_changed")
async def give_lead(request: web.Request, wish: models.LeadOwner) -> models.LeadWhole | web.Response:
    """POST /leads/{number}/owner: managers take what is nobody's and give their own to their team, heads whatever."""
    viewer = request[VIEWER]
    scope = scope_of(viewer, await request.app[HOUSE].read())

    async def give(connection: AsyncConnection, directory: Directory, lead: int, by: By) -> None:
        asked = select(leads.c.owner).where(leads.c.id == lead).with_for_update(key_share=True)
        owner = (await connection.execute(asked)).scalar_one()
        mine = viewer.role == "head" or owner in {None, viewer.person}
        theirs = mine and (wish.owner is None or wish.owner in scope.people)
        if not scope.everything and not theirs:
            raise LifecycleError("head", "only a head gives a colleague's lead, or a lead to another team")
        seen = UNSEEN if wish.seen is None else wish.seen
        await decisions.give(connection, directory, lead, wish.owner, by, seen=seen)

    return await _change(request, give)


@audited("lead_changed")
async def note_lead(request: web.Request, wish: models.LeadNote) -> models.LeadWhole | web.Response:
    """POST /leads/{number}/notes."""

    async def add(connection: AsyncConnection, _directory: Directory, lead: int, by: By) -> None:
        await notes.add_note(connection, lead, wish.text, by)

    return await _change(request, add)


@audited("lead_changed")
async def add_task(request: web.Request, wish: models.LeadTask) -> models.LeadWhole | web.Response:
    """POST /leads/{number}/tasks."""

    async def add(connection: AsyncConnection, directory: Directory, lead: int, by: By) -> None:
        whose, due_at = wish.assignee, wish.due_at
        await notes.add_task(connection, directory, lead, wish.text, by, assignee=whose, due_at=due_at)

    return await _change(request, add)


@audited("lead_changed")
async def set_deadline(request: web.Request, wish: models.LeadDeadline) -> models.LeadWhole | web.Response:
    """POST /leads/{number}/deadline."""

    async def put_off(connection: AsyncConnection, _directory: Directory, lead: int, by: By) -> None:
        await decisions.put_off(connection, lead, wish.at, by)

    return await _change(request, put_off)


@audited("lead_changed")
async def set_fields(request: web.Request, wish: models.LeadFields) -> models.LeadWhole | web.Response:
    """POST /leads/{number}/fields."""

    async def write(connection: AsyncConnection, directory: Directory, lead: int, by: By) -> None:
        await decisions.write_fields(connection, directory, lead, wish.fields, by)

    return await _change(request, write)


Changing = Callable[[AsyncConnection, Directory, int, By], Awaitable[None]]


async def _change(request: web.Request, change: Changing) -> models.LeadWhole | web.Response:
    """Do one thing to a lead that the viewer works on, and tell the lead as it is then; or why nothing was done."""
    number = number_in(request)
    try:
        async with _worked_on(request, number) as (connection, directory):
            await change(connection, directory, number, by_viewer(request[VIEWER]))
            told = {"do": request.path.rpartition("/")[2]}  # what changed is in the lead's own history
            await note(connection, actor_of(request), "lead_changed", f"lead {number}", told)
            return await _whole(connection, number)
    except ChangedMeanwhile as changed:
        return refusal(409, "changed_meanwhile", str(changed))
    except LifecycleError as error:
        if error.field == "head":
            raise web.HTTPForbidden(text=str(error)) from None
        return refusal(422, f"wrong_{error.field}", str(error), field=error.field)


@asynccontextmanager
async def _worked_on(request: web.Request, lead: int) -> AsyncIterator[tuple[AsyncConnection, Directory]]:
    """A transaction in which a lead may be changed. Raises 403 where the viewer works on others, 404."""
    async with request.app[SERVICES].engine.begin() as connection:
        directory = await store.read(connection)
        asked = select(leads.c.owner, leads.c.source_line).where(leads.c.id == lead)
        row = (await connection.execute(asked)).one_or_none()
        if row is None:
            raise web.HTTPNotFound(text=f"There is no lead {lead}.")
        scope: Scope = scope_of(request[VIEWER], directory)
        if not scope.works_on(row.owner, row.source_line):
            raise web.HTTPForbidden(text="This lead is another team's.")
        yield connection, directory


def by_viewer(viewer: Viewer) -> By:
    """Who decides, for the lead's history: the person, or the login of who is nobody in the directory."""
    head = viewer.role in {"head", "admin"}
    return By(who=viewer.person or viewer.login, at=datetime.now(UTC), head=head)


async def _whole(connection: AsyncConnection, lead: int) -> models.LeadWhole:
    found = await whole(connection, lead)
    if found is None:
        raise web.HTTPNotFound(text=f"There is no lead {lead}.")
    lost = last_lost(found.events)
    told = {
        **_columns(found.row),
        "email": found.row.email,
        "blocked": await blocked_of(connection, found.row.numbers or ()),
        "lost": lost and {"at": lost.at, "reason": lost.reason, "steps": _rows(lost.steps)},
        "history": _rows(found.events),
        "notes": _rows(found.notes),
        "tasks": _rows(found.tasks),
    }
    return models.LeadWhole.model_validate(told)


def _told(row: Any) -> models.LeadTold:
    return models.LeadTold.model_validate(_columns(row))


def _columns(row: Any) -> dict[str, Any]:
    told = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping
    return told | {"numbers": sorted(row.numbers or ())}


def _rows(rows: Any) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping
