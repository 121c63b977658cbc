"""Calls whose audio is not complete, by the API."""

from typing import Any, Literal

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncConnection

from recordings.rows import Recording, recordings_of_calls
from web.api.calls import Limit
from web.api.models import Gap, GapPage, SideTold
from web.api.operations import Moment, Query
from web.finding import GAP, FilterError, Filters, Found, find
from web.guard import VIEWER
from web.house import HOUSE
from web.rights import Scope, scope_of
from web.services import SERVICES


class GapsQuery(Query):
    """Which calls; `since` is included, `until` is not."""

    since: Moment | None = None
    until: Moment | None = None
    line: str = ""
    state: Literal["missing", "unreadable", "empty", "silent", "short", "not_in_crm"] | None = None
    cursor: str | None = None
    limit: Limit = 50


async def list_gaps(request: web.Request, query: GapsQuery) -> GapPage:
    """GET /recordings/gaps."""
    scope = scope_of(request[VIEWER], await request.app[HOUSE].read())
    filters = Filters(
        since=query.since,
        until=query.until,
        line=query.line,
        audio=query.state or GAP,
    )
    async with request.app[SERVICES].engine.connect() as connection:
        try:
            return await gap_page(connection, scope, filters, query.cursor, query.limit)
        except FilterError as error:
            raise web.HTTPBadRequest(text=str(error)) from error


async def gap_page(
    connection: AsyncConnection, scope: Scope, filters: Filters, cursor: str | None, limit: int
) -> GapPage:
    """The gaps that fit and may be seen, with the sides that are not well. Raises FilterError."""
    found: Found = await find(connection, scope, filters, cursor, limit)
    sides = await recordings_of_calls(connection, [row.id for row in found.rows])
    return GapPage(items=[_gap(row, sides[row.id]) for row in found.rows], next=found.cursor)


def _gap(row: Any, sides: list[Recording]) -> Gap:
    return Gap(
        call_id=row.id,
        started_at=row.started_at,
        line=row.line,
        person=row.person,
        trunk=row.trunk,
        transfer=row.transfer,
        state=row.audio,
        talk_seconds=row.talk_seconds,
        sides=[SideTold.model_validate(one, from_attributes=True) for one in sides if one.state != "stored"],
    )
