"""One party's page: who they are, their leads, calls and notes, and whether they may be called."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web
from sqlalchemy import literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.tables import calls
from crm_sync import parties as book
from crm_sync.tables import leads, notes, parties, tasks
from directory.model import Directory
from web.api.operations import number_in
from web.guard import VIEWER, read_form
from web.house import HOUSE
from web.leads.one import Belongings, calls_of, notes_of, numbers_of_party, promises_of, tasks_of
from web.leads.wording import words_of
from web.page import language_of, page
from web.rights import Scope, parties_seen, scope_of
from web.services import SERVICES

LEADS_MOST: Final = 100


@dataclass(frozen=True, slots=True)
class OneParty:
    """A party's row with their numbers, and what the viewer may see."""

    row: Any
    numbers: tuple[str, ...]
    directory: Directory
    scope: Scope


async def show(request: web.Request) -> web.Response:
    """GET /parties/{number}; one that was merged leads to the party that it is."""
    async with request.app[SERVICES].engine.connect() as connection:
        one = await read_party(request, connection)
        if one.row.merged_into is not None:
            raise web.HTTPSeeOther(f"/parties/{one.row.merged_into}")
        return await party_page(request, connection, one)


async def change(request: web.Request) -> web.Response:
    """POST /parties/{number}: `do` is do_not_call, or may_be_called."""
    form = await read_form(request)
    wishes = {"do_not_call": False, "may_be_called": True}
    wish = wishes.get(form.get("do", ""))
    if wish is None:
        raise web.HTTPBadRequest(text=f"do must be one of {', '.join(wishes)}")
    async with request.app[SERVICES].engine.begin() as connection:
        one = await read_party(request, connection)
        for number in one.numbers:
            await book.set_do_not_call(connection, number, may_be_called=wish)
    return web.Response(status=303, headers={"Location": f"/parties/{one.row.id}"})


async def read_party(request: web.Request, connection: AsyncConnection) -> OneParty:
    """The party of `{number}` in the path. Raises 404 when there is none, 403 when the viewer may not see it."""
    number = number_in(request)
    directory: Directory = await request.app[HOUSE].read()
    scope = scope_of(request[VIEWER], directory)
    seen = parties_seen(scope, literal(number))
    row = (await connection.execute(select(parties, seen.label("seen")).where(parties.c.id == number))).first()
    if row is None:
        raise web.HTTPNotFound(text="There is no such party.")
    if not row.seen:
        raise web.HTTPForbidden(text="Neither you nor your team works with this party.")
    return OneParty(row, await numbers_of_party(connection, number), directory, scope)


async def party_page(request: web.Request, connection: AsyncConnection, one: OneParty) -> web.Response:
    """The page as the party stands now."""
    policy, language, now = one.directory.leads, language_of(request), datetime.now(UTC)
    party = one.row.id
    own = Belongings(
        events=(),
        notes=await notes_of(connection, notes.c.party_id == party),
        tasks=await tasks_of(connection, tasks.c.party_id == party),
        calls=await calls_of(connection, one.scope, calls.c.party_id == party),
        promises=await promises_of(connection, request[VIEWER], one.scope, one.numbers),
    )
    theirs = select(leads).where(leads.c.party_id == party).order_by(leads.c.id.desc()).limit(LEADS_MOST)
    return await page(
        request,
        "party.html",
        party=one.row,
        numbers=one.numbers,
        own=own,
        leads=(await connection.execute(theirs)).all(),
        **words_of(policy, language, now),
    )
