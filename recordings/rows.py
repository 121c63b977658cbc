"""Reads and writes what is kept of recordings: the sides, the transcript, the search over it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    and_,
    case,
    delete,
    func,
    literal_column,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.frequent import keys_of_few
from calls.joining import ids_of
from calls.tables import calls
from recordings import transcript
from recordings.files import RecordingError, Stored
from recordings.gaps import NOT_IN_CRM, OF_CALLS, Verdict
from recordings.heard import Heard
from recordings.privacy_tables import removals
from recordings.tables import call_audio, recordings, transcripts

Side = tuple[str, str]
"""A channel's uniqueid, or the name of a message's sound, and `caller` or `staff`."""


FEW: Final = 1000
"""Talks that a search looks up one by one; words that more of them hold are met soon among the newest."""

LATELY: Final = 500
"""Of the newest texts, among which is looked first."""

MANY_LATELY: Final = (6, 32)
"""So many times as many texts are looked among next, where those had too little."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One side of a recorded channel: its state (`gaps.WORST_FIRST`), its file if there is one, and why it is not well.

    `talk_seconds` of talk should be in it; the loudness is told where it was measured.
    """

    channel: str
    side: str
    state: str
    path: str | None
    bytes: int | None
    sha256: str | None
    seconds: float | None
    loud_seconds: float | None
    loudest_dbfs: float | None
    talk_seconds: float | None
    reason: str | None
    stored_at: datetime


@dataclass(frozen=True, slots=True)
class Transcript:
    """The text of a call. `words` and `segments` as `recordings.tables` tells; times are seconds."""

    language: str
    text: str
    words: list[dict[str, Any]]
    segments: list[dict[str, Any]]
    model: str
    audio_seconds: float
    took_seconds: float
    made_at: datetime


async def call_of(connection: AsyncConnection, call_id: UUID) -> Any:
    """The row of the call (id, pbx, line, state, ended_at), or of the call it was joined into; None: no such call."""
    columns = (calls.c.id, calls.c.pbx, calls.c.line, calls.c.state, calls.c.ended_at, calls.c.joined_into)
    asked = select(*columns)
    row = (await connection.execute(asked.where(calls.c.id == call_id))).one_or_none()
    return row if row is None or row.joined_into is None else await call_of(connection, row.joined_into)


async def recordings_of(connection: AsyncConnection, call_id: UUID) -> list[Recording]:
    """Every side of the call, by channel and side."""
    columns = [recordings.c[name] for name in Recording.__slots__]
    asked = select(*columns).where(recordings.c.call_id == call_id).order_by(recordings.c.channel, recordings.c.side)
    return [Recording(**row._mapping) for row in await connection.execute(asked)]  # noqa: SLF001 SQLAlchemy's name for it


async def recordings_of_calls(connection: AsyncConnection, call_ids: Sequence[UUID]) -> dict[UUID, list[Recording]]:
    """Every side of each of these calls, by channel and side."""
    columns = [recordings.c[name] for name in Recording.__slots__]
    asked = select(recordings.c.call_id, *columns).where(recordings.c.call_id.in_(call_ids))
    found: dict[UUID, list[Recording]] = {call_id: [] for call_id in call_ids}
    for row in await connection.execute(asked.order_by(recordings.c.channel, recordings.c.side)):
        call_id, *told = row
        found[call_id].append(Recording(*told))
    return found


async def is_removed(connection: AsyncConnection, call_id: UUID) -> bool:
    """Whether the sound of the call was removed, by policy or because somebody in it was erased."""
    asked = select(removals.c.kind).where(removals.c.call_id == call_id, removals.c.kind == "audio")
    return (await connection.execute(asked)).first() is not None


NOT_KEPT: Final = "the call became part of another meanwhile, or its sound is not to be kept"


async def is_kept(connection: AsyncConnection, call_id: UUID) -> bool:
    """Whether the call still stands on its own and its sound may be kept; it stays so while the transaction lasts."""
    asked = select(calls.c.id).where(calls.c.id == call_id, calls.c.joined_into.is_(None)).with_for_update(read=True)
    return (await connection.execute(asked)).first() is not None and not await is_removed(connection, call_id)


async def transcript_of(connection: AsyncConnection, call_id: UUID) -> Transcript | None:
    """The text of the call, None when there is none yet."""
    columns = [transcripts.c[name] for name in Transcript.__slots__]
    row = (await connection.execute(select(*columns).where(transcripts.c.call_id == call_id))).one_or_none()
    return Transcript(**row._mapping) if row else None  # noqa: SLF001 as above


async def write_side(
    connection: AsyncConnection, call_id: UUID, key: Side, told: Stored | RecordingError, verdict: Verdict, talk: float
) -> None:
    """Write what became of one side and how it was judged by `talk` seconds; a later telling replaces the earlier."""
    row: dict[str, Any] = dict.fromkeys(("path", "bytes", "sha256", "seconds", "loud_seconds", "loudest_dbfs"))
    if isinstance(told, Stored):
        row |= {"path": told.path, "bytes": told.size_bytes, "sha256": told.sha256, "seconds": told.seconds}
        if told.sound is not None:
            row |= {"loud_seconds": told.sound.loud_seconds, "loudest_dbfs": told.sound.loudest_dbfs}
    row |= {"state": verdict.state, "reason": verdict.reason, "talk_seconds": round(talk, 3)}
    channel, side = key
    statement = insert(recordings).values(call_id=call_id, channel=channel, side=side, **row)
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["call_id", "channel", "side"], set_=row | {"stored_at": func.clock_timestamp()}
        )
    )


async def judge_side(connection: AsyncConnection, call_id: UUID, key: Side, verdict: Verdict, talk: float) -> None:
    """Write how a side that is kept already was judged anew."""
    row = {"state": verdict.state, "reason": verdict.reason, "talk_seconds": round(talk, 3)}
    await connection.execute(update(recordings).where(*_is(call_id, key)).values(row))


async def forget_side(connection: AsyncConnection, call_id: UUID, key: Side) -> None:
    """Nothing is owed of this side after all."""
    await connection.execute(delete(recordings).where(*_is(call_id, key)))


async def write_call_audio(connection: AsyncConnection, call_id: UUID, state: str, transfer: str, trunk: str) -> None:
    """Write how the whole call was judged; the time changes with the judgement only."""
    row = {"state": state, "transfer": transfer, "trunk": trunk}
    statement = insert(call_audio).values(call_id=call_id, **row)
    differs = tuple_(*(call_audio.c[name] for name in row)) != tuple_(*row.values())
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["call_id"], set_=row | {"judged_at": func.clock_timestamp()}, where=differs
        )
    )


async def forget_call_audio(connection: AsyncConnection, call_id: UUID) -> None:
    """No audio is owed of this call."""
    await connection.execute(delete(call_audio).where(call_audio.c.call_id == call_id))


def _is(call_id: UUID, key: Side) -> tuple[ColumnElement[bool], ...]:
    channel, side = key
    return (recordings.c.call_id == call_id, recordings.c.channel == channel, recordings.c.side == side)


async def stored_at(connection: AsyncConnection, call_id: UUID) -> datetime | None:
    """When the last of the call's sides was stored, None when none is; they stay while the transaction lasts."""
    asked = select(recordings.c.stored_at).where(recordings.c.call_id == call_id, recordings.c.path.is_not(None))
    return max((await connection.execute(asked.with_for_update(read=True))).scalars(), default=None)


