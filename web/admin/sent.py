"""What a form of these pages sends: some hold a whole directory, which is more than other forms may be."""

from __future__ import annotations

from typing import Final

from aiohttp import BodyPartReader, web

from web.guard import read_form

MOST: Final = 1024 * 1024
"""Bytes of a form, its file with it."""
_PIECE: Final = 64 * 1024


async def read_sent(request: web.Request) -> dict[str, str]:
    """The fields of a form, and its files as text. Raises 400 for what is no such form or no text, 413 for too much."""
    if request.content_type != "multipart/form-data":
        return await read_form(request)
    told: dict[str, str] = {}
    left = MOST
    try:
        reader = await request.multipart()
        while (part := await reader.next()) is not None:
            if isinstance(part, BodyPartReader) and part.name:
                body = await _read(part, left)
                left -= len(body)
                told[part.name] = body.decode("utf-8-sig").replace("\r\n", "\n").replace("\0", "")
    except UnicodeDecodeError:
        raise web.HTTPBadRequest(text="The file must be UTF-8 text.") from None
    except ValueError:
        raise web.HTTPBadRequest(text="The form cannot be read.") from None
    return told


async def _read(part: BodyPartReader, most: int) -> bytes:
    body = bytearray()
    while piece := await part.read_chunk(_PIECE):
        body += piece
        if len(body) > most:
            raise web.HTTPRequestEntityTooLarge(max_size=MOST, actual_size=len(body))
    return bytes(body)
