"""The page of the board: seen whole, and a lead moved on it by dragging or from its menu, or refused in words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

from aiohttp import web

from crm_sync.book.decisions import ChangedMeanwhile
from crm_sync.book.leads import place
from crm_sync.book.lifecycle import LifecycleError
from directory import store
from recordings.audit import note
from web.audited import audited
from web.guard import VIEWER, read_form
from web.house import HOUSE
from web.keeping import actor_of
from web.leads.board import ENDED_DAYS, allowed, columns
from web.leads.changes import carry_out, change_of
from web.leads.decide import words_of_refusal, worked_on
from web.leads.lead_page import teller_of
from web.leads.list_page import usual_owner, whose_leads
from web.leads.listing import in_lists, read_wanted
from web.leads.one import UNDOERS, read_lead
from web.leads.wording import place_name, words_of
from web.live import LIVE
from web.page import fragment, language_of, page
from web.rights import scope_of
from web.services import SERVICES
from web.watching import Right, drawn_stream
from web.wording import COUNTED_MOST
from web.words import say

CALM_SECONDS: Final = 2.0
"""An open board is drawn anew so often at most, however many leads change."""

_KEPT: Final = ("owner", "line")
_ENDS: Final = {"lost": "lose", "disqualified": "disqualify"}
_BY_SCRIPT: Final = "X-Board"


async def show(request: web.Request) -> web.Response:
    """GET /leads/board: of what the viewer works on; `owner` and `line` as on the list."""
    return await page(request, "board.html", **await _context(request, request.query))


async def stream(request: web.Request) -> web.StreamResponse:
    """GET /leads/board/stream: the board with the same filters, whenever a lead changed, its deadlines as they pass."""
    right = await Right.of(request)
    watch = request.app[LIVE].open(lambda _call: False, leads=True)

    async def drawn() -> str:
        return await fragment(request, "board_columns.html", **await _context(request, request.query))

    return await drawn_stream(
        request, watch, drawn, right.stands, look_seconds=lambda: right.good_seconds, calm_seconds=CALM_SECONDS
    )


@audited("lead_changed")
async def move(request: web.Request) -> web.Response:
    """POST /leads/{number}/board: `to` a place, with the `reason` of an end, as `seen` where it was.

    303 to the board, or the board itself for its script; refused, the board with why, and 400, 403 or 409.
    """
    form = await read_form(request)
    stage = form.get("to", "").partition("/")[0]
    asked = form | {"do": _ENDS.get(stage, "move")}
    told, status = "", 200
    try:
        async with request.app[SERVICES].engine.begin() as connection:
            one = await worked_on(request, connection)
            await carry_out(change_of(request, connection, one, asked))
            await note(connection, actor_of(request), "lead_changed", f"lead {one.row.id}", {"do": asked["do"]})
    except LifecycleError as error:
        told, status = await _refused(request, form, error), 403 if error.field == "head" else 400
    except ChangedMeanwhile as error:
        told, status = await _meanwhile(request, error), 409
    kept = {name: form[name] for name in _KEPT if form.get(name)}
    if not told and _BY_SCRIPT not in request.headers:
        return web.Response(status=303, headers={"Location": f"/leads/board?{urlencode(kept)}"})
    context = await _context(request, kept, fresh=True) | {"refused": told}
    if _BY_SCRIPT in request.headers:
        text = await fragment(request, "board_columns.html", **context)
        return web.Response(text=text, status=status, content_type="text/html")
    response = await page(request, "board.html", **context)
    response.set_status(status)
    return response


async def _context(request: web.Request, query: Mapping[str, str], *, fresh: bool = False) -> dict[str, Any]:
    """What the board shows; `fresh`: by the directory as a move was judged, for the House's may be some seconds old."""
    viewer, now = request[VIEWER], datetime.now(UTC)
    asked = {name: query[name] for name in _KEPT if query.get(name)}
    known = None if fresh else await request.app[HOUSE].read()
    async with request.app[SERVICES].engine.connect() as connection:
        directory = known or await store.read(connection)
        scope = scope_of(viewer, directory)
        usual = usual_owner(viewer, scope)
        wanted = read_wanted(asked, viewer.person, usual)
        found = await columns(connection, directory.leads, in_lists(scope, directory, wanted, now), now)
    language, head = language_of(request), viewer.role in UNDOERS
    return {
        "columns": found,
        "counted_most": COUNTED_MOST,
        "days": ENDED_DAYS,
        "refused": "",
        "kept": asked,
        "owner": asked.get("owner", usual),
        "whose": whose_leads(scope, directory),
        "lines": [line for line in directory.lines if scope.everything or line.number in scope.lines],
        "policy": directory.leads,
        "allowed": lambda stage: allowed(stage, head=head),
        "works": lambda lead: scope.works_on(lead.owner, lead.source_line),
        "lead_place": lambda lead: place(lead.stage, lead.step),
        **words_of(directory.leads, language, now),
    }


async def _refused(request: web.Request, form: Mapping[str, str], error: LifecycleError) -> str:
    language = language_of(request)
    async with request.app[SERVICES].engine.connect() as connection:
        one = await read_lead(request, connection)
        words = await words_of_refusal(connection, one, error, language)
    policy = one.directory.leads
    if error.field != "stage":
        return say(language, "board.refused", id=one.row.id, why=words)
    here = place_name(policy, language, place(one.row.stage, one.row.step))
    there = place_name(policy, language, form.get("to", "")[:64])
    told = [place_name(policy, language, stage) for stage in allowed(one.row.stage, head=one.head).split()]
    listed = ", ".join(told) or say(language, "board.nowhere")
    return say(language, "board.refused_move", id=one.row.id, here=here, there=there, why=words, allowed=listed)


async def _meanwhile(request: web.Request, error: ChangedMeanwhile) -> str:
    language = language_of(request)
    async with request.app[SERVICES].engine.connect() as connection:
        one = await read_lead(request, connection)
    told = teller_of(request, one).event(error.event) if error.event else None
    what = f"{told.told}{f' · {told.who}' if told.who else ''}" if told else ""
    return f"{say(language, 'wrong.meanwhile')} {what}".strip()
