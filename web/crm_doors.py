"""Where CRMs come to us, without a login: each door checks by itself who is before it."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from crm_sync.crm import Inbound
from web.audited import unaudited
from web.page import language_of
from web.services import SERVICES, CrmDoors, DoorClosed
from web.words import say

_TOLD_BYTES: Final = 256 * 1024
"""A mass edit there is told in one request, and a CRM that is refused a hundred of them tells us nothing any more."""

BY_A_CRM: Final = "a CRM tells what happened there; it is kept as its events, and nobody of ours asked"


async def returned(request: web.Request) -> web.Response:
    """GET /crm/{key}/oauth: a person agreed, on the CRM's page, that we come in; ours goes on from there."""
    key = request.match_info["key"]
    try:
        on_page = await _doors(request).returned(key, dict(request.query))
    except DoorClosed as closed:
        if closed.status == 403:
            return web.Response(status=403, text=say(language_of(request), "connect.too_late"))
        raise _refusal(closed) from None
    if on_page:
        raise web.HTTPSeeOther(f"/crm/{key}/setup#check")
    return web.Response(text=say(language_of(request), "connect.agreed"))


@unaudited(BY_A_CRM)
async def heard(request: web.Request) -> web.Response:
    """POST /crm/{key}/events: something happened there; 200 once it is stored."""
    return await hear(request, request.match_info["key"])


async def hear(request: web.Request, key: str) -> web.Response:
    """Store what a CRM tells by its connection's key."""
    body = await request.clone(client_max_size=_TOLD_BYTES).read()
    told = Inbound(dict(request.headers), body, dict(request.query))
    try:
        await _doors(request).heard(key, told)
    except DoorClosed as closed:
        raise _refusal(closed) from None
    return web.Response(text="ok")


def _doors(request: web.Request) -> CrmDoors:
    doors = request.app[SERVICES].crm
    if doors is None:
        raise web.HTTPNotFound
    return doors


def _refusal(closed: DoorClosed) -> web.HTTPException:
    kinds = {403: web.HTTPForbidden, 404: web.HTTPNotFound, 502: web.HTTPBadGateway, 503: web.HTTPServiceUnavailable}
    return kinds[closed.status]()
