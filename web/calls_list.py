"""The list of calls with its filters and views."""

from datetime import UTC, datetime
from itertools import groupby
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from aiohttp import web

from calls.missed import CAUSES
from web.calls_export import TAKERS
from web.filters import PERIODS
from web.finding import AUDIO, STATUSES, FilterError, find, moment_of, read_days
from web.guard import VIEWER
from web.house import HOUSE
from web.page import fragment, page, zone_of
from web.rights import scope_of
from web.services import SERVICES
from web.views import KEPT, NAME_MOST, may_share_with, views_of

PAGE: int = 50
_ASKED: Final = frozenset({*KEPT, "number", "incident"})


async def show(request: web.Request) -> web.Response:
    """GET /calls: the whole page, or with `cursor` only the rows that follow. `view` is the one that was chosen."""
    directory, viewer = await request.app[HOUSE].read(), request[VIEWER]
    zone, query = zone_of(request, directory), request.query
    scope, now = scope_of(viewer, directory), datetime.now(UTC)
    async with request.app[SERVICES].engine.connect() as connection:
        try:
            found = await find(connection, scope, read_days(query, zone, directory, now), query.get("cursor"), PAGE)
        except FilterError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        views = [] if "cursor" in query else await views_of(connection, viewer, directory)
    asked = {name: value for name, value in query.items() if value and name in _ASKED}
    context: dict[str, Any] = {
        "days": [
            (at, list(rows))
            for at, rows in groupby(found.rows, key=lambda row: row.started_at.astimezone(ZoneInfo(zone)).date())
        ],
        "more": urlencode(asked | {"cursor": found.cursor}) if found.cursor else None,
        "looked_until": moment_of(found.cursor) if found.cursor and len(found.rows) < PAGE else None,
    }
    if "cursor" in query:
        text = await fragment(request, "calls_rows.html", **context)
        return web.Response(text=text, content_type="text/html")
    everybody = scope.everything or scope.live
    context |= {
        "asked": asked,
        "filters": urlencode(asked),
        "people": [person for person in directory.people if scope.everything or person.key in scope.people],
        "lines": [line for line in directory.lines if scope.everything or line.number in scope.lines],
        "teams": [team for team in directory.teams if everybody or viewer.person in team.members],
        "statuses": STATUSES,
        "causes": CAUSES,
        "periods": PERIODS,
        "audio": AUDIO,
        "views": views,
        "view": next((view for view in views if str(view.id) == query.get("view")), None),
        "shares": may_share_with(viewer, directory),
        "name_most": NAME_MOST,
        "wrong": query.get("wrong", ""),
        "may_take": viewer.role in TAKERS,
    }
    return await page(request, "calls.html", **context)
