"""Recordings that a PBX on another machine sends: piece by piece, by a token that may do nothing else."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, Final, TypeVar

import structlog
from aiohttp import hdrs, web
from pydantic import Field
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.jobs import enqueue
from calls.tables import call_names, calls
from recordings.due import look
from recordings.privacy_tables import removals
from recordings.tables import recordings
from recordings.uploads import (
    FILE_BYTES_MOST,
    PIECE_BYTES_MOST,
    BrokenError,
    BusyError,
    File,
    Inbox,
    NoRoomError,
    NotHereError,
    TakenError,
    UploadError,
)
from web import upload_tokens
from web.api.operations import Answer, Door, Problem, Query, Said, problem, read_query
from web.audited import unaudited
from web.guard import UPLOADS, Handler, viewer_of
from web.services import SERVICES

PATH: Final = f"{UPLOADS}{{pbx}}/{{name}}"
_MESSAGE: Final = "-message"
_log = structlog.get_logger(__name__)
T = TypeVar("T")


class UploadTold(Answer):
    """Where the service stands with a file: the next byte that it wants; `done`: it has it whole, on its disk."""

    offset: int
    done: bool


class FileQuery(Query):
    """Which file, beside its name."""

    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    size: Annotated[int, Field(ge=1, le=FILE_BYTES_MOST)]


class PieceQuery(FileQuery):
    """Which piece of it: the bytes from `offset` on are the body."""

    offset: Annotated[int, Field(ge=0, le=FILE_BYTES_MOST)]


async def stand(request: web.Request) -> web.StreamResponse:
    """GET /uploads/{pbx}/{name}: how much of a file is here. A sender asks before it begins, and goes on from there."""
    inbox, pbx = await _admitted(request)
    query = read_query(FileQuery, request)
    file = _file(request, query)
    async with request.app[SERVICES].engine.connect() as connection:
        if await _is_stored(connection, pbx, file):
            return _told(file, file.size_bytes)
    return _told(file, await _done(inbox.offset, file))


@unaudited("a PBX sends recordings, and each is kept with when it came")
async def take(request: web.Request) -> web.StreamResponse:
    """PUT /uploads/{pbx}/{name}: the next piece. With the last one the recording is there and its call looked at."""
    inbox, pbx = await _admitted(request)
    query = read_query(PieceQuery, request)
    file = _file(request, query)
    length = request.content_length
    if length is None:
        raise web.HTTPLengthRequired(text="Content-Length: is required")
    if length > PIECE_BYTES_MOST:
        raise web.HTTPRequestEntityTooLarge(PIECE_BYTES_MOST, length, text=f"at most {PIECE_BYTES_MOST} bytes at once")
    try:
        piece = await request.content.readexactly(length)
    except asyncio.IncompleteReadError:
        raise web.HTTPBadRequest(text="The body is shorter than its Content-Length.") from None
    offset = await _done(inbox.add, file, query.offset, piece)
    if offset == file.size_bytes:
        async with request.app[SERVICES].engine.begin() as connection:
            await _owe_look(connection, pbx, file)
        _log.info("recording uploaded", pbx=pbx, side=file.side, bytes=file.size_bytes)
    return _told(file, offset)


async def _admitted(request: web.Request) -> tuple[Inbox, str]:
    """The folder of the PBX whose token this is. Raises 401 for nobody, 403 for anybody else, 404 for no such PBX."""
    services, pbx = request.app[SERVICES], request.match_info["pbx"]
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    told = None
    if scheme.lower() == "bearer" and token:
        async with services.engine.begin() as connection:
            told = await upload_tokens.pbx_of(connection, token.strip())
    if told is None and await viewer_of(request) is None:
        raise web.HTTPUnauthorized(
            text="Send the PBX's upload token.", headers={"WWW-Authenticate": 'Bearer realm="switchhook uploads"'}
        )
    if told != pbx:
        raise web.HTTPForbidden(text="Only this PBX's own upload token may do that.")
    if pbx not in services.uploads:
        raise web.HTTPNotFound(text="The settings of the service do not say that this PBX uploads.")
    return Inbox(services.uploads[pbx]), pbx


def _file(request: web.Request, query: FileQuery) -> File:
    try:
        return File(request.match_info["name"], query.sha256, query.size)
    except ValueError as error:
        raise web.HTTPBadRequest(text=str(error)) from None


async def _done(work: Callable[..., T], *told: Any) -> T:
    """What the folder says, in a thread. Raises what HTTP calls it."""
    try:
        return await asyncio.to_thread(work, *told)
    except NoRoomError as error:
        _log.warning("no room for an upload")
        raise web.HTTPInsufficientStorage(text=str(error)) from None
    except BrokenError as error:
        raise web.HTTPUnprocessableEntity(text=str(error)) from None
    except (NotHereError, BusyError, TakenError) as error:
        raise web.HTTPConflict(text=str(error)) from None
    except (UploadError, OSError) as error:
        _log.warning("an upload cannot be written", error=type(error).__name__)
        raise web.HTTPServiceUnavailable(text="The folder cannot be written now.") from None


async def _is_stored(connection: AsyncConnection, pbx: str, file: File) -> bool:
    """Whether the store has this very file already: then its folder has it no more.

    So it is told of a call whose sound was removed: what a PBX was late to send is not taken in again.
    """
    asked = (
        select(recordings.c.call_id)
        .join(calls, calls.c.id == recordings.c.call_id)
        .where(calls.c.pbx == pbx, recordings.c.channel == file.channel, recordings.c.side == file.side)
        .where(recordings.c.sha256 == file.sha256)
    )
    name = file.channel.removesuffix(_MESSAGE)
    removed = (
        select(removals.c.call_id)
        .join(call_names, call_names.c.call_id == removals.c.call_id)
        .where(call_names.c.pbx == pbx, call_names.c.name == name, removals.c.kind == "audio")
    )
    return (await connection.execute(asked.union(removed))).first() is not None


async def _owe_look(connection: AsyncConnection, pbx: str, file: File) -> None:
    """Have the call looked at again, if it is settled: one that is not will be, then."""
    kept = func.coalesce(calls.c.joined_into, calls.c.id)
    asked = (
        select(kept)
        .join(call_names, call_names.c.call_id == calls.c.id)
        .where(call_names.c.pbx == pbx, call_names.c.name == file.channel.removesuffix(_MESSAGE))
    )
    call_id = (await connection.execute(asked.limit(1))).scalar()
    settled = select(calls.c.settled_at).where(calls.c.id == call_id)
    if call_id is not None and (await connection.execute(settled)).scalar() is not None:
        await enqueue(connection, [look(str(call_id))])


def _told(file: File, offset: int) -> web.Response:
    told = UploadTold(offset=offset, done=offset == file.size_bytes)
    return web.Response(text=told.model_dump_json(), content_type="application/json")


_WHY: Final = {
    400: "The name or the query cannot be.",
    401: "No upload token.",
    403: "Another PBX's token, or one that is for something else.",
    404: "This PBX does not upload.",
    409: "Another piece is wanted, another sender is at it, or another file has this name: ask where it stands.",
    411: "No Content-Length.",
    413: f"More than {PIECE_BYTES_MOST} bytes at once.",
    422: "All came, and it is not what was announced: begin again.",
    503: "The folder cannot be written now.",
    507: "The disk is full.",
}


def _door(handler: Handler, method: str, summary: str, query: type[Query], refuses: tuple[int, ...]) -> Door:
    answers = {200: Said("As asked.", UploadTold)}
    answers |= {status: problem(status, _WHY[status], Problem) for status in (400, 401, 403, 404, *refuses)}
    body = () if method == hdrs.METH_GET else ("application/octet-stream",)
    name = f"upload_{handler.__name__}"
    return Door(method, PATH, name, summary, answers, query, body=body, security=("upload",))


DOORS: Final = (
    (_door(stand, hdrs.METH_GET, "How much of a recording is here", FileQuery, (409, 503)), stand),
    (_door(take, hdrs.METH_PUT, "The next piece of a recording", PieceQuery, (409, 411, 413, 422, 503, 507)), take),
)
