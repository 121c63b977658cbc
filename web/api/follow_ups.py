"""Promises to call back by the API."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from sqlalchemy import and_
from sqlalchemy.ext.asyncio import AsyncConnection

from calls import claims
from calls.follow_up_list import OPEN, OVERDUE, history, newest
from calls.follow_ups import FollowUpRefused
from calls.tables import follow_ups
from routing import requests
from web import promises
from web.api import models
from web.api.calls import Cause
from web.api.house import PageQuery
from web.api.operations import NoBody, NoQuery, number_in, refusal
from web.api.outgoing import key_of, outgoing_told
from web.audited import audited
from web.guard import VIEWER
from web.house import HOUSE
from web.page import language_of
from web.promises import PromiseError
from web.rights import own_follow_ups, scope_of
from web.services import SERVICES
from web.words import say


class FollowUpsQuery(PageQuery):
    """Which promises."""

    open: bool | None = None
    overdue: bool | None = None
    owner: str = ""
    line: str = ""
    cause: Cause | None = None


async def list_follow_ups(request: web.Request, query: FollowUpsQuery) -> models.FollowUpPage:
    """GET /follow-ups: for a manager, their own and nobody's of their lines."""
    viewer = request[VIEWER]
    wanted = own_follow_ups(viewer, scope_of(viewer, await request.app[HOUSE].read()))
    if query.open is not None:
        wanted = and_(wanted, OPEN if query.open else ~OPEN)
    if query.overdue is not None:
        wanted = and_(wanted, OVERDUE if query.overdue else OVERDUE.is_not(True))
    for column, value in (("owner", query.owner), ("line", query.line), ("cause", query.cause)):
        if value:
            wanted = and_(wanted, follow_ups.c[column] == value)
    async with request.app[SERVICES].engine.connect() as connection:
        asked = newest(wanted, before=query.cursor).add_columns(claims.WHO, claims.SINCE).limit(query.limit + 1)
        rows = [dict(row) for row in (await connection.execute(asked)).mappings()]
        more = len(rows) > query.limit
        rows = rows[: query.limit]
        told = await history(connection, [row["id"] for row in rows])
    items = [models.FollowUpTold.model_validate(row | {"history": told[row["id"]]}) for row in rows]
    return models.FollowUpPage(items=items, next=str(rows[-1]["id"]) if more else None)


async def get_follow_up(request: web.Request, _query: NoQuery) -> models.FollowUpTold:
    """GET /follow-ups/{number}."""
    async with request.app[SERVICES].engine.begin() as connection:
        return await _told(request, connection)


@audited("follow_up_closed")
async def close_follow_up(request: web.Request, wish: models.FollowUpClose) -> models.FollowUpTold:
    """POST /follow-ups/{number}/close, by heads and admins; a promise that is closed already stands as it is."""
    async with request.app[SERVICES].engine.begin() as connection:
        row = await promises.read_mine(request, connection, number_in(request))
        try:
            await promises.close(request, connection, row, wish.reason)
        except FollowUpRefused as error:
            raise web.HTTPBadRequest(text=str(error)) from None
        return await _told(request, connection)


@audited("follow_up_taken")
async def claim_follow_up(request: web.Request, _wish: NoBody) -> models.FollowUpTold | web.Response:
    """POST /follow-ups/{number}/claim: the viewer is on it for half an hour; 409 while a colleague is."""
    return await _do(request, promises.take)


@audited("follow_up_let_go")
async def release_follow_up(request: web.Request, _wish: NoBody) -> models.FollowUpTold | web.Response:
    """POST /follow-ups/{number}/release, by who is on it, heads and admins."""
    return await _do(request, promises.let_go)


@audited("call_asked")
async def call_follow_up(request: web.Request, _wish: NoBody) -> models.OutgoingCall | web.Response:
    """POST /follow-ups/{number}/call: the viewer's phone first, then whoever waits."""
    key = key_of(request)
    async with request.app[SERVICES].engine.begin() as connection:
        row = await promises.read_mine(request, connection, number_in(request))
        try:
            answered = await promises.call_back(request, connection, row, key)
        except PromiseError as error:
            return _cannot(request, error)
        asked = await requests.find(connection, answered.id)
    return outgoing_told(request, answered, asked)


async def _do(
    request: web.Request, act: Callable[[web.Request, AsyncConnection, Any], Awaitable[None]]
) -> models.FollowUpTold | web.Response:
    async with request.app[SERVICES].engine.begin() as connection:
        row = await promises.read_mine(request, connection, number_in(request))
        try:
            await act(request, connection, row)
        except PromiseError as error:
            return _cannot(request, error)
        return await _told(request, connection)


def _cannot(request: web.Request, error: PromiseError) -> web.Response:
    return refusal(409, error.why, say(language_of(request), f"missed.cannot.{error.why}"))


async def _told(request: web.Request, connection: AsyncConnection) -> models.FollowUpTold:
    row = await promises.read_mine(request, connection, number_in(request))
    told = (await history(connection, [row.id]))[row.id]
    return models.FollowUpTold.model_validate(dict(row._mapping) | {"history": told})  # noqa: SLF001 SQLAlchemy's name for it
