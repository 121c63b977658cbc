"""Recordings and transcripts for the one who may have them; every listening is written down before the first byte."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final
from uuid import UUID

from aiohttp import hdrs, web
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.call import Call
from recordings import opus
from recordings.archive_rows import Archive, archive_of
from recordings.names import SIDES
from recordings.parts import Placed, length_of, parts_of
from recordings.rows import Recording, recordings_of
from recordings.store import Store, StoreError
from recordings.tables import transcripts
from recordings.wav import WavError, header
from web.audio import Line, byte_range, open_piece, peaks
from web.guard import VIEWER, address_of
from web.tables import listens

Read = Callable[[int, int], Awaitable[bytes]]
"""Gives the bytes from a start to a stop (exclusive)."""

POINTS: Final = 1200
_BLOCK: Final = 256 * 1024
_TROUBLE: Final = (OSError, WavError, StoreError, opus.SoundError)
_PRIVATE: Final = "private, no-store"


@dataclass(frozen=True, slots=True)
class Sound:
    """What can be heard of a call: its archive, or until that is made the sides as they lie on the call's line.

    `channel`: only what was recorded on that one.
    """

    archive: Archive | None
    sides: Sequence[Recording]
    placed: Sequence[Placed]
    channel: str | None = None

    @property
    def seconds(self) -> float:
        """How long it sounds."""
        return self.archive.seconds if self.archive and self.channel is None else length_of(self.placed)

    @property
    def suffix(self) -> str:
        """Of a file that keeps it."""
        return ".ogg" if self.archive and self.channel is None else ".wav"


async def sound_of(connection: AsyncConnection, call_id: UUID, call: Call) -> Sound | None:
    """What can be heard of the call, None when nothing is stored."""
    archive = await archive_of(connection, call_id)
    if archive is not None:
        return Sound(archive, (), [part.placed for part in archive.parts])
    sides = [one for one in await recordings_of(connection, call_id) if one.path and one.seconds]
    return Sound(None, sides, parts_of(call, sides)) if sides else None


def of_channel(sound: Sound | None, channel: str | None) -> Sound:
    """The sound, or what of it was recorded on `channel`. Raises 404 when there is none."""
    if sound is not None and channel is not None:
        placed = [one for one in sound.placed if one.channel == channel]
        sides = [one for one in sound.sides if one.channel == channel]
        at = [replace(one, offset=0.0) for one in placed] if sound.archive is None else placed
        sound = Sound(sound.archive, sides, at, channel) if placed else None
    if sound is None:
        raise web.HTTPNotFound(text="There is no recording of this call.")
    return sound


async def transcript_of(connection: AsyncConnection, call_id: UUID) -> Any:
    """The transcript's row, None when there is none yet."""
    return (await connection.execute(select(transcripts).where(transcripts.c.call_id == call_id))).first()


async def note(request: web.Request, connection: AsyncConnection, call_id: UUID, what: str) -> None:
    """Write down who listens to or reads what."""
    await note_each(request, connection, [call_id], what)


async def note_each(request: web.Request, connection: AsyncConnection, call_ids: Collection[UUID], what: str) -> None:
    """The same of many calls at once, or of none."""
    viewer, client = request[VIEWER], address_of(request)
    row = {"user_id": viewer.user, "login": viewer.login, "what": what, "address": str(client) if client else None}
    if call_ids:
        await connection.execute(insert(listens), [row | {"call_id": call_id} for call_id in call_ids])


async def send(request: web.Request, store: Store, sound: Sound, sides: Sequence[str]) -> web.StreamResponse:
    """The sound of these sides: the archive as it lies in the store, else a WAV. Raises 404, 503 when it cannot."""
    if sound.archive is not None and (sound.channel is not None or len(sides) == 1):
        return await _send_decoded(request, store, sound, sides)
    try:
        size, read = await opened(store, sound, sides)
        if sound.archive is not None:
            return await _send_range(request, size, read, "audio/ogg", f'"{sound.archive.sha256[:32]}"')
        return await _send_range(request, size, read, "audio/wav")
    except _TROUBLE as error:
        raise _refusal(error) from error


def _refusal(error: Exception) -> web.HTTPException:
    """What the listener is told when nothing can be sent."""
    if isinstance(error, StoreError):
        return web.HTTPServiceUnavailable(text="The store of the recordings cannot be read now; try again later.")
    return web.HTTPNotFound(text="The recording's file is gone or broken.")


async def opened(store: Store, sound: Sound, sides: Sequence[str] = SIDES) -> tuple[int, Read]:
    """(size, reader of some bytes) of the sound: the archive as it lies in the store, else a WAV of these sides.

    Raises OSError, WavError, StoreError when a file of it is gone or broken.
    """
    if sound.archive is not None:
        name = sound.archive.path
        return await store.size(name), partial(store.read, name)
    line = await _line(store, sound, sides)
    return line.size_bytes, line.read


