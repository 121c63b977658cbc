"""What people say of themselves, by the API."""

from aiohttp import web

from directory import presence_store
from directory.presence_store import PresenceRefused
from web.api.models import StatusTold, StatusWish
from web.guard import VIEWER
from web.services import SERVICES


async def set_status(request: web.Request, wish: StatusWish) -> StatusTold:
    """POST /status: one's own for everybody, other people's for heads and admins."""
    viewer = request[VIEWER]
    person = wish.person or viewer.person
    if person is None:
        raise web.HTTPBadRequest(text="person: is required, for this login belongs to nobody in the directory")
    if person != viewer.person and viewer.role not in {"head", "admin"}:
        raise web.HTTPForbidden(text="person: only heads and admins speak for others")
    try:
        async with request.app[SERVICES].engine.begin() as connection:
            await presence_store.set_status(connection, person, wish.status, wish.until)
    except PresenceRefused as error:
        raise web.HTTPBadRequest(text=str(error)) from None
    return StatusTold(person=person, status=wish.status, until=wish.until)
