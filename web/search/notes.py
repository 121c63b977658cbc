"""What people wrote of parties, leads and calls."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync.tables import FIELDS_WORDS, notes, parties
from web.rights import Scope, parties_seen
from web.search.newest import stages

_RUSSIAN: Final[ColumnElement[Any]] = literal_column("'russian'::regconfig")
_OF_FIELDS: Final[ColumnElement[Any]] = literal_column(FIELDS_WORDS.replace("fields", "leads.fields"))


@dataclass(frozen=True, slots=True)
class FoundNote:
    """A note that answers; `by` is the key of a person, or switchhook."""

    id: int
    party_id: int
    party_name: str | None
    lead_id: int | None
    call_id: UUID | None
    at: datetime
    by: str
    text: str


async def find(connection: AsyncConnection, scope: Scope, query: str, limit: int) -> tuple[FoundNote, ...]:
    """The notes of parties that may be seen which hold the words, in any inflection; the newest first."""
    found: tuple[FoundNote, ...] = ()
    async for some in stages(connection, notes.c.id, _has(notes.c.search, query)):
        found = await _newest(connection, scope, some, limit)
        if len(found) == limit:
            break
    return found


async def _newest(
    connection: AsyncConnection, scope: Scope, condition: ColumnElement[bool], limit: int
) -> tuple[FoundNote, ...]:
    likely = select(notes).where(condition).order_by(notes.c.id.desc()).offset(0).subquery("likely")
    told = select(likely, parties.c.name.label("party_name")).join(parties, parties.c.id == likely.c.party_id)
    asked = told.where(parties_seen(scope, likely.c.party_id)).order_by(likely.c.id.desc()).limit(limit)
    rows = await connection.execute(asked)
    return tuple(FoundNote(*(getattr(row, name) for name in FoundNote.__slots__)) for row in rows)


def in_fields(query: str) -> ColumnElement[bool]:
    """The condition on leads that a field of theirs holds the words, in any inflection."""
    return _has(_OF_FIELDS, query)


def _has(words: ColumnElement[Any], query: str) -> ColumnElement[bool]:
    return words.op("@@")(func.websearch_to_tsquery(_RUSSIAN, query))
