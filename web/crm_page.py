"""What CRMs are told, as pages: each connection's health, its ledger and its dead letters; admins act on them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from aiohttp import web
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync import connections
from crm_sync.asking import Fault
from crm_sync.connections import Connection, ConnectionRefused
from crm_sync.kinds import KINDS
from crm_sync.ledger import health
from crm_sync.ledger.tables import EFFECT_STATES
from recordings.audit import note
from web.audited import audited
from web.crm_form import remedy_of
from web.guard import VIEWER, only, read_form
from web.keeping import actor_of, only_of_all
from web.leads.wording import age
from web.page import language_of, page
from web.services import SERVICES

_ROWS: Final = 50
_DOES: Final = {
    "retry": "crm_retried",
    "discard": "crm_discarded",
    "stop": "crm_stopped",
    "start": "crm_started",
    "shadow": "crm_started",
}
"""What an admin may do to a connection, and how the audit calls it."""


@dataclass(frozen=True, slots=True)
class Told:
    """One effect of the ledger as the page shows it: its row, and as JSON to read what was told and answered."""

    row: Row[Any]
    request: str
    answer: str


async def show_all(request: web.Request) -> web.Response:
    """GET /crm: every connection with its health."""
    await only_of_all(request)
    async with request.app[SERVICES].engine.connect() as connection:
        listed = await connections.counted(connection)
        healths = await health.read(connection)
    return await _page(request, "crms.html", crms=[(one, counts, healths.get(one.key)) for one, counts in listed])


async def show(request: web.Request) -> web.Response:
    """GET /crm/{key}: one connection and its ledger, the newest first; `state` narrows, `before` pages on."""
    await only_of_all(request)
    return await _shown(request)


async def _shown(request: web.Request, fault: str = "") -> web.Response:
    state, before = request.query.get("state", ""), request.query.get("before", "")
    if state not in {"", *EFFECT_STATES}:
        raise web.HTTPBadRequest(text=f"state must be one of {', '.join(EFFECT_STATES)}, got {state!r}")
    if before and not (before.isascii() and before.isdecimal() and len(before) < 19):
        raise web.HTTPBadRequest(text=f"before must be a number, got {before!r}")
    async with request.app[SERVICES].engine.connect() as connection:
        one, counts = await _one(connection, request.match_info["key"])
        healths = await health.read(connection)
        rows = await connections.effects_of(
            connection, one.key, state or None, _ROWS + 1, before=int(before) if before else None
        )
    effects = [Told(row, _json(row.request), _json(row.answer)) for row in rows[:_ROWS]]
    more = rows[_ROWS - 1].number if len(rows) > _ROWS else None
    return await _page(
        request,
        "crm.html",
        crm=one,
        counts=counts,
        health=healths.get(one.key),
        effects=effects,
        state=state,
        states=EFFECT_STATES,
        more=more,
        fault=fault,
    )


@audited(*_DOES.values(), "crm_removed")
async def change(request: web.Request) -> web.Response:
    """POST /crm/{key}, by admins: `do` is stop, start, shadow, retry or discard; of one `effect`, or all dead.

    Or remove, where `confirm` repeats the key.
    """
    only(request, "admin")
    form, key = await read_form(request), request.match_info["key"]
    do, effect = form.get("do", ""), form.get("effect", "")
    if do == "remove":
        return await _remove(request, key, form.get("confirm", ""))
    if do not in _DOES:
        raise web.HTTPBadRequest(text=f"do must be one of {', '.join(_DOES)}, got {do!r}")
    try:
        which = UUID(effect) if effect else None
    except ValueError:
        raise web.HTTPBadRequest(text=f"effect must be the id of an effect, got {effect!r}") from None
    async with request.app[SERVICES].engine.begin() as connection:
        one, _ = await _one(connection, key)
        try:
            told = await _do(connection, one, do, which)
        except ConnectionRefused as error:
            raise web.HTTPConflict(text=str(error)) from None
        await note(connection, actor_of(request), _DOES[do], f"crm {key}", {"host": one.host, **told})
    state = "?state=dead" if do in {"retry", "discard"} and form.get("state") == "dead" else ""
    return web.Response(status=303, headers={"Location": f"/crm/{key}{state}"})


async def _remove(request: web.Request, key: str, confirm: str) -> web.Response:
    connects = request.app[SERVICES].connects
    if connects is None:
        raise web.HTTPNotFound
    if confirm.strip() != key:
        answer = await _shown(request, Fault("confirm", "confirm").said(language_of(request)))
        answer.set_status(422)
        return answer
    try:
        await connects.remove(key, actor_of(request))
    except ConnectionRefused as refused:
        raise web.HTTPNotFound(text=str(refused)) from None
    raise web.HTTPSeeOther("/crm")


async def _do(connection: AsyncConnection, one: Connection, do: str, effect: UUID | None) -> dict[str, Any]:
    """Do it; what the audit tells of it besides the host."""
    which = {"effect": effect and str(effect)}
    if do == "retry":
        return which | {"count": await connections.retry(connection, one.key, effect)}
    if do == "discard":
        return which | {"count": await connections.discard(connection, one.key, effect)}
    if do == "stop":
        await connections.stop(connection, one.key)
        return {}
    shadow = do == "shadow"
    return {"shadow": shadow, "count": await connections.start(connection, one.key, shadow=shadow)}


async def _one(connection: AsyncConnection, key: str) -> tuple[Connection, dict[str, int]]:
    found = next((it for it in await connections.counted(connection) if it[0].key == key), None)
    if found is None:
        raise web.HTTPNotFound(text=f"There is no connection {key!r}.")
    return found


async def _page(request: web.Request, template: str, **context: Any) -> web.Response:
    language, now = language_of(request), datetime.now(UTC)
    return await page(
        request,
        template,
        may_act=request[VIEWER].role == "admin",
        since=lambda at: age((now - at).total_seconds(), language),
        title_of=lambda to: KINDS[to.kind].title,
        remedy=lambda to, missing: remedy_of(to.kind, missing, language),
        **context,
    )


def _json(told: Any) -> str:
    return json.dumps(told, ensure_ascii=False, indent=2) if told else ""
