"""A report as it is sent: what of it is told in a mail and in a chat, in words (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date
from typing import Final
from zoneinfo import ZoneInfo

from directory.model import Directory
from reports.due import untold
from reports.links import behind
from reports.periods import Period
from reports.report import Audience, By, DayPoint, Figure, IncidentTold, Report, Row, Section, day_measures
from web.reports import words
from web.reports.words import ToldFinding
from web.wording import clock, day_and_weekday, days, month, short_day
from web.words import say

HEADLINES: Final = frozenset(
    {"calls_in", "answered", "missed", "charged", "service_level", "call_back", "leads_in", "qualified", "won", "nps"}
)
"""Measures that are told even when they are as usual; of the others only what is good, bad or planned."""

COMPARED: Final = frozenset({"calls_in", "answered", "missed", "charged", "leads_in", "qualified", "won"})
"""The same of single teams, people, lines and sources."""

ROWS_MOST: Final = 25
"""Mailboxes cut what is longer than 100 kB; the page has everybody."""

PARTS: Final[tuple[By, ...]] = ("team", "person", "line", "source")


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldFigure:
    """A figure in words; "" is what is not known.

    `verdict` is its key, `verdict_words` say it with the difference, `driver` what explains most of that; `outlook` is
    what becomes of the month's plan, and `pace` how far it is.
    """

    measure: str
    name: str
    value: str
    verdict: str
    verdict_words: str
    usual: str
    plan: str
    pace: str
    outlook: str
    driver: str
    link: str


@dataclass(frozen=True, slots=True)
class ToldRow:
    """One team, person, line, source or day, and its figures; `link` is where it has a report of its own, or ""."""

    name: str
    figures: tuple[ToldFigure, ...]
    link: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """Teams, people, lines or sources, those with most that is bad first, or days; `left_out` have no place here."""

    name: str
    rows: tuple[ToldRow, ...]
    left_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What is sent of a report. Links are whole addresses, "" where nobody said under which one our pages are opened.

    `subject` is one line that says good or bad, and what most of all. `nothing` is said where there are no findings.
    `untold` are the days before, of which no daily report told all.
    """

    language: str
    subject: str
    title: str
    period: str
    counted: str
    lacks: tuple[str, ...]
    findings: tuple[ToldFinding, ...]
    nothing: tuple[str, ...]
    untold: Part | None
    figures: tuple[ToldFigure, ...]
    parts: tuple[Part, ...]
    incidents: tuple[str, ...]
    link: str


def letter_of(
    report: Report, directory: Directory, language: str, whole: Callable[[str], str], path_of: Callable[[date], str]
) -> Letter:
    """What is sent of a report; `path_of` tells where our pages show that of a day, `whole` makes a path an address."""
    findings = tuple(_told(words.told(one, directory, language), report.audience, whole) for one in report.findings)
    figures = (one for one in report.figures if _is_told(one, HEADLINES))
    return Letter(
        language=language,
        subject=_subject(report, findings, directory, language),
        title=words.title(report, directory, language),
        period=words.period(report, language),
        counted=words.counted(report.freshness, directory, language),
        lacks=words.lacks(report.freshness, language),
        findings=findings,
        nothing=words.nothing_found(report, language),
        untold=_untold(report, directory, language, whole, path_of),
        figures=tuple(_figure(one, directory, language, whole) for one in figures),
        parts=tuple(_parts(report.sections, directory, language, whole)),
        incidents=tuple(_incident(one, directory, language) for one in report.incidents),
        link=whole(path_of(report.last)),
    )


def _subject(report: Report, findings: Iterable[ToldFinding], directory: Directory, language: str) -> str:
    """What is bad comes first, then what is good; where nothing was found, what figures say."""
    first, worst = min(findings, key=lambda one: one.good, default=None), words.worst(report)
    how = words.quiet(report) if first is None else "good" if first.good else "bad"
    who = words.audience_name(directory, report.audience)
    when = {
        "daily": lambda: short_day(report.first, language),
        "weekly": lambda: days(report.first, report.last, language),
        "monthly": lambda: month(report.first, language),
    }[report.kind]()
    finding = first.title if first else ""
    measure = words.measure_name(directory, language, worst.measure) if worst else ""
    return say(language, f"mail.report.subject.{how}", finding=finding, measure=measure, who=who, when=when)


