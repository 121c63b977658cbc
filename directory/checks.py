"""What a directory may not say: doubles, references to nobody, two owners of one device."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from directory import contact
from directory.lead_policy import LeadPolicy
from directory.model import Device, Directory, FollowUpPolicy, Person
from directory.outgoing import Reach
from directory.rules import BUILT_IN, Rule

_NOUNS: Final = {"person": "person", "team": "team", "hold": "team"}
"""What a destination of a kind names of the directory."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault: where it is (``people[2].devices[0].address``) and what is wrong, in words."""

    path: str
    message: str


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a text: its line, counted from 1 (0: it is not in this text), where it is, and what is wrong."""

    line: int
    path: str
    message: str


def check(directory: Directory) -> list[Problem]:
    """Give every fault between the parts of a directory; values that a reader has refused are empty and are skipped."""
    return [*_doubles(directory), *_references(directory), *_devices(directory), *_rules(directory)]


def _doubles(directory: Directory) -> Iterator[Problem]:
    yield from _twice((f"people[{at}].key", person.key) for at, person in enumerate(directory.people))
    yield from _twice((f"teams[{at}].key", team.key) for at, team in enumerate(directory.teams))
    yield from _twice((f"lines[{at}].number", line.number) for at, line in enumerate(directory.lines))
    yield from _twice((f"blocked[{at}].number", entry.number) for at, entry in enumerate(directory.blocked))
    yield from _twice((f"do_not_call[{at}].number", entry.number) for at, entry in enumerate(directory.do_not_call))
    prices = enumerate(directory.outgoing.prices)
    yield from _twice((f"outgoing.prices[{at}].prefix", price.prefix) for at, price in prices)
    for path, reach in _reaches(directory):
        yield from _twice((f"{path}.{prefix}", prefix) for prefix in (*reach.allow, *reach.deny))
    for at, line in enumerate(directory.lines):
        yield from _twice((f"lines[{at}].script[{index}].step", step.step) for index, step in enumerate(line.script))
    yield from _twice((f"vip[{at}].number", entry.number) for at, entry in enumerate(directory.vip))
    yield from _twice((f"allowed[{at}].number", entry.number) for at, entry in enumerate(directory.allowed))
    yield from _lead_doubles(directory.leads)
    yield from _twice((f"nps.talks[{at}].line", talk.line) for at, talk in enumerate(directory.nps.talks))
    for at, person in enumerate(directory.people):
        yield from _twice((f"people[{at}].notify[{index}]", name) for index, name in enumerate(person.notify))
    for at, team in enumerate(directory.teams):
        yield from _twice((f"teams[{at}].members[{index}]", key) for index, key in enumerate(team.members))
    for path, policy in _follow_ups(directory):
        yield from _twice((f"{path}.owners[{index}]", key) for index, key in enumerate(policy.owners))


def _reaches(directory: Directory) -> Iterator[tuple[str, Reach]]:
    yield "outgoing", directory.outgoing.everybody
    for reach in directory.outgoing.roles:
        yield f"outgoing.roles.{reach.role}", reach


def _twice(entries: Iterable[tuple[str, str]]) -> Iterator[Problem]:
    first: dict[str, str] = {}
    for path, value in entries:
        if value and value in first:
            yield Problem(path, f"{value!r} is already used by {first[value]}")
        first.setdefault(value, path)


def _references(directory: Directory) -> Iterator[Problem]:
    people = {person.key for person in directory.people}
    hours = {entry.key for entry in directory.hours}
    teams = {team.key for team in directory.teams}
    lines = {line.number for line in directory.lines}
    yield from _missing("outgoing.line", "line", directory.outgoing.line, lines)
    for at, person in enumerate(directory.people):
        yield from _missing(f"people[{at}].hours", "hours", person.hours, hours)
        yield from _missing(f"people[{at}].line", "line", person.line, lines)
        yield from (Problem(f"people[{at}].{path}", message) for path, message in contact.missing(person))
    for at, team in enumerate(directory.teams):
        yield from _missing(f"teams[{at}].hours", "hours", team.hours, hours)
        yield from _missing(f"teams[{at}].line", "line", team.line, lines)
        for index, key in enumerate(team.members):
            yield from _missing(f"teams[{at}].members[{index}]", "person", key, people)
    yield from _lead_references(directory, lines)
    yield from _nps_references(directory, lines, hours)
    for path, policy in _follow_ups(directory):
        yield from _missing(f"{path}.person", "person", policy.person, people)
    for at, line in enumerate(directory.lines):
        yield from _missing(f"lines[{at}].team", "team", line.team, teams)
        yield from _missing(f"lines[{at}].hours", "hours", line.hours, hours)


def _lead_doubles(leads: LeadPolicy) -> Iterator[Problem]:
    yield from _twice((f"leads.rules[{at}].name", rule.name) for at, rule in enumerate(leads.rules))
    yield from _twice((f"leads.funnel[{at}].key", step.key) for at, step in enumerate(leads.funnel))
    yield from _twice((f"leads.disqualified[{at}].key", it.key) for at, it in enumerate(leads.disqualified))
    yield from _twice((f"leads.lost[{at}].key", it.key) for at, it in enumerate(leads.lost))
    yield from _twice((f"leads.revival[{at}].name", chain.name) for at, chain in enumerate(leads.revival))


def _lead_references(directory: Directory, lines: set[str]) -> Iterator[Problem]:
    for at, rule in enumerate(directory.leads.rules):
        for index, number in enumerate(rule.lines):
            yield from _missing(f"leads.rules[{at}].lines[{index}]", "line", number, lines)
    for at, chain in enumerate(directory.leads.revival):
        for index, reason in enumerate(chain.reasons):
            path, known = f"leads.revival[{at}].reasons[{index}]", set(directory.leads.loses())
            yield from _missing(path, "reason for losing", reason, known)


def _nps_references(directory: Directory, lines: set[str], hours: set[str]) -> Iterator[Problem]:
    steps = {step.key for step in directory.leads.funnel}
    for at, step in enumerate(directory.nps.steps):
        yield from _missing(f"nps.steps[{at}]", "step of the funnel", step, steps)
    for at, talk in enumerate(directory.nps.talks):
        yield from _missing(f"nps.talks[{at}].line", "line", talk.line, lines)
    yield from _missing("nps.hours", "hours", directory.nps.hours, hours)


def _follow_ups(directory: Directory) -> Iterator[tuple[str, FollowUpPolicy]]:
    yield "company.follow_up", directory.company.follow_up
    yield from ((f"lines[{at}].follow_up", line.follow_up) for at, line in enumerate(directory.lines))


def _missing(path: str, noun: str, key: str | None, known: set[str]) -> Iterator[Problem]:
    if key and key not in known:
        listed = ", ".join(sorted(entry for entry in known if entry)) or "none at all"
        yield Problem(path, f"there is no {noun} {key!r} in this directory (there is: {listed})")


def _devices(directory: Directory) -> Iterator[Problem]:
    everyone = [
        (f"people[{at}].devices[{index}]", person, device)
        for at, person in enumerate(directory.people)
        for index, device in enumerate(person.devices)
    ]
    yield from _twice((f"{path}.address", device.address) for path, _, device in everyone)
    yield from _shared_numbers(everyone)
    lines = {line.number for line in directory.lines}
    for path, _, device in everyone:
        if device.number in lines:
            yield Problem(f"{path}.number", f"{device.number!r} is a line")


def _shared_numbers(everyone: Iterable[tuple[str, Person, Device]]) -> Iterator[Problem]:
    """Refuse one extension on two people; a person's own desk phone and softphone may share it."""
    first: dict[str, tuple[str, str]] = {}
    for path, person, device in everyone:
        if device.number:
            key, taken = first.setdefault(device.number, (person.key, path))
            if key != person.key:
                yield Problem(f"{path}.number", f"{device.number!r} is already used by {taken}.number")


