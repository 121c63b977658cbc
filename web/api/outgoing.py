"""Click-to-call by the API: asked for, judged, and told what became of it."""

from typing import Any
from uuid import UUID

from aiohttp import web
from sqlalchemy import Row

from recordings.audit import note
from routing import requests
from routing.requests import ASKED_PER_MINUTE_MOST, Answered, TooManyAskedError, UnknownPersonError, Wish
from web.api.models import CallWish, OutgoingCall
from web.api.operations import KEY_HEADER, NoQuery, refusal
from web.audited import audited
from web.guard import VIEWER
from web.house import HOUSE
from web.keeping import actor_of
from web.page import language_of
from web.refused import why_refused
from web.rights import speaks_for
from web.services import SERVICES

_KEY_MOST = 200


@audited("call_asked")
async def begin_call(request: web.Request, wish: CallWish) -> OutgoingCall | web.Response:
    """POST /calls: one's own calls for everybody, other people's for heads and admins."""
    viewer = request[VIEWER]
    person = wish.from_person or viewer.person
    if person is None:
        raise web.HTTPBadRequest(text="from_person: is required, for this login belongs to nobody in the directory")
    if not speaks_for(viewer, await request.app[HOUSE].read(), person):
        raise web.HTTPForbidden(text="from_person: only heads of their teams and admins have others call")
    key = key_of(request)
    services = request.app[SERVICES]
    told = Wish(to=wish.to, person=person, purpose="click", asked_by=viewer.login, key=key)
    async with services.engine.begin() as connection:
        try:
            answered = await requests.ask(connection, told, services.outgoing)
        except UnknownPersonError:
            raise web.HTTPBadRequest(text=f"from_person: there is nobody {person!r} in the directory") from None
        except TooManyAskedError:
            most = f"At most {ASKED_PER_MINUTE_MOST} calls a minute may be asked for by one login."
            raise web.HTTPTooManyRequests(text=most) from None
        row = await requests.find(connection, answered.id)
        if row is not None:
            asked = {"person": person, "state": row.state, "reason": row.reason}
            await note(connection, actor_of(request), "call_asked", f"outgoing {answered.id}", asked)
    return outgoing_told(request, answered, row)


def key_of(request: web.Request) -> str | None:
    """The Idempotency-Key that was sent. Raises 400 for one that cannot be kept."""
    key = request.headers.get(KEY_HEADER)
    if key is not None and (not key.isprintable() or len(key) > _KEY_MOST):
        raise web.HTTPBadRequest(text=f"{KEY_HEADER}: must be at most {_KEY_MOST} printable characters")
    return key


def outgoing_told(request: web.Request, answered: Answered, row: Row[Any] | None) -> OutgoingCall | web.Response:
    """What a wish was answered with: its row, or why it was refused. Raises 409 for a key that was another wish's."""
    if row is None or answered.to_other_end:
        raise web.HTTPConflict(text=f"{KEY_HEADER}: was sent before with another number or person")
    if row.state == "refused":
        return refusal(422, row.reason, why_refused(language_of(request), row.reason))
    return _told(row)


async def get_outgoing(request: web.Request, _query: NoQuery) -> OutgoingCall:
    """GET /outgoing-calls/{id}."""
    try:
        asked = UUID(request.match_info["id"])
    except ValueError:
        raise web.HTTPNotFound(text="There is no such call.") from None
    async with request.app[SERVICES].engine.connect() as connection:
        row = await requests.find(connection, asked)
    if row is None:
        raise web.HTTPNotFound(text="There is no such call.")
    if not speaks_for(request[VIEWER], await request.app[HOUSE].read(), row.person):
        raise web.HTTPForbidden(text="This call is not yours.")
    return _told(row)


def _told(row: Row[Any]) -> OutgoingCall:
    names = ("id", "state", "reason", "person", "purpose", "asked_at", "device", "call_id")
    return OutgoingCall(to=row.number, **{name: getattr(row, name) for name in names})
