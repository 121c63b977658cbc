"""Recordings and transcripts by the API; every answer here is written into the audit first."""

from collections.abc import Sequence
from typing import Any, Literal

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncConnection

from recordings.names import SIDES
from recordings.transcript import Word, segments, segments_json, text
from web.api.models import Outline, SegmentTold, Transcript, WordTold
from web.api.operations import Query
from web.guard import VIEWER
from web.hearing import hearing_of, note_heard, original_words
from web.house import HOUSE
from web.listening import note, of_channel, outline, send, transcript_of
from web.one_call import OneCall, read_call
from web.services import SERVICES


class SoundQuery(Query):
    """Which side, and of which channel when several were recorded (left out: all, joined by time).

    `original`: without muting, for the one role that may hear it, where it is kept.
    """

    side: Literal["both", "caller", "staff"] = "both"
    channel: str | None = None
    original: bool = False


class TrackQuery(Query):
    """Which channel when several were recorded."""

    channel: str | None = None


class TranscriptQuery(Query):
    """`original`: before anything was masked, for the one role that may read it, where it is kept."""

    original: bool = False


async def get_recording(request: web.Request, query: SoundQuery) -> web.StreamResponse:
    """GET /calls/{id}/recording: Ogg/Opus, the caller left, staff right; WAV until it is made, or of less than all."""
    services = request.app[SERVICES]
    async with services.engine.begin() as connection:
        one = await read_call(request, connection)
        hearing = await hearing_of(connection, one, await request.app[HOUSE].read(), request[VIEWER].role)
        sound = of_channel(hearing.chosen(original=query.original), query.channel)
        await note_heard(request, connection, one.id, query.side, unmuted=hearing.unmuted(original=query.original))
    return await send(request, services.recordings, sound, SIDES if query.side == "both" else (query.side,))


async def get_outline(request: web.Request, query: TrackQuery) -> Outline:
    """GET /calls/{id}/recording/outline: for drawing, not for hearing, so it is no listening."""
    services = request.app[SERVICES]
    async with services.engine.connect() as connection:
        one = await read_call(request, connection)
        hearing = await hearing_of(connection, one, await request.app[HOUSE].read(), request[VIEWER].role)
        sound = of_channel(hearing.chosen(original=False), query.channel)
    return Outline.model_validate(await outline(services.recordings, sound))


async def get_transcript(request: web.Request, query: TranscriptQuery) -> Transcript:
    """GET /calls/{id}/transcript."""
    async with request.app[SERVICES].engine.begin() as connection:
        one = await read_call(request, connection)
        row = await transcript_of(connection, one.id)
        if row is None:
            raise web.HTTPNotFound(text="There is no transcript of this call.")
        if query.original:
            return await _original(request, connection, one, row)
        await note(request, connection, one.id, "transcript")
    return _told(row, row.text, row.segments, row.words)


async def _original(request: web.Request, connection: AsyncConnection, one: OneCall, row: Any) -> Transcript:
    policy = (await request.app[HOUSE].read()).masking_of(one.row.line)
    if request[VIEWER].role != policy.readers:
        raise web.HTTPForbidden(text="The original is only for the role that may read the unmasked.")
    words = await original_words(connection, one)
    if words is None:
        raise web.HTTPNotFound(text="The original of this transcript is not kept.")
    await note_heard(request, connection, one.id, "transcript", unmuted=True)
    sides: dict[str, list[Word]] = {}
    for word in words:
        sides.setdefault(word["side"], []).append(Word(**{name: word[name] for name in Word.__slots__}))
    told = segments(sides)
    return _told(row, text(told), segments_json(told), words)


def _told(row: Any, told: str, parts: Sequence[Any], words: Sequence[Any]) -> Transcript:
    return Transcript(
        language=row.language,
        model=row.model,
        made_at=row.made_at,
        text=told,
        segments=[SegmentTold.model_validate(segment) for segment in parts],
        words=[WordTold.model_validate({"confidence": None} | word) for word in words],
    )
