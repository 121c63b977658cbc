"""What a rule's destinations become: steps of a plan, each with its reason, and everybody who was looked at (pure)."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Final

from directory.model import RING_SECONDS, Person, Team
from directory.rules import SECONDS, Destination
from routing.arrival import Facts, Load
from routing.choice import Choice
from routing.plan import Candidate, Reason, Step, StepKind, Target, because
from routing.rules import Situation, known_person, of_whom, standing_in
from routing.strategies import ORDERS

DIAL_BYTES_MOST: Final = 800
"""What rings at once must fit into one line of AMI (1,024 bytes with its header, seen on Asterisk 22.10)."""

_MESSAGE_SECONDS: Final = 30
_REJECT_SECONDS: Final = 5

_NOBODY: Final = (
    ("busy", "all_busy", "everybody who could answer is busy"),
    ("wrap_up", "all_busy", "everybody who could answer is busy"),
    ("calendar_busy", "all_busy", "everybody who could answer is busy"),
    ("do_not_disturb", "do_not_disturb", "nobody who could answer wants to be disturbed"),
    ("unreachable", "device_unreachable", "no device of those on shift can be reached"),
)
_AWAY: Final = frozenset({"off_shift", "absent", "calendar_away", "no_device"})
"""Why somebody will not be free soon."""

_TEAMS: Final[Mapping[str, str]] = {
    "ring_all": "everybody of team {team} who can be rung",
    "hunt": "team {team}, one by one",
    "round_robin": "team {team}, whose turn is longest ago first: {order}",
    "longest_idle": "team {team}, by minutes since the last talk of today, who had none first: {order}",
    "fewest_calls": "team {team}, by talks of today, the fewest first: {order}",
    "weighted": "team {team}, by leads in work for each part of the plan, the fewest first: {order}",
}


@dataclass
class Draft:
    """A plan in the making.

    ``asked`` are the people whom destinations named, not conditions; ``rung`` who rings; ``closed``: a team did not.
    """

    situation: Situation
    steps: list[Step] = field(default_factory=list)
    reasons: list[Reason] = field(default_factory=list)
    choices: dict[str, Choice] = field(default_factory=dict)
    asked: list[Choice] = field(default_factory=list)
    unfit: bool = False
    closed: bool = False
    turns: list[tuple[str, str]] = field(default_factory=list)
    rung: set[str] = field(default_factory=set)

    def say(self, *reasons: Reason) -> None:
        """Keep reasons, each once."""
        self.reasons += [reason for reason in reasons if reason not in self.reasons]

    def look(self, *choices: Choice) -> None:
        """Keep who was looked at; who can be rung after all counts as that."""
        for choice in choices:
            if choice.attempts or choice.person.key not in self.choices:
                self.choices[choice.person.key] = choice

    def nobody(self) -> Reason:
        """Say why nobody can be rung; the key is the cause of the missed call that this makes."""
        situation = self.situation
        if situation.facts.directory.is_blocked(situation.caller):
            return because("blocked", "the caller's number is blocked")
        if not situation.is_open and situation.hours is not None:
            return situation.hours
        found = {choice.why.key for choice in self.asked}
        for key, cause, text in _NOBODY:
            if key in found:
                return because(cause, text)
        if self.asked or self.closed:
            return because("nobody_on_shift", "nobody of the team is on shift")
        if self.unfit:
            return because("no_route", "nobody has the skills and languages that the rule asks for")
        return because("no_route", "the rule names nobody to ring")


def go(draft: Draft, destination: Destination) -> None:
    """Add what a destination makes of this call: steps, or only the reason why there are none."""
    _KINDS[destination.kind](draft, destination)


def sorry(draft: Draft, prompts: str) -> None:
    """Add the last word to a plan that has no other step."""
    reason = draft.nobody()
    draft.say(reason)
    draft.steps.append(Step("message", _prompts(prompts), _MESSAGE_SECONDS, reason))


def _ring(draft: Draft, destination: Destination) -> None:
    if destination.to == "team":
        _ring_team(draft, destination, draft.situation.team)
        return
    reasons, choices = known_person(draft.situation, destination.to)
    _ring_person(draft, choices, reasons)


def _person(draft: Draft, destination: Destination) -> None:
    choices, who = draft.situation.line_up(destination.to), "whom the rule names"
    if choices:
        _ring_person(draft, choices, (of_whom(choices[0], "person", who), *standing_in(choices)))
    else:
        draft.say(because("person_left", "{who}, {person}, is not in the directory", who=who, person=destination.to))


def _team(draft: Draft, destination: Destination) -> None:
    _ring_team(draft, destination, draft.situation.facts.directory.team(destination.to))


def _ring_person(draft: Draft, choices: Sequence[Choice], reasons: Sequence[Reason]) -> None:
    """Ring the last of these, who are one person and whoever stands in."""
    draft.say(*reasons)
    draft.look(*choices)
    draft.asked += choices[-1:]
    for choice in choices[-1:]:
        if choice.attempts and choice.person.key not in draft.rung:
            draft.rung.add(choice.person.key)
            again = because("next_device", "{name}'s next device", name=choice.person.name)
            for turn, targets in enumerate(choice.attempts):
                draft.steps += _rings(draft.situation, targets, again if turn else reasons[-1])


def _ring_team(draft: Draft, destination: Destination, team: Team | None) -> None:
    if team is None:
        return
    situation, fresh = draft.situation, dict[str, Choice]()
    _say_closed(draft, team)
    for choices in situation.line_ups(team):
        draft.look(*choices[:-1])
        choice = choices[-1]
        lacking = _lacking(choice.person, destination)
        if lacking is not None:
            draft.unfit = True
            draft.look(_unfit(choice, lacking))
            continue
        draft.look(choice)
        draft.asked.append(choice)
        if choice.attempts and choice.person.key not in draft.rung:
            fresh[choice.person.key] = choice
            draft.say(*standing_in(choices))
    if fresh:
        _ring_some(draft, destination.strategy or team.strategy, team, fresh)


def _say_closed(draft: Draft, team: Team) -> None:
    closed = draft.situation.closed(team)
    if closed is not None:
        draft.say(closed)
        draft.closed = True


def _ring_some(draft: Draft, strategy: str, team: Team, fresh: Mapping[str, Choice]) -> None:
    """Ring these people of a team in the order of a strategy."""
    situation, facts = draft.situation, draft.situation.facts
    people = [it.person for it in fresh.values()]
    ordered = ORDERS[strategy](people, facts.load, facts.turns.get(team.key, ()))
    draft.rung |= fresh.keys()
    draft.turns += [(team.key, ordered[0].key)] if strategy == "round_robin" else []
    reason = _team_reason(team, strategy, ordered, situation)
    draft.say(reason)
    draft.steps += _rings_of_team(situation, strategy, [fresh[person.key] for person in ordered], reason)


def _lacking(person: Person, destination: Destination) -> Reason | None:
    """Tell what of a destination's demands a person does not meet first; None: they meet all."""
    for skill in destination.skills:
        if skill not in person.skills:
            return because("lacks_skill", "lacks the skill {skill}", skill=skill)
    for language in destination.languages:
        if language not in person.languages:
            return because("lacks_language", "does not speak {language}", language=language)
    return None