def _told(finding: ToldFinding, audience: Audience, whole: Callable[[str], str]) -> ToldFinding:
    """Whole addresses; the house's report is for administrators."""
    finding = finding if audience.kind == "house" else finding.for_others()
    actions = tuple(replace(one, link=whole(one.link)) for one in finding.actions)
    return replace(finding, actions=actions, link=whole(finding.link))


def _untold(
    report: Report, directory: Directory, language: str, whole: Callable[[str], str], path_of: Callable[[date], str]
) -> Part | None:
    """The days before that no daily report told whole; not those on which nothing happened."""
    span = untold(directory, report.audience, report.first) if report.kind == "daily" else None
    if span is None:
        return None

    def figures(one: DayPoint) -> Iterable[ToldFigure]:
        whose: dict[str, str] = {report.audience.kind: report.audience.key}
        for name, measure in day_measures(report.audience).items():
            link = behind(measure, Period(one.day, one.day), whose)
            yield _figure(Figure(measure=measure, value=getattr(one, name), behind=link), directory, language, whole)

    found = (one for one in report.days if span.first <= one.day <= span.last)
    rows = tuple(
        ToldRow(day_and_weekday(one.day, language), tuple(figures(one)), whole(path_of(one.day)))
        for one in found
        if one.calls_in or one.missed or one.leads_in
    )
    return Part(say(language, "mail.report.untold"), rows, 0) if rows else None


def _is_told(figure: Figure, headlines: Iterable[str]) -> bool:
    remarkable = figure.verdict in {"good", "bad"} or figure.plan is not None
    return figure.value is not None and (remarkable or figure.measure in headlines)


def _figure(figure: Figure, directory: Directory, language: str, whole: Callable[[str], str]) -> ToldFigure:
    unit = words.unit_of(figure.measure)
    usual, plan = (words.amount(language, unit, one) if one is not None else "" for one in (figure.usual, figure.plan))
    apart = words.difference(language, figure) if figure.verdict in {"good", "bad"} else ""
    return ToldFigure(
        measure=figure.measure,
        name=words.measure_name(directory, language, figure.measure),
        value=words.amount(language, unit, figure.value),
        verdict=figure.verdict,
        verdict_words=", ".join(filter(None, (words.verdict_words(language, figure), apart))),
        usual=say(language, "mail.report.usual", usual=usual) if usual else "",
        plan=say(language, "mail.report.plan", plan=plan) if plan else "",
        pace=words.month_pace(language, figure),
        outlook=words.outlook_words(language, figure),
        driver=words.why_of(figure, directory, language),
        link=whole(figure.behind),
    )


def _parts(
    sections: Iterable[Section], directory: Directory, language: str, whole: Callable[[str], str]
) -> Iterable[Part]:
    for section in sections:
        if section.by in PARTS and section.rows:
            rows = sorted((_row(row, section.by, directory, language, whole) for row in section.rows), key=_worst_first)
            left_out = max(0, len(rows) - ROWS_MOST)
            yield Part(say(language, f"report.by.{section.by}"), tuple(rows[:ROWS_MOST]), left_out)


def _row(row: Row, by: By, directory: Directory, language: str, whole: Callable[[str], str]) -> ToldRow:
    figures = (_figure(one, directory, language, whole) for one in row.figures if _is_told(one, COMPARED))
    return ToldRow(words.key_name(directory, language, by, row.key), tuple(figures))


def _worst_first(row: ToldRow) -> int:
    return -sum(one.verdict == "bad" for one in row.figures)


def _incident(told: IncidentTold, directory: Directory, language: str) -> str:
    zone = ZoneInfo(directory.company.time_zone)
    return say(
        language,
        "mail.report.incident" if told.ended_at else "mail.report.incident_open",
        fault=words.incident_name(told, directory, language),
        day=short_day(told.started_at.astimezone(zone).date(), language),
        begun=clock(told.started_at, zone),
        ended=clock(told.ended_at, zone) if told.ended_at else "",
        lost=told.calls_lost,
        saved=told.calls_saved,
    )