async def write_transcript(connection: AsyncConnection, call_id: UUID, heard: Heard, *, newer_than: datetime) -> bool:
    """Write the text of the call, in place of one from before `newer_than` alone; returns whether it was written.

    With it the texts go of calls that became part of it: it tells of all sound.
    """
    told = transcript.segments(heard.words)
    words = transcript.words_json(heard.words)
    row = {
        "language": heard.language,
        "text": transcript.text(told),
        "words": words,
        "segments": transcript.segments_json(told),
        "model": heard.model,
        "audio_seconds": heard.audio_seconds,
        "took_seconds": heard.took_seconds,
        "made_at": func.clock_timestamp(),
    }
    statement = insert(transcripts).values(call_id=call_id, **row)
    older = statement.on_conflict_do_update(
        index_elements=["call_id"], set_=row, where=transcripts.c.made_at < newer_than
    )
    written = (await connection.execute(older.returning(transcripts.c.call_id))).first() is not None
    if written:
        former = transcripts.c.call_id.in_(ids_of(call_id)), transcripts.c.call_id != call_id
        await connection.execute(delete(transcripts).where(*former))
    return written


async def hint_of(connection: AsyncConnection, line: str | None) -> str | None:
    """The language to expect on a line: its own, else the company's."""
    asked = text(
        "select coalesce((select language from lines where number = :line), (select language from company limit 1))"
    )
    told: str | None = (await connection.execute(asked, {"line": line})).scalar()
    return told


