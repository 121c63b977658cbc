"""How measures, figures and findings of reports read: the same on pages, in mails, messages and files (pure)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final, Literal, get_args
from zoneinfo import ZoneInfo

from directory.model import Directory
from reports.measures import PREFIX_OF_CONVERSION, PREFIX_OF_STEP, Unit
from reports.plans import adds_up, measure_of
from reports.report import Action, Audience, By, Driver, Figure, Finding, Freshness, IncidentTold, Report
from web.incident_text import title_of
from web.leads.wording import age, place_name, reason_name, step_name
from web.names import line_name, person_name
from web.wording import MINUS, clock, day_of_week, days, month, number, percent, phone, short_day, whole_day
from web.words import has_words, plural, say

_ADMINISTRATION: Final = "/admin/"
NOTHING: Final = "—"
"""Stands where there is no number."""

COUNTED: Final = ("calls", "days", "leads", "talks")
"""Values of findings that are told with what they are of: 7 calls."""

_IN_UNIT: Final = frozenset({"value", "usual", "reached", "expected", "plan"})
"""Values of findings that are in the unit of the finding's measure."""

Quiet = Literal["worse", "waiting", "quiet"]
"""How a period is of which nothing was found."""

_SAID_OF: Final[Mapping[Quiet, tuple[str, ...]]] = {
    "worse": ("report.nothing_but_figures",),
    "waiting": ("report.nothing_yet",),
    "quiet": ("report.nothing_to_do", "report.nothing_stands_out"),
}

_NONE: Final = ("team", "person", "line", "source", "cause", "reason")
_BY: Final[Mapping[str, By]] = {by: by for by in get_args(By)}
_WHOLE_MINUTES: Final = 10
"""A span from here on is told without seconds."""


@dataclass(frozen=True, slots=True)
class ToldAction:
    """One thing to do, in words; `link` is a path of our pages, empty where there is none."""

    words: str
    link: str


@dataclass(frozen=True, slots=True)
class ToldFinding:
    """A finding in words: what, how much and against what, what explains most of it (or ""), what to do."""

    good: bool
    title: str
    why: str
    driver: str
    actions: tuple[ToldAction, ...]
    link: str

    def for_others(self) -> ToldFinding:
        """The same for who is no administrator: without links to their pages; what to do stands all the same."""
        actions = (replace(one, link="") if one.link.startswith(_ADMINISTRATION) else one for one in self.actions)
        return replace(self, actions=tuple(actions))


def measure_name(directory: Directory, language: str, key: str) -> str:
    """What a measure is called; `step.meeting` and `conversion.meeting` by the name that the house gives the step."""
    if key.startswith(PREFIX_OF_STEP):
        return step_name(directory.leads, key.removeprefix(PREFIX_OF_STEP))
    if key.startswith(PREFIX_OF_CONVERSION):
        step = step_name(directory.leads, key.removeprefix(PREFIX_OF_CONVERSION))
        return say(language, "measure.conversion_into", step=step)
    return say(language, f"measure.{key}")


def unit_of(key: str) -> Unit:
    """Of a measure's values."""
    found = measure_of(key)
    return found.unit if found else "count"


def amount(language: str, unit: Unit, value: float | None) -> str:
    """A value in its unit: 96, 8.2, 1 min 5 s, 17%, +32; NOTHING for None."""
    if value is None:
        return NOTHING
    if unit == "seconds":
        return span(value, language)
    if unit == "share":
        return percent(value, language)
    return f"{'+' if unit == 'points' and value > 0 else ''}{number(value, language)}"


