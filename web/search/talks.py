"""What was said, searched for: calls as the list shows them, with the moments of each talk that answer the search."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncConnection

from recordings.moments import Excerpt, excerpts
from recordings.rows import words_of
from web import finding
from web.finding import Filters
from web.listening import note_each
from web.rights import Scope


@dataclass(frozen=True, slots=True)
class Talk:
    """A call's row as `web.finding` gives it, with what was said there around the words that were searched for."""

    call: Any
    excerpts: tuple[Excerpt, ...]


@dataclass(frozen=True, slots=True)
class Talks:
    """One page of talks, the newest first; `cursor` asks for the next, None on the last."""

    items: tuple[Talk, ...] = ()
    cursor: str | None = None

    @property
    def more(self) -> bool:
        """Whether there are others."""
        return self.cursor is not None


NONE: Final = Talks()


async def find(
    request: web.Request, connection: AsyncConnection, scope: Scope, filters: Filters, cursor: str | None, limit: int
) -> Talks:
    """The calls in whose talk `filters.said` was said and that may be seen; that their words are shown is noted.

    Raises FilterError for a cursor that this service did not give.
    """
    found = await finding.find(connection, scope, filters, cursor, limit)
    words = await words_of(connection, [row.id for row in found.rows]) if found.rows else {}
    # What was searched for may be anybody's name, and is not kept.
    await note_each(request, connection, list(words), "search")
    told = await asyncio.to_thread(_told, filters.said, words)
    return Talks(tuple(Talk(row, told.get(row.id, ())) for row in found.rows), found.cursor)


def _told(query: str, words: Mapping[UUID, list[dict[str, Any]]]) -> dict[UUID, tuple[Excerpt, ...]]:
    return {call_id: excerpts(query, said) for call_id, said in words.items()}
