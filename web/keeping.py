"""What a call's page tells heads and admins of its keeping, holds by law and signed links, and what they do to it."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from recordings import holds
from recordings.audit import Actor
from recordings.privacy_tables import links as link_rows
from web import links
from web.audited import audited
from web.guard import VIEWER, address_of, only, read_form, request_id
from web.house import HOUSE
from web.one_call import OneCall, read_call
from web.rights import scope_of
from web.services import SERVICES

_KEEPERS: Final = ("head", "admin")


def actor_of(request: web.Request) -> Actor:
    """Who asks, as the audit names them."""
    return actor_named(request, request[VIEWER].login, request[VIEWER].user)


def actor_named(request: web.Request, login: str, user: int | None) -> Actor:
    """Who asks, where no viewer is known yet: at the login."""
    client = address_of(request)
    return Actor(login=login, user=user, address=str(client) if client else None, request=request_id(request))


def only_keepers(request: web.Request) -> None:
    """Holds and links are the business of heads and admins. Raises HTTPForbidden for everybody else."""
    only(request, *_KEEPERS)


async def only_of_all(request: web.Request) -> None:
    """What concerns the whole house is for admins, and for heads who lead all of its teams. Raises HTTPForbidden."""
    only_keepers(request)
    if not scope_of(request[VIEWER], await request.app[HOUSE].read()).everything:
        raise web.HTTPForbidden(text="Only for admins and heads of every team.")


async def shown(request: web.Request, connection: AsyncConnection, one: OneCall) -> dict[str, Any] | None:
    """The call's own holds and its links that open something; None for who has no business with them."""
    if request[VIEWER].role not in _KEEPERS:
        return None
    return {"holds": await holds.listed(connection, one.id), "links": await links.of_call(connection, one.id)}


@audited("hold_set", "hold_lifted", "link_made", "link_revoked")
async def change(request: web.Request) -> web.Response:
    """POST /calls/{id}/keeping, by heads and admins: `do` is hold (with `reason`), lift, link or revoke (with `id`)."""
    form = await read_form(request)
    async with request.app[SERVICES].engine.begin() as connection:
        one = await read_call(request, connection)
        only_keepers(request)
        try:
            await _do(connection, actor_of(request), one, form)
        except (holds.HoldRefused, links.LinkRefused) as error:
            raise web.HTTPBadRequest(text=str(error)) from None
    return web.Response(status=303, headers={"Location": f"/calls/{one.id}#keeping"})


async def _do(connection: AsyncConnection, actor: Actor, one: OneCall, form: dict[str, str]) -> None:
    told = form.get("id", "")
    number = int(told) if told.isascii() and told.isdecimal() and len(told) < 19 else 0
    match form.get("do"):
        case "hold":
            await holds.add(connection, actor, form.get("reason", ""), call_id=one.id)
        case "lift" if number in {hold.id for hold in await holds.listed(connection, one.id)}:
            await holds.lift(connection, actor, number)
        case "link" if one.row.ended_at is not None:
            await links.make(connection, actor, one.id)
        case "revoke" if number in await _links_of(connection, one):
            await links.revoke(connection, actor, number)
        case _:
            raise web.HTTPBadRequest(text="do must be hold, lift, link or revoke, with the id of one of this call")


async def _links_of(connection: AsyncConnection, one: OneCall) -> set[int]:
    return set((await connection.execute(select(link_rows.c.id).where(link_rows.c.call_id == one.id))).scalars())
