"""One thing that was looked at: what it tells, how likely chance is, and what it explains (pure)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from calls.missed import GROUPS
from calls.service_level import NOT_COUNTED
from reports.evidence import Evidence
from reports.facts import Fact
from reports.links import NONE, behind
from reports.periods import Period
from reports.report import Action, Driver, Finding

LATELY_DAYS: Final = 30
"""What people and sources are like is told by so many days."""

SURE: Final = 0.0
"""The chance of what is no matter of chance: it is so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One thing that was looked at.

    `chance`: how often a quiet house would show as much. `finding`: what it tells, None when it is nothing to tell of.
    `excess`: by how much facts of the period are other than without it, those of the count that it is about first.
    `people` and `lines` are whom it concerns; of none of them: the house.
    """

    chance: float
    finding: Finding | None = None
    excess: tuple[Fact, ...] = ()
    people: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()


NOTHING: Final = Look(chance=1.0)


def look(  # noqa: PLR0913 - what a finding is made of, by name
    key: str,
    chance: float,
    stake: float,
    values: Mapping[str, str | float],
    *,
    good: bool = False,
    measure: str = "",
    driver: Driver | None = None,
    link: str = "",
    actions: Iterable[Action | None] = (),
    excess: Iterable[Fact] = (),
    people: Iterable[str] = (),
    lines: Iterable[str] = (),
) -> Look:
    """A look that tells something; numbers are rounded to what somebody would say."""
    finding = Finding(
        key=key,
        good=good,
        stake=round(stake, 2),
        chance=chance,
        values={name: _said(name, value) for name, value in values.items()},
        measure=measure,
        driver=driver,
        actions=tuple(action for action in actions if action is not None),
        link=link,
    )
    return Look(chance=chance, finding=finding, excess=tuple(excess), people=tuple(people), lines=tuple(lines))


def per_period(evidence: Evidence, days: int) -> float:
    """What of something that was seen on so many days is the period's."""
    return min(1.0, len(evidence.period) / days) if days else 0.0


def behind_of(evidence: Evidence, measure: str, days: Collection[date] = (), **narrowed: str) -> str:
    """The path of the list behind a measure, from the first to the last of `days`, of none told those of the period.

    It is narrowed to the audience, but where it is of one person already.
    """
    period = Period(min(days), max(days)) if days else Period(evidence.first, evidence.last)
    audience = evidence.audience
    alike = audience.kind == "house" or narrowed.get("person", NONE) != NONE
    return behind(measure, period, narrowed if alike else {audience.kind: audience.key, **narrowed})


def call_back(evidence: Evidence, person: str = "", line: str = "", *, measure: str = "open_promises") -> Action | None:
    """Call back those who wait for it now, of the audience, of a person or of a line; None: nobody waits.

    `measure` may be of those alone who wait because of one fault.
    """
    last = [evidence.last]
    if person:
        count = evidence.sum(measure, last, "person", person)
    elif line:
        count = evidence.own.sum(measure, last, "line", line)
    else:
        count = evidence.own.sum(measure, last)
    narrowed = {name: key for name, key in (("person", person), ("line", line)) if key}
    link = behind_of(evidence, measure, last, **narrowed)
    key = "call_back" if measure == "open_promises" else "call_back_lost"
    return Action(key=key, values={"count": round(count)}, link=link) if count >= 1 else None


def talk_with(evidence: Evidence, person: str, link: str, measure: str = "") -> Action | None:
    """Talk with whom it is about; in their own report they are to look at `measure` instead, if one is told."""
    if evidence.audience.kind != "person":
        return Action(key="talk_with", values={"person": person}, link=link)
    return Action(key="see_behind", values={"measure": measure}, link=link) if measure else None


def lost_calls(missed: Iterable[Fact]) -> list[Fact]:
    """What all counts have of these missed calls (facts of `missed`)."""
    found: list[Fact] = []
    for fact in missed:
        found.append(fact)
        for count, counted in (
            (f"missed_{GROUPS.get(fact.detail, 'unknown')}", True),
            ("calls_in", True),
            ("answerable", fact.detail not in NOT_COUNTED),
        ):
            if counted:
                detail = {"calls_in": "missed", "answerable": ""}.get(count, fact.detail)
                found.append(Fact(fact.day, count, fact.team, fact.line, "", detail, fact.value))
    return found


def _said(name: str, value: str | float) -> str | float:
    if isinstance(value, str):
        return value
    return round(value, 3 if name.endswith("share") or abs(value) < 1 else 1)  # a figure may be a share too
