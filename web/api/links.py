"""Signed links by the API: made, listed and revoked by heads and admins, as on the call's page."""

from datetime import datetime
from typing import Any

from aiohttp import web
from pydantic import Field

from web import links
from web.api.operations import Answer, Body, NoBody, NoQuery, number_in
from web.audited import audited
from web.keeping import actor_of, only_keepers
from web.one_call import read_call, read_one
from web.services import SERVICES


class LinkWish(Body):
    """How long the link is to open the recording."""

    days: int = Field(default=links.DAYS, ge=1, le=links.DAYS_MOST, strict=True)


class LinkTold(Answer):
    """A link; its address is told only to whoever makes it."""

    id: int
    made_by: str
    made_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


class LinkMade(LinkTold):
    """A new link. Whoever knows `url` hears the recording, until `expires_at`."""

    url: str


class LinkEnded(Answer):
    """A link that opens nothing any more."""

    id: int


class LinkList(Answer):
    """Links, the newest first."""

    items: list[LinkTold]


@audited("link_made")
async def make_link(request: web.Request, wish: LinkWish) -> LinkMade:
    """POST /calls/{id}/links."""
    async with request.app[SERVICES].engine.begin() as connection:
        one = await read_call(request, connection)
        only_keepers(request)
        if one.row.ended_at is None:  # what is recorded is not whole yet
            raise web.HTTPNotFound(text="There is no recording of this call yet.")
        made = await links.make(connection, actor_of(request), one.id, wish.days)
    scheme = "https" if request.app[SERVICES].secure else request.scheme
    return LinkMade(url=f"{scheme}://{request.host}{made.path}", **_told(made))


async def list_links(request: web.Request, _query: NoQuery) -> LinkList:
    """GET /calls/{id}/links: those that still open something."""
    async with request.app[SERVICES].engine.begin() as connection:
        one = await read_call(request, connection)
        only_keepers(request)
        return LinkList(items=[LinkTold(**_told(link)) for link in await links.of_call(connection, one.id)])


@audited("link_revoked")
async def revoke_link(request: web.Request, _body: NoBody) -> LinkEnded:
    """POST /links/{number}/revoke."""
    only_keepers(request)
    number = number_in(request)
    async with request.app[SERVICES].engine.begin() as connection:
        try:
            call_id = await links.revoke(connection, actor_of(request), number)
        except links.LinkRefused as error:
            raise web.HTTPNotFound(text=str(error)) from None
        await read_one(request, connection, call_id)  # a link to what they may not see stands
    return LinkEnded(id=number)


def _told(link: links.Link) -> dict[str, Any]:
    return {name: getattr(link, name) for name in LinkTold.model_fields}
