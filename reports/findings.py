"""What somebody should know, at most five things: found by comparing, each told once, the gravest first (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from reports.anomalies import COUNTS, QUESTIONS
from reports.anomalies.look import Look
from reports.chances import holm
from reports.evidence import Evidence
from reports.facts import Fact
from reports.measures import counts_of
from reports.off_plan import off_plan
from reports.out_of_common import LOOKED_AT, figures
from reports.plans import Plans
from reports.registry import MEASURES
from reports.report import Finding

MOST: Final = 5

LEVEL: Final = 0.03
"""On a quiet day something is told so often: the chance that any of all looks of the day shows what is not there."""

_COVERED: Final = 0.5
"""What earlier findings explain by so much is no finding of its own."""

FINDINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "outage": ("calls", "day", "from_hour", "to_hour", "fault"),
    "phone_dead": ("person", "calls"),
    "phone_dead_weekday": ("person", "calls", "weekday", "days"),
    "extension_unmapped": ("line", "calls"),
    "line_silent": ("line", "calls", "usual", "days"),
    "telephony_failing": ("line", "calls", "usual"),
    "disqualifies_more": ("person", "leads", "share", "usual_share", "long_talks"),
    "source_bad": ("source", "leads", "share", "usual_share"),
    "source_good": ("source", "leads", "share", "usual_share"),
    "step_falls": ("step", "reached", "usual"),
    "overload": ("person", "open", "limit"),
    "talks_too_long": ("person", "hours", "usual_hours"),
    "misses_more": ("person", "calls", "usual"),
    "not_called_back": ("calls", "usual", "open"),
    "entered_late": ("person", "talks", "share", "usual_share"),
    "script_missed": ("person", "talks", "share", "usual_share"),
    "plan_missed": ("measure", "reached", "expected", "plan"),
    "plan_not_kept": ("measure", "reached", "plan"),
    "figure_worse": ("measure", "value", "usual"),
    "figure_better": ("measure", "value", "usual"),
}
"""Every kind of finding and the values that its words name, the most telling first: where two tell one truth, the
earlier is told. `web/locale` has the words of each.

`person`, `line`, `source`, `step`, `measure`, `fault` (a kind of `calls.incidents`, "" where none was kept) are keys;
`day` is ISO 8601, `weekday` 0 for Monday, `from_hour` to `to_hour` hours of that day (10 to 12: from 10:00 to 12:59);
`share` and `usual_share` are 0 to 1; `value` and `usual` of a figure, and `reached`, `expected` and `plan` of a month,
are in its measure's unit; all else is a number.
"""

ACTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "call_back": ("count",),
    "call_back_lost": ("count",),
    "see_incident": ("fault",),
    "check_phone": ("person",),
    "map_extension": ("extension", "line", "count"),
    "check_line": ("line",),
    "check_trunk": ("line",),
    "return_leads": ("person", "count"),
    "look_at_disqualified": ("person", "count"),
    "take_leads": ("person", "count", "open"),
    "ask_for_fewer": ("count", "open"),
    "leave_source": ("source",),
    "more_of_source": ("source",),
    "see_step": ("step", "count"),
    "talk_with": ("person",),
    "enter_outcomes": ("person", "count"),
    "hear_talks": ("person", "count"),
    "see_behind": ("measure",),
    "see_behind_cause": ("measure", "cause"),
    "see_behind_hour": ("measure", "hour"),
    "see_behind_line": ("measure", "line"),
    "see_behind_person": ("measure", "person"),
    "see_behind_source": ("measure", "source"),
    "see_behind_team": ("measure", "team"),
    "keep_pace": ("needed", "days"),
    "keep_below": ("needed", "days"),
    "lags_person": ("person", "reached_share"),
    "lags_team": ("team", "reached_share"),
    "see_plans": (),
}
"""Every kind of action and the values that its words name; values are as in FINDINGS.

