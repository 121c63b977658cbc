"""What I was told and have not read yet, on my desk; and the addresses of mine that no message reaches."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from notices import inbox
from notices.addresses import dead_of
from notices.inbox import told_by
from web.audited import unaudited
from web.guard import VIEWER, read_form
from web.house import HOUSE
from web.notice_text import path_of, text_of, title_of
from web.page import fragment, language_of
from web.services import SERVICES

SHOWN_MOST: Final = 8


async def show(request: web.Request) -> web.Response:
    """GET /desk/notices: the notices alone, asked for when the viewer was told something."""
    return web.Response(text=await fragment(request, "notices.html", **await unread(request)), content_type="text/html")


@unaudited("their own notices, which keep when they were read")
async def read(request: web.Request) -> web.Response:
    """POST /desk/notices: the viewer has read one of their notices (`id`), or all of them."""
    person, told = request[VIEWER].person, (await read_form(request)).get("id", "")
    if person is None:
        raise web.HTTPForbidden(text="This login belongs to nobody in the directory.")
    if told and not (told.isascii() and told.isdecimal() and int(told[:20]) < 2**63):
        raise web.HTTPBadRequest(text="id must be the number of a notice, or empty for all of them")
    async with request.app[SERVICES].engine.begin() as connection:
        await inbox.mark_read(connection, person, [int(told)] if told else None)
    if "HX-Request" in request.headers:
        return await show(request)
    return web.Response(status=303, headers={"Location": "/"})


async def unread(request: web.Request) -> dict[str, Any]:
    """What the template notices.html shows; `notices` is None for a login that belongs to nobody."""
    viewer, directory = request[VIEWER], await request.app[HOUSE].read()
    person, language = directory.person(viewer.person or ""), language_of(request)
    if person is None:
        return {"notices": None, "notice_count": 0, "dead_channels": {}}
    async with request.app[SERVICES].engine.connect() as connection:
        rows = await inbox.listed(connection, person.key, unread=True, limit=SHOWN_MOST)
        count = await inbox.unread_count(connection, person.key)
        dead = await dead_of(connection, person)
    told = [(row.id, row.made_at, told_by(row, language)) for row in rows]
    shown = [
        {"id": id_, "made_at": at, "title": title_of(one), "text": text_of(directory, one), "path": path_of(one)}
        for id_, at, one in told
    ]
    return {"notices": shown, "notice_count": count, "dead_channels": dead}
