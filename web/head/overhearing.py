"""Has the viewer's own telephone overhear a call: who may, what is refused, and what is written down."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from aiohttp import web

from calls import help as helping
from calls.talkers import talkers
from recordings.audit import note
from telephony import overhearings
from telephony.chan_spy import MODES, Mode
from web.guard import VIEWER, only
from web.house import HOUSE
from web.keeping import actor_of
from web.one_call import read_one
from web.rights import may_overhear
from web.services import SERVICES

RECENT_SECONDS: Final = 30.0
"""So long a page still says of an overhearing that it failed, or is over."""


class NotOverheard(Exception):
    """It cannot be; `reason` is one of `telephony.overhearings.FAILURES`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def mode_of(told: str) -> Mode:
    """A mode by its name. Raises 400 for what is none."""
    if told not in MODES:
        raise web.HTTPBadRequest(text=f"mode must be one of {', '.join(MODES)}")
    return told


async def ask(request: web.Request, call_id: UUID, mode: Mode) -> UUID:
    """Have a call overheard by who asks, and write that down; who asked for help in it knows that they come.

    Raises 403, 404 and NotOverheard.
    """
    only(request, "head", "admin")
    viewer, directory = request[VIEWER], await request.app[HOUSE].read()
    async with request.app[SERVICES].engine.begin() as connection:
        one = await read_one(request, connection, call_id)
        talk = talkers(one.call, directory)
        if not may_overhear(viewer, directory, talk, one.row.line):
            raise web.HTTPForbidden(text="This call is not of your teams.")
        person = directory.person(viewer.person or "")
        if person is None or not person.devices:
            raise NotOverheard("no_device")
        if one.seen.ended_at is not None:
            raise NotOverheard("over")
        others = [key for key in talk if key != person.key]
        if not others:
            raise NotOverheard("nobody_talks")
        # Who joined last is heard; of those of the viewer's teams first, where others talk in it, too.
        heard = max(others, key=lambda key: (may_overhear(viewer, directory, [key], None), others.index(key)))
        asked = await overhearings.ask(
            connection, one.id, person=person.key, heard=heard, mode=mode, asked_by=viewer.login
        )
        await helping.take(connection, one.id, person.key)
        await note(connection, actor_of(request), "call_overheard", f"call {one.id}", {"mode": mode, "id": str(asked)})
    return asked
