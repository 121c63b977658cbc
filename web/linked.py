"""A recording at the end of a signed link: no login, the masked sound alone, and every use is written down."""

from __future__ import annotations

from aiohttp import web
from sqlalchemy import insert

from recordings.audit import Actor, note
from recordings.names import SIDES
from web.guard import address_of, viewer_of
from web.hearing import archive_for_all
from web.house import HOUSE
from web.links import LinkOverError, NoLinkError, opened
from web.listening import Sound, send
from web.services import SERVICES
from web.tables import listens


async def hear(request: web.Request) -> web.StreamResponse:
    """GET /linked/{link}: the archive, or the range of it that is asked for. 404 for no link of ours, 410 when over.

    A CRM shows a link for years: of one that expired a colleague who is logged in is sent on to the call itself.
    """
    services = request.app[SERVICES]
    client = address_of(request)
    async with services.engine.begin() as connection:
        try:
            link = await opened(connection, request.match_info["link"])
        except NoLinkError:
            raise web.HTTPNotFound(text="There is nothing here.") from None
        except LinkOverError as over:
            if over.call_id is not None and await viewer_of(request) is not None:
                raise web.HTTPSeeOther(f"/calls/{over.call_id}") from None
            raise web.HTTPGone(text="This link has expired or was revoked.") from None
        archive = await archive_for_all(connection, link.call_id, await request.app[HOUSE].read())
        if archive is None:
            raise web.HTTPNotFound(text="The recording is not there, or not there yet.")
        actor = Actor(login=f"link {link.id}", address=str(client) if client else None)
        row = {"login": actor.login, "call_id": link.call_id, "what": "both", "address": actor.address}
        await connection.execute(insert(listens).values(row))
        await note(connection, actor, "link_used", actor.login, {"call": str(link.call_id)})
    return await send(request, services.recordings, Sound(archive, (), [it.placed for it in archive.parts]), SIDES)
