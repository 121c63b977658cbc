"""Leads that need attention: overdue, forgotten, long at a stage, and who has too many; each list with its count."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from aiohttp import web

from crm_sync.book.attention import NEEDS, attention
from crm_sync.book.lead_list import Wanted
from web.guard import VIEWER
from web.house import HOUSE
from web.leads.listing import in_lists
from web.leads.wording import age, words_of
from web.page import language_of, page
from web.rights import scope_of
from web.services import SERVICES
from web.wording import COUNTED_MOST

SHOWN: Final = 50


async def show(request: web.Request) -> web.Response:
    """GET /leads/attention: of what the viewer works on; heads see all, and who has too many leads."""
    directory, now, language = await request.app[HOUSE].read(), datetime.now(UTC), language_of(request)
    scope = scope_of(request[VIEWER], directory)
    wanted = None if scope.everything else in_lists(scope, directory, Wanted(), now)
    async with request.app[SERVICES].engine.connect() as connection:
        found = await attention(connection, directory, now, wanted, SHOWN, counted_most=COUNTED_MOST)
    return await page(
        request,
        "attention.html",
        found=found,
        lists=[(name, getattr(found, name)) for name in NEEDS],
        age=lambda at: age((now - at).total_seconds(), language),
        **words_of(directory.leads, language, now),
    )
