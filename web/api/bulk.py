"""Leads in and out as a whole: a table that is imported all or nothing, and one of all leads."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final, Literal

from aiohttp import hdrs, web

from crm_sync.book.lead_export import ExportRefused
from crm_sync.book.lead_list import WantedRefused
from crm_sync.imports.columns import read_mapping
from crm_sync.imports.faults import BYTES_MOST, FileFault
from crm_sync.imports.importing import ImportRefused, preview
from crm_sync.imports.sheets import MEDIA
from web.api.leads import SegmentQuery, refused_wanted
from web.api.operations import (
    PREFIX,
    PROBLEM,
    Answer,
    Door,
    Query,
    Refusal,
    Said,
    problem,
    read_query,
    refusal,
)
from web.audited import audited
from web.bulk import begin_export, export_file, fault_words, import_file, plan_json
from web.guard import VIEWER
from web.house import HOUSE
from web.import_page import read_apart
from web.keeping import actor_of, only_of_all
from web.page import language_of
from web.services import SERVICES

PATH: Final = f"{PREFIX}/leads/import"
_PIECE: Final = 64 * 1024
_LISTS: Final = ("map",)
TABLES: Final = tuple(MEDIA.values())


class ImportQuery(Query):
    """`dry_run`: only look."""

    dry_run: bool = False


class RowTold(Answer):
    """What becomes of a row: new, known (`party`, by `number`; what is filled in), or duplicate of another row."""

    row: int
    what: Literal["new", "known", "duplicate"]
    party: int | None
    number: str
    changes: list[str]
    same_as_row: int | None


class RowProblem(Answer):
    """What is wrong with a row; `reason` is the stable key."""

    row: int
    column: str
    value: str
    reason: str
    detail: str


class ImportTold(Answer):
    """An import, or what it would be."""

    imported: bool
    counts: dict[str, int]
    rows: list[RowTold]
    problems: list[RowProblem]


class ImportRefusal(Refusal):
    """Why nothing was imported; where rows are wrong (`reason` is `rows`) with all of what it would be."""

    imported: bool | None = None
    counts: dict[str, int] | None = None
    rows: list[RowTold] | None = None
    problems: list[RowProblem] | None = None


class ExportQuery(SegmentQuery):
    """Which leads, and as what; all as csv unless told."""

    format: Literal["csv", "xlsx"] = "csv"


@audited("leads_imported")
async def import_leads(request: web.Request) -> web.StreamResponse:
    """POST /leads/import, by heads and admins: the file is the body; `map` may stand several times."""
    await only_of_all(request)
    query, maps = read_query(ImportQuery, request, besides=_LISTS), request.query.getall("map", [])
    language, house = language_of(request), request.app[HOUSE]
    body = await _body(request)
    try:
        reading = await read_apart(request, body, read_mapping(maps))
        async with request.app[SERVICES].engine.begin() as connection:
            if query.dry_run:
                plan = await preview(connection, reading)
            else:
                person = request[VIEWER].person
                plan = await import_file(connection, await house.read(), reading, actor_of(request), person)
    except FileFault as fault:
        return refusal(422, fault.why, fault_words(language, fault))
    except ImportRefused as refused:
        return _refused(plan_json(refused.plan, language, imported=False), str(refused))
    return _json(plan_json(plan, language, imported=not query.dry_run))


async def export_leads(request: web.Request, query: ExportQuery) -> web.StreamResponse:
    """GET /leads/export, for heads and admins; who takes which leads is written down before the first byte."""
    await only_of_all(request)
    directory, engine = await request.app[HOUSE].read(), request.app[SERVICES].engine
    try:
        wanted = query.wanted(directory)
        async with engine.begin() as connection:
            await begin_export(connection, wanted, query.format, actor_of(request))
    except WantedRefused as error:
        return refused_wanted(error)
    except ExportRefused as error:
        raise web.HTTPBadRequest(text=str(error)) from None
    disposition = f'attachment; filename="leads-{datetime.now(UTC):%Y-%m-%d}.{query.format}"'
    response = web.StreamResponse(headers={hdrs.CONTENT_DISPOSITION: disposition})
    response.headers[hdrs.CONTENT_TYPE] = MEDIA[query.format]
    async with engine.connect() as connection:
        await response.prepare(request)
        async for piece in export_file(connection, directory, wanted, query.format, language_of(request)):
            await response.write(piece)
    await response.write_eof()
    return response


async def _body(request: web.Request) -> bytes:
    """The file. Raises 413 for one that is too large."""
    body = bytearray()
    async for piece in request.content.iter_chunked(_PIECE):
        body += piece
        if len(body) > BYTES_MOST:
            raise web.HTTPRequestEntityTooLarge(BYTES_MOST, len(body), text=f"at most {BYTES_MOST} bytes")
    return bytes(body)


def _json(told: dict[str, Any]) -> web.Response:
    return web.Response(text=json.dumps(told, ensure_ascii=False), content_type="application/json")


def _refused(told: dict[str, Any], detail: str) -> web.Response:
    """The problem document of rows that are wrong, with all of the plan."""
    head = {"type": "about:blank", "title": HTTPStatus(422).phrase, "status": 422, "detail": detail, "reason": "rows"}
    return web.Response(status=422, text=json.dumps(head | told, ensure_ascii=False), content_type=PROBLEM)


DOOR: Final = Door(
    hdrs.METH_POST,
    PATH,
    import_leads.__name__,
    "Import parties and leads from csv or xlsx, all or nothing",
    {
        200: Said("Imported, or looked at.", ImportTold),
        422: Said("Nothing is imported: the file cannot be, or rows are wrong.", ImportRefusal, (PROBLEM,)),
        413: problem(413, f"More than {BYTES_MOST} bytes."),
        429: problem(429, "Other files are being read just now."),
        **{status: problem(status) for status in (400, 401, 403)},
    },
    ImportQuery,
    body=TABLES,
    lists=_LISTS,
)
