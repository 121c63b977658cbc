"""Signed links by the API: made, listed and revoked by who may listen themselves."""

from datetime import datetime

from aiohttp import web
from pydantic import Field
from sqlalchemy import select

from recordings.privacy_tables import links as rows
from web import links
from web.api.operations import Answer, Body, NoBody, NoQuery, number_in
from web.keeping import actor_of
from web.one_call import read_call, read_one
from web.services import SERVICES


class LinkWish(Body):
    """How long the link is to open the recording."""

    days: int = Field(default=links.DAYS, ge=1, le=links.DAYS_MOST, strict=True)


class LinkTold(Answer):
    """A link. Whoever knows `url` hears the recording, until `expires_at`."""

    id: int
    url: str
    made_by: str
    made_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


class LinkEnded(Answer):
    """A link that opens nothing any more."""

    id: int


class LinkList(Answer):
    """Links, the newest first."""

    items: list[LinkTold]


async def make_link(request: web.Request, wish: LinkWish) -> LinkTold:
    """POST /calls/{id}/links."""
    async with request.app[SERVICES].engine.begin() as connection:
        one = await read_call(request, connection)
        if one.row.ended_at is None:  # whoever sees it now may be none of those who hear it afterwards
            raise web.HTTPNotFound(text="There is no recording of this call yet.")
        return _told(request, await links.make(connection, actor_of(request), one.id, wish.days))


async def list_links(request: web.Request, _query: NoQuery) -> LinkList:
    """GET /calls/{id}/links: those that still open something."""
    async with request.app[SERVICES].engine.begin() as connection:
        one = await read_call(request, connection)
        return LinkList(items=[_told(request, link) for link in await links.of_call(connection, one.id)])


async def revoke_link(request: web.Request, _body: NoBody) -> LinkEnded:
    """POST /links/{number}/revoke, by whoever may listen to its call."""
    number = number_in(request)
    async with request.app[SERVICES].engine.begin() as connection:
        call_id = (await connection.execute(select(rows.c.call_id).where(rows.c.id == number))).scalar_one_or_none()
        if call_id is None:
            raise web.HTTPNotFound(text=f"There is no link {number}.")
        await read_one(request, connection, call_id)
        await links.revoke(connection, actor_of(request), number)
    return LinkEnded(id=number)


def _told(request: web.Request, link: links.Link) -> LinkTold:
    scheme = "https" if request.app[SERVICES].secure else request.scheme
    told = {name: getattr(link, name) for name in LinkTold.model_fields if name != "url"}
    return LinkTold(url=f"{scheme}://{request.host}{link.path}", **told)