def span(seconds: float, language: str) -> str:
    """A span in one or two units: 18 s, 2 min 5 s, 40 min, 3 h 20 min, 4 d."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= _WHOLE_MINUTES or (minutes and not rest):
        return age(round(seconds / 60) * 60, language)
    told = say(language, "age.seconds", count=rest)
    return f"{age(minutes * 60, language)} {told}" if minutes else told


def difference(language: str, figure: Figure) -> str:
    """By how much a figure differs from what is usual: +8.8, −3 pp; empty where one of them is not known.

    Where its plan made it good or bad, from what is due of that: −16 against the plan.
    """
    held_against = figure.due if figure.by_plan else figure.usual
    if figure.value is None or held_against is None:
        return ""
    apart = signed(language, unit_of(figure.measure), figure.value - held_against)
    return say(language, "report.against_plan", difference=apart) if figure.by_plan else apart


def signed(language: str, unit: Unit, apart: float) -> str:
    """A difference of two values in their unit, with its sign: +8.8, −3 pp; without one where it rounds to nothing."""
    plain: Unit = "number" if unit == "points" else unit

    def told(value: float) -> str:
        if unit == "share":
            return say(language, "report.points", points=number(value * 100, language))
        return amount(language, plain, value)

    size = told(abs(apart))
    if size == told(0):
        return size
    return f"{'+' if apart > 0 else MINUS}{size}"


def usual_range(language: str, figure: Figure) -> str:
    """Between what chance alone leaves a figure, in its unit: 6.6 – 9.8; empty where it is not known."""
    if figure.low is None or figure.high is None:
        return ""
    unit = unit_of(figure.measure)
    return f"{amount(language, unit, figure.low)} – {amount(language, unit, figure.high)}"


def month_pace(language: str, figure: Figure) -> str:
    """How far the month is to its plan, and where it is expected to end; empty without a plan.

    548 of 600 this month. 611 (590 – 640) expected by its end. Of a rate: 43% (38% – 49%) this month, planned 50%.
    """
    if figure.plan_month is None:
        return ""
    unit, whole = unit_of(figure.measure), adds_up(figure.measure)

    def told(value: float | None) -> str:
        return amount(language, unit, round(value) if value is not None and whole and unit == "count" else value)

    over = figure.month_low is not None and figure.month_low == figure.month_high
    known = figure.month_low is not None and not over
    bounds = f" ({told(figure.month_low)} – {told(figure.month_high)})" if known else ""
    fact, plan = told(figure.month_so_far), amount(language, unit, figure.plan_month)
    if not whole:
        return say(language, "report.plan_rate", fact=f"{fact}{bounds}", plan=plan)
    parts = [say(language, "report.plan_month", fact=fact, plan=plan)]
    if figure.month_forecast is not None and not over:
        parts.append(say(language, "report.plan_forecast", forecast=f"{told(figure.month_forecast)}{bounds}"))
    return " ".join(parts)


def outlook_words(language: str, figure: Figure) -> str:
    """Whether the plan of its month will be kept; empty where that is not known."""
    return say(language, f"plans.outlook.{figure.outlook}") if figure.outlook else ""


def verdict_words(language: str, figure: Figure) -> str:
    """Good or bad, in a word or two; empty where there is nothing that it could be held against."""
    if figure.verdict == "too_few" and figure.usual is None and figure.plan is None:
        return ""
    return say(language, f"verdict.{figure.verdict}")


def why_of(figure: Figure, directory: Directory, language: str) -> str:
    """What explains most of a figure's difference; empty where nothing does."""
    if figure.driver is None:
        return ""
    return driver_words(figure.driver, directory, language, unit_of(figure.measure))


def key_name(directory: Directory, language: str, by: By, key: str) -> str:
    """What a key of a dimension is called; for "" that there is none."""
    names: Mapping[By, Callable[[], str]] = {
        "team": lambda: team.name if (team := directory.team(key)) else key,
        "person": lambda: person_name(directory, key),
        "line": lambda: line_name(directory, key) or phone(key),
        "cause": lambda: _said(language, "cause", key),
        "reason": lambda: reason_name(directory.leads, language, key),
        "step": lambda: step_name(directory.leads, key),
        "stage": lambda: place_name(directory.leads, language, key),
        "status": lambda: _said(language, "status", key),
        "hour": lambda: _hour(int(key)),
        "weekday": lambda: day_of_week(int(key), language),
    }
    if not key:
        return say(language, f"report.no.{by}") if by in _NONE else NOTHING
    return names[by]() if by in names else key


def audience_name(directory: Directory, audience: Audience) -> str:
    """Whom a report is for: the company, a team, a person."""
    if audience.kind == "house":
        return directory.company.name
    if audience.kind == "person":
        return person_name(directory, audience.key)
    team = directory.team(audience.key)
    return team.name if team else audience.key


def title(report: Report, directory: Directory, language: str) -> str:
    """Whose report of what kind it is: Daily report of the team Sales."""
    who = audience_name(directory, report.audience)
    return say(language, f"report.title.{report.kind}.{report.audience.kind}", who=who)


def period(report: Report, language: str) -> str:
    """Friday, 27 November 2026; 23 – 29 November 2026; November 2026."""
    if report.kind == "daily":
        return whole_day(report.first, language)
    return month(report.first, language) if report.kind == "monthly" else days(report.first, report.last, language)


def counted(told: Freshness, directory: Directory, language: str) -> str:
    """Until when the figures count."""
    if told.counted_at is None:
        return say(language, "report.not_counted")
    until = told.calls_until
    parts = [say(language, "report.counted_at", at=_moment(told.counted_at, directory, language))]
    parts += [say(language, "report.calls_until", at=_moment(until, directory, language))] if until else []
    return " ".join(parts)


