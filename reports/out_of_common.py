"""The few figures that are told as findings when they are out of the common, with what explains most of it (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Final

from reports.anomalies.look import NOTHING, Look, behind_of, call_back, look, talk_with
from reports.drivers import main_driver
from reports.evidence import Evidence
from reports.facts import Fact, facts_of
from reports.measures import Measure, Ratio, counts_of
from reports.norms import Seen, expected, value_of
from reports.registry import MEASURES
from reports.report import Action, AudienceKind, By, Driver

LOOKED_AT: Final[Mapping[AudienceKind, tuple[str, ...]]] = {
    "house": ("missed_share", "service_level", "wait", "leads_in", "qualified_share", "nps"),
    "team": ("missed_share", "service_level", "wait", "leads_in", "qualified_share", "nps"),
    "person": (),
}
"""What a person's own figures are worth is told by comparing people (`anomalies.people`)."""

STAKE_LEAST: Final = 3.0
"""So many clients at least must be at stake."""

OFF: Final = 0.25
"""By so much of what is usual must a figure be off it, a share by OFF_SHARE."""
OFF_SHARE: Final = 0.05

_CLIENTS: Final[Mapping[str, float]] = {
    "missed_share": 1.0,
    "service_level": 0.5,
    "wait": 0.01,
    "leads_in": 1.0,
    "qualified_share": 1.0,
    "nps": 0.002,
}
"""How many clients are taken to be at stake for each call, lead or answer, by how much the figure is off: one who waits
for twenty seconds more is a fifth of one."""

_OF_ANSWERING: Final = ("missed_share", "service_level", "wait")
_NARROWS: Final[Mapping[By, str]] = {
    **{by: by for by in ("line", "source", "person", "hour", "team")},
    "cause": "detail",
}
"""By which name the list behind a number is narrowed to a driver."""


def figures(evidence: Evidence) -> Iterator[Look]:
    """Of each figure that the audience is told of: whether it is out of the common, either way."""
    for key in LOOKED_AT[evidence.audience.kind]:
        yield _look(evidence, MEASURES[key])


def _look(evidence: Evidence, measure: Measure) -> Look:
    now = _seen(evidence, measure, evidence.period)
    blocks = [block for block in evidence.before if evidence.open_hours(block) > 0]
    found = expected(measure, now.whole, [_seen(evidence, measure, block) for block in blocks])
    value = value_of(measure, now)
    if found is None or value is None:
        return NOTHING
    off = value - found.usual
    chance = min(1.0, 2 * min(found.at_most(value), found.at_least(value)))
    stake = abs(off) * _CLIENTS[measure.key] * (now.whole if isinstance(measure, Ratio) else 1.0)
    if abs(off) < (OFF_SHARE if measure.unit == "share" else OFF * abs(found.usual)) or stake < STAKE_LEAST:
        return Look(chance=chance)
    good = (off > 0) == (measure.better == "more")
    driver = _driver(evidence, measure, blocks)
    return look(
        "figure_better" if good else "figure_worse",
        chance,
        stake,
        {"measure": measure.key, "value": value, "usual": found.usual},
        good=good,
        measure=measure.key,
        driver=driver,
        link=behind_of(evidence, measure.key),
        actions=(
            call_back(evidence) if measure.key in _OF_ANSWERING and not good else None,
            _see(evidence, measure.key, driver, good=good),
        ),
        excess=_excess(evidence, measure, -stake if good else stake),
    )


def _see(evidence: Evidence, measure: str, driver: Driver | None, *, good: bool) -> Action | None:
    """Look at what explains most of it, with nothing else in the list; where nothing does, at all of it."""
    if driver is None or driver.by not in _NARROWS:
        return Action(key="see_behind", values={"measure": measure}, link=behind_of(evidence, measure))
    link = behind_of(evidence, measure, (), **{_NARROWS[driver.by]: driver.key})
    if driver.by == "person" and not good:
        return talk_with(evidence, driver.key, link)
    return Action(key=f"see_behind_{driver.by}", values={"measure": measure, driver.by: driver.key}, link=link)


def _seen(evidence: Evidence, measure: Measure, days: Sequence[date]) -> Seen:
    if isinstance(measure, Ratio):
        return Seen(evidence.own.sum(measure.part, days), evidence.own.sum(measure.whole, days))
    return Seen(evidence.own.sum(measure.key, days), evidence.open_hours(days))


def _driver(evidence: Evidence, measure: Measure, blocks: Sequence[Sequence[date]]) -> Driver | None:
    period, before = set(evidence.period), {day for block in blocks for day in block}
    counts = counts_of(measure)
    told = [fact for count in counts for fact in evidence.own.of(count)]
    hourly = [one for one in evidence.period_hours if one.count in counts]
    compared = [at for at, block in enumerate(evidence.before, start=1) if block in blocks]
    return main_driver(
        measure,
        [*(fact for fact in told if fact.day in period), *facts_of(hourly, 0, evidence.last)],
        [
            *(fact for fact in told if fact.day in before),
            *(fact for at in compared for fact in facts_of(hourly, at, evidence.last)),
        ],
        evidence.open_hours(evidence.period) / evidence.open_hours(before),
        evidence.directory,
    )


def _excess(evidence: Evidence, measure: Measure, worse: float) -> list[Fact]:
    """What the figure explains of others: who is missed, and who waits long, is not answered soon either."""
    of = "answered_late" if measure.key in _OF_ANSWERING else measure.key
    return [Fact(evidence.last, of, "", "", "", "", worse)]
