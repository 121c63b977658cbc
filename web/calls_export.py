"""The calls of a list as a table, the newest first; who takes which is written down before the first byte."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any, Final, get_args
from zoneinfo import ZoneInfo

from aiohttp import hdrs, web
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync.imports.sheets import MEDIA, XLSX_ROWS_MOST, Cell, Form, written
from directory.model import Directory
from recordings.audit import note
from web.bulk import DELIMITERS
from web.filters import FilterError, Filters, read_days
from web.finding import every
from web.guard import VIEWER, only
from web.house import HOUSE
from web.keeping import actor_of
from web.listening import stream
from web.names import line_name, person_name
from web.page import language_of, zone_of
from web.rights import Scope, scope_of
from web.services import SERVICES
from web.wording import phone
from web.words import has_words, say

COLUMNS: Final = (
    *("began", "direction", "status", "cause", "line", "person", "party", "number"),
    *("wait_seconds", "talk_seconds", "hold_seconds", "lead", "id"),
)
TAKERS: Final = ("head", "admin")
"""Who may take a table of clients' numbers away."""

AT_ONCE_MOST: Final = 2
"""Tables that one process makes at a time; each holds a connection."""

SECONDS_MOST: Final = 900.0
"""Whoever reads slower gets a part of it."""

EXPORTS: Final = web.AppKey("exports", asyncio.Semaphore)

_FORMS: Final = get_args(Form)
_ROWS: Final = 500
_KEPT: Final = ("period", "from", "to", "line", "team", "person", "status", "cause", "audio")
"""What the audit tells of a list's filters: a number and words may be somebody's."""


async def show(request: web.Request) -> web.StreamResponse:
    """GET /calls/export, for heads and admins: the list's filters, and `format`."""
    only(request, *TAKERS)
    directory, query = await request.app[HOUSE].read(), request.query
    try:
        filters = read_days(query, zone_of(request, directory), directory, datetime.now(UTC))
    except FilterError as error:
        raise web.HTTPBadRequest(text=str(error)) from error
    form = query.get("format", "csv")
    if form not in _FORMS:
        raise web.HTTPBadRequest(text=f"format: must be one of {', '.join(_FORMS)}, got {form[:20]!r}")
    told = {name: query[name] for name in _KEPT if query.get(name)}
    return await send(request, filters, "xlsx" if form == "xlsx" else "csv", told)


async def send(request: web.Request, filters: Filters, form: Form, told: Mapping[str, Any]) -> web.StreamResponse:
    """Stream the table; `told` is what the audit keeps of the filters.

    Raises 400 for more rows than the form has, 429 while others are made.
    """
    if request.app[EXPORTS].locked():
        raise web.HTTPTooManyRequests(text="Other tables are being made just now; ask again in a minute.")
    async with request.app[EXPORTS]:
        return await _send(request, filters, form, told)


async def _send(request: web.Request, filters: Filters, form: Form, told: Mapping[str, Any]) -> web.StreamResponse:
    directory, engine = await request.app[HOUSE].read(), request.app[SERVICES].engine
    scope = scope_of(request[VIEWER], directory)
    async with engine.begin() as connection:
        if form == "xlsx" and await _is_too_long(connection, scope, filters):
            raise web.HTTPBadRequest(text="format: these calls are more than xlsx has rows, take csv")
        hidden = {name: True for name in ("number", "said") if getattr(filters, name)}
        await note(connection, actor_of(request), "calls_exported", "calls", {**told, **hidden, "format": form})
    response = web.StreamResponse(
        headers={
            hdrs.CONTENT_TYPE: MEDIA[form],
            hdrs.CONTENT_DISPOSITION: f'attachment; filename="calls-{datetime.now(UTC):%Y-%m-%d}.{form}"',
        }
    )
    words = _Words(directory, language_of(request), ZoneInfo(zone_of(request, directory)))
    async with engine.connect() as connection, asyncio.timeout(SECONDS_MOST):
        rows = _rows(connection, scope, filters, words)
        async with aclosing(written(form, DELIMITERS[words.language], rows)) as pieces:
            return await stream(request, response, pieces)


async def _is_too_long(connection: AsyncConnection, scope: Scope, filters: Filters) -> bool:
    some = every(scope, filters).order_by(None).limit(XLSX_ROWS_MOST).subquery()
    count: int = (await connection.execute(select(func.count()).select_from(some))).scalar_one()
    return count >= XLSX_ROWS_MOST


async def _rows(
    connection: AsyncConnection, scope: Scope, filters: Filters, words: _Words
) -> AsyncIterator[Sequence[Sequence[Cell]]]:
    yield [words.header()]
    found = await connection.stream(every(scope, filters))
    async for rows in found.partitions(_ROWS):
        yield [words.of(row) for row in rows]


class _Words:
    """What people read for what a call's row says."""

    def __init__(self, directory: Directory, language: str, zone: ZoneInfo) -> None:
        self.directory, self.language, self.zone = directory, language, zone

    def header(self) -> list[Cell]:
        """The names of COLUMNS."""
        return [say(self.language, f"calls.column.{name}") for name in COLUMNS]

    def of(self, row: Any) -> list[Cell]:
        """The cells of COLUMNS."""
        outside = row.dialed if row.direction == "outbound" else row.caller_number
        return [
            row.started_at.astimezone(self.zone).replace(tzinfo=None),
            self._word("direction", row.direction),
            self._word("status", row.status),
            self._word("cause", row.missed_cause),
            line_name(self.directory, row.line) or row.line,
            person_name(self.directory, row.person),
            row.party or row.caller_name,
            # A spreadsheet takes what begins with a plus for a formula.
            phone(outside).removeprefix("+"),
            round(row.wait_seconds),
            round(row.talk_seconds),
            round(row.hold_seconds),
            row.lead_id,
            str(row.id),
        ]

    def _word(self, what: str, key: str | None) -> str | None:
        known = key and has_words(f"{what}.{key}")
        return say(self.language, f"{what}.{key}") if known else key