def _unfit(choice: Choice, why: Reason) -> Choice:
    """Give a person's choice as a refusal for this reason."""
    person = choice.person
    addresses = [it.address for it in person.devices] or [""]
    return Choice(
        person, (), tuple(Candidate(person.key, it, False, why.key, why.text, why.values) for it in addresses), why
    )


def _team_reason(team: Team, strategy: str, ordered: Sequence[Person], situation: Situation) -> Reason:
    text = _TEAMS[strategy]
    if "{order}" not in text:
        return because(f"team_{strategy}", text, team=team.name)
    told = ", ".join(f"{person.name}{_measure(strategy, person, situation.facts, situation)}" for person in ordered)
    return because(f"team_{strategy}", text, team=team.name, order=told)


def _measure(strategy: str, person: Person, facts: Facts, situation: Situation) -> str:
    """Give the number by which a person stands where they stand, in brackets."""
    load = facts.load.get(person.key, Load())
    match strategy:
        case "fewest_calls":
            return f" ({load.calls_today})"
        case "weighted":
            return f" ({load.leads_open}/{person.plan})"
        case "longest_idle" if load.idle_since is not None:
            return f" ({max(0, int((situation.arrival.at - load.idle_since).total_seconds() // 60))})"
        case _:
            return ""


def _rings_of_team(situation: Situation, strategy: str, choices: Sequence[Choice], reason: Reason) -> Iterator[Step]:
    """Ring everybody's first devices before anybody's second: together, or one person after another."""
    again = because("next_devices", "their next devices")
    for turn, attempts in enumerate(zip_longest(*(choice.attempts for choice in choices), fillvalue=())):
        groups = [tuple(target for group in attempts for target in group)] if strategy == "ring_all" else attempts
        for targets in groups:
            yield from _rings(situation, targets, again if turn else reason)


