"""Pauses and resumes the recording of a call that goes on, for the page and for the API."""

from __future__ import annotations

import asyncio
from typing import Final
from uuid import UUID

from aiohttp import web

from recordings import pauses
from recordings.pauses import recorded_now
from web.audited import audited
from web.guard import VIEWER, read_form
from web.keeping import actor_of
from web.one_call import OneCall, read_call
from web.page import language_of
from web.services import SERVICES
from web.sessions import Viewer
from web.words import say

DONE_SECONDS: Final = 5.0
"""Who attends the PBX does what is wanted, and the PBX tells so, within milliseconds; so long it is waited for."""
_LOOK_SECONDS: Final = 0.05

DOES: Final = {"pause": True, "resume": False}


class NotPausedError(Exception):
    """It could not be done; `reason` is a key of `pause.*` in the words of the pages."""

    def __init__(self, reason: str) -> None:
        """Keep the key."""
        super().__init__(reason)
        self.reason = reason


def may_pause(viewer: Viewer, one: OneCall) -> bool:
    """Whether the viewer talks in the call now, or is a head or an admin."""
    if viewer.role in {"head", "admin"}:
        return True
    talks = (leg for leg in one.seen.legs if leg.outcome == "answered" and leg.ended_at is None)
    return viewer.person is not None and any(one.person_of(leg.channel) == viewer.person for leg in talks)


def can_pause(one: OneCall) -> bool:
    """Whether the call goes on and is recorded, and nobody refused that."""
    return one.seen.ended_at is None and not one.seen.refused and bool(recorded_now(one.call, one.seen))


async def ask(request: web.Request, *, paused: bool) -> UUID:
    """Have the recording of the call of `{id}` paused or resumed; returns the call's id when it was done.

    Raises 403 and 404, and NotPausedError.
    """
    engine, viewer = request.app[SERVICES].engine, request[VIEWER]
    async with engine.begin() as connection:
        one = await read_call(request, connection)
        if not may_pause(viewer, one):
            raise web.HTTPForbidden(text="Only who talks in a call, heads and admins pause its recording.")
        if not can_pause(one):
            raise NotPausedError("over" if one.seen.ended_at else "not_recorded")
        wish = await pauses.ask(connection, one.id, paused=paused, by=actor_of(request))
    outcome = None
    for _ in range(round(DONE_SECONDS / _LOOK_SECONDS)):
        async with engine.connect() as connection:
            outcome = await pauses.outcome_of(connection, wish)
            told = outcome == "done" and pauses.is_paused((await read_call(request, connection)).seen) is paused
        if told or outcome not in {None, "done"}:
            break
        await asyncio.sleep(_LOOK_SECONDS)
    if outcome != "done":
        raise NotPausedError(outcome or "not_yet")
    return one.id


@audited("recording_paused", "recording_resumed")
async def turn(request: web.Request) -> web.Response:
    """POST /calls/{id}/recording: `do` is pause or resume; the page shows what the PBX then tells."""
    wanted = DOES.get((await read_form(request)).get("do", ""))
    if wanted is None:
        raise web.HTTPBadRequest(text=f"do must be one of {', '.join(DOES)}")
    in_place = "HX-Request" in request.headers
    try:
        call_id = await ask(request, paused=wanted)
    except NotPausedError as error:
        why = say(language_of(request), f"pause.{error.reason}")
        if in_place:
            return web.Response(text=why)
        raise web.HTTPConflict(text=why) from None
    if in_place:
        return web.Response(text="")
    return web.Response(status=303, headers={"Location": f"/calls/{call_id}"})
