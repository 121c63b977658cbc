"""The page of plans: whoever leads edits them in place, copies the month before, or sends a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from aiohttp import hdrs, web

from crm_sync.imports.faults import BYTES_MOST, FileFault
from crm_sync.imports.process import cells_apart
from crm_sync.imports.sheets import MEDIA, written
from directory.model import Directory
from reports.fact_rows import last_counted, read_facts
from reports.periods import period_of
from reports.plan_days import WHOSE_KINDS, Whose, WhoseKind, month_of
from reports.plan_rows import read_plans, write_plans
from reports.plan_sheet import read_month
from reports.plan_values import PlanValueError, read_value
from reports.plans import Plans, counts_planned
from web import wording
from web.audited import audited
from web.bulk import DELIMITERS, MEGABYTES
from web.bulk import fault_words as file_words
from web.guard import VIEWER, only, read_form
from web.house import HOUSE
from web.import_page import reader, sent_file
from web.keeping import actor_of
from web.page import fragment, language_of, page
from web.reports.plan_grid import grid
from web.reports.plans import (
    PEOPLE,
    PLANNERS,
    USUAL,
    Imported,
    PlanRefused,
    check,
    columns,
    copied,
    fault_words,
    header,
    import_plans,
    measures_of,
    planned_by,
    table,
    whose_name,
)
from web.services import SERVICES

_MONTHS_MOST: Final = 24
"""Plans are made for so many months from now, and looked at for as many ago."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which page: a month, its people or its lines, and a measure that is to have a column though nobody plans it."""

    month: date
    by: str
    measure: str

    @property
    def query(self) -> str:
        """As it stands in an address."""
        told = {"month": f"{self.month:%Y-%m}", "by": self.by, "measure": self.measure}
        return urlencode({name: value for name, value in told.items() if value})


async def show(request: web.Request) -> web.Response:
    """GET /reports/plans: `month` (this one), `by` people or lines, `measure` to add a column."""
    only(request, *PLANNERS)
    directory = await request.app[HOUSE].read()
    return await _page(request, _asked(request.query, directory))


async def take(request: web.Request) -> web.StreamResponse:
    """GET /reports/plans/table: the page as a workbook, with names filled in."""
    only(request, *PLANNERS)
    directory, language = await request.app[HOUSE].read(), language_of(request)
    asked = _asked(request.query, directory)
    async with request.app[SERVICES].engine.connect() as connection:
        plans = await read_plans(connection, directory, asked.month)
    rows = table(directory, language, asked.month, *_sides(request, directory, plans, asked), plans)

    async def pieces() -> Any:
        yield rows

    name = f'attachment; filename="plans-{asked.month:%Y-%m}.xlsx"'
    response = web.StreamResponse(headers={hdrs.CONTENT_DISPOSITION: name, hdrs.CONTENT_TYPE: MEDIA["xlsx"]})
    await response.prepare(request)
    async for piece in written("xlsx", DELIMITERS[language], pieces()):
        await response.write(piece)
    await response.write_eof()
    return response


@audited("plan_set", "plans_imported")
async def change(request: web.Request) -> web.Response:
    """POST /reports/plans: a table to import; or `do` set (with `whose`, `key`, `of` and `value`) or copy."""
    only(request, *PLANNERS)
    directory = await request.app[HOUSE].read()
    if request.content_type == "multipart/form-data":
        return await _import(request, directory, await sent_file(request))
    form = await read_form(request)
    asked = _asked(form, directory)
    if form.get("do") == "copy":
        return await _copy(request, directory, asked)
    if form.get("do") != "set":
        raise web.HTTPBadRequest(text="do must be set or copy")
    return await _set(request, directory, asked, form)


async def _set(request: web.Request, directory: Directory, asked: Asked, form: Mapping[str, str]) -> web.Response:
    whose, measure, text = _whose(form), form.get("of", ""), form.get("value", "").strip()
    wrong: dict[str, Any] = {}
    try:
        mine = planned_by(request[VIEWER], directory)
        check(directory, mine, whose, measure, None)
        value = read_value(text, measure) if text else None
        check(directory, mine, whose, measure, value)
        async with request.app[SERVICES].engine.begin() as connection:
            actor = actor_of(request)
            await write_plans(connection, asked.month, {(whose, measure): value}, actor, action="plan_set")
    except PlanRefused as error:
        if error.why == "not_yours":
            raise web.HTTPForbidden(text="Their plans are made by somebody else.") from None
        raise web.HTTPBadRequest(text=str(error)) from None
    except PlanValueError as error:
        words = fault_words(language_of(request), error.why)
        wrong = {"wrong": (whose, measure), "text": text, "words": words}
    if "HX-Request" in request.headers:
        return web.Response(text=await _grid_text(request, asked, **wrong), content_type="text/html")
    return await _page(request, asked, 422, **wrong) if wrong else _back(asked)


async def _copy(request: web.Request, directory: Directory, asked: Asked) -> web.Response:
    before = month_of(asked.month - timedelta(days=1))
    async with request.app[SERVICES].engine.begin() as connection:
        plans = await read_plans(connection, directory, before, asked.month)
        cells = copied(plans, before, asked.month, planned_by(request[VIEWER], directory))
        await write_plans(connection, asked.month, cells, actor_of(request), action="plan_set")
    return _back(asked)


