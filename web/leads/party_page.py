"""One party's page: their leads, calls and notes; names, numbers, merges, and whether they may be called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web
from sqlalchemy import ColumnElement, and_, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.tables import calls
from crm_sync import merging
from crm_sync import parties as book
from crm_sync.leads import By
from crm_sync.tables import leads, notes, parties, party_merges, party_numbers, tasks
from directory.model import Directory
from web.api.operations import number_in
from web.guard import VIEWER, read_form
from web.house import HOUSE
from web.leads.changes import LAST_NUMBER
from web.leads.lead_page import Wrong
from web.leads.one import UNDOERS, Belongings, calls_of, notes_of, numbers_of_party, promises_of, tasks_of
from web.leads.wording import words_of
from web.page import language_of, page
from web.rights import Scope, parties_seen, scope_of
from web.services import SERVICES
from web.sessions import Viewer
from web.words import say

LEADS_MOST: Final = 100
OTHERS_MOST: Final = 20
SOUGHT_MOST: Final = 100


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
    """POST /parties/{number}: `do` and its field. 303 to the page; refused, the page itself with 400."""
    form = await read_form(request)
    engine = request.app[SERVICES].engine
    try:
        async with engine.begin() as connection:
            one = await read_party(request, connection)
            await _carry_out(request, connection, one, form)
    except merging.PartyRefused as error:
        async with engine.connect() as connection:
            one = await read_party(request, connection)
            wrong = Wrong(form.get("do", ""), error.field, _why(language_of(request), error), form)
            return await party_page(request, connection, one, wrong)
    return web.Response(status=303, headers={"Location": f"/parties/{one.row.id}"})


async def _carry_out(request: web.Request, connection: AsyncConnection, one: OneParty, form: Mapping[str, str]) -> None:
    viewer, party = request[VIEWER], int(one.row.id)
    by = By(who=viewer.person or viewer.login, at=datetime.now(UTC), head=viewer.role in UNDOERS)
    match form.get("do"):
        case "do_not_call" | "may_be_called" as wish:
            for number in one.numbers:
                await book.set_do_not_call(connection, number, may_be_called=wish == "may_be_called")
        case "rename":
            await merging.rename(connection, party, form.get("name", ""))
        case "number":
            await merging.add_number(connection, one.directory, party, form.get("number", ""))
        case "merge":
            _only_heads(viewer)
            await merging.merge(connection, one.directory, party, _id(form.get("with", "")), by)
        case "unmerge":
            _only_heads(viewer)
            gone = _id(form.get("with", ""))
            if gone not in {row.gone for row in await merging.merges_of(connection, party) if row.kept == party}:
                raise web.HTTPNotFound(text="There is no such merge of this party.")
            await merging.unmerge(connection, one.directory, gone, by)
        case _:
            raise web.HTTPBadRequest(text="do must be do_not_call, may_be_called, rename, number, merge or unmerge")


def _only_heads(viewer: Viewer) -> None:
    """A merge moves leads between people: heads decide. Raises HTTPForbidden."""
    if viewer.role not in UNDOERS:
        raise web.HTTPForbidden(text="Only heads merge parties.")


def _id(told: str) -> int:
    """The number at the end of what was typed, as of an address of a party's page. Raises PartyRefused."""
    found = LAST_NUMBER.search(told)
    if found is None:
        raise merging.PartyRefused("with", f"must be the number of a party, got {told[:40]!r}")
    return int(found[1])


def _why(language: str, error: merging.PartyRefused) -> str:
    return say(language, f"wrong.party_{error.field}")


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


async def party_page(
    request: web.Request, connection: AsyncConnection, one: OneParty, wrong: Wrong | None = None
) -> web.Response:
    """The page as the party stands now."""
    policy, language, now = one.directory.leads, language_of(request), datetime.now(UTC)
    party, head = one.row.id, request[VIEWER].role in UNDOERS
    own = Belongings(
        events=(),
        notes=await notes_of(connection, notes.c.party_id == party),
        tasks=await tasks_of(connection, tasks.c.party_id == party),
        calls=await calls_of(connection, one.scope, calls.c.party_id.in_(merging.same_party(party))),
        promises=await promises_of(connection, request[VIEWER], one.scope, one.numbers),
    )
    theirs = select(leads).where(leads.c.party_id == party).order_by(leads.c.id.desc()).limit(LEADS_MOST)
    response = await page(
        request,
        "party.html",
        one=one,
        head=head,
        merges=await _merges(connection, party) if head else (),
        sought=request.query.get("with", "")[:SOUGHT_MOST],
        others=await _others(connection, party, request.query.get("with", "")[:SOUGHT_MOST]) if head else (),
        wrong=wrong,
        given=wrong.given if wrong else {},
        party=one.row,
        numbers=one.numbers,
        own=own,
        leads=(await connection.execute(theirs)).all(),
        **words_of(policy, language, now),
    )
    response.set_status(400 if wrong else 200)
    return response


async def _merges(connection: AsyncConnection, party: int) -> Sequence[Any]:
    """Every time another party turned out to be this one, the newest first, with what that one is called."""
    asked = select(party_merges, parties.c.name).join(parties, parties.c.id == party_merges.c.gone)
    asked = asked.where(party_merges.c.kept == party).order_by(party_merges.c.id.desc())
    rows: Sequence[Any] = (await connection.execute(asked.limit(OTHERS_MOST))).all()
    return rows


async def _others(connection: AsyncConnection, party: int, sought: str) -> Sequence[Any]:
    """Other parties by a part of their name or number, each with what a merge would move from it."""
    plain = sought.strip()
    if not plain:
        return ()
    digits = "".join(sign for sign in plain if sign.isascii() and sign.isdigit())
    like = [parties.c.name.icontains(plain, autoescape=True)]
    if digits:
        held = select(party_numbers.c.party_id).where(party_numbers.c.number.contains(digits[1:] or digits))
        like.append(parties.c.id.in_(held))
    asked = select(
        parties,
        _count(party_numbers.c.party_id).label("number_count"),
        _count(leads.c.party_id).label("lead_count"),
        _count(notes.c.party_id).label("note_count"),
        _count(tasks.c.party_id).label("task_count"),
    ).where(and_(parties.c.id != party, parties.c.merged_into.is_(None), or_(*like)))
    rows: Sequence[Any] = (await connection.execute(asked.order_by(parties.c.id.desc()).limit(OTHERS_MOST))).all()
    return rows


def _count(whose: ColumnElement[int]) -> Any:
    return select(func.count()).where(whose == parties.c.id).correlate(parties).scalar_subquery()
