"""The list of calls with its filters."""

from itertools import groupby
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from aiohttp import web

from web.finding import AUDIO, STATUSES, FilterError, find, read_days
from web.guard import VIEWER
from web.house import HOUSE
from web.page import fragment, page, zone_of
from web.rights import scope_of
from web.services import SERVICES

PAGE: int = 50


async def show(request: web.Request) -> web.Response:
    """GET /calls: the whole page, or with `cursor` only the rows that follow."""
    directory = await request.app[HOUSE].read()
    zone, query = zone_of(request, directory), request.query
    try:
        filters = read_days(query, zone)
        async with request.app[SERVICES].engine.connect() as connection:
            scope = scope_of(request[VIEWER], directory)
            found = await find(connection, scope, filters, query.get("cursor"), PAGE)
    except FilterError as error:
        raise web.HTTPBadRequest(text=str(error)) from error
    kept = {name: value for name, value in query.items() if value and name != "cursor"}
    context: dict[str, Any] = {
        "days": [
            (at, list(rows))
            for at, rows in groupby(found.rows, key=lambda row: row.started_at.astimezone(ZoneInfo(zone)).date())
        ],
        "more": urlencode(kept | {"cursor": found.cursor}) if found.cursor else None,
    }
    if "cursor" in query:
        text = await fragment(request, "calls_rows.html", **context)
        return web.Response(text=text, content_type="text/html")
    people = [person for person in directory.people if scope.everything or person.key in scope.people]
    lines = [line for line in directory.lines if scope.everything or line.number in scope.lines]
    context |= {"asked": kept, "people": people, "lines": lines, "statuses": STATUSES, "audio": AUDIO}
    return await page(request, "calls.html", **context)
