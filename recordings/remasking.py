"""Masks anew what is stored, by the policy of now: what is masked already stays so, whatever the policy says."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from calls.jobs import enqueue
from calls.tables import calls
from recordings import audit, masking, transcript
from recordings.due import archive_job
from recordings.masked_rows import policy_of
from recordings.measuring import measure_talk
from recordings.tables import transcripts, unmasked_transcripts


async def remask(engine: AsyncEngine, since: datetime, until: datetime) -> int:
    """Mask the texts of calls that began in a time, each in a transaction of its own; gives how many changed.

    The sound of those is owed anew. Killed in the middle, it goes on where it was when it is called again.
    """
    async with engine.connect() as connection:
        asked = select(calls.c.id, calls.c.line).join(transcripts, transcripts.c.call_id == calls.c.id)
        found = (await connection.execute(asked.where(calls.c.started_at.between(since, until)))).all()
    changed = 0
    for call in found:
        async with engine.begin() as connection:
            changed += await _remask(connection, call.id, call.line)
    return changed


async def _remask(connection: AsyncConnection, call_id: UUID, line: str | None) -> bool:
    row = (
        await connection.execute(select(transcripts).where(transcripts.c.call_id == call_id).with_for_update())
    ).one_or_none()
    if row is None:
        return False
    policy = await policy_of(connection, line)
    if not policy.keep_original:
        gone = await connection.execute(
            delete(unmasked_transcripts)
            .where(unmasked_transcripts.c.call_id == call_id)
            .returning(unmasked_transcripts.c.call_id)
        )
        forgotten = gone.first() is not None
    else:
        forgotten = False
    masked = masking.mask(transcript.words_by_side(row.words), policy.kinds, policy.region)
    if masked.muted:
        await _write(connection, row, masked, keep_original=policy.keep_original)
    if masked.muted or forgotten:
        await audit.note(connection, audit.THE_OPERATOR, "masked_anew", f"call {call_id}")
        await enqueue(connection, [archive_job(str(call_id))])
    return bool(masked.muted) or forgotten


async def _write(connection: AsyncConnection, row: Any, masked: masking.Masked, *, keep_original: bool) -> None:
    if keep_original:
        original = insert(unmasked_transcripts).values(call_id=row.call_id, words=row.words)
        await connection.execute(original.on_conflict_do_nothing())
    told = transcript.segments(masked.words)
    muted = masking.joined([*masking.muted_from(row.masked), *masked.muted])
    changed = {
        "text": transcript.text(told),
        "words": transcript.words_json(masked.words),
        "segments": transcript.segments_json(told),
        "masked": masking.muted_json(muted),
    }
    await connection.execute(update(transcripts).where(transcripts.c.call_id == row.call_id).values(**changed))
    await measure_talk(connection, row.call_id)