def _rings(situation: Situation, targets: Iterable[Target], reason: Reason) -> Iterator[Step]:
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


def _number(draft: Draft, destination: Destination) -> None:
    if destination.to == draft.situation.caller:
        draft.say(because("outside_is_caller", "the outside number is the caller's own"))
        return
    line = draft.situation.line
    target = Target(
        dial=f"Local/{destination.to}@switchhook-outside/n",
        device=destination.to,
        kind="outside",
        trunk=(line.trunk if line else None) or "",
    )
    _step(draft, "ring", (target,), destination, because("outside_number", "the rule names an outside number"))


def _hold(draft: Draft, destination: Destination) -> None:
    team = draft.situation.facts.directory.team(destination.to)
    name = team.name if team else destination.to
    line_ups = draft.situation.line_ups(team)
    draft.look(*(choice for choices in line_ups for choice in choices))
    waited_for = [choices[-1] for choices in line_ups]
    if team is not None:
        _say_closed(draft, team)
    if all(choice.why.key in _AWAY for choice in waited_for):
        draft.asked += waited_for
        draft.say(because("hold_for_nobody", "there is nobody of team {team} to wait for", team=name))
        return
    _step(draft, "hold", (Target(destination.to),), destination, because("hold", "waits for team {team}", team=name))


def _queue(draft: Draft, destination: Destination) -> None:
    reason = because("queue", "waits in the PBX's queue {queue}", queue=destination.to)
    _step(draft, "queue", (Target(destination.to),), destination, reason)


def _voicemail(draft: Draft, destination: Destination) -> None:
    _step(draft, "voicemail", (Target(destination.to),), destination, because("voicemail", "may leave a message"))


def _message(draft: Draft, destination: Destination) -> None:
    nobody = draft.nobody()
    reason = nobody if nobody.key != "no_route" or draft.unfit else because("message", "the rule has something to say")
    draft.say(reason)
    draft.steps.append(Step("message", _prompts(destination.to), _MESSAGE_SECONDS, reason))


def _reject(draft: Draft, destination: Destination) -> None:
    reason = because("reject", "the rule turns the call away: {how}", how=destination.to)
    draft.say(reason)
    draft.steps.append(Step("reject", (Target(destination.to),), _REJECT_SECONDS, reason))


def _step(draft: Draft, kind: StepKind, targets: tuple[Target, ...], destination: Destination, reason: Reason) -> None:
    draft.say(reason)
    draft.steps.append(Step(kind, targets, destination.seconds or SECONDS[destination.kind], reason))


def _prompts(told: str) -> tuple[Target, ...]:
    return tuple(Target(dial=prompt) for prompt in told.split("&"))


_KINDS: Final[Mapping[str, Callable[[Draft, Destination], None]]] = {
    "ring": _ring,
    "person": _person,
    "team": _team,
    "hold": _hold,
    "queue": _queue,
    "voicemail": _voicemail,
    "number": _number,
    "message": _message,
    "reject": _reject,
}
