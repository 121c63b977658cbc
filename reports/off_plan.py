"""Whether the month misses its plan: told beyond chance by the reports of weeks and months, each of them (pure).

A report of a day shows beside each figure where its month is going, and is quiet here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

from reports.anomalies.look import SURE, Look, behind_of, look
from reports.counts.promises import RIPENING
from reports.evidence import Evidence
from reports.facts import Fact
from reports.layout import FIGURES
from reports.links import behind
from reports.measures import PREFIX_OF_CONVERSION, PREFIX_OF_STEP, Count, Measure
from reports.periods import Period, period_of
from reports.plan_days import Whose, month_of, whose_of
from reports.plans import Counted, Pace, Plans, adds_up, below, counted_of, counts_planned, measure_of, pace
from reports.registry import COUNT_OF
from reports.report import Action

GONE_LEAST: Final = 5
"""So many days must somebody have worked in the month: of fewer nobody can tell how much days differ."""

LEVEL: Final = 0.005
"""It is told where the plan is kept all the same in so few months: what is told of plans is not among other looks."""

SHORT_LEAST: Final = 0.05
"""Of the plan: who misses it by less is not told."""

_OF_WORK: Final = 0.2
"""How many clients are taken to be at stake with each call that is not made or answered."""
_CLIENTS: Final[Mapping[str, float]] = {"share": 1.0, "number": 0.2, "points": 0.002, "seconds": _OF_WORK}
"""And with each thing of which a measure is off by one, by its unit; of seconds by all of the plan."""


@dataclass(frozen=True, slots=True)
class _Short:
    """A measure that misses its plan: what the month comes to, and how likely it is that the plan is kept all the same.

    `things`: how many there are of what a ratio divides by; `goes_on`: whether a day of work is left in the month.
    """

    measure: str
    of: Measure
    pace: Pace
    plan: float
    expected: float
    chance: float
    things: float
    goes_on: bool

    @property
    def share(self) -> float:
        """How much of the plan is missed."""
        return abs(self.expected - self.plan) / abs(self.plan) if self.plan else 1.0

    @property
    def stake(self) -> float:
        """How many clients are at stake: those that a count is off by, of a ratio never more than there are things."""
        off = abs(self.expected - self.plan)
        if self.of.unit == "count":
            work = COUNT_OF[self.of.key].of == "call" and self.of.better == "more"
            return off * (_OF_WORK if work else 1.0)
        each = min(self.share, 1.0) if self.of.unit == "seconds" else off
        return min(each * _CLIENTS[self.of.unit], 1.0) * self.things

    @property
    def step(self) -> str:
        """The step of the funnel that it is about; "" none."""
        return self.measure.partition(".")[2]

    @property
    def subject(self) -> str:
        """What it is about: a call, a lead, a promise or a client. Of each one plan is told."""
        return self.of.of if isinstance(self.of, Count) else COUNT_OF[self.of.part].of


def off_plan(evidence: Evidence, plans: Plans) -> Iterator[Look]:
    """Of what is planned for the audience in the month of the last day, what misses it: of each subject the gravest."""
    month = period_of("monthly", evidence.last)
    if evidence.first == evidence.last or evidence.begun > month.first:
        return
    found = [short for key in _planned(evidence, plans, month) if (short := _short(evidence, plans, key, month))]
    gravest: dict[str, _Short] = {}
    for short in sorted(found, key=lambda one: (-one.stake, one.measure)):
        gravest.setdefault(short.subject, short)
    for short in gravest.values():
        yield _told(evidence, plans, short, month)


def _planned(evidence: Evidence, plans: Plans, month: Period) -> set[str]:
    """The measures of which the audience may have a plan, and has a figure that is known by now."""
    prefixes = (PREFIX_OF_STEP, PREFIX_OF_CONVERSION)
    steps = {prefix + step.key for step in plans.directory.leads.funnel for prefix in prefixes}
    planned = {measure for of, _, measure in plans.values if of == month.first}
    others = {key for key in planned - RIPENING if not key.startswith(prefixes)}
    return planned & steps | (others & set(FIGURES["person"]) if evidence.audience.kind == "person" else others)


def _short(evidence: Evidence, plans: Plans, measure: str, month: Period) -> _Short | None:
    """How a measure misses its plan; None: it does not, or nobody can tell."""
    whose, of, over = whose_of(evidence.audience), measure_of(measure), _over(evidence)
    goes_on = bool(plans.days.of(whose, over + timedelta(days=1), month.last))
    if of is None or (goes_on and len(plans.days.of(whose, month.first, over)) < GONE_LEAST):
        return None
    counted, told = _paced(evidence, plans, measure, whose, _facts(evidence.own, plans, measure))
    expected, chance = (told.forecast, told.chance) if goes_on else (told.so_far, 0.0)
    if told.plan is None or expected is None or chance is None or told.outlook(of.better) != "missed":
        return None
    things = 1.0 if counted.whole is None else counted.whole
    short = _Short(measure, of, told, told.plan, expected, chance, things, goes_on)
    whole_one = abs(expected - told.plan) >= 1 or not adds_up(measure)
    return short if chance <= LEVEL and short.share >= SHORT_LEAST and whole_one else None


def _over(evidence: Evidence) -> date:
    """The last day of which all is counted."""
    return evidence.last - timedelta(days=1) if evidence.passed < 1 else evidence.last


def _facts(evidence: Evidence, plans: Plans, measure: str) -> Iterator[Fact]:
    """What a measure is made of, in the month so far."""
    first = month_of(evidence.last)
    for count in counts_planned([measure], plans.directory.leads):
        yield from (fact for fact in evidence.of(count) if fact.day >= first)


def _paced(evidence: Evidence, plans: Plans, measure: str, whose: Whose, facts: Iterable[Fact]) -> tuple[Counted, Pace]:
    """A measure of somebody in these facts, and where their month is going."""
    counted = counted_of(facts, measure, whose, plans.directory, stood=evidence.last)
    return counted, pace(plans, measure, whose, _over(evidence), counted, evidence.last)


def _told(evidence: Evidence, plans: Plans, short: _Short, month: Period) -> Look:
    whole = adds_up(short.measure) and short.of.unit == "count"
    standing, person = isinstance(short.of, Count) and short.of.at_end, evidence.audience.kind == "person"
    days = Period(evidence.last if standing else month.first, evidence.last)
    link = behind_of(evidence, short.of.key, (days.first, days.last), detail=short.step)
    values: dict[str, str | float] = {"measure": short.measure, "reached": short.pace.so_far or 0.0, "plan": short.plan}
    if short.goes_on:
        values["expected"] = round(short.expected) if whole else short.expected
    found = look(
        "plan_missed" if short.goes_on else "plan_not_kept",
        short.chance,
        short.stake,
        values,
        measure=short.measure,
        link=link,
        actions=(
            _needed(short, link) if whole else None,
            _furthest(evidence, plans, short, days),
            Action(key="see_behind", values={"measure": short.measure}, link=link)
            if person
            else Action(key="see_plans", link=f"/reports/plans?month={month.first:%Y-%m}"),
        ),
        people=[evidence.audience.key] if person else (),
    )
    return replace(found, chance=SURE)  # how often reports are wrong of plans is kept by LEVEL


def _needed(short: _Short, link: str) -> Action | None:
    """What is needed a day from now on, or may be; None: no day is left, or none may be any more."""
    needed, key = short.pace.needed, "keep_pace" if short.of.better == "more" else "keep_below"
    if not needed:
        return None
    return Action(key=key, values={"needed": round(needed, 1), "days": short.pace.days_left}, link=link)


def _furthest(evidence: Evidence, plans: Plans, short: _Short, days: Period) -> Action | None:
    """Who of the audience is furthest behind their own plan; of what should be few, and of points, nobody is."""
    whose = whose_of(evidence.audience)
    parts = below(plans.directory, whose)
    if whose.kind == "house" and len(parts) == 1:
        parts = below(plans.directory, parts[0])
    if not parts or short.of.better != "more" or short.of.unit == "points":
        return None
    theirs: dict[str, list[Fact]] = {one.key: [] for one in parts}
    for fact in _facts(evidence, plans, short.measure):
        theirs.get(getattr(fact, parts[0].kind), []).append(fact)
    reached: dict[Whose, float] = {}
    for one in parts:
        _, told = _paced(evidence, plans, short.measure, one, theirs[one.key])
        due = told.due if adds_up(short.measure) else told.plan
        if due and told.so_far is not None:
            reached[one] = told.so_far / due
    last = min(reached, key=lambda one: reached[one], default=whose)
    if reached.get(last, 1.0) >= 1:
        return None
    return Action(
        key=f"lags_{last.kind}",
        values={last.kind: last.key, "reached_share": round(reached[last], 3)},
        link=behind(short.of.key, days, {last.kind: last.key, "detail": short.step}),
    )
