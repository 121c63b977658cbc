"""A client answers how willing they are to recommend the house: without a login, by a link that takes one answer."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from directory.model import LANGUAGES
from recordings.masked_rows import policy_of
from reports import nps_rows as rows
from reports.nps_links import opened
from web.audited import unaudited
from web.guard import read_form
from web.house import HOUSE
from web.render import render
from web.services import SERVICES
from web.theme import theme_of

SCORES = range(11)


async def show(request: web.Request) -> web.Response:
    """GET /nps/{token}: the question; thanks where it is answered; 410 when it takes no answer any more, or is none."""
    return await _page(request, await _ask(request))


@unaudited("an answer is kept as the client told it, and is changed by nobody")
async def answer(request: web.Request) -> web.Response:
    """POST /nps/{token}: `score` from 0 to 10 and, if the client likes, a `comment`; the first answer stays."""
    form, ask = await read_form(request), await _ask(request)
    told = form.get("score", "")
    if ask is None or ask.state != "sent":
        return await _page(request, ask)
    if told not in map(str, SCORES):
        return await _page(request, ask, wrong=True)
    async with request.app[SERVICES].engine.begin() as connection:
        masks = await policy_of(connection, ask.line)
        comment = masks.mask_text(form.get("comment", "").strip()[: rows.COMMENT_MOST])
        await rows.answer(connection, ask.id, int(told), comment)
    return web.Response(status=303, headers={"Location": request.path_qs})


async def _ask(request: web.Request) -> Any:
    async with request.app[SERVICES].engine.connect() as connection:
        ask = await opened(connection, request.match_info["token"])
        return await rows.of_link(connection, ask) if ask else None


async def _page(request: web.Request, ask: Any, *, wrong: bool = False) -> web.Response:
    directory = await request.app[HOUSE].read()
    theirs = directory.language_of(directory.line(ask.line) if ask else None)
    chosen = request.query.get("lang")
    language = chosen if chosen in LANGUAGES else theirs
    status = 410 if ask is None else 422 if wrong else 200
    told = {"company": directory.company.name, "state": ask and ask.state, "wrong": wrong, "scores": SCORES}
    text = render("nps.html", language, theme=theme_of(request), **told)
    return web.Response(status=status, text=text, content_type="text/html")