def lacks(told: Freshness, language: str) -> tuple[str, ...]:
    """What is missing from the figures or came to them late; nothing when all is there."""
    counts = {
        "report.recovered": told.recovered_calls,
        "report.recordings_missing": told.recordings_missing,
        "report.days_waiting": told.days_waiting,
    }
    late = told.crm_oldest_seconds
    crm = [say(language, "report.crm_behind", age=span(late, language))] if late is not None else []
    return (*crm, *(plural(language, key, count) for key, count in counts.items() if count))


def worst(report: Report) -> Figure | None:
    """The first figure that is bad, else the first whose plan of the month will be missed."""
    bad = (one for one in report.figures if one.verdict == "bad")
    missed = (one for one in report.figures if one.outlook == "missed")
    return next(bad, None) or next(missed, None)


def quiet(report: Report) -> Quiet:
    """Whether a figure is `worse` than usual or planned, or else days are `waiting` to be counted, or neither."""
    if worst(report) is not None:
        return "worse"
    return "waiting" if report.freshness.days_waiting or report.freshness.counted_at is None else "quiet"


def nothing_found(report: Report, language: str) -> tuple[str, ...]:
    """What is said instead of findings where there are none."""
    return tuple(say(language, key) for key in _SAID_OF[quiet(report)])


def incident_name(incident: IncidentTold, directory: Directory, language: str) -> str:
    """What was wrong; of a phone also whose it is."""
    person = directory.person_of_device(incident.subject) if incident.kind == "device" else None
    subject = f"{incident.subject} ({person.name})" if person else incident.subject
    return title_of(language, incident.kind, subject)


def told(finding: Finding, directory: Directory, language: str) -> ToldFinding:
    """A finding in words."""
    unit = unit_of(finding.measure) if finding.measure else "number"
    values = _values(finding.values, directory, language, unit)
    return ToldFinding(
        good=finding.good,
        title=_sentence(say(language, f"finding.{finding.key}", **values)),
        why=_sentence(say(language, f"finding.{finding.key}.why", **values)),
        driver=driver_words(finding.driver, directory, language, unit) if finding.driver else "",
        actions=tuple(_action(one, directory, language) for one in finding.actions),
        link=finding.link,
    )


def driver_words(driver: Driver, directory: Directory, language: str, unit: Unit) -> str:
    """What explains most of a difference: Anna Smirnova: +6.5, 81% of the difference."""
    return say(
        language,
        "report.driver",
        name=key_name(directory, language, driver.by, driver.key),
        difference=signed(language, unit, driver.difference),
        share=percent(driver.share, language),
    )


def _action(action: Action, directory: Directory, language: str) -> ToldAction:
    values = _values(action.values, directory, language, "number")
    return ToldAction(say(language, f"report.action.{action.key}", **values), action.link)


def _values(values: Mapping[str, str | float], directory: Directory, language: str, unit: Unit) -> dict[str, str]:
    return {name: _value(name, value, directory, language, unit) for name, value in values.items()}


def _value(name: str, value: str | float, directory: Directory, language: str, unit: Unit) -> str:
    """A value as its name says what it is; `reports.findings.FINDINGS` tells the names."""
    if name in _BY:
        key = value if isinstance(value, str) else str(round(value))
        return key_name(directory, language, _BY[name], key)
    if isinstance(value, str):
        return {
            "day": lambda: whole_day(date.fromisoformat(value), language),
            "extension": lambda: value or NOTHING,
            "fault": lambda: say(language, f"report.fault.{value}" if value else "report.no.fault"),
            "measure": lambda: measure_name(directory, language, value),
        }[name]()
    if name in COUNTED:
        return plural(language, f"report.{name}", round(value))
    if name.endswith("share"):
        return percent(value, language)
    if name in {"from_hour", "to_hour"}:
        return _hour(round(value) + (name == "to_hour"))
    return amount(language, unit if name in _IN_UNIT else "number", value)


def _sentence(told: str) -> str:
    """It begins large, and ends with one full stop though its last value has its own: 2 дн."""
    return told[:1].upper() + (told[1:-1] if told.endswith("..") else told[1:])


def _said(language: str, what: str, key: str) -> str:
    return say(language, f"{what}.{key}") if has_words(f"{what}.{key}") else key


def _hour(hour: int) -> str:
    return f"{hour:02}:00"


def _moment(at: datetime, directory: Directory, language: str) -> str:
    zone = ZoneInfo(directory.company.time_zone)
    return f"{short_day(at.astimezone(zone).date(), language)}, {clock(at, zone)}"
