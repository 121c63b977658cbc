"""The page on which heads and admins import leads: a file is looked at first, and written when they say so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from aiohttp import BodyPartReader, web
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync.imports.columns import FIELD, TARGETS, is_target
from crm_sync.imports.faults import BYTES_MOST, COLUMNS_MOST, ROWS_MOST, FileFault
from crm_sync.imports.importing import ImportRefused, preview
from crm_sync.imports.plan import Plan
from crm_sync.imports.rows import Reading
from directory.model import Directory
from web import import_drafts, sessions
from web.audited import audited
from web.bulk import MEGABYTES, fault_words, import_file, read_file
from web.guard import VIEWER, read_form
from web.house import HOUSE
from web.import_drafts import Draft
from web.keeping import actor_of, only_of_all
from web.page import language_of, page
from web.services import SERVICES
from web.words import say

READERS: Final = web.AppKey("import readers", asyncio.Semaphore)
"""So many files are read at once, each in a process of its own."""
READERS_MOST: Final = 2
_SHOWN: Final = 200
_PIECE: Final = 64 * 1024


async def show(request: web.Request) -> web.Response:
    """GET /leads/import."""
    await only_of_all(request)
    return await _page(request)


@audited("leads_imported")
async def change(request: web.Request) -> web.Response:
    """POST /leads/import: a file to look at; or `do` with the `token` of one: check, import or cancel."""
    await only_of_all(request)
    if request.content_type == "multipart/form-data":
        return await _look_at(request, await sent_file(request))
    form = await read_form(request)
    engine, cookie, token = request.app[SERVICES].engine, _cookie(request), form.get("token", "")
    async with engine.connect() as connection:
        draft = await import_drafts.find(connection, cookie, token)
    if draft is None:
        return await _page(request, 400, fault=say(language_of(request), "bulk.expired"))
    match form.get("do"):
        case "check":
            return await _check(request, token, Draft(draft.body, _told_columns(form)))
        case "import":
            return await _import(request, token, draft)
        case "cancel":
            async with engine.begin() as connection:
                await import_drafts.forget(connection, token)
            raise web.HTTPSeeOther("/leads/import")
    raise web.HTTPBadRequest(text="do must be check, import or cancel")


async def read_apart(request: web.Request, body: bytes, mapping: Mapping[str, str]) -> Reading:
    """Read a file of leads, when not too many files are read just now. Raises FileFault and 429."""
    async with reader(request):
        return await read_file(body, await request.app[HOUSE].read(), mapping)


@asynccontextmanager
async def reader(request: web.Request) -> AsyncIterator[None]:
    """The time in which a file is read. Raises 429 when too many are read just now."""
    readers = request.app[READERS]
    if readers.locked():
        raise web.HTTPTooManyRequests(text=say(language_of(request), "bulk.busy"), headers={"Retry-After": "30"})
    async with readers:
        yield


async def _look_at(request: web.Request, body: bytes) -> web.Response:
    if not body:
        return await _page(request, 400, fault=say(language_of(request), "bulk.no_file"))
    if len(body) > BYTES_MOST:
        return await _page(request, 413, fault=fault_words(language_of(request), FileFault("too_large")))
    async with request.app[SERVICES].engine.begin() as connection:
        token = await import_drafts.keep(connection, _cookie(request), body)
    return await _check(request, token, Draft(body, {}))


async def _check(request: web.Request, token: str, draft: Draft) -> web.Response:
    engine = request.app[SERVICES].engine
    try:
        reading = await read_apart(request, draft.body, draft.mapping)
    except FileFault as fault:
        return await _refused(request, token, fault)
    async with engine.begin() as connection:
        await import_drafts.tell_columns(connection, token, draft.mapping)
        plan = await preview(connection, reading)
    return await _preview(request, token, reading, plan)


async def _import(request: web.Request, token: str, draft: Draft) -> web.Response:
    try:
        reading = await read_apart(request, draft.body, draft.mapping)
    except FileFault as fault:
        return await _refused(request, token, fault)
    try:
        async with request.app[SERVICES].engine.begin() as connection:
            plan = await _write(connection, request, await request.app[HOUSE].read(), reading)
            await import_drafts.forget(connection, token)
    except ImportRefused as refused:
        return await _preview(request, token, reading, refused.plan)
    return await _page(request, done=plan)


async def _write(connection: AsyncConnection, request: web.Request, directory: Directory, reading: Reading) -> Plan:
    return await import_file(connection, directory, reading, actor_of(request), request[VIEWER].person)


async def _refused(request: web.Request, token: str, fault: FileFault) -> web.Response:
    words = fault_words(language_of(request), fault)
    return await _page(request, 400, fault=words, token=token, columns=fault.columns)


async def _preview(request: web.Request, token: str, reading: Reading, plan: Plan) -> web.Response:
    columns = [(column.header, column.target) for column in reading.columns]
    return await _page(request, 422 if plan.problems else 200, token=token, columns=columns, plan=plan)


async def _page(request: web.Request, status: int = 200, **told: Any) -> web.Response:
    context: dict[str, Any] = {"fault": "", "token": "", "columns": (), "plan": None, "done": None} | told
    answer = await page(
        request,
        "import.html",
        targets=[target for target in TARGETS if target != FIELD],
        field=FIELD,
        shown=_SHOWN,
        rows_most=ROWS_MOST,
        megabytes=MEGABYTES,
        **context,
    )
    answer.set_status(status)
    return answer


async def sent_file(request: web.Request) -> bytes:
    """The file of the form, at most a byte more than may be. Raises 400 for a body that is no form."""
    try:
        reader = await request.multipart()
        while (part := await reader.next()) is not None:
            if isinstance(part, BodyPartReader) and part.name == "file":
                return await _read(part)
    except ValueError:
        raise web.HTTPBadRequest(text="The form cannot be read.") from None
    return b""


async def _read(part: BodyPartReader) -> bytes:
    body = bytearray()
    while len(body) <= BYTES_MOST and (piece := await part.read_chunk(_PIECE)):
        body += piece
    return bytes(body[: BYTES_MOST + 1])


def _told_columns(form: Mapping[str, str]) -> dict[str, str]:
    """Header -> target of the form's fields header.N and column.N."""
    told = ((form.get(f"header.{n}", ""), form.get(f"column.{n}", "")) for n in range(COLUMNS_MOST))
    return {header: target for header, target in told if header and is_target(target)}


def _cookie(request: web.Request) -> str:
    """The session's cookie, without which nobody comes as far as a page."""
    return sessions.cookie_of(request, secure=request.app[SERVICES].secure) or ""
