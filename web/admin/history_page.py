"""What an admin sees first, and the directory's history: who changed what, and the way back."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from directory import store, versions
from directory.sections import content
from web.admin import told
from web.admin.asked import ENTRIES, LISTS
from web.guard import only
from web.page import language_of, page
from web.services import SERVICES

_ROWS: Final = 30
_NEWEST: Final = 5


async def home(request: web.Request) -> web.Response:
    """GET /admin: the sections with how much is in each, and what changed last."""
    only(request, "admin")
    async with request.app[SERVICES].engine.connect() as connection:
        directory = await store.read(connection)
        rows = await versions.listed(connection, _NEWEST)
    counts = {section: len(content(directory, section)) for section in (*ENTRIES, *LISTS)}
    return await _page(request, "admin_home.html", counts=counts, rows=rows, more=None)


async def show(request: web.Request) -> web.Response:
    """GET /admin/history: versions, the newest first; `before` pages on."""
    only(request, "admin")
    before = request.query.get("before", "")
    if before and not (before.isascii() and before.isdecimal() and len(before) < 10):
        raise web.HTTPBadRequest(text=f"before must be a number, got {before!r}")
    async with request.app[SERVICES].engine.connect() as connection:
        rows = await versions.listed(connection, _ROWS + 1, int(before) if before else None)
        newest = await versions.number_of_newest(connection)
    more = rows[_ROWS - 1].version if len(rows) > _ROWS else None
    return await _page(request, "admin_history.html", rows=rows[:_ROWS], more=more, newest=newest)


async def _page(request: web.Request, template: str, **context: Any) -> web.Response:
    language = language_of(request)
    return await page(request, template, change_of=lambda line: told.change(line, language), **context)
