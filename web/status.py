"""What I say of myself: available, away, do not disturb, and the wrap-up that a talk's end begins."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from aiohttp import web

from directory import presence_store
from directory.presence import Presence, Status, presence_at
from directory.presence_store import PresenceRefused
from recordings.audit import note
from web.audited import audited
from web.guard import VIEWER, read_form
from web.house import HOUSE
from web.keeping import actor_of
from web.page import fragment
from web.services import SERVICES

SAID: Final[tuple[Status, ...]] = ("available", "away", "do_not_disturb")
"""What a person can say; a wrap-up is begun for them, and ended by saying that they are available."""

MINUTES: Final = (15, 30, 60, 120)
_SOON: Final = timedelta(milliseconds=200)
"""A page that asks a hair before the end would be told the same again."""


async def show(request: web.Request) -> web.Response:
    """GET /desk/status: the control alone, asked for when the viewer's presence changed."""
    return web.Response(text=await fragment(request, "status.html", **await own(request)), content_type="text/html")


@audited("status_set")
async def choose(request: web.Request) -> web.Response:
    """POST /desk/status: say something of oneself, of nobody else; `minutes` empty: until it is said otherwise."""
    person, form = request[VIEWER].person, await read_form(request)
    if person is None:
        raise web.HTTPForbidden(text="This login belongs to nobody in the directory.")
    status = next((it for it in SAID if it == form.get("status")), None)
    if status is None:
        raise web.HTTPBadRequest(text=f"status must be one of {', '.join(SAID)}")
    minutes = form.get("minutes", "")
    if minutes not in {"", *map(str, MINUTES)}:
        raise web.HTTPBadRequest(text=f"minutes must be empty or one of {', '.join(map(str, MINUTES))}")
    until = datetime.now(UTC) + timedelta(minutes=int(minutes)) if minutes and status != "available" else None
    try:
        async with request.app[SERVICES].engine.begin() as connection:
            await presence_store.set_status(connection, person, status, until)
            told = {"status": status, "until": until}
            await note(connection, actor_of(request), "status_set", f"person {person}", after=told)
    except PresenceRefused as error:
        raise web.HTTPBadRequest(text=str(error)) from None
    if "HX-Request" in request.headers:
        return await show(request)
    return web.Response(status=303, headers={"Location": "/"})


async def own(request: web.Request) -> dict[str, Any]:
    """What the template status.html shows; `presence` is None for a login that belongs to nobody."""
    directory, now = await request.app[HOUSE].read(), datetime.now(UTC)
    person = directory.person(request[VIEWER].person or "")
    if person is None:
        return {"presence": None}
    async with request.app[SERVICES].engine.connect() as connection:
        book = await presence_store.read(connection, person.key)
    presence = presence_at(person, directory, book, now)
    return {"presence": presence, "said": SAID, "minutes": MINUTES, "changes_in": _changes_in(presence, now)}


def _changes_in(presence: Presence, now: datetime) -> float | None:
    """Give the seconds until what is shown ends by itself."""
    ends = [presence.status_until, presence.calendar_until, presence.absence.ends_at if presence.absence else None]
    first = min((it for it in ends if it is not None), default=None)
    return max(0.0, (first + _SOON - now).total_seconds()) if first else None