async def _import(request: web.Request, directory: Directory, body: bytes) -> web.Response:
    asked = _asked(request.query, directory)
    try:
        if not body:
            raise FileFault("empty")
        if len(body) > BYTES_MOST:
            raise FileFault("too_large")
        async with reader(request):
            rows = await cells_apart(body)
    except FileFault as fault:
        return await _page(request, asked, 400, fault=file_words(language_of(request), fault))
    mine = planned_by(request[VIEWER], directory)
    async with request.app[SERVICES].engine.begin() as connection:
        done = await import_plans(connection, directory, rows, mine, actor_of(request))
    month = done.month if done.month and not done.faults else asked.month
    return await _page(request, Asked(month, asked.by, ""), 422 if done.faults else 200, done=done)


async def _page(request: web.Request, asked: Asked, status: int = 200, **told: Any) -> web.Response:
    directory = await request.app[HOUSE].read()
    done: Imported | None = told.pop("done", None)
    answer = await page(
        request,
        "plans.html",
        fault=told.pop("fault", ""),
        done=done,
        fault_words=lambda why: fault_words(language_of(request), why),
        megabytes=MEGABYTES,
        others=[one for one in measures_of(directory) if one not in columns(directory, asked.by, ())],
        **await _grid(request, asked, **told),
    )
    answer.set_status(status)
    return answer


async def _grid_text(request: web.Request, asked: Asked, **wrong: Any) -> str:
    return await fragment(request, "plans_grid.html", **await _grid(request, asked, **wrong))


async def _grid(
    request: web.Request, asked: Asked, wrong: tuple[Whose, str] | None = None, text: str = "", words: str = ""
) -> dict[str, Any]:
    """What the template plans_grid.html shows; `wrong` is the field whose `text` is refused, by these `words`."""
    directory, language = await request.app[HOUSE].read(), language_of(request)
    over = datetime.now(ZoneInfo(directory.company.time_zone)).date() - timedelta(days=1)
    last = period_of("monthly", asked.month).last
    async with request.app[SERVICES].engine.connect() as connection:
        plans = await read_plans(connection, directory, asked.month)
        whose, measures = _sides(request, directory, plans, asked)
        facts = await read_facts(connection, asked.month, last, counts=counts_planned(measures, directory.leads))
        counted = await last_counted(connection, asked.month, last)
    stood = counted.day if counted else None
    return {
        "asked": asked,
        "rows": grid(plans, facts, whose, measures, asked.month, min(over, last), stood, language),
        "columns": [(key, header(directory, language, key)) for key in measures],
        "whose_name": lambda one: whose_name(directory, language, one),
        "header": lambda key: header(directory, language, key),
        "month_name": lambda month: wording.month(month, language),
        "before": month_of(asked.month - timedelta(days=1)),
        "after": last + timedelta(days=1),
        "wrong": wrong,
        "text": text,
        "words": words,
    }


def _sides(
    request: web.Request, directory: Directory, plans: Plans, asked: Asked
) -> tuple[tuple[Whose, ...], tuple[str, ...]]:
    """Whose rows and which columns a page has."""
    mine = [one for one in planned_by(request[VIEWER], directory) if (one.kind in PEOPLE) == (asked.by == "people")]
    planned = {(whose, measure) for month, whose, measure in plans.values if month == asked.month and whose in mine}
    sell = {person.key for person in directory.people if person.role == "manager"}
    has_plan = {whose for whose, _ in planned}
    rows = tuple(one for one in mine if one.kind != "person" or one.key in sell or one in has_plan)
    more = {measure for _, measure in planned} | {asked.measure}
    return rows, columns(directory, asked.by, more)


def _asked(told: Mapping[str, str], directory: Directory) -> Asked:
    """Which page is asked for. Raises 400 for a month, or a measure, that there is not."""
    today = datetime.now(UTC).astimezone(ZoneInfo(directory.company.time_zone)).date()
    month = read_month(told["month"]) if told.get("month") else month_of(today)
    if month is None or abs((month.year - today.year) * 12 + month.month - today.month) > _MONTHS_MOST:
        raise web.HTTPBadRequest(text=f"month must be like 2026-11 and near, got {told['month'][:20]!r}")
    by, measure = told.get("by") or "people", told.get("measure", "")
    if by not in USUAL:
        raise web.HTTPBadRequest(text=f"by must be people or lines, got {by[:20]!r}")
    if measure and measure not in measures_of(directory):
        raise web.HTTPBadRequest(text=f"measure: there is none {measure[:40]!r}")
    return Asked(month, by, measure)


def _whose(form: Mapping[str, str]) -> Whose:
    kinds: dict[str, WhoseKind] = {kind: kind for kind in WHOSE_KINDS}
    kind = kinds.get(form.get("whose", ""))
    if kind is None:
        raise web.HTTPBadRequest(text=f"whose must be one of {', '.join(kinds)}")
    return Whose(kind, form.get("key", ""))


def _back(asked: Asked) -> web.Response:
    return web.Response(status=303, headers={hdrs.LOCATION: f"/reports/plans?{asked.query}"})
