"""The head's page: live calls of own teams, people and their telephones, leads that need somebody, what was refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from aiohttp import web

from crm_sync.book.attention import Need, attention
from telephony import overhearings
from web.audited import audited
from web.cards import LiveCall
from web.guard import VIEWER, only, read_form
from web.head.board import BOARDS, numbers_of
from web.head.figures import Refused, refused
from web.head.floor import members, of_teams, talking_in
from web.head.overhearing import RECENT_SECONDS, NotOverheard, ask, mode_of
from web.head.wall_page import own_teams, streamed
from web.house import HOUSE
from web.leads.wording import age, words_of
from web.live import LIVE
from web.names import person_name
from web.page import fragment, language_of, page
from web.refused import why_refused
from web.rights import Scope, leads_worked
from web.services import SERVICES
from web.watching import Right
from web.wording import COUNTED_MOST
from web.words import say

LEADERS: Final = ("head", "admin")
LEADS_SHOWN: Final = 8
NEEDS_SHOWN: Final[tuple[Need, ...]] = ("overdue", "forgotten")
REFUSED_DAYS: Final = 7
REFUSED_SHOWN: Final = 12


@dataclass(frozen=True, slots=True)
class LiveShown:
    """A call that goes on; `talking` are who of ours talks in it, `mine` the viewer's own overhearing of it, if any.

    `asking` are who asks for help in it, and nobody came yet.
    """

    call: LiveCall
    talking: Sequence[str]
    asking: Sequence[str]
    mine: Any


async def show(request: web.Request) -> web.Response:
    """GET /head, for heads and admins."""
    only(request, *LEADERS)
    return await page(request, "head.html", said="", **await _live(request), **await _beside(request))


async def show_beside(request: web.Request) -> web.Response:
    """GET /head/beside: what is not live: leads and refusals."""
    only(request, *LEADERS)
    text = await fragment(request, "head_beside.html", **await _beside(request))
    return web.Response(text=text, content_type="text/html")


async def stream(request: web.Request) -> web.StreamResponse:
    """GET /head/stream: calls and people whenever they change; it ends with the viewer's right."""
    only(request, *LEADERS)
    right = await Right.of(request)

    async def drawn() -> str:
        return await fragment(request, "head_live.html", **await _live(request))

    async def stands() -> bool:
        return await right.stands() and request[VIEWER].role in LEADERS

    return await streamed(request, drawn, stands)


@audited("call_overheard")
async def overhear(request: web.Request) -> web.Response:
    """POST /head/overhear: `call` and `mode`; the viewer's telephone rings, and the page tells what becomes of it."""
    only(request, *LEADERS)
    form, in_place = await read_form(request), "HX-Request" in request.headers
    mode = mode_of(form.get("mode", ""))
    try:
        call_id = UUID(form.get("call", ""))
    except ValueError:
        raise web.HTTPBadRequest(text="call must be the id of a call") from None
    try:
        await ask(request, call_id, mode)
    except NotOverheard as error:
        why = say(language_of(request), f"overhear.failed.{error.reason}")
        if in_place:
            return web.Response(text=why)
        shown = await page(request, "head.html", said=why, **await _live(request), **await _beside(request))
        shown.set_status(409)
        return shown
    if in_place:
        return web.Response(text="")
    return web.Response(status=303, headers={"Location": "/head"})


def why(one: Refused, language: str) -> str:
    """Why it was refused, in words."""
    return why_refused(language, one.reason) if one.what == "call_out" else say(language, f"denied.why.{one.reason}")


async def _live(request: web.Request) -> dict[str, Any]:
    """What the template head_live.html shows."""
    viewer, directory = request[VIEWER], await request.app[HOUSE].read()
    teams = await own_teams(request)
    async with request.app[SERVICES].engine.connect() as connection:
        own = await overhearings.of_person(connection, viewer.person, RECENT_SECONDS)
    mine = {row.call_id: row for row in reversed(own)}
    calls = of_teams(directory, request.app[LIVE].calls.values(), teams)
    return {
        # Who asks for help stands first, whoever has waited longest before the others.
        "live": sorted(
            (LiveShown(it, talking_in(it, directory), _asking(it), mine.get(it.id)) for it in calls),
            key=lambda one: not one.asking,
        ),
        "people": await request.app[BOARDS].people(request, teams),
        "names": lambda keys: ", ".join(person_name(directory, key) for key in keys),
        "has_telephone": bool(person.devices) if (person := directory.person(viewer.person or "")) else False,
    }


def _asking(call: LiveCall) -> list[str]:
    return [one.person for one in call.helps if one.taken_by is None]


async def _beside(request: web.Request) -> dict[str, Any]:
    """What the template head_beside.html shows."""
    directory, now, language = await request.app[HOUSE].read(), datetime.now(UTC), language_of(request)
    teams = await own_teams(request)
    lines, people = numbers_of(directory, teams), members(directory, teams)
    mine = None
    if lines is not None:
        mine = leads_worked(Scope(everything=False, live=False, people=people, lines=frozenset(lines)))
    async with request.app[SERVICES].engine.connect() as connection:
        needy = await attention(connection, directory, now, mine, LEADS_SHOWN, NEEDS_SHOWN, counted_most=COUNTED_MOST)
        since = now - timedelta(days=REFUSED_DAYS)
        gone = await refused(connection, since, lines, None if teams is None else sorted(people))
    return {
        "needy": needy,
        "refusals": gone[:REFUSED_SHOWN],
        "refusal": lambda one: why(one, language),
        "age": lambda at: age((now - at).total_seconds(), language),
        **words_of(directory.leads, language, now),
    }
