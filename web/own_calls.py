"""Whose card of a call a request is about: one's own, or, for heads and admins, that of who talks or talked in it."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.legs import caller_ended_at
from web.guard import VIEWER
from web.house import HOUSE
from web.one_call import OneCall, read_call
from web.rights import may_overhear


@dataclass(frozen=True, slots=True)
class OwnCall:
    """One call and the person (key) whose card of it is meant; `talks`: they talk in it now."""

    one: OneCall
    person: str
    talks: bool


async def read_own_call(request: web.Request, connection: AsyncConnection) -> OwnCall:
    """The call of `{id}` in the path, and whose card of it is meant.

    Raises 404; 403 for who did not talk in it, and is neither admin nor head of who did or of its line.
    """
    one, viewer = await read_call(request, connection), request[VIEWER]
    told = talkers(one)
    if viewer.person in told:
        return OwnCall(one, viewer.person, told[viewer.person])
    directory = await request.app[HOUSE].read()
    if not told or not may_overhear(viewer, directory, told, one.row.line):
        raise web.HTTPForbidden(text="Only who talks or talked in a call, heads of their teams and admins do this.")
    # Of several, whoever is theirs before whoever is not, and whoever still talks before who did.
    person = max(told, key=lambda key: (may_overhear(viewer, directory, [key], None), told[key]))
    return OwnCall(one, person, told[person])


def talkers(one: OneCall) -> dict[str, bool]:
    """Who of ours has talked in a call, and whether they do so now."""
    going_on = one.seen.ended_at is None
    told: dict[str, bool] = {}
    for leg in one.seen.legs:
        person = one.person_of(leg.channel)
        if person and leg.answered_at is not None:
            told[person] = told.get(person, False) or (going_on and leg.ended_at is None)
    called_out = one.row.person if one.seen.direction == "outbound" and one.seen.answered_at is not None else None
    if called_out and called_out not in told:
        told[called_out] = going_on and caller_ended_at(one.call) is None
    return told
