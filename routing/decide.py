"""The decision: from an arrival and its facts to a plan. Pure, and total: there is a plan for whatever comes in.

1. The first rule whose conditions all hold decides; its destinations become steps, in their order.
2. A plan has at least one step, and every step has a reason.
3. Nobody who talks, is off shift or cannot be reached is rung, and no device is rung twice.
4. A plan of rings needs no last message: where the dialplan runs out of steps it says that nobody is available.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from directory.rules import SORRY, Rule
from routing.arrival import Arrival, Facts
from routing.emergency import with_emergency
from routing.owner import about_owner
from routing.plan import Candidate, Passed, Plan, Step, because
from routing.rules import Miss, Situation, miss
from routing.steps import Draft, go, sorry

RINGS_MOST: Final = 12
"""A caller who has heard this many phones ring has long gone; the dialplan's twenty steps leave room for the others."""

_PEOPLE: Final = frozenset({"ring", "hold", "queue"})
"""Steps that may bring the caller to a person."""


def decide(arrival: Arrival, facts: Facts) -> Plan:
    """Decide where this call goes."""
    situation = Situation(arrival, facts)
    draft = Draft(situation)
    draft.say(*about_owner(facts))
    if situation.line is None:
        draft.say(because("line_unknown", "{line} is no line of the directory", line=arrival.line))
    rule, passed = _first(draft)
    if rule is not None:
        for destination in rule.then:
            go(draft, destination)
    draft.steps = list(_bounded(draft.steps))
    if not draft.steps:
        sorry(draft, SORRY)
    plan = _plan(draft, rule.name if rule is not None else "team", passed)
    emergency = with_emergency(plan, situation.line, tuple(SORRY.split("&")))
    return plan if emergency is plan else replace(emergency, cause="")


def not_ready(arrival: Arrival) -> Plan:
    """Give the plan that stands for none: without a directory the line's fallback, kept in the PBX, knows better."""
    reason = because("not_ready", "there is no directory yet; the line's fallback in the PBX rings")
    return Plan(rule="not_ready", steps=(), reasons=(reason,), line=arrival.line)


def _first(draft: Draft) -> tuple[Rule | None, tuple[Passed, ...]]:
    """Find the rule that decides, and those asked before it; what they found out is kept in the draft."""
    situation, passed = draft.situation, list[Passed]()
    for rule, not_for in situation.facts.directory.rules_of(situation.line):
        found = Miss(not_for) if not_for else miss(rule, situation)
        if found is None:
            return rule, tuple(passed)
        draft.say(*found.reasons)
        draft.look(*found.choices)
        passed.append(Passed(rule.name, found.condition))
    return None, tuple(passed)


def _bounded(steps: Iterable[Step]) -> Iterable[Step]:
    """Leave out rings of people beyond the last that a caller waits for; what comes after them stays."""
    rings = 0
    for step in steps:
        of_people = bool(step.targets[0].person)
        rings += of_people
        if not of_people or rings <= RINGS_MOST:
            yield step


def _plan(draft: Draft, rule: str, passed: tuple[Passed, ...]) -> Plan:
    situation = draft.situation
    line, directory = situation.line, situation.facts.directory
    rung = {target.device for step in draft.steps for target in step.targets}
    considered = (candidate for choice in draft.choices.values() for candidate in choice.candidates)
    orders = [it.order for it in draft.choices.values() if it.order is not None and it.person.key in draft.rung]
    return Plan(
        rule=rule,
        version=directory.rules_version,
        steps=tuple(draft.steps),
        reasons=(*draft.reasons, *orders),
        considered=tuple(_true(candidate, rung) for candidate in considered),
        passed=passed,
        cause="" if any(step.kind in _PEOPLE for step in draft.steps) else draft.nobody().key,
        turns=tuple(draft.turns),
        looked_at=situation.looked_at,
        line=line.number if line else situation.arrival.line,
        language=directory.language_of(line),
    )


def _true(candidate: Candidate, rung: set[str]) -> Candidate:
    """Hold a candidate to the plan: a device that could ring but stands in no step is not taken."""
    if not candidate.taken or candidate.device in rung:
        return candidate
    return Candidate(candidate.person, candidate.device, False, "too_late", "the plan is long enough without it")
