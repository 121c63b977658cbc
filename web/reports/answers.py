"""What clients answered who were asked for NPS, as far as a viewer may see the talk or the lead that it was about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from recordings.tables import transcripts
from reports.listing import Thing
from reports.nps_tables import nps_asks

Key = tuple[datetime, UUID | None, int | None]


@dataclass(frozen=True, slots=True)
class Answer:
    """A score, the client's words (written, or spoken and masked), and the call in which they are heard, if any.

    `read_of`: the call whose text the words are; whoever is shown them has read it.
    """

    score: int
    words: str
    call_id: UUID | None
    read_of: UUID | None = None


def key_of(thing: Thing) -> Key:
    """By what an answer is known among the things of a number."""
    return thing.at, thing.call_id, thing.lead_id


async def read(connection: AsyncConnection, found: Sequence[Thing]) -> dict[Key, Answer]:
    """The answers that these things are."""
    said = func.coalesce(nps_asks.c.comment, transcripts.c.text, "").label("words")
    its = case((nps_asks.c.comment.is_(None), transcripts.c.call_id))
    columns = ("answered_at", "talk_id", "lead_id", "score", "call_id")
    asked = (
        select(*(nps_asks.c[name] for name in columns), said, its.label("read_of"))
        .outerjoin(transcripts, transcripts.c.call_id == nps_asks.c.call_id)
        .where(nps_asks.c.score.is_not(None), nps_asks.c.answered_at.in_([one.at for one in found]))
    )
    return {
        _key(row): Answer(row.score, row.words, row.call_id, row.read_of) for row in await connection.execute(asked)
    }


def _key(row: Any) -> Key:
    return row.answered_at, row.talk_id, row.lead_id