`extension` is a number of the PBX, or the name of a device without one; "" where it is not known.
"""


LOOKED_FOR: Final = COUNTS | {
    count for measures in LOOKED_AT.values() for measure in measures for count in counts_of(MEASURES[measure])
}
"""The counts that are looked at, but for what is planned."""


def find(evidence: Evidence, plans: Plans | None = None) -> tuple[Finding, ...]:
    """What stands out in the period, for its audience: at most five, the most clients at stake first; often nothing.

    `plans`: those of the month of its last day.
    """
    if evidence.open_hours(evidence.period) <= 0:
        return ()
    looks = [look for question in QUESTIONS for look in question(evidence)]
    looks += off_plan(evidence, plans) if plans else ()
    kept = _each_once(_believed(looks, len(LOOKED_AT[evidence.audience.kind])))
    # What is explained already is taken out of the figures, so that they tell of the rest.
    explained = _taken_out(kept)
    rest = replace(evidence, facts=[*evidence.facts, *explained]) if explained else evidence
    of_rest = list(figures(rest))
    sure = [look for look in _believed([*looks, *of_rest]) if look in of_rest]
    told = [look for look in _each_once([*kept, *sure]) if _concerns(look, evidence) and look.finding]
    findings = [look.finding for look in told if look.finding is not None]
    return tuple(sorted(findings, key=lambda finding: (-finding.stake, finding.chance, finding.key))[:MOST])


def _believed(looks: Sequence[Look], more: int = 0) -> list[Look]:
    """The looks that show something which is no chance, where so many `more` things are looked at besides them."""
    doubtful = [look for look in looks if look.chance > 0]
    told = holm([look.chance for look in doubtful] + [1.0] * more, LEVEL)
    believed = {id(look) for look, is_told in zip(doubtful, told, strict=False) if is_told}
    return [look for look in looks if look.finding is not None and (not look.chance or id(look) in believed)]


def _each_once(looks: Iterable[Look]) -> list[Look]:
    """One look for each truth: the most telling one of those that explain the same."""
    rank = {key: place for place, key in enumerate(FINDINGS)}
    kept: list[Look] = []
    for look in sorted(looks, key=lambda one: _place(one, rank)):
        told = [fact for other in kept for fact in other.excess]
        if not _covered(look.excess, told):
            kept.append(look)
    return kept


def _place(look: Look, rank: Mapping[str, int]) -> tuple[int, float]:
    """By how telling it is; of one kind the surest first, figures as they come."""
    key = look.finding.key if look.finding else ""
    return rank.get(key, 0), 0.0 if key.startswith("figure_") else look.chance


def _covered(excess: Sequence[Fact], told: Sequence[Fact]) -> bool:
    """Whether facts that were told explain half of the first count of these."""
    if not excess:
        return False
    mine = [fact for fact in excess if fact.count == excess[0].count]
    whole = sum(fact.value for fact in mine)
    theirs = [fact for fact in told if fact.count == excess[0].count and fact.value * whole > 0]
    part = sum(fact.value for fact in theirs if any(_same(fact, own) for own in mine))
    return abs(part) >= _COVERED * abs(whole)


def _same(one: Fact, other: Fact) -> bool:
    """Whether both may be about the same: what one of them does not tell does not set them apart."""
    pairs = ((one.line, other.line), (one.person, other.person), (one.detail, other.detail))
    return all(not mine or not theirs or mine == theirs for mine, theirs in pairs)


def _taken_out(looks: Iterable[Look]) -> list[Fact]:
    return [fact.of(-fact.value) for look in looks for fact in look.excess]


def _concerns(look: Look, evidence: Evidence) -> bool:
    """Whether the audience is to know of it: the house of everything, a team and a person of what is theirs."""
    audience, directory = evidence.audience, evidence.directory
    if audience.kind == "house":
        return True
    if audience.kind == "person":
        return audience.key in look.people
    if not look.people and not look.lines:
        return True  # it was looked for in the audience's own facts
    members = {person.key for person in directory.members(audience.key)}
    lines = {line.number for line in directory.lines if line.team == audience.key}
    return bool(members & set(look.people) or lines & set(look.lines))
