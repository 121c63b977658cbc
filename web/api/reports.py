"""Reports for programs: of a day, a week or a month, as JSON, csv or xlsx."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from typing import Annotated, Any, Final, Literal

from aiohttp import hdrs, web
from pydantic import Field

from crm_sync.imports.sheets import MEDIA
from recordings.audit import note
from reports.assembling import make_report
from reports.report import (
    Audience,
    DayPoint,
    Figure,
    Finding,
    Freshness,
    IncidentTold,
    Kind,
    Section,
)
from web.api.operations import JSON, Answer, Query
from web.house import HOUSE
from web.keeping import actor_of
from web.page import language_of
from web.reports.asked import read_day, today_of_company
from web.reports.files import csv_of, xlsx_of
from web.reports.seen import audience_asked
from web.services import SERVICES

MEDIAS: Final = (JSON, *MEDIA.values())
_KEY_MOST: Final = 64
_FILES: Final = {"csv": csv_of, "xlsx": xlsx_of}


class ReportQuery(Query):
    """A day of the period, today unless told; whose report: what the viewer is shown first, unless told."""

    date: Annotated[dt.date, Field(description="Of the company's time zone.")] | None = None
    team: Annotated[str, Field(max_length=_KEY_MOST)] = ""
    person: Annotated[str, Field(max_length=_KEY_MOST)] = ""
    format: Literal["json", "csv", "xlsx"] = "json"


class ReportTold(Answer):
    """A report. `verdict` is told with what is usual; shares are 0 to 1, times seconds; paths are of our pages."""

    kind: Kind
    first: dt.date
    last: dt.date
    audience: Audience
    made_at: dt.datetime
    freshness: Freshness
    findings: list[Finding]
    figures: list[Figure]
    sections: list[Section]
    incidents: list[IncidentTold]
    days: list[DayPoint]


async def get_daily_report(request: web.Request, query: ReportQuery) -> web.Response:
    """GET /reports/daily."""
    return await _report(request, "daily", query)


async def get_weekly_report(request: web.Request, query: ReportQuery) -> web.Response:
    """GET /reports/weekly."""
    return await _report(request, "weekly", query)


async def get_monthly_report(request: web.Request, query: ReportQuery) -> web.Response:
    """GET /reports/monthly."""
    return await _report(request, "monthly", query)


async def _report(request: web.Request, kind: Kind, query: ReportQuery) -> web.Response:
    directory = await request.app[HOUSE].read()
    audience = audience_asked(request, directory, query.team, query.person)
    day = read_day(query.date.isoformat() if query.date else "", "date", today_of_company(directory))
    engine = request.app[SERVICES].engine
    report = await make_report(engine, directory, kind, day, audience, dt.datetime.now(dt.UTC))
    if query.format == "json":
        return web.Response(text=json.dumps(report.to_json(), ensure_ascii=False), content_type=JSON)
    told: dict[str, Any] = {"kind": kind, "date": day.isoformat(), "of": str(audience), "format": query.format}
    async with engine.begin() as connection:
        await note(connection, actor_of(request), "report_exported", "report", told)
    body = await asyncio.to_thread(_FILES[query.format], report, directory, language_of(request))
    name = f"{kind}-{report.first}.{query.format}"
    headers = {
        hdrs.CONTENT_TYPE: MEDIA[query.format],
        hdrs.CONTENT_DISPOSITION: f'attachment; filename="report-{name}"',
    }
    return web.Response(body=body, headers=headers)
