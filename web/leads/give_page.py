"""Heads give many leads to somebody at once: those that were ticked on the list, or all that its filters find."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode

import structlog
from aiohttp import web
from sqlalchemy import ColumnElement, and_
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync.book.attention import needs
from crm_sync.book.giving import MOST, REASON_MOST, CountChanged, give_all, look
from crm_sync.book.leads import By
from crm_sync.book.lifecycle import LifecycleError
from crm_sync.tables import leads
from directory import store
from directory.model import Directory
from recordings.audit import note
from web.audited import audited
from web.finding import FilterError
from web.guard import VIEWER, only, read_form
from web.keeping import actor_of
from web.leads.list_page import KEPT, usual_owner, whose_leads
from web.leads.listing import in_lists, in_tab, read_attention, read_tab, read_wanted
from web.page import language_of, page
from web.rights import leads_worked, scope_of
from web.services import SERVICES
from web.words import say

TICKED_MOST: Final = 500
GIVERS: Final = ("head", "admin")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Wrong:
    """Why nothing was given: the field at fault, the words beside it, and what was typed."""

    at: str
    words: str
    given: Mapping[str, str]


async def show(request: web.Request) -> web.Response:
    """GET /leads/give: how many there are of the list's filters, or of `lead` (several), and whose they are."""
    only(request, *GIVERS)
    ticked = request.query.getall("lead", [])
    query = {**request.query, "leads": ",".join(ticked)} if ticked else dict(request.query)
    async with request.app[SERVICES].engine.connect() as connection:
        return await _page(request, connection, query)


@audited("leads_given")
async def give(request: web.Request) -> web.Response:
    """POST /leads/give: the same query with `to`, `reason` and `seen`; 303 to the list, 400 or 409 with why not."""
    only(request, *GIVERS)
    form = await read_form(request)
    viewer, engine = request[VIEWER], request.app[SERVICES].engine
    by = By(who=viewer.person or viewer.login, at=datetime.now(UTC), head=True)
    owner, seen = form.get("to") or None, form.get("seen", "")
    try:
        async with engine.begin() as connection:
            directory = await store.read(connection)
            givable = {it.key for it in whose_leads(scope_of(viewer, directory), directory)}
            if owner is not None and owner not in givable:
                raise LifecycleError("owner", f"must be one of your people, got {owner[:64]!r}")
            where = _where(request, directory, form)
            count = int(seen) if seen.isascii() and seen.isdecimal() and len(seen) < 9 else -1
            given = await give_all(connection, directory, where, owner, form.get("reason", ""), by, seen=count)
            await note(connection, actor_of(request), "leads_given", "leads", {"owner": owner, "count": given})
    except (LifecycleError, CountChanged) as error:
        wrong = _wrong(language_of(request), form, error)
        async with engine.connect() as connection:
            response = await _page(request, connection, form, wrong)
        response.set_status(409 if isinstance(error, CountChanged) else 400)
        return response
    _log.info("leads given", user=viewer.user, lead_count=given)
    told = {"owner": owner or "-", "stage": form.get("stage", ""), "given": given}
    return web.Response(
        status=303, headers={"Location": f"/leads?{urlencode({k: v for k, v in told.items() if v != ''})}"}
    )


async def _page(
    request: web.Request, connection: AsyncConnection, query: Mapping[str, str], wrong: Wrong | None = None
) -> web.Response:
    directory = await store.read(connection)
    found = await look(connection, _where(request, directory, query), MOST)
    kept = {name: query[name] for name in ("stage", *KEPT, "overdue", "leads") if query.get(name)}
    return await page(
        request,
        "leads_give.html",
        found=found,
        most=MOST,
        reason_most=REASON_MOST,
        kept=kept,
        back=urlencode({name: value for name, value in kept.items() if name != "leads"}),
        people=whose_leads(scope_of(request[VIEWER], directory), directory),
        wrong=wrong,
        given=wrong.given if wrong else {},
    )


def _where(request: web.Request, directory: Directory, query: Mapping[str, str]) -> ColumnElement[bool]:
    """The leads that were ticked, else those that the list shows for these filters. Raises 400 for odd addresses."""
    viewer, now = request[VIEWER], datetime.now(UTC)
    scope = scope_of(viewer, directory)
    if ticked := query.get("leads", ""):
        told = ticked.split(",")
        if len(told) > TICKED_MOST or not all(it.isascii() and it.isdecimal() and len(it) < 19 for it in told):
            raise web.HTTPBadRequest(text=f"leads: must be numbers of leads, at most {TICKED_MOST}")
        return and_(leads.c.id.in_([int(it) for it in told]), leads_worked(scope))
    try:
        wanted = read_wanted(query, viewer.person, usual_owner(viewer, scope))
        where = and_(in_lists(scope, directory, wanted, now), in_tab(read_tab(query)))
        needy = read_attention(query)
    except FilterError as error:
        raise web.HTTPBadRequest(text=str(error)) from error
    where = and_(where, leads_worked(scope))
    return where if needy is None else and_(where, needs(directory, needy, now))


def _wrong(language: str, form: Mapping[str, str], error: LifecycleError | CountChanged) -> Wrong:
    if isinstance(error, CountChanged):
        return Wrong("seen", say(language, "give.changed", count=error.now), form)
    field = {"owner": "to", "reason": "reason"}.get(error.field, "seen")
    return Wrong(field, say(language, f"wrong.{error.why}", most=MOST, length=REASON_MOST), form)
