"""One lead's page: who, where on its way, by when; what may be done; what happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from aiohttp import web
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync.book.decisions import NAME_MOST, VALUE_MOST
from crm_sync.book.lead_list import last_lost
from crm_sync.book.leads import place
from crm_sync.book.lifecycle import OPEN
from crm_sync.tables import leads
from web.guard import VIEWER
from web.leads.changes import givable, may_give
from web.leads.history import Happened, Teller
from web.leads.one import CALLS_ALL, CALLS_MOST, OneLead, belongings, read_lead
from web.leads.track import choices, marks
from web.leads.wording import age, words_of
from web.page import language_of, page, zone_of
from web.rights import leads_seen
from web.services import SERVICES

SHORT: Final = 12
"""So much of the history is shown at first."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """Why a form was not carried out: what it asked (`do`), `at`: the field at fault, and the words beside it.

    `given` is what was typed, so that nothing is lost; `meanwhile` what others did since the page was shown.
    """

    do: str
    at: str
    words: str
    given: Mapping[str, str] = field(default_factory=dict)
    meanwhile: Happened | None = None


async def show(request: web.Request) -> web.Response:
    """GET /leads/{number}."""
    async with request.app[SERVICES].engine.connect() as connection:
        one = await read_lead(request, connection)
        return await lead_page(request, connection, one)


async def lead_page(
    request: web.Request, connection: AsyncConnection, one: OneLead, wrong: Wrong | None = None, status: int = 200
) -> web.Response:
    """The page as the lead stands now, with what went wrong beside its field."""
    viewer, teller = request[VIEWER], teller_of(request, one)
    language, now, zone = teller.language, teller.now, teller.zone
    most = CALLS_ALL if request.query.get("calls") == "all" else CALLS_MOST
    own = await belongings(connection, viewer, one, most)
    siblings = await _siblings(connection, one)
    policy, row = one.directory.leads, one.row
    response = await page(
        request,
        "lead.html",
        one=one,
        lead=row,
        numbers=one.numbers,
        own=own,
        more_calls=f"/leads/{row.id}?calls=all#calls" if most == CALLS_MOST == len(own.calls) else "",
        siblings=siblings,
        place=place(row.stage, row.step),
        marks=marks(policy, row.stage, row.step, head=one.head, may_change=one.may_change),
        choices=choices(policy, row.stage, row.step, head=one.head),
        history=teller.all(own.events, own.notes),
        short=SHORT,
        name_most=NAME_MOST,
        value_most=VALUE_MOST,
        lost=last_lost(own.events) if row.stage in OPEN else None,
        givable=givable(one),
        may_give=may_give(one, viewer.person),
        policy=policy,
        wrong=wrong,
        given=wrong.given if wrong else {},
        **words_of(policy, language, now),
        age=lambda at: age((now - at).total_seconds(), language),
        local=lambda at: at.astimezone(zone).strftime("%Y-%m-%dT%H:%M"),
    )
    response.set_status(status)
    return response


def teller_of(request: web.Request, one: OneLead) -> Teller:
    """Tells the viewer what happened to the lead."""
    zone = ZoneInfo(zone_of(request, one.directory))
    return Teller(one.directory, language_of(request), zone, datetime.now(UTC))


async def _siblings(connection: AsyncConnection, one: OneLead) -> list[Any]:
    """The other leads of the same party that the viewer may see, the newest first."""
    asked = select(leads).where(leads.c.party_id == one.row.party_id, leads.c.id != one.row.id, leads_seen(one.scope))
    return list((await connection.execute(asked.order_by(leads.c.id.desc()).limit(20))).all())
