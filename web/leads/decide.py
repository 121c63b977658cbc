"""A form of a lead's page, sent: carried out and shown, or refused with the words beside its field."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from aiohttp import web
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync.book.decisions import FIELDS_MOST, NAME_MOST, VALUE_MOST, ChangedMeanwhile
from crm_sync.book.lifecycle import OPEN, LifecycleError
from crm_sync.book.notes import TEXT_MOST, finish_task
from crm_sync.tables import leads
from recordings.audit import note
from web.audited import audited
from web.guard import read_form
from web.keeping import actor_of
from web.leads.changes import Form, carry_out, change_of
from web.leads.lead_page import Wrong, lead_page, teller_of
from web.leads.one import OneLead, read_lead
from web.leads.tasks import worked_task
from web.page import language_of
from web.services import SERVICES
from web.words import say

_CONFLICT: Final = 409
_LIMITS: Final = {"most": TEXT_MOST, "name": NAME_MOST, "value": VALUE_MOST, "fields": FIELDS_MOST}


@audited("lead_changed")
async def change(request: web.Request) -> web.Response:
    """POST /leads/{number}: `do` and its fields. 303 to the page; refused, the page itself with 400 or 409."""
    form = await read_form(request)
    engine = request.app[SERVICES].engine
    try:
        async with engine.begin() as connection:
            one = await worked_on(request, connection)
            await carry_out(change_of(request, connection, one, form))
            told = {"do": form.get("do", "")}  # what changed is in the lead's own history
            await note(connection, actor_of(request), "lead_changed", f"lead {one.row.id}", told)
    except LifecycleError as error:
        return await _refused(request, form, error)
    except ChangedMeanwhile as error:
        return await _meanwhile(request, form, error)
    return web.Response(status=303, headers={"Location": _after(request, form)})


@audited("task_done")
async def finish(request: web.Request) -> web.Response:
    """POST /leads/{number}/done: the task of that `task` is done."""
    form = await read_form(request)
    told = form.get("task", "")
    task = int(told) if told.isascii() and told.isdecimal() and len(told) < 19 else 0
    async with request.app[SERVICES].engine.begin() as connection:
        one = await read_lead(request, connection)
        row = await worked_task(request, connection, one.directory, task)
        if row.lead_id != one.row.id:
            raise web.HTTPNotFound(text="There is no such task of this lead.")
        await finish_task(connection, task, change_of(request, connection, one, form).by)
        if row.done_at is None:
            await note(connection, actor_of(request), "task_done", f"task {task}")
    return web.Response(status=303, headers={"Location": _after(request, form)})


async def worked_on(request: web.Request, connection: AsyncConnection) -> OneLead:
    """The lead of `{number}` in the path. Raises as `read_lead`, and 403 where another team works on it."""
    one = await read_lead(request, connection)
    if not one.may_change:
        raise web.HTTPForbidden(text="Another team works on this lead.")
    return one


async def _refused(request: web.Request, form: Form, error: LifecycleError) -> web.Response:
    async with request.app[SERVICES].engine.connect() as connection:
        one = await read_lead(request, connection)
        words = await words_of_refusal(connection, one, error, language_of(request))
        wrong = Wrong(form.get("do", ""), error.field, words, form)
        return await lead_page(request, connection, one, wrong, status=403 if error.field == "head" else 400)


async def _meanwhile(request: web.Request, form: Form, error: ChangedMeanwhile) -> web.Response:
    async with request.app[SERVICES].engine.connect() as connection:
        one = await read_lead(request, connection)
        told = error.event and teller_of(request, one).event(error.event)
        wrong = Wrong(form.get("do", ""), "seen", say(language_of(request), "wrong.meanwhile"), form, told)
        return await lead_page(request, connection, one, wrong, status=_CONFLICT)


async def words_of_refusal(connection: AsyncConnection, one: OneLead, error: LifecycleError, language: str) -> str:
    """Why what was asked of a lead cannot be."""
    key = "open" if error.field == "stage" and await _has_another(connection, one) else error.why
    return say(language, f"wrong.{key}", **_LIMITS)


async def _has_another(connection: AsyncConnection, one: OneLead) -> bool:
    asked = select(leads.c.id).where(
        leads.c.party_id == one.row.party_id, leads.c.id != one.row.id, leads.c.stage.in_(OPEN)
    )
    return (await connection.execute(asked.limit(1))).first() is not None and one.row.stage not in OPEN


def _after(request: web.Request, form: Form) -> str:
    """Where to go when it is done: the call's page that the form stood on, or the lead's."""
    try:
        return f"/calls/{UUID(form.get('call', ''))}#lead"
    except ValueError:
        return f"/leads/{request.match_info['number']}"
