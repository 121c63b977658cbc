"""The page of plans: rows of people, columns of measures, and beside each plan how its month is going."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from directory.model import Directory
from reports.evidence import source_of
from reports.facts import Fact
from reports.links import behind
from reports.measures import Better, Count
from reports.periods import Period, period_of
from reports.plan_days import HOUSE, Whose
from reports.plan_values import unit_of, write_value
from reports.plans import Counted, Pace, Plans, adds_up, counted_of, counts_planned, measure_of, pace, parts_of
from reports.report import Outlook
from web.reports.plans import is_counted
from web.reports.words import amount
from web.words import say

Known = Mapping[tuple[Whose, str], Sequence[Fact]]
"""The facts of each of those for whom plans are made, by count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One plan: what stands in its field, or without one what is planned all the same; and how it goes, in words.

    `behind` lists what is counted so far, `outlook` is the key of `plans.outlook.KEY`, `share` how much of the plan is
    reached, 0 to 1.
    """

    measure: str
    value: str
    instead: str
    so_far: str
    behind: str
    pace: tuple[str, ...]
    outlook: Outlook | None
    share: float | None


@dataclass(frozen=True, slots=True)
class GridRow:
    """The plans of one of those for whom they are made; None where there is no such figure of theirs."""

    whose: Whose
    cells: tuple[Cell | None, ...]


def grid(
    plans: Plans,
    facts: Iterable[Fact],
    whose: Sequence[Whose],
    measures: Sequence[str],
    month: date,
    over: date,
    stood: date | None,
    language: str,
) -> tuple[GridRow, ...]:
    """The rows of a month; `over` is the last day of which all is counted, `stood` the last that is at all."""
    known = facts_by(facts, plans.directory)
    return tuple(
        GridRow(
            one,
            tuple(
                _cell(plans, known_of(plans, known, one, key, stood), one, key, month, over, language)
                if is_counted(one, key)
                else None
                for key in measures
            ),
        )
        for one in whose
    )


def known_of(plans: Plans, known: Known, whose: Whose, key: str, stood: date | None) -> Counted:
    """A measure of somebody; `known` are the facts of everybody by count, `stood` the last day that is counted."""
    facts = [fact for count in counts_planned([key], plans.directory.leads) for fact in known.get((whose, count), ())]
    return counted_of(facts, key, whose, plans.directory, stood=stood)


def _cell(plans: Plans, counted: Counted, whose: Whose, key: str, month: date, over: date, language: str) -> Cell:
    own, unit, measure = plans.values.get((month, whose, key)), unit_of(key), measure_of(key)
    told = pace(plans, key, whose, over, counted, month)
    days = period_of("monthly", month)
    if isinstance(measure, Count) and measure.at_end and counted.daily:
        days = Period(max(counted.daily), max(counted.daily))
    better: Better = measure.better if measure else "neither"
    reached = told.plan and told.so_far is not None and adds_up(key)
    return Cell(
        measure=key,
        value="" if own is None else write_value(own, key),
        instead="" if own is not None or told.plan is None else write_value(told.plan, key),
        so_far="" if told.so_far is None else amount(language, unit, told.so_far),
        behind=_behind(plans.directory, whose, key, days) if told.so_far else "",
        pace=tuple(_pace_words(told, key, better, language)),
        outlook=told.outlook(better),
        share=min((told.so_far or 0) / told.plan, 1.0) if reached and told.plan else None,
    )


def _behind(directory: Directory, whose: Whose, key: str, days: Period) -> str:
    """Of a line its team is named too: a head sees the list of their team's."""
    line = directory.line(whose.key) if whose.kind == "line" else None
    narrowed: dict[str, str] = {} if whose.kind == "house" else {whose.kind: whose.key}
    narrowed |= {"team": line.team} if line else {}
    part, _ = parts_of(key, directory.leads)
    return behind("steps", days, narrowed | {"detail": part.detail}) if part.detail else behind(key, days, narrowed)


def _pace_words(told: Pace, key: str, better: Better, language: str) -> Iterable[str]:
    unit = unit_of(key)
    if told.plan is None or not adds_up(key):
        return

    def words(value: float) -> str:
        return amount(language, unit, round(value))

    if told.due is not None and told.days_left:
        yield say(language, "plans.due", due=words(told.due))
    if told.days_left and told.forecast is not None and told.low is not None and told.high is not None:
        bounds = {"low": words(told.low), "high": words(told.high)}
        yield say(language, "plans.forecast", forecast=words(told.forecast), **bounds)
    if told.needed:
        a_day = amount(language, "number" if unit == "count" else unit, told.needed)
        yield say(language, "plans.spare" if better == "fewer" else "plans.needed", needed=a_day)


def facts_by(facts: Iterable[Fact], directory: Directory) -> Known:
    """The facts of each of those for whom plans are made, by count."""
    found: defaultdict[tuple[Whose, str], list[Fact]] = defaultdict(list)
    for fact in facts:
        found[HOUSE, fact.count].append(fact)
        source = source_of(directory, fact.line) if fact.line else ""
        for whose in (
            Whose("team", fact.team),
            Whose("person", fact.person),
            Whose("line", fact.line),
            Whose("source", source),
        ):
            if whose.key:
                found[whose, fact.count].append(fact)
    return found
