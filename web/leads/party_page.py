"""One party's page: their leads, calls and notes; names, numbers, merges, and whether they may be called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web
from sqlalchemy import ColumnElement, Select, Table, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.tables import calls
from crm_sync.book import merging
from crm_sync.tables import leads, notes, parties, party_merges, party_numbers, tasks
from web.audited import audited
from web.guard import VIEWER, read_form
from web.leads import party_changes
from web.leads.changes import LAST_NUMBER
from web.leads.lead_page import Wrong
from web.leads.one import CALLS_ALL, CALLS_MOST, Belongings, calls_of, notes_of, promises_of, tasks_of
from web.leads.party_changes import OneParty, read_party
from web.leads.wording import words_of
from web.page import language_of, page
from web.rights import leads_seen, tasks_worked
from web.services import SERVICES
from web.words import say

LEADS_MOST: Final = 100
OTHERS_MOST: Final = 20
SOUGHT_MOST: Final = 100


async def show(request: web.Request) -> web.Response:
    """GET /parties/{number}; one that was merged leads to the party that it is."""
    async with request.app[SERVICES].engine.connect() as connection:
        one = await read_party(request, connection)
        if one.row.merged_into is not None:
            raise web.HTTPSeeOther(f"/parties/{one.row.merged_into}")
        return await party_page(request, connection, one)


@audited(
    *("do_not_call_set", "do_not_call_lifted", "party_renamed", "party_number_added", "parties_merged", "merge_undone")
)
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
    match form.get("do"):
        case "do_not_call" | "may_be_called" as wish:
            await party_changes.set_wish(request, connection, one, may_be_called=wish == "may_be_called")
        case "rename":
            await party_changes.rename(request, connection, one, form.get("name", ""))
        case "number":
            await party_changes.add_number(request, connection, one, form.get("number", ""))
        case "merge":
            party_changes.only_heads(request)
            await party_changes.merge(request, connection, one, _id(form.get("with", "")))
        case "unmerge":
            party_changes.only_heads(request)
            await party_changes.unmerge(request, connection, one, _id(form.get("with", "")))
        case _:
            raise web.HTTPBadRequest(text="do must be do_not_call, may_be_called, rename, number, merge or unmerge")


def _id(told: str) -> int:
    """The number at the end of what was typed, as of an address of a party's page. Raises PartyRefused."""
    found = LAST_NUMBER.search(told)
    if found is None:
        raise merging.PartyRefused("with", f"must be the number of a party, got {told[:40]!r}")
    return int(found[1])


def _why(language: str, error: merging.PartyRefused) -> str:
    return say(language, f"wrong.party_{error.field}", most=merging.NAME_MOST)


async def party_page(
    request: web.Request, connection: AsyncConnection, one: OneParty, wrong: Wrong | None = None
) -> web.Response:
    """The page as the party stands now."""
    policy, language, now = one.directory.leads, language_of(request), datetime.now(UTC)
    party, head = one.id, one.head
    seen = select(leads.c.id).where(leads.c.party_id == party, leads_seen(one.scope))
    most = CALLS_ALL if request.query.get("calls") == "all" else CALLS_MOST
    own = Belongings(
        events=(),
        notes=await notes_of(connection, _of_seen(notes, party, seen)),
        tasks=await tasks_of(connection, _of_seen(tasks, party, seen), tasks_worked(request[VIEWER], one.scope)),
        calls=await calls_of(connection, one.scope, calls.c.party_id.in_(merging.same_party(party)), most),
        promises=await promises_of(connection, request[VIEWER], one.scope, one.numbers),
    )
    theirs = select(leads).where(leads.c.id.in_(seen)).order_by(leads.c.id.desc()).limit(LEADS_MOST)
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
        name_most=merging.NAME_MOST,
        party=one.row,
        numbers=one.numbers,
        own=own,
        more_calls=f"/parties/{party}?calls=all#calls" if most == CALLS_MOST == len(own.calls) else "",
        leads=(await connection.execute(theirs)).all(),
        **words_of(policy, language, now),
    )
    response.set_status(400 if wrong else 200)
    return response


def _of_seen(table: Table, party: int, seen: Select[int]) -> ColumnElement[bool]:
    """What is of a party and of no lead, or of one that the viewer may see."""
    return and_(table.c.party_id == party, or_(table.c.lead_id.is_(None), table.c.lead_id.in_(seen)))


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
