"""Promises to call back by the API."""

from aiohttp import web
from sqlalchemy import and_

from calls.follow_up_list import OPEN, OVERDUE, history, newest
from calls.follow_ups import FollowUpRefused, close_by_hand
from calls.tables import follow_ups
from web.api import models
from web.api.house import PageQuery
from web.api.operations import number_in
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


async def close_follow_up(request: web.Request, wish: models.FollowUpClose) -> models.FollowUpTold:
    """POST /follow-ups/{number}/close, by heads and admins; a promise that is closed already stands as it is."""
    viewer, number = request[VIEWER], number_in(request)
    if viewer.role not in {"head", "admin"}:
        raise web.HTTPForbidden(text="Only heads and admins close a promise without a talk.")
    async with request.app[SERVICES].engine.begin() as connection:
        mine = newest(follow_ups.c.id == number)
        row = (await connection.execute(mine.with_for_update())).mappings().one_or_none()
        if row is None:
            raise web.HTTPNotFound(text=f"There is no follow-up {number}.")
        if row["closed_at"] is None:
            try:
                await close_by_hand(connection, number, viewer.login, wish.reason)
            except FollowUpRefused as error:
                raise web.HTTPBadRequest(text=str(error)) from None
            row = (await connection.execute(mine)).mappings().one()
        told = await history(connection, [number])
    return models.FollowUpTold.model_validate(dict(row) | {"history": told[number]})
