"""One party by the API: read by who may see it, changed by who works on its leads, merged and parted by heads."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from pydantic import AwareDatetime, Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync.book import merging
from crm_sync.book.merging import NAME_MOST, PartyRefused, merges_of
from crm_sync.tables import leads, tasks
from web.api.lead_models import TaskWhole
from web.api.operations import Answer, Body, NoBody, NoQuery, number_in, refusal
from web.api.tasks import task_told
from web.audited import audited
from web.guard import VIEWER
from web.leads import party_changes
from web.leads.party_changes import OneParty, read_party
from web.rights import leads_seen, tasks_worked
from web.services import SERVICES

_MOST = 200


class LeadOfParty(Answer):
    """A lead of the party that the viewer may see."""

    id: int
    stage: str
    step: str | None
    owner: str | None
    opened_at: AwareDatetime
    closed_at: AwareDatetime | None


class MergeTold(Answer):
    """Once two parties turned out to be one: `gone` became part of `kept`."""

    id: int
    kept: int
    gone: int
    at: AwareDatetime
    by: str
    undone_at: AwareDatetime | None
    undone_by: str | None


class PartyWhole(Answer):
    """A person outside, with what the viewer may see of theirs."""

    id: int
    name: str | None
    email: str | None
    numbers: list[str]
    created_at: AwareDatetime
    do_not_call_at: AwareDatetime | None = Field(description="Since when they do not want to be called.")
    merged_into: int | None = Field(description="The party that this one turned out to be.")
    leads: list[LeadOfParty]
    tasks: list[TaskWhole] = Field(description="Open ones that the viewer may do.")
    merges: list[MergeTold] = Field(description="For heads and admins; others are told none.")


class PartyName(Body):
    """What a party is called; blank: nobody knows."""

    name: str = Field(max_length=NAME_MOST)


class PartyNumber(Body):
    """Another number of a party, in any usual form."""

    number: str = Field(min_length=1, max_length=40)


class PartyMerge(Body):
    """The party that becomes part of the one in the path."""

    gone: int = Field(ge=1, lt=2**63)


async def get_party(request: web.Request, _query: NoQuery) -> PartyWhole:
    """GET /parties/{number}: also one that was merged."""
    async with request.app[SERVICES].engine.connect() as connection:
        return await _whole(request, connection, await read_party(request, connection))


@audited("party_renamed")
async def rename_party(request: web.Request, wish: PartyName) -> PartyWhole | web.Response:
    """POST /parties/{number}/rename."""
    return await _change(request, lambda to, one: party_changes.rename(request, to, one, wish.name))


@audited("party_number_added")
async def add_party_number(request: web.Request, wish: PartyNumber) -> PartyWhole | web.Response:
    """POST /parties/{number}/numbers."""
    return await _change(request, lambda to, one: party_changes.add_number(request, to, one, wish.number))


@audited("parties_merged")
async def merge_parties(request: web.Request, wish: PartyMerge) -> PartyWhole | web.Response:
    """POST /parties/{number}/merge."""
    return await _change(request, lambda to, one: party_changes.merge(request, to, one, wish.gone))


@audited("merge_undone")
async def undo_merge(request: web.Request, _body: NoBody) -> PartyWhole | web.Response:
    """POST /merges/{number}/undo: answers with the party that was kept."""
    try:
        async with request.app[SERVICES].engine.begin() as connection:
            kept = await party_changes.undo_merge(request, connection, number_in(request))
            return await _whole(request, connection, await read_party(request, connection, kept))
    except PartyRefused as error:
        return _refused(error)


async def _change(
    request: web.Request, change: Callable[[AsyncConnection, OneParty], Awaitable[None]]
) -> PartyWhole | web.Response:
    """Do one thing to the party in the path, and tell it as it is then; or why nothing was done."""
    try:
        async with request.app[SERVICES].engine.begin() as connection:
            await change(connection, await read_party(request, connection))
            return await _whole(request, connection, await read_party(request, connection))
    except PartyRefused as error:
        return _refused(error)


def _refused(error: merging.PartyRefused) -> web.Response:
    field = "gone" if error.field == "with" else error.field
    return refusal(422, f"wrong_{field}", str(error), field=field)


async def _whole(request: web.Request, connection: AsyncConnection, one: OneParty) -> PartyWhole:
    seen = select(leads).where(leads.c.party_id == one.id, leads_seen(one.scope)).order_by(leads.c.id.desc())
    worked = tasks_worked(request[VIEWER], one.scope)
    owed = select(tasks).where(tasks.c.party_id == one.id, tasks.c.done_at.is_(None), worked)
    owed = owed.order_by(tasks.c.due_at.nulls_last(), tasks.c.id)
    merges = await merges_of(connection, one.id) if one.head else []
    its_leads = (await connection.execute(seen.limit(_MOST))).all()
    plain = ("id", "name", "email", "created_at", "do_not_call_at", "merged_into")
    told: dict[str, Any] = {name: getattr(one.row, name) for name in plain} | {
        "numbers": list(one.numbers),
        "leads": [_named(LeadOfParty, row) for row in its_leads],
        "tasks": [task_told(row) for row in (await connection.execute(owed.limit(_MOST))).all()],
        "merges": [_named(MergeTold, row) for row in merges],
    }
    return PartyWhole.model_validate(told)


def _named(model: type[Answer], row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in model.model_fields}