def _rules(directory: Directory) -> Iterator[Problem]:
    yield from _twice((f"rules[{at}].name", rule.name) for at, rule in enumerate(directory.rules))
    taken = {rule.name for rule in BUILT_IN} | {"not_ready"}
    known = {
        "person": {person.key for person in directory.people},
        "team": {team.key for team in directory.teams},
        "hours": {entry.key for entry in directory.hours},
        "line": {line.number for line in directory.lines},
        "campaign": {line.campaign for line in directory.lines if line.campaign},
    }
    for at, rule in enumerate(directory.rules):
        if rule.name in taken:
            yield Problem(f"rules[{at}].name", f"{rule.name!r} is the name of a built-in rule")
        yield from _named(f"rules[{at}]", rule, known)


def _named(path: str, rule: Rule, known: dict[str, set[str]]) -> Iterator[Problem]:
    when = rule.when
    for name, noun in (
        ("line", "line"),
        ("campaign", "campaign"),
        ("hours", "hours"),
        ("outside", "hours"),
        ("owner_is", "person"),
    ):
        keys: tuple[str, ...] = getattr(when, name)
        for key in keys:
            yield from _missing(f"{path}.when.{name}", noun, key, known[noun])
    if when.team is not None:
        yield from _missing(f"{path}.when.team.key", "team", when.team.key, known["team"])
    for index, destination in enumerate(rule.then):
        noun = _NOUNS.get(destination.kind, "")
        if noun:
            yield from _missing(f"{path}.then[{index}].{destination.kind}", noun, destination.to, known[noun])
