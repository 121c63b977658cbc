"""Measures talks: from the text of a call and what the PBX told of it to the facts that are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from calls.call import UNTIMED, Call
from calls.nps import OF_NOBODY
from calls.record import state_call
from calls.tables import calls
from calls.view import view
from calls.waits import holds
from recordings.archive_rows import archive_of
from recordings.fact_rows import looked_for, write_talk_facts
from recordings.parts import Placed, parts_of, sounding
from recordings.rows import recordings_of
from recordings.spans import Span
from recordings.tables import transcripts
from recordings.talk_facts import measure
from recordings.transcript import words_by_side

_BATCH: Final = 200


async def measure_talk(connection: AsyncConnection, call_id: UUID) -> bool:
    """Write what the call's transcript tells, by the script and the topics of now; False when it has none, or no people
    talked.

    The words are the masked ones: what nobody may read is in no fact either.
    """
    asked = (
        select(calls.c.state, calls.c.line, transcripts.c.words, transcripts.c.masked)
        .join(transcripts, transcripts.c.call_id == calls.c.id)
        .where(calls.c.id == call_id, calls.c.direction.not_in(OF_NOBODY))
    )
    row = (await connection.execute(asked)).one_or_none()
    if row is None:
        return False
    script, topics = await looked_for(connection, row.line)
    away = unjudged(state_call(row.state), await _placed(connection, call_id, state_call(row.state)), row.masked)
    words = words_by_side(row.words)
    # A long talk takes a second; whoever else is served here does not wait for it.
    facts = await asyncio.to_thread(measure, words, unjudged=away, script=script, topics=topics)
    await write_talk_facts(connection, call_id, facts)
    return True


async def measure_again(engine: AsyncEngine, since: datetime, until: datetime) -> int:
    """Measure every talk of the calls that began in the period, each in a transaction of its own; returns how many."""
    count, last = 0, UUID(int=0)
    began = (calls.c.started_at >= since, calls.c.started_at < until, calls.c.joined_into.is_(None))
    asked = select(calls.c.id).join(transcripts, transcripts.c.call_id == calls.c.id).where(*began)
    while True:
        async with engine.connect() as connection:
            page = asked.where(calls.c.id > last).order_by(calls.c.id).limit(_BATCH)
            ids = list((await connection.execute(page)).scalars())
        if not ids:
            return count
        for call_id in ids:
            async with engine.begin() as connection:
                count += await measure_talk(connection, call_id)
        last = ids[-1]


def unjudged(call: Call, placed: Sequence[Placed], masked: Sequence[Mapping[str, Any]]) -> list[Span]:
    """The seconds of the line that count for nobody: holds and parking, pauses of the recording, masked seconds."""
    over = view(call).ended_at
    gone = [(span.since, span.until or over) for span in holds(call)]
    gone += [(span.since, span.until or over) for span in view(call).muted]
    timed = ((since, until) for since, until in gone if until and UNTIMED not in {since, until})
    spans = [part for since, until in timed for part in sounding(call, placed, since, until)]
    return [*spans, *((float(one["from"]), float(one["to"])) for one in masked)]


async def _placed(connection: AsyncConnection, call_id: UUID, call: Call) -> Sequence[Placed]:
    """Where the call's parts lie on its line, archived or not."""
    archive = await archive_of(connection, call_id)
    archived = [part.placed for part in archive.parts] if archive else ()
    return parts_of(call, await recordings_of(connection, call_id), archived)
