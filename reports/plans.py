"""Plans: what is to be reached in a month, a day's share of it, and where the month is going (pure).

1. Counts add up: whoever has no plan of their own has the sum of those below (a team of its managers, the house of its
   teams, a source of its lines), if each of them has one.
2. Rates, and what stands at the end of a day, are handed down: a person without one has the team's, a line its team's,
   a team and a source the house's.
3. A count is shared out by the working days of whoever has the plan; a rate is the same on every day.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from math import ceil, floor, sqrt
from statistics import NormalDist, variance
from typing import Final

from directory.lead_policy import LeadPolicy
from directory.model import Directory
from reports.chances import wilson
from reports.evidence import source_of
from reports.facts import Fact
from reports.measures import PREFIX_OF_CONVERSION, PREFIX_OF_STEP, Better, Count, Ratio
from reports.periods import period_of
from reports.plan_days import HOUSE, PlanDays, Whose, month_of, months
from reports.registry import COUNT_OF, MEASURES
from reports.report import Outlook

PLANNED_ROLE: Final = "manager"
"""A team's plan is the sum of those of its people with this role."""

_BEYOND: Final = 0.1
"""So many months end beyond the bounds of their forecast."""
_SURE: Final = NormalDist().inv_cdf(1 - _BEYOND / 2)
_POINTS: Final = 100
_DAYS_TO_VARY: Final = 5
"""From so few days it cannot be told how much days differ: chance alone is taken for it."""


@dataclass(frozen=True, slots=True)
class Plans:
    """What was planned: values by month (its first day), whose and measure; and the days by which it is shared out."""

    directory: Directory
    values: Mapping[tuple[date, Whose, str], float]
    days: PlanDays


