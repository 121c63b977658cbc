"""What a call's page tells of others: what CRMs were told of the call, who heard or read it, and who overheard it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from aiohttp import web
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.joining import ids_of
from crm_sync import connections
from crm_sync.connections import ConnectionRefused
from crm_sync.ledger.tables import crm_effects
from recordings.audit import note
from telephony.tables import overhearings
from web.audited import audited
from web.guard import VIEWER, only, read_form
from web.keeping import actor_of
from web.one_call import read_call
from web.services import SERVICES
from web.tables import listens

MOST: Final = 100
"""Of each; there are some dozens at most, but for a call that everybody listens to."""

_AUDITORS: Final = ("head", "admin")


async def shown(request: web.Request, connection: AsyncConnection, call_id: UUID) -> dict[str, Any]:
    """Rows of the ledger in their order; for heads and admins those of who listened and overheard, the newest first."""
    role = request[VIEWER].role
    return {
        "effects": await _effects(connection, call_id),
        "listened": await _listened(connection, call_id) if role in _AUDITORS else None,
        "overheard": await _overheard(connection, call_id) if role in _AUDITORS else (),
        "may_retry": role == "admin",
        "may_see_crm": role in _AUDITORS,
    }


async def _effects(connection: AsyncConnection, call_id: UUID) -> Sequence[Any]:
    asked = select(crm_effects).where(crm_effects.c.call_id.in_(ids_of(call_id)))
    ordered = asked.order_by(crm_effects.c.connection, crm_effects.c.number)
    return (await connection.execute(ordered.limit(MOST))).all()


async def _listened(connection: AsyncConnection, call_id: UUID) -> Sequence[Any]:
    asked = select(listens).where(listens.c.call_id.in_(ids_of(call_id)))
    return (await connection.execute(asked.order_by(listens.c.id.desc()).limit(MOST))).all()


async def _overheard(connection: AsyncConnection, call_id: UUID) -> Sequence[Any]:
    heard = (overhearings.c.call_id.in_(ids_of(call_id)), overhearings.c.began_at.is_not(None))
    asked = select(overhearings).where(*heard).order_by(overhearings.c.began_at.desc())
    return (await connection.execute(asked.limit(MOST))).all()


@audited("crm_retried")
async def retry(request: web.Request) -> web.Response:
    """POST /calls/{id}/effects, by admins: tell again what was given up, the `effect` of this call."""
    form = await read_form(request)
    async with request.app[SERVICES].engine.begin() as connection:
        one = await read_call(request, connection)
        only(request, "admin")
        dead = (row for row in await _effects(connection, one.id) if row.state == "dead")
        effect = next((row for row in dead if str(row.key) == form.get("effect")), None)
        if effect is None:
            raise web.HTTPBadRequest(text="effect must be the key of one of this call that was given up")
        try:
            await connections.retry(connection, effect.connection, effect.key)
        except ConnectionRefused as error:
            raise web.HTTPConflict(text=str(error)) from None
        told = {"effect": str(effect.key), "count": 1}
        await note(connection, actor_of(request), "crm_retried", f"crm {effect.connection}", told)
    return web.Response(status=303, headers={"Location": f"/calls/{one.id}#crm"})
