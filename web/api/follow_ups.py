"""Promises to call back by the API."""

from aiohttp import web
from sqlalchemy import and_

from calls.follow_up_list import OPEN, OVERDUE, history, newest
from calls.tables import follow_ups
from web.api import models
from web.api.house import PageQuery
from web.guard import VIEWER
from web.house import HOUSE
from web.rights import own_follow_ups, scope_of
from web.services import SERVICES


class FollowUpsQuery(PageQuery):
    """Which promises."""

    open: bool | None = None
    overdue: bool | None = None
    owner: str = ""
    line: str = ""


async def list_follow_ups(request: web.Request, query: FollowUpsQuery) -> models.FollowUpPage:
    """GET /follow-ups: for a manager, their own and nobody's of their lines."""
    viewer = request[VIEWER]
    wanted = own_follow_ups(viewer, scope_of(viewer, await request.app[HOUSE].read()))
    if query.open is not None:
        wanted = and_(wanted, OPEN if query.open else ~OPEN)
    if query.overdue is not None:
        wanted = and_(wanted, OVERDUE if query.overdue else OVERDUE.is_not(True))
    if query.owner:
        wanted = and_(wanted, follow_ups.c.owner == query.owner)
    if query.line:
        wanted = and_(wanted, follow_ups.c.line == query.line)
    async with request.app[SERVICES].engine.connect() as connection:
        asked = newest(wanted, before=query.cursor).limit(query.limit + 1)
        rows = [dict(row) for row in (await connection.execute(asked)).mappings()]
        more = len(rows) > query.limit
        rows = rows[: query.limit]
        told = await history(connection, [row["id"] for row in rows])
    items = [models.FollowUpTold.model_validate(row | {"history": told[row["id"]]}) for row in rows]
    return models.FollowUpPage(items=items, next=str(rows[-1]["id"]) if more else None)
