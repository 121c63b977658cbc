"""What was said, searched for: calls as the list shows them, with the moments of each talk that answer the search."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from aiohttp import web
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from recordings.moments import Excerpt, excerpts
from recordings.rows import words_of
from web.finding import FilterError, Filters, find
from web.guard import VIEWER, address_of
from web.house import HOUSE
from web.page import page
from web.rights import scope_of
from web.services import SERVICES
from web.tables import listens

QUERY_CHARACTERS_MOST: Final = 200
PAGE: Final = 20
SHOWN: Final = 4
"""Excerpts of one call on the page; the call's own page has them all."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A call's row as `web.finding` gives it, with what was said there around the words that were searched for."""

    call: Any
    excerpts: tuple[Excerpt, ...]


@dataclass(frozen=True, slots=True)
class Answers:
    """One page of a search; `cursor` asks for the next, None on the last."""

    items: tuple[Answer, ...]
    cursor: str | None


async def show(request: web.Request) -> web.Response:
    """GET /search."""
    query = request.query.get("q", "").strip()[:QUERY_CHARACTERS_MOST]
    try:
        found = await search(request, Filters(said=query), request.query.get("cursor"), PAGE) if query else None
    except FilterError as error:
        raise web.HTTPBadRequest(text=str(error)) from error
    return await page(request, "search.html", query=query, found=found, shown=SHOWN)


async def search(request: web.Request, filters: Filters, cursor: str | None, limit: int) -> Answers:
    """The calls that the viewer may see and in whose talk `filters.said` was said; showing their words is noted.

    Raises FilterError for a cursor that this service did not give.
    """
    scope = scope_of(request[VIEWER], await request.app[HOUSE].read())
    async with request.app[SERVICES].engine.begin() as connection:
        found = await find(connection, scope, filters, cursor, limit)
        words = await words_of(connection, [row.id for row in found.rows])
        await _note(request, connection, list(words))
    told = await asyncio.to_thread(_told, filters.said, words)
    return Answers(tuple(Answer(row, told.get(row.id, ())) for row in found.rows), found.cursor)


def _told(query: str, words: Mapping[UUID, list[dict[str, Any]]]) -> dict[UUID, tuple[Excerpt, ...]]:
    return {call_id: excerpts(query, said) for call_id, said in words.items()}


async def _note(request: web.Request, connection: AsyncConnection, call_ids: Sequence[UUID]) -> None:
    """Write down whose words were shown to whom; what was searched for may be anybody's name, and is not kept."""
    viewer, client = request[VIEWER], address_of(request)
    row = {"user_id": viewer.user, "login": viewer.login, "what": "search", "address": str(client) if client else None}
    if call_ids:
        await connection.execute(insert(listens), [row | {"call_id": call_id} for call_id in call_ids])