def said(query: str) -> ColumnElement[bool]:
    """The condition on transcripts that `query` was said, in any inflection; quotes, `or`, `-word` as elsewhere.

    The configuration `russian` reads words in Latin letters as English ones. Only the text of transcripts is searched:
    what was masked there is found nowhere.
    """
    return transcripts.c.search.op("@@")(func.websearch_to_tsquery(literal_column("'russian'::regconfig"), query))


async def lately(connection: AsyncConnection) -> list[datetime]:
    """Since when the newest LATELY texts were made, and about MANY_LATELY times as many; nothing when all are fewer."""
    made = select(transcripts.c.made_at).order_by(transcripts.c.made_at.desc())
    asked = select(made.limit(1).scalar_subquery(), made.offset(LATELY).limit(1).scalar_subquery())
    last, since = (await connection.execute(asked)).one()
    return [since, *(last - (last - since) * times for times in MANY_LATELY)] if since else []


async def few_with(connection: AsyncConnection, query: str) -> Sequence[UUID] | None:
    """The calls in whose talk `query` was said, None when they are more than FEW."""
    return await keys_of_few(connection, transcripts, said(query), FEW, by=transcripts.c.made_at)


def said_since(query: str, since: datetime | None) -> ColumnElement[bool]:
    """The condition on the table of calls that `query` was said there, its text made since a moment or, None, ever.

    A text is made after its call began: calls that began since then are among these.
    """
    told = select(transcripts.c.call_id).where(said(query))
    told = told.where(transcripts.c.made_at >= since) if since else told
    # OFFSET 0: the talks are looked up first, then their calls.
    return calls.c.id.in_(told.offset(0).correlate(None))


async def words_of(connection: AsyncConnection, call_ids: Iterable[UUID]) -> dict[UUID, list[dict[str, Any]]]:
    """The words of these calls' talks, as `recordings.tables` tells them."""
    asked = select(transcripts.c.call_id, transcripts.c.words).where(transcripts.c.call_id.in_(list(call_ids)))
    return {row.call_id: row.words for row in await connection.execute(asked)}


AUDIO_STATE: Final = case(
    (and_(call_audio.c.state == "stored", call_audio.c.not_in_crm_since.is_not(None)), NOT_IN_CRM),
    else_=call_audio.c.state,
)
"""The state of a whole call's audio, one of `gaps.OF_CALLS`."""

_LATE = text("""
    update call_audio set not_in_crm_since = late.since
    from (select call_audio.call_id, min(told.since) as since
          from call_audio
          left join unnest(cast(:calls as uuid[]), cast(:since as timestamptz[])) as told (call_id, since)
              on told.call_id = call_audio.call_id
          where (told.call_id is not null or not_in_crm_since is not null)
            and (cast(:behind as uuid) is null or call_audio.call_id > :behind)
            and (cast(:last as uuid) is null or call_audio.call_id <= :last)
          group by call_audio.call_id) as late
    where call_audio.call_id = late.call_id and not_in_crm_since is distinct from late.since
""")


async def note_not_in_crm(
    connection: AsyncConnection, late: Mapping[UUID, datetime], behind: UUID | None = None, last: UUID | None = None
) -> int:
    """Note of which calls a CRM is owed the sound, and since when; of all others none is. Returns how many changed.

    It is about calls with ids `behind` one, to the `last`; None: all.
    """
    told = {"calls": list(late), "since": list(late.values()), "behind": behind, "last": last}
    return (await connection.execute(_LATE, told)).rowcount


async def is_late_in_crm(connection: AsyncConnection, call_id: UUID) -> bool:
    """Whether a CRM is owed the sound of this call and does not have it in time."""
    asked = select(call_audio.c.not_in_crm_since).where(call_audio.c.call_id == call_id)
    return (await connection.execute(asked)).scalar() is not None


async def gaps_of(connection: AsyncConnection, since: datetime) -> dict[str, int]:
    """How many calls that were judged since then are in each state, the worst state first."""
    asked = select(AUDIO_STATE.label("told"), func.count()).where(call_audio.c.judged_at >= since)
    rows = (await connection.execute(asked.group_by(literal_column("told")))).all()
    told = {str(state): int(count) for state, count in rows}
    return {state: told[state] for state in OF_CALLS if state in told}
