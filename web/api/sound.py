"""Recordings and transcripts by the API; every answer here is written into the audit first."""

from typing import Literal

from aiohttp import web

from web.api.models import Outline, SegmentTold, Transcript, WordTold
from web.api.operations import NoQuery, Query
from web.listening import SIDES, note, of_channel, outline, send, sound_of, transcript_of
from web.one_call import read_call
from web.services import SERVICES


class SoundQuery(Query):
    """Which side, and of which channel when several were recorded (left out: all, joined by time)."""

    side: Literal["both", "caller", "staff"] = "both"
    channel: str | None = None


class TrackQuery(Query):
    """Which channel when several were recorded."""

    channel: str | None = None


async def get_recording(request: web.Request, query: SoundQuery) -> web.StreamResponse:
    """GET /calls/{id}/recording: Ogg/Opus, the caller left, staff right; WAV until it is made, or of less than all."""
    services = request.app[SERVICES]
    async with services.engine.begin() as connection:
        one = await read_call(request, connection)
        sound = of_channel(await sound_of(connection, one.id, one.call), query.channel)
        await note(request, connection, one.id, query.side)
    return await send(request, services.recordings, sound, SIDES if query.side == "both" else (query.side,))


async def get_outline(request: web.Request, query: TrackQuery) -> Outline:
    """GET /calls/{id}/recording/outline: for drawing, not for hearing, so it is no listening."""
    services = request.app[SERVICES]
    async with services.engine.connect() as connection:
        one = await read_call(request, connection)
        sound = of_channel(await sound_of(connection, one.id, one.call), query.channel)
    return Outline.model_validate(await outline(services.recordings, sound))


async def get_transcript(request: web.Request, _query: NoQuery) -> Transcript:
    """GET /calls/{id}/transcript."""
    async with request.app[SERVICES].engine.begin() as connection:
        one = await read_call(request, connection)
        row = await transcript_of(connection, one.id)
        if row is None:
            raise web.HTTPNotFound(text="There is no transcript of this call.")
        await note(request, connection, one.id, "transcript")
    return Transcript(
        language=row.language,
        model=row.model,
        made_at=row.made_at,
        text=row.text,
        segments=[SegmentTold.model_validate(segment) for segment in row.segments],
        words=[WordTold.model_validate({"confidence": None} | word) for word in row.words],
    )
