"""Recordings and transcripts for the one who may have them; every listening is written down before the first byte."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from aiohttp import hdrs, web
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from recordings.tables import recordings, transcripts
from recordings.wav import WavError
from web.audio import Mono, Stereo, byte_range, open_mono, peaks
from web.guard import VIEWER, address_of
from web.services import WebServices
from web.tables import listens

SIDES: Final = ("caller", "staff")
POINTS: Final = 1200
_BLOCK: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Track:
    """What was recorded on one channel: the stored path a side, or why it is missing."""

    channel: str
    paths: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0


async def tracks_of(connection: AsyncConnection, call_id: UUID) -> list[Track]:
    """Everything recorded of a call, the longest first."""
    rows = (await connection.execute(select(recordings).where(recordings.c.call_id == call_id))).all()
    by_channel: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        by_channel[row.channel].append(row)
    found = [
        Track(
            channel,
            {row.side: row.path for row in sides if row.state == "stored"},
            {row.side: row.reason or "" for row in sides if row.state == "missing"},
            max((row.seconds or 0.0 for row in sides), default=0.0),
        )
        for channel, sides in by_channel.items()
    ]
    return sorted(found, key=lambda track: (not track.paths, -track.seconds, track.channel))


async def transcript_of(connection: AsyncConnection, call_id: UUID) -> Any:
    """The transcript's row, None when there is none yet."""
    return (await connection.execute(select(transcripts).where(transcripts.c.call_id == call_id))).first()


async def note(request: web.Request, connection: AsyncConnection, call_id: UUID, what: str) -> None:
    """Write down who listens to or reads what."""
    viewer = request[VIEWER]
    client = address_of(request)
    row = {"user_id": viewer.user, "login": viewer.login, "call_id": call_id, "what": what}
    await connection.execute(insert(listens).values(row | {"address": str(client) if client else None}))


async def track_asked(request: web.Request, connection: AsyncConnection, call_id: UUID) -> Track:
    """The track named by `?channel=`, else the longest. Raises 404 when nothing is stored."""
    tracks = [track for track in await tracks_of(connection, call_id) if track.paths]
    channel = request.query.get("channel")
    chosen = [track for track in tracks if channel in {None, track.channel}]
    if not chosen:
        raise web.HTTPNotFound(text="There is no recording of this call.")
    return chosen[0]


async def open_stereo(services: WebServices, track: Track) -> Stereo:
    """Both sides of a track from the store. Raises 404 when the files are gone or no sound."""

    def opened(side: str) -> Mono | None:
        return open_mono(services.recordings.locate(track.paths[side])) if side in track.paths else None

    try:
        return Stereo(*[await asyncio.to_thread(opened, side) for side in SIDES])
    except (OSError, WavError) as error:
        raise web.HTTPNotFound(text="The recording's file is gone or broken.") from error


async def send_side(services: WebServices, track: Track, side: str) -> web.FileResponse:
    """One side as it lies in the store; range requests are aiohttp's."""
    try:
        path = services.recordings.locate(track.paths[side])
    except (KeyError, OSError) as error:
        raise web.HTTPNotFound(text=f"There is no recording of the {side}'s side.") from error
    return web.FileResponse(path, headers={hdrs.CONTENT_TYPE: "audio/wav", hdrs.CACHE_CONTROL: "private, no-store"})


async def send_stereo(request: web.Request, stereo: Stereo) -> web.StreamResponse:
    """Both sides as one stereo file, or the range of it that was asked for."""
    size = stereo.size_bytes
    try:
        asked = byte_range(request.headers.get(hdrs.RANGE), size)
    except ValueError:
        raise web.HTTPRequestRangeNotSatisfiable(headers={hdrs.CONTENT_RANGE: f"bytes */{size}"}) from None
    start, stop = asked or (0, size)
    headers = {hdrs.CONTENT_TYPE: "audio/wav", hdrs.ACCEPT_RANGES: "bytes", hdrs.CACHE_CONTROL: "private, no-store"}
    if asked:
        headers[hdrs.CONTENT_RANGE] = f"bytes {start}-{stop - 1}/{size}"
    response = web.StreamResponse(status=206 if asked else 200, headers=headers)
    response.content_length = stop - start
    await response.prepare(request)
    if request.method == hdrs.METH_HEAD:
        return response
    # A browser that has enough of the sound, or seeks elsewhere, closes the connection: that is no error.
    with suppress(ConnectionError):
        for at in range(start, stop, _BLOCK):
            await response.write(await asyncio.to_thread(stereo.read, at, min(at + _BLOCK, stop)))
        await response.write_eof()
    return response


async def outline(stereo: Stereo) -> dict[str, Any]:
    """Both sides' loudness for drawing: {"seconds", "caller": [...], "staff": [...]}."""
    sides = [await asyncio.to_thread(peaks, side, stereo.frames, POINTS) for side in (stereo.caller, stereo.staff)]
    return {"seconds": round(stereo.seconds, 3), "caller": sides[0], "staff": sides[1]}
