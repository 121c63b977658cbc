"""What people say of themselves, and when they are away, by the API."""

from aiohttp import web

from directory import presence_store
from directory.presence import Absence
from directory.presence_store import PresenceRefused
from recordings.audit import note
from web.api.models import AbsenceTold, AbsenceWish, StatusTold, StatusWish
from web.api.operations import NoBody, number_in
from web.audited import audited
from web.guard import VIEWER
from web.house import HOUSE
from web.keeping import actor_of
from web.rights import speaks_for
from web.services import SERVICES


@audited("status_set")
async def set_status(request: web.Request, wish: StatusWish) -> StatusTold:
    """POST /status: one's own for everybody, other people's for heads and admins."""
    person = await _of_whom(request, wish.person)
    try:
        async with request.app[SERVICES].engine.begin() as connection:
            await presence_store.set_status(connection, person, wish.status, wish.until)
            told = {"status": wish.status, "until": wish.until}
            await note(connection, actor_of(request), "status_set", f"person {person}", after=told)
    except PresenceRefused as error:
        raise web.HTTPBadRequest(text=str(error)) from None
    return StatusTold(person=person, status=wish.status, until=wish.until)


@audited("absence_set")
async def send_away(request: web.Request, wish: AbsenceWish) -> AbsenceTold:
    """POST /absences: one's own for everybody, other people's for heads and admins."""
    person = await _of_whom(request, wish.person)
    absence = Absence(0, wish.since, wish.to, wish.substitute, wish.reason)
    try:
        async with request.app[SERVICES].engine.begin() as connection:
            number = await presence_store.send_away(connection, person, absence)
            told = {"person": person, "from": wish.since, "to": wish.to, "substitute": wish.substitute}
            await note(connection, actor_of(request), "absence_set", f"absence {number}", after=told)
    except PresenceRefused as error:
        raise web.HTTPBadRequest(text=str(error)) from None
    return AbsenceTold(id=number, person=person, **wish.model_dump(exclude={"person"}))


@audited("absence_ended")
async def come_back(request: web.Request, _body: NoBody) -> AbsenceTold:
    """POST /absences/{number}/end: an absence that goes on ends now, one to come is cancelled."""
    number = number_in(request)
    async with request.app[SERVICES].engine.begin() as connection:
        row = await presence_store.absence(connection, number)
        if row is None:
            raise web.HTTPNotFound(text=f"There is no absence {number}.")
        person = await _of_whom(request, row.person)
        try:
            await presence_store.come_back(connection, person, number)
        except PresenceRefused as error:
            raise web.HTTPBadRequest(text=str(error)) from None
        ended = await presence_store.absence(connection, number)
        before, after = {"person": person, "to": row.ends_at}, {"to": ended.ends_at} if ended else None
        await note(connection, actor_of(request), "absence_ended", f"absence {number}", before=before, after=after)
    told = {name: getattr(row, name) for name in ("id", "person", "substitute", "reason")}
    return AbsenceTold(since=row.starts_at, to=ended.ends_at if ended else row.starts_at, **told)


async def _of_whom(request: web.Request, told: str | None) -> str:
    """The person it is about, the login's own unless told. Raises 400 when there is none, 403 for somebody else's."""
    viewer = request[VIEWER]
    person = told or viewer.person
    if person is None:
        raise web.HTTPBadRequest(text="person: is required, for this login belongs to nobody in the directory")
    if not speaks_for(viewer, await request.app[HOUSE].read(), person):
        raise web.HTTPForbidden(text="person: only heads of their teams and admins speak for others")
    return person