async def outline(store: Store, sound: Sound) -> dict[str, Any]:
    """Both sides' loudness for drawing: {"seconds", "caller": [...], "staff": [...]}. Raises 404 as `send`."""
    if sound.archive is not None:
        return {"seconds": sound.archive.seconds, **sound.archive.outline}
    offsets = {one.channel: one.offset for one in sound.placed}
    frames = round(sound.seconds * opus.RATE)
    told: dict[str, Any] = {"seconds": round(sound.seconds, 3)}
    try:
        async with AsyncExitStack() as fetched:
            for side in SIDES:
                files = [
                    (
                        await fetched.enter_async_context(store.fetch(one.path or "")),
                        round(offsets[one.channel] * opus.RATE),
                    )
                    for one in sound.sides
                    if one.side == side
                ]
                told[side] = await asyncio.to_thread(peaks, files, frames, POINTS)
    except _TROUBLE as error:
        raise _refusal(error) from error
    return told


async def _line(store: Store, sound: Sound, sides: Sequence[str]) -> Line:
    offsets = {one.channel: one.offset for one in sound.placed}
    channels = [
        [
            await open_piece(store, one.path or "", one.bytes or 0, offsets[one.channel])
            for one in sound.sides
            if one.side == side
        ]
        for side in sides
    ]
    if not any(channels):
        raise web.HTTPNotFound(text=f"There is no recording of the {sides[0]}'s side.")
    return Line(channels)


async def _send_range(
    request: web.Request, size: int, read: Read, media: str, tag: str | None = None
) -> web.StreamResponse:
    """The bytes that `read(start, stop)` gives, or the range of them that was asked for."""
    headers = {hdrs.CONTENT_TYPE: media, hdrs.ACCEPT_RANGES: "bytes", hdrs.CACHE_CONTROL: _PRIVATE}
    if tag is not None:
        headers[hdrs.ETAG] = tag
        if request.headers.get(hdrs.IF_NONE_MATCH) == tag:
            return web.Response(status=304, headers={hdrs.ETAG: tag, hdrs.CACHE_CONTROL: _PRIVATE})
    # RFC 9110, 13.1.5: a part is sent only of that very file; else the whole.
    same = request.headers.get(hdrs.IF_RANGE) in {None, tag}
    try:
        asked = byte_range(request.headers.get(hdrs.RANGE), size) if same else None
    except ValueError:
        raise web.HTTPRequestRangeNotSatisfiable(headers={hdrs.CONTENT_RANGE: f"bytes */{size}"}) from None
    start, stop = asked or (0, size)
    if asked:
        headers[hdrs.CONTENT_RANGE] = f"bytes {start}-{stop - 1}/{size}"
    response = web.StreamResponse(status=206 if asked else 200, headers=headers)
    response.content_length = stop - start

    async def blocks() -> AsyncIterator[bytes]:
        for at in range(start, stop, _BLOCK):
            yield await read(at, min(at + _BLOCK, stop))

    return await stream(request, response, blocks())


async def stream(
    request: web.Request, response: web.StreamResponse, blocks: AsyncIterator[bytes]
) -> web.StreamResponse:
    """Send the blocks as they come; whoever asked may have enough at any time."""
    await response.prepare(request)
    if request.method == hdrs.METH_HEAD:
        return response
    # A browser that has enough of the sound, or seeks elsewhere, closes the connection: that is no error.
    with suppress(ConnectionError):
        async for block in blocks:
            await response.write(block)
        await response.write_eof()
    return response


async def _send_decoded(request: web.Request, store: Store, sound: Sound, sides: Sequence[str]) -> web.StreamResponse:
    """A part of the archive, or one side of it, as a WAV without ranges: it is decoded as it is sent."""
    assert sound.archive is not None  # noqa: S101 told by the caller
    first = sound.placed[0] if sound.channel is not None else Placed("", 0.0, sound.archive.seconds)
    frames, skip = round(first.seconds * opus.RATE), round(first.offset * opus.RATE)
    headers = {hdrs.CONTENT_TYPE: "audio/wav", hdrs.ACCEPT_RANGES: "none", hdrs.CACHE_CONTROL: _PRIVATE}
    response = web.StreamResponse(headers=headers)
    head = header(len(sides), opus.RATE, 2, frames * len(sides) * 2)
    response.content_length = len(head) + frames * len(sides) * 2
    try:
        async with store.fetch(sound.archive.path) as path:
            samples = opus.slice_of(path, sides, skip, frames)

            async def blocks() -> AsyncIterator[bytes]:
                yield head
                while (block := await asyncio.to_thread(next, samples, None)) is not None:
                    yield block

            return await stream(request, response, blocks())
    except _TROUBLE as error:
        if response.prepared:
            raise
        raise _refusal(error) from error