@dataclass(frozen=True, slots=True)
class Part:
    """A count that a measure is made of; with a detail only what has it."""

    count: str
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """A measure in a month so far: a count, or the part of a ratio, day by day; `whole` is the ratio's other count."""

    daily: Mapping[date, float] = field(default_factory=dict)
    whole: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Where a month is going. `due`: what of its plan should be there by now; `needed`: on each working day left.

    `forecast` is what the month ends with if it goes on so; nine months of ten end from `low` to `high`. A share is
    forecast as it is, and nine times of ten the true one is from `low` to `high`; of other rates, and of what stands
    at the end of days, only plan and so_far are told. None: not planned, or nothing is known yet.
    """

    plan: float | None
    so_far: float | None
    due: float | None = None
    forecast: float | None = None
    low: float | None = None
    high: float | None = None
    needed: float | None = None
    days_gone: int = 0
    days_left: int = 0

    def outlook(self, better: Better) -> Outlook | None:
        """Whether the plan will be kept; `open`: it may be or not. None: no plan, no good way, or nothing is known."""
        if self.plan is None or self.so_far is None or better == "neither" or (self.days_left and self.low is None):
            return None
        low, high = (self.so_far if bound is None else bound for bound in (self.low, self.high))
        if better == "more":
            return "kept" if low >= self.plan else "missed" if high < self.plan else "open"
        return "kept" if high <= self.plan else "missed" if low > self.plan else "open"

    @property
    def chance(self) -> float | None:
        """How likely it is that the month ends on the other side of its plan than its forecast; None: nobody knows."""
        if self.plan is None or self.forecast is None or self.low is None or self.high is None:
            return None
        apart = self.plan - self.forecast
        # What a count ends with is spread alike to both sides, but never ends below what there is.
        spread = self.high - self.forecast if apart > 0 or self.days_left else self.forecast - self.low
        return 0.0 if spread <= 0 else NormalDist().cdf(-_SURE * abs(apart) / spread)


def measure_of(key: str) -> Count | Ratio | None:
    """The measure of a plan: of `step.KEY` and `conversion.KEY` that of all steps."""
    if key.startswith(PREFIX_OF_CONVERSION):
        return MEASURES["step_conversion"]
    return COUNT_OF["steps"] if key.startswith(PREFIX_OF_STEP) else MEASURES.get(key)


def adds_up(key: str) -> bool:
    """Whether a month is the sum of its days: so is a count, unless it tells what stands at the end of a day."""
    measure = measure_of(key)
    return isinstance(measure, Count) and not measure.at_end


def month_plan(plans: Plans, measure: str, whose: Whose, month: date) -> float | None:
    """What is planned for the month of a day, by rules 1 and 2; None: nothing is."""
    own = plans.values.get((month_of(month), whose, measure))
    if own is not None:
        return own
    if not adds_up(measure):
        above = _above(plans.directory, whose)
        return None if above is None else month_plan(plans, measure, above, month)
    parts = [month_plan(plans, measure, one, month) for one in below(plans.directory, whose)]
    told = [part for part in parts if part is not None]
    return sum(told) if told and len(told) == len(parts) else None


def plan_of(plans: Plans, measure: str, whose: Whose, first: date, last: date) -> float | None:
    """What is planned for the days from `first` to `last`, both counted: their share of the month, or of months.

    Of a rate in two months, their mean by days. None where a month of which there is a working day has no plan.
    """
    shares: list[tuple[float, int]] = []
    planned = [(*month, month_plan(plans, measure, whose, month[0])) for month in months(first, last)]
    if all(plan is None for _, _, plan in planned):
        return None
    for begins, ends, plan in planned:
        since, until = max(first, begins), min(last, ends)
        inside, whole = (len(plans.days.of(whose, *span)) for span in ((since, until), (begins, ends)))
        if not whole:  # a month in which nobody works is shared out by the calendar
            inside, whole = (until - since).days + 1, (ends - begins).days + 1
        if plan is not None:
            shares.append((plan * inside / whole if adds_up(measure) else plan, inside))
        elif inside:
            return None
    if adds_up(measure):
        return sum(share for share, _ in shares)
    weight = sum(days for _, days in shares)
    return sum(plan * days for plan, days in shares) / weight if weight else shares[0][0]


def pace(plans: Plans, measure: str, whose: Whose, over: date, counted: Counted, month: date | None = None) -> Pace:
    """Where a month (that of `over`, unless told) is going; `over` is the last day of which all is counted.

    What is counted of the day after it, which goes on, is there already; so it is expected to bring only the rest.
    """
    whole = period_of("monthly", month or over)
    plan = month_plan(plans, measure, whose, whole.first)
    if not adds_up(measure):
        return _pace_of_rate(plan, measure, counted)
    days = plans.days.of(whose, whole.first, whole.last)
    gone = tuple(day for day in days if day <= over)
    left = len(days) - len(gone)
    so_far = sum(counted.daily.values())
    forecast, low, high = _forecast(measure, counted.daily, gone, left, over) if gone else (None, None, None)
    return Pace(
        plan=plan,
        so_far=so_far,
        due=None if plan is None or not days else plan * len(gone) / len(days),
        forecast=forecast,
        low=low,
        high=high,
        needed=None if plan is None or not left else max(plan - so_far, 0) / left,
        days_gone=len(gone),
        days_left=left,
    )


def counted_of(
    facts: Iterable[Fact],
    measure: str,
    whose: Whose,
    directory: Directory,
    *,
    over: date | None = None,
    stood: date | None = None,
) -> Counted:
    """A measure of somebody in the days of these facts, up to `over` if told.

    `stood`: the last of these days that is counted. Of what stands at its end without a fact there is none.
    """
    part, whole = parts_of(measure, directory.leads)
    daily: dict[date, float] = {}
    divided = 0.0
    for fact in facts:
        if fact.hour is not None or (over is not None and fact.day > over) or not is_of(fact, whose, directory):
            continue
        if fact.count == part.count and part.detail in {None, fact.detail}:
            daily[fact.day] = daily.get(fact.day, 0.0) + fact.value
        if whole is not None and fact.count == whole.count and whole.detail in {None, fact.detail}:
            divided += fact.value
    measured = measure_of(measure)
    if stood is not None and isinstance(measured, Count) and measured.at_end:
        daily.setdefault(stood, 0.0)
    return Counted(daily=daily, whole=None if whole is None else divided)


def parts_of(measure: str, policy: LeadPolicy) -> tuple[Part, Part | None]:
    """What a measure is made of: what is counted, and of a ratio what it is divided by.

    Before the first step of the funnel a lead is qualified.
    """
    if measure.startswith(PREFIX_OF_STEP):
        return Part("steps", measure.removeprefix(PREFIX_OF_STEP)), None
    if measure.startswith(PREFIX_OF_CONVERSION):
        steps, step = [one.key for one in policy.funnel], measure.removeprefix(PREFIX_OF_CONVERSION)
        before = steps[steps.index(step) - 1] if step in steps[1:] else None
        return Part("steps", step), Part("steps", before) if before else Part("qualified")
    found = measure_of(measure)
    return (Part(found.part), Part(found.whole)) if isinstance(found, Ratio) else (Part(measure), None)


def counts_planned(measures: Iterable[str], policy: LeadPolicy) -> set[str]:
    """The counts that these measures are made of."""
    return {part.count for measure in measures for part in parts_of(measure, policy) if part is not None}


def is_of(fact: Fact, whose: Whose, directory: Directory) -> bool:
    """Whether a fact counts for somebody."""
    if whose.kind == "source":
        return bool(fact.line) and source_of(directory, fact.line) == whose.key
    return whose.kind == "house" or whose.key == getattr(fact, whose.kind)


def sources(directory: Directory) -> tuple[str, ...]:
    """Every source, in the order of the lines."""
    return tuple(dict.fromkeys(line.campaign or line.name for line in directory.lines))


def _pace_of_rate(plan: float | None, measure: str, counted: Counted) -> Pace:
    found = measure_of(measure)
    if not isinstance(found, Ratio) or counted.whole is None:  # at the end of a day: as it stood on the last one
        return Pace(plan=plan, so_far=counted.daily[max(counted.daily)] if counted.daily else None)
    if not counted.whole:
        return Pace(plan=plan, so_far=None)
    part = sum(counted.daily.values())
    value = part / counted.whole * (_POINTS if found.unit == "points" else 1)
    if found.unit != "share" or COUNT_OF[found.part].unit != "count" or not 0 <= value <= 1:
        return Pace(plan=plan, so_far=value)
    low, high = wilson(part, counted.whole, _BEYOND)
    return Pace(plan=plan, so_far=value, forecast=value, low=low, high=high)


def _forecast(
    measure: str, daily: Mapping[date, float], gone: tuple[date, ...], left: int, over: date
) -> tuple[float, float, float]:
    """What the month ends with, and from what to what, if the days left are as those gone.

    Their number is Poisson's, or days differ even more than that; and the mean of few days is not well known either.
    """
    so_far, began = sum(daily.values()), sum(value for day, value in daily.items() if day > over)
    a_day = (so_far - began) / len(gone)
    to_come = max(a_day * left - began, 0.0)
    measured = measure_of(measure)
    countable = measured is not None and measured.unit == "count"
    by_chance = (so_far - began + 0.5) / len(gone) if countable else 0.0
    values = [daily.get(day, 0.0) for day in gone]
    differ = variance(values) if len(values) >= _DAYS_TO_VARY else 0.0
    spread = _SURE * sqrt(max(by_chance, differ) * left * (1 + left / len(gone)))
    forecast = so_far + to_come
    return forecast, max(so_far, floor(forecast - spread)), max(so_far, ceil(forecast + spread))


def below(directory: Directory, whose: Whose) -> tuple[Whose, ...]:
    """Those whose plans make up a plan: teams that of the house, managers that of a team, lines that of a source."""
    if whose.kind == "house":
        return tuple(Whose("team", team.key) for team in directory.teams)
    if whose.kind == "team":
        people = directory.members(whose.key)
        return tuple(Whose("person", person.key) for person in people if person.role == PLANNED_ROLE)
    if whose.kind == "source":
        lines = (line for line in directory.lines if source_of(directory, line.number) == whose.key)
        return tuple(Whose("line", line.number) for line in lines)
    return ()


def _above(directory: Directory, whose: Whose) -> Whose | None:
    """Those whose rates are to be reached by whoever has none of their own."""
    if whose.kind == "house":
        return None
    team = ""
    if whose.kind == "person":
        team = next((team.key for team in directory.teams if whose.key in team.members), "")
    elif whose.kind == "line":
        line = directory.line(whose.key)
        team = line.team if line else ""
    return Whose("team", team) if team else HOUSE
