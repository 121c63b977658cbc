"""The audit as a page for admins, and as a file; who takes the file is in it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, get_args
from zoneinfo import ZoneInfo

from aiohttp import hdrs, web
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync.imports.sheets import MEDIA, Cell, Form, written
from directory.tables import users
from recordings.audit import COMMAND_LINE, SERVICE, note
from recordings.privacy_tables import ACTIONS
from web.access.audit_list import AuditQueryError, Wanted, all_lines, lines, read_wanted
from web.access.users_page import ADMIN
from web.guard import only
from web.house import HOUSE
from web.keeping import actor_of
from web.listening import stream
from web.page import language_of, page, zone_of
from web.services import SERVICES
from web.words import say

_ROWS: Final = 100
_PIECE: Final = 500
_DELIMITERS: Final = {"ru": ";", "en": ","}
_FORMS: Final[tuple[Form, ...]] = get_args(Form)
_COLUMNS: Final = ("at", "actor", "do", "subject", "before", "after", "details", "address", "request")
_PAGES: Final = {"call": "/calls/", "lead": "/leads/", "party": "/parties/", "crm": "/crm/", "user": "/admin/users/"}
"""The pages of what lines are about."""


async def show(request: web.Request) -> web.Response:
    """GET /admin/audit: the newest first; `actor`, `action`, `subject`, `since`, `until` narrow, `before` pages on."""
    only(request, ADMIN)
    wanted = await _wanted(request)
    before = request.query.get("before", "")
    if before and not (before.isascii() and before.isdecimal() and len(before) < 19):
        raise web.HTTPBadRequest(text=f"before: must be the number of a line, got {before[:20]!r}")
    async with request.app[SERVICES].engine.connect() as connection:
        found = await lines(connection, wanted, int(before) if before else None, _ROWS + 1)
        logins = (await connection.execute(select(users.c.login).order_by(users.c.login))).scalars().all()
    language = language_of(request)
    return await page(
        request,
        "audit.html",
        lines=[(row, changes(row), _page_of(row.subject)) for row in found[:_ROWS]],
        more=found[_ROWS - 1].id if len(found) > _ROWS else None,
        asked={name: value for name, value in request.query.items() if name != "before" and value},
        actors=[*logins, COMMAND_LINE, SERVICE],
        actions=sorted(ACTIONS, key=lambda action: say(language, f"audit.do.{action}")),
    )


async def export(request: web.Request) -> web.StreamResponse:
    """GET /admin/audit/export: the lines of the filters as `format` csv or xlsx."""
    only(request, ADMIN)
    wanted, told = await _wanted(request), request.query.get("format", "csv")
    form = next((one for one in _FORMS if one == told), None)
    if form is None:
        raise web.HTTPBadRequest(text=f"format: must be one of {', '.join(_FORMS)}, got {told[:20]!r}")
    asked = {name: value for name, value in request.query.items() if value}
    engine, language = request.app[SERVICES].engine, language_of(request)
    async with engine.begin() as connection:
        await note(connection, actor_of(request), "audit_exported", "audit", asked)
    zone = ZoneInfo(zone_of(request, await request.app[HOUSE].read()))
    name = f"audit-{datetime.now(zone):%Y-%m-%d}.{form}"
    headers = {hdrs.CONTENT_TYPE: MEDIA[form], hdrs.CONTENT_DISPOSITION: f'attachment; filename="{name}"'}
    async with engine.connect() as connection:
        body = written(form, _DELIMITERS[language], _table(connection, wanted, zone, language))
        return await stream(request, web.StreamResponse(headers=headers), body)


async def _table(
    connection: AsyncConnection, wanted: Wanted, zone: ZoneInfo, language: str
) -> AsyncIterator[Sequence[Sequence[Cell]]]:
    piece: list[Sequence[Cell]] = [[say(language, f"audit.{name}") for name in _COLUMNS]]
    async for row in all_lines(connection, wanted):
        at = row.at.astimezone(zone).replace(tzinfo=None)
        told = [_text(it) for it in (row.before, row.after, row.details)]
        address = str(row.address) if row.address else ""
        piece.append([at, row.actor, say(language, f"audit.do.{row.action}"), row.subject, *told, address, row.request])
        if len(piece) >= _PIECE:
            yield piece
            piece = []
    yield piece


def changes(row: Any) -> list[tuple[str, str, str]]:
    """What a line tells beside its subject: (name, before, now), what did not change left out."""
    before, after = row.before or {}, row.after or {}
    differ = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    told = [(name, _text(before.get(name)), _text(after.get(name))) for name in differ]
    return told + [(name, "", _text(value)) for name, value in row.details.items() if value not in (None, "")]


def _text(value: Any) -> str:
    if value is None or value == {}:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _page_of(subject: str) -> str:
    kind, _, name = subject.partition(" ")
    return _PAGES[kind] + name if kind in _PAGES and name else ""


async def _wanted(request: web.Request) -> Wanted:
    query: Mapping[str, str] = request.query
    try:
        return read_wanted(query, ZoneInfo(zone_of(request, await request.app[HOUSE].read())))
    except AuditQueryError as error:
        raise web.HTTPBadRequest(text=str(error)) from None
