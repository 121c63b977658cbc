"""The report of a day, a week or a month: what happened and what to do, figures, days, and what they are of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, Final

from aiohttp import web

from directory.model import Directory
from reports.assembling import make_report
from reports.links import behind
from reports.measures import Ratio
from reports.periods import Period
from reports.registry import COUNT_OF, MEASURES, SUBJECTS
from reports.report import Audience, By, Figure, Report, Section
from web.guard import VIEWER, only
from web.house import HOUSE
from web.page import language_of, page
from web.reports import words
from web.reports.asked import KINDS, Asked, read_asked, today_of_company, whose
from web.reports.charts import charts, pace
from web.reports.seen import reports_seen
from web.services import SERVICES
from web.sessions import Viewer
from web.wording import number, short_day

READERS: Final = ("manager", "head", "admin")


async def show(request: web.Request) -> web.Response:
    """GET /reports: `kind`, the `date` that its period holds, and whose: `team`, `person`, or both in one, `of`."""
    only(request, *READERS)
    directory = await request.app[HOUSE].read()
    today = today_of_company(directory)
    asked = read_asked(request, directory, today)
    engine = request.app[SERVICES].engine
    report = await make_report(engine, directory, asked.kind, asked.day, asked.audience, datetime.now(UTC))
    viewer, language = request[VIEWER], language_of(request)
    seen = reports_seen(viewer, directory)
    return await page(request, "report.html", **shown(report, asked, viewer, seen, today, directory, language))


def shown(
    report: Report,
    asked: Asked,
    viewer: Viewer,
    seen: tuple[Audience, ...],
    today: date,
    directory: Directory,
    language: str,
) -> dict[str, Any]:
    """What the template report.html shows."""

    def report_of(by: By, key: str) -> str:
        audience = next((one for one in seen if (one.kind, one.key) == (by, key)), None)
        return replace(asked, audience=audience).path if audience else ""

    return {
        "report": report,
        "title": words.title(report, directory, language),
        "period": words.period(report, language),
        "counted": words.counted(report.freshness, directory, language),
        "lacks": words.lacks(report.freshness, language),
        "findings": _findings(report, directory, language, viewer),
        "quiet": words.quiet(report),
        "nothing": words.nothing_found(report, language),
        "subjects": by_subject(report.figures),
        "planned": any(one.plan is not None or one.plan_month is not None for one in report.figures),
        "charts": charts(report.days, report.audience),
        "pace_of": pace,
        "most_of": most_of,
        "kinds": [(kind, replace(asked, kind=kind).path) for kind in KINDS],
        "audiences": [(one, words.audience_name(directory, one)) for one in seen],
        "asked": asked,
        "earlier": asked.earlier,
        "later": asked.later(today),
        "today": today,
        "report_of": report_of,
        "report_of_day": lambda day: replace(asked, kind="daily", day=day).path,
        "behind_day": partial(_behind_day, asked.audience),
        "incident_of": partial(words.incident_name, directory=directory, language=language),
    } | _words(directory, language)


def _findings(report: Report, directory: Directory, language: str, viewer: Viewer) -> list[words.ToldFinding]:
    told = [words.told(one, directory, language) for one in report.findings]
    return told if viewer.role == "admin" else [one.for_others() for one in told]


def by_subject(figures: Sequence[Figure]) -> list[tuple[str, list[Figure]]]:
    """The figures by what they are about, in the order of the registry."""
    return [
        (subject, mine)
        for subject, measures in SUBJECTS.items()
        if (mine := [one for one in figures if one.measure in {measure.key for measure in measures}])
    ]


def most_of(section: Section) -> list[float]:
    """The greatest value of each of a section's columns, at least 1."""
    return [
        max([1.0, *(one.value or 0 for one in column)])
        for column in zip(*(row.figures for row in section.rows), strict=True)
    ]


def _words(directory: Directory, language: str) -> dict[str, Any]:
    """What a template says of figures."""

    def amount_of(figure: Figure, *other: float | None) -> str:
        return words.amount(language, words.unit_of(figure.measure), other[0] if other else figure.value)

    return {
        "amount_of": amount_of,
        "has_parts": has_parts,
        "difference_of": partial(words.difference, language),
        "verdict_of": partial(words.verdict_words, language),
        "outlook_of": partial(words.outlook_words, language),
        "why_of": partial(words.why_of, directory=directory, language=language),
        "range_of": partial(words.usual_range, language),
        "month_of": partial(words.month_pace, language),
        "measure_of": partial(words.measure_name, directory, language),
        "key_of": partial(words.key_name, directory, language),
        "count": partial(number, language=language),
        "short_day": partial(short_day, language=language),
    }


def has_parts(figure: Figure) -> bool:
    """Whether its two counts say something beside it: of a share of things, not of seconds."""
    of = MEASURES[figure.measure]
    return isinstance(of, Ratio) and of.unit == "share" and COUNT_OF[of.part].unit == "count"


def _behind_day(audience: Audience, measure: str, day: date) -> str:
    return behind(measure, Period(day, day), whose(audience))
