"""The list behind a number of a report: every call, lead or promise that it counts, and as a table to take away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, get_args
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from aiohttp import hdrs, web
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync.imports.sheets import MEDIA, XLSX_ROWS_MOST, Cell, Form, written
from directory.model import Directory
from recordings.audit import note
from reports.links import NONE
from reports.listing import Thing
from reports.measures import Count
from reports.norms import Seen as Counted
from reports.norms import value_of
from reports.report import Audience, AudienceKind, By
from web.bulk import DELIMITERS
from web.calls_export import EXPORTS, SECONDS_MOST, TAKERS
from web.filters import FilterError
from web.guard import VIEWER, only
from web.house import HOUSE
from web.keeping import actor_of
from web.leads.wording import place_name
from web.listening import note_each, stream
from web.names import line_name, person_name
from web.page import language_of, page, zone_of
from web.reports import words
from web.reports.asked import today_of_company
from web.reports.behind import (
    Of,
    Question,
    Seen,
    cursor_of,
    every_thing,
    number,
    read_cursor,
    read_question,
    seen,
    things,
)
from web.reports.report_page import READERS
from web.reports.seen import HOUSE as WHOLE
from web.reports.seen import reports_seen
from web.rights import scope_of
from web.services import SERVICES
from web.wording import days, phone
from web.words import say

PAGE: Final = 100
_PIECE: Final = 500
_COLUMNS: Final = ("at", "client", "number", "what", "line", "person", "value", "link")
_FORMS: Final[tuple[Form, ...]] = get_args(Form)
_WHOSE: Final[tuple[AudienceKind, ...]] = ("team", "person")
_BY: Final[Mapping[str, By]] = {by: by for by in get_args(By)}


@dataclass(frozen=True, slots=True)
class Row:
    """A thing, what the viewer may see of it, and when it was; of what stands at the end of a day, since when."""

    thing: Thing
    seen: Seen
    at: datetime


async def show(request: web.Request) -> web.Response:
    """GET /reports/behind: `measure`, `from`, `to`, and what narrows it; `of` is part or whole of a ratio."""
    only(request, *READERS)
    directory = await request.app[HOUSE].read()
    asked = await _asked(request, directory)
    viewer = request[VIEWER]
    try:
        after = read_cursor(request.query.get("cursor", ""))
    except FilterError as error:
        raise web.HTTPBadRequest(text=str(error)) from error
    async with request.app[SERVICES].engine.begin() as connection:
        told = {of: await number(connection, directory, asked, side) for of, side in asked.sides.items()}
        found = await things(connection, directory, asked, after, PAGE + 1)
        shown = await seen(connection, viewer, scope_of(viewer, directory), asked, found[:PAGE])
        await note_each(request, connection, _read(shown), "transcript")
    language = language_of(request)
    return await page(
        request,
        "report_behind.html",
        asked=asked,
        rows=_rows(asked, found[:PAGE], shown),
        more=urlencode(asked.told | {"cursor": cursor_of(found[PAGE - 1])}) if len(found) > PAGE else None,
        address=urlencode(asked.told),
        things=told[asked.of][0],
        total=total(asked, told, language),
        sides=[
            (of, side.count.key, told[of][1], urlencode(replace(asked, of=of).told)) for of, side in asked.sides.items()
        ],
        narrowed=[
            words.key_name(directory, language, by_of(asked.sides["part"].count, name), key if key != NONE else "")
            for name, key in asked.only.items()
        ],
        period=days(asked.first, asked.last, language),
        name=words.measure_name(directory, language, asked.measure),
        measure_of=lambda key: words.measure_name(directory, language, key),
        amount_of=lambda count, value: words.amount(language, words.unit_of(count), value),
        what_of=lambda row: what(row, asked, directory, language),
        key_of=lambda by, key: words.key_name(directory, language, by, key),
        valued=asked.count.unit != "count",
        forms=_FORMS if viewer.role in TAKERS else (),
    )


async def export(request: web.Request) -> web.StreamResponse:
    """GET /reports/behind/export, for heads and admins: the whole list as `format` csv or xlsx."""
    only(request, *TAKERS)
    directory, told = await request.app[HOUSE].read(), request.query.get("format", "csv")
    asked = await _asked(request, directory)
    form = next((one for one in _FORMS if one == told), None)
    if form is None:
        raise web.HTTPBadRequest(text=f"format: must be one of {', '.join(_FORMS)}, got {told[:20]!r}")
    if request.app[EXPORTS].locked():
        raise web.HTTPTooManyRequests(text="Other tables are being made just now; ask again in a minute.")
    engine, language = request.app[SERVICES].engine, language_of(request)
    name = f"{asked.measure}-{asked.first}-{asked.last}.{form}"
    headers = {hdrs.CONTENT_TYPE: MEDIA[form], hdrs.CONTENT_DISPOSITION: f'attachment; filename="{name}"'}
    async with request.app[EXPORTS], asyncio.timeout(SECONDS_MOST):
        async with engine.begin() as connection:
            if form == "xlsx" and (await number(connection, directory, asked, asked.side))[0] >= XLSX_ROWS_MOST:
                raise web.HTTPBadRequest(text="format: these are more than xlsx has rows, take csv")
            await note(connection, actor_of(request), "report_exported", "report", {**asked.told, "format": form})
        async with engine.connect() as connection:
            rows = _table(request, connection, asked, directory)
            async with aclosing(written(form, DELIMITERS[language], rows)) as body:
                return await stream(request, web.StreamResponse(headers=headers), body)


async def _table(
    request: web.Request, connection: AsyncConnection, asked: Question, directory: Directory
) -> AsyncIterator[Sequence[Sequence[Cell]]]:
    language, viewer = language_of(request), request[VIEWER]
    zone = ZoneInfo(zone_of(request, directory))
    yield [[say(language, f"report.column.{name}") for name in _COLUMNS]]
    async for found in every_thing(connection, directory, asked, _PIECE):
        shown = await seen(connection, viewer, scope_of(viewer, directory), asked, found)
        if read := _read(shown):
            async with request.app[SERVICES].engine.begin() as noting:  # what is read goes on on the other connection
                await note_each(request, noting, read, "export")
        yield [_cells(row, asked, directory, language, zone) for row in _rows(asked, found, shown)]


def _rows(asked: Question, found: Sequence[Thing], shown: Sequence[Seen]) -> list[Row]:
    standing = asked.count.at_end
    return [
        Row(thing, told, (told.since if standing else None) or thing.at)
        for thing, told in zip(found, shown, strict=True)
    ]


def _read(shown: Sequence[Seen]) -> set[UUID]:
    """The calls whose texts stand in a list, and are read with it."""
    return {one.answer.read_of for one in shown if one.answer and one.answer.read_of}


def _cells(row: Row, asked: Question, directory: Directory, language: str, zone: ZoneInfo) -> list[Cell]:
    thing = row.thing
    return [
        row.at.astimezone(zone).replace(tzinfo=None),
        row.seen.name,
        # A spreadsheet takes what begins with a plus for a formula.
        phone(row.seen.number).removeprefix("+"),
        what(row, asked, directory, language),
        line_name(directory, thing.line) or thing.line,
        person_name(directory, thing.person),
        round(thing.value),
        row.seen.path,
    ]


def total(asked: Question, counted: Mapping[Of, tuple[int, float]], language: str) -> str:
    """The number as the report has it, made of how many there are of each side, and the sums of their values."""
    if asked.ratio is None:
        return words.amount(language, asked.count.unit, counted["part"][1])
    told = Counted(counted["part"][1], counted["whole"][1])
    return words.amount(language, asked.ratio.unit, value_of(asked.ratio, told))


def what(row: Row, asked: Question, directory: Directory, language: str) -> str:
    """What a thing was counted as, and where it stands now."""
    now = ""
    if row.seen.answer:
        return f"{row.seen.answer.score}: {row.seen.answer.words}".removesuffix(": ")
    if row.seen.place:
        now = place_name(directory.leads, language, row.seen.place)
    elif row.seen.closed_by:
        now = say(language, f"closed.{row.seen.closed_by}")
    elif row.seen.status:
        now = words.key_name(directory, language, "status", row.seen.status)
    told = (
        words.key_name(directory, language, by_of(asked.count, "detail"), row.thing.detail) if row.thing.detail else ""
    )
    return " · ".join(dict.fromkeys(filter(None, (told, now))))


def by_of(count: Count, narrow: str) -> By:
    """Of which dimension the keys of a narrowing are; details are those of the count."""
    return (count.detail or "status") if narrow == "detail" else _BY[narrow]


async def _asked(request: web.Request, directory: Directory) -> Question:
    """The question of an address. Raises 400, and 403 where it is about somebody else's."""
    seen_by = reports_seen(request[VIEWER], directory)
    if not seen_by:
        raise web.HTTPForbidden(text="There is no report of nobody.")
    try:
        asked = read_question(request.query, directory, seen_by[0], today_of_company(directory))
    except FilterError as error:
        raise web.HTTPBadRequest(text=str(error)) from error
    named = {WHOLE, *(Audience(kind, asked.only.get(kind, "")) for kind in _WHOSE)}
    if named.isdisjoint(seen_by):
        raise web.HTTPForbidden(text="This report is of somebody else.")
    return asked
