"""The decision: from an arrival and its facts to a plan. Pure, and total: there is a plan for whatever comes in.

1. A plan has at least one step, and every step has a reason.
2. Nobody who talks, is off shift or cannot be reached is rung, and no device is rung twice.
3. A plan of rings needs no last message: where the dialplan runs out of steps it says that nobody is available.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import Final

from directory.model import RING_SECONDS
from routing.arrival import Arrival, Facts
from routing.choice import Choice
from routing.owner import about_owner
from routing.plan import Candidate, Plan, Reason, Step, Target, because
from routing.rules import RULES, SORRY, First, Pass, Situation, Stop

STEPS_MOST: Final = 12
"""A caller who has heard this many phones ring has long gone; the dialplan takes twenty."""

DIAL_BYTES_MOST: Final = 800
"""What rings at once must fit into one line of AMI (1,024 bytes with its header, seen on Asterisk 22.10)."""

_MESSAGE_SECONDS: Final = 30

_NOBODY: Final = (
    ("busy", "all_busy", "everybody who could answer is talking"),
    ("do_not_disturb", "do_not_disturb", "nobody who could answer wants to be disturbed"),
    ("unreachable", "device_unreachable", "no device of those on shift can be reached"),
)


def decide(arrival: Arrival, facts: Facts) -> Plan:
    """Decide where this call goes."""
    situation = Situation(arrival, facts)
    reasons: list[Reason] = about_owner(facts)
    choices: list[Choice] = []
    for name, rule in RULES:
        verdict = rule(situation)
        match verdict:
            case Stop():
                message = _message(verdict.prompts, verdict.reason)
                return _plan(situation, name, [message], (*reasons, verdict.reason), choices)
            case First():
                steps = _ring_person(situation, verdict)
                return _with_team(situation, name, steps, (*reasons, verdict.reason), [*choices, verdict.choice])
            case Pass():
                reasons += [verdict.reason] if verdict.reason else []
                choices += [verdict.choice] if verdict.choice else []
    return _with_team(situation, "team", [], reasons, choices)


def not_ready(arrival: Arrival) -> Plan:
    """Give the plan that stands for none: without a directory the line's fallback, kept in the PBX, knows better."""
    reason = because("not_ready", "there is no directory yet; the line's fallback in the PBX rings")
    return Plan(rule="not_ready", steps=(), reasons=(reason,), line=arrival.line)


def _with_team(
    situation: Situation, rule: str, steps: list[Step], reasons: Sequence[Reason], seen: list[Choice]
) -> Plan:
    """Let the line's team follow what was decided so far."""
    team = situation.team
    known = {choice.person.key: choice for choice in seen}
    members = [known.get(key) or situation.choose(key) for key in team.members] if team else []
    choices = [choice for choice in members if choice is not None]
    everybody = [*seen, *(choice for choice in choices if choice.person.key not in known)]
    fresh = [choice for choice in choices if choice.attempts and not (steps and choice in seen[-1:])]
    if team and fresh:
        text = "everybody of team {team} who can be rung" if team.strategy == "ring_all" else "team {team}, one by one"
        reason = because(f"team_{team.strategy}", text, team=team.name)
        reasons = (*reasons, reason)
        steps = [*steps, *_ring_team(situation, team.strategy, fresh, reason)]
    if steps:
        return _plan(situation, rule, steps[:STEPS_MOST], reasons, everybody)
    nobody = _nobody(choices)
    return _plan(situation, nobody.key, [_message(SORRY, nobody)], (*reasons, nobody), everybody)


def _ring_person(situation: Situation, first: First) -> list[Step]:
    reasons = (first.reason, because("next_device", "{name}'s next device", name=first.choice.person.name))
    return [
        step
        for reason, targets in zip_longest(reasons, first.choice.attempts, fillvalue=None)
        if targets
        for step in _ring(situation, targets, reason or reasons[-1])
    ]


def _ring_team(situation: Situation, strategy: str, choices: Sequence[Choice], reason: Reason) -> Iterator[Step]:
    """Ring everybody's first devices before anybody's second: together, or one person after another."""
    again = because("next_devices", "their next devices")
    for turn, attempts in enumerate(zip_longest(*(choice.attempts for choice in choices), fillvalue=())):
        groups = [tuple(target for group in attempts for target in group)] if strategy == "ring_all" else attempts
        for targets in groups:
            yield from _ring(situation, targets, again if turn else reason)


def _ring(situation: Situation, targets: Iterable[Target], reason: Reason) -> Iterator[Step]:
    """Ring all of them at once, or in as few steps as their dial strings fit into; a mobile has its own time."""
    usual = situation.line.ring_seconds if situation.line else RING_SECONDS
    batch: list[Target] = []
    for target in targets:
        if batch and sum(len(it.dial) + 1 for it in (*batch, target)) > DIAL_BYTES_MOST:
            yield Step("ring", tuple(batch), max(it.seconds or usual for it in batch), reason)
            batch = []
        batch.append(target)
    if batch:
        yield Step("ring", tuple(batch), max(it.seconds or usual for it in batch), reason)


def _message(prompts: tuple[str, ...], reason: Reason) -> Step:
    return Step("message", tuple(Target(dial=prompt) for prompt in prompts), _MESSAGE_SECONDS, reason)


def _nobody(choices: Sequence[Choice]) -> Reason:
    found = {choice.why.key for choice in choices}
    for key, cause, text in _NOBODY:
        if key in found:
            return because(cause, text)
    return because("nobody_on_shift", "nobody of the team is on shift")


def _plan(
    situation: Situation, rule: str, steps: Sequence[Step], reasons: Sequence[Reason], choices: Iterable[Choice]
) -> Plan:
    line, company = situation.line, situation.facts.directory.company
    rung = {target.device for step in steps for target in step.targets}
    looked_at = {choice.person.key: choice for choice in choices}.values()
    considered = (candidate for choice in looked_at for candidate in choice.candidates)
    rings = {target.person for step in steps for target in step.targets}
    orders = [choice.order for choice in looked_at if choice.order is not None and choice.person.key in rings]
    return Plan(
        rule=rule,
        steps=tuple(steps),
        reasons=(*reasons, *orders),
        considered=tuple(_true(candidate, rung) for candidate in considered),
        line=line.number if line else situation.arrival.line,
        language=(line.language if line else None) or company.language,
    )


def _true(candidate: Candidate, rung: set[str]) -> Candidate:
    """Hold a candidate to the plan: a device that could ring but stands in no step is not taken."""
    if not candidate.taken or candidate.device in rung:
        return candidate
    return Candidate(candidate.person, candidate.device, False, "too_late", "the plan is long enough without it")
