"""Whether a rule holds for an arrival: one small question for each condition, asked in the order of `When`.

To add a condition: a field of `directory.rules.When`, a function here under the same name, and its promise in a test
(docs/how_to/add_a_routing_rule.md).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from directory.hours import next_open, open_at, read_week
from directory.model import Hours, Line, Team
from directory.numbers import is_anonymous
from directory.presence import line_up
from directory.rules import PersonState, Rule, When
from routing.arrival import Arrival, Facts
from routing.choice import Choice, choose
from routing.plan import Reason, because


@dataclass(frozen=True)
class Situation:
    """One arrival with its facts, and what follows from both at once."""

    arrival: Arrival
    facts: Facts

    @cached_property
    def line(self) -> Line | None:
        """The line that was dialled, None when the directory does not know it."""
        return self.facts.directory.line(self.arrival.line)

    @cached_property
    def team(self) -> Team | None:
        """Who answers this line; the directory's first team for a line it does not know, so that no caller is lost."""
        directory = self.facts.directory
        if self.line is not None:
            return directory.team(self.line.team)
        return directory.teams[0] if directory.teams else None

    @cached_property
    def caller(self) -> str:
        """The caller's number in the directory's form."""
        return self.facts.directory.normal(self.arrival.caller_number, self.arrival.line)

    @cached_property
    def known(self) -> bool | None:
        """Whether the caller is a party of ours; None when that could not be had in time."""
        facts = self.facts
        if facts.stage is not None or facts.owner is not None or facts.last_talked is not None:
            return True
        return facts.known

    @cached_property
    def zone(self) -> str:
        """The time zone that the line lives by."""
        directory = self.facts.directory
        return (self.line.time_zone if self.line else None) or directory.company.time_zone

    @cached_property
    def is_open(self) -> bool:
        """Whether the line is open; one that the directory does not know always is."""
        return self.line is None or open_at(self._line_hours, self.zone, self.arrival.at)

    @cached_property
    def hours(self) -> Reason | None:
        """What is to be said of the line's hours: until when it is closed, or that it is open."""
        if self.line is None:
            return None
        if self.is_open:
            return because("open", "line {line} is open", line=self.line.name)
        until = _until(self._line_hours, self.zone, self.arrival.at)
        text = "line {line} is closed until {until}" if until else "line {line} is never open"
        return because("outside_hours", text, line=self.line.name, until=until)

    def open_in(self, hours: str) -> bool:
        """Tell whether these named hours are open, by the line's time zone."""
        return open_at(self.facts.directory.hours_of(hours), self.zone, self.arrival.at)

    def choose(self, key: str) -> Choice | None:
        """Look at a person, once; None when there is nobody of that key."""
        if key not in self._chosen:
            person = self.facts.directory.person(key)
            self._chosen[key] = choose(person, self.arrival, self.facts) if person is not None else None
        return self._chosen[key]

    def line_up(self, key: str) -> tuple[Choice, ...]:
        """Look at a person and, as long as each is absent, at who stands in; the last is the one to ring."""
        found = (self.choose(it) for it in line_up(key, self.facts.presence))
        return tuple(choice for choice in found if choice is not None)

    def line_ups(self, team: Team | None) -> list[tuple[Choice, ...]]:
        """Look at everybody of a team, in its order, and at who stands in for them; at nobody while it is closed."""
        members = team.members if team is not None and self.closed(team) is None else ()
        return [found for key in members if (found := self.line_up(key))]

    def closed(self, team: Team) -> Reason | None:
        """Tell until when a team does not ring; None while it does."""
        directory, at = self.facts.directory, self.arrival.at
        hours, zone = directory.hours_of(team.hours), directory.zone_of(team)
        if open_at(hours, zone, at):
            return None
        until = _until(hours, zone, at)
        text = "team {team} is closed until {until}" if until else "team {team} is never open"
        return because("team_closed", text, team=team.name, until=until)

    @property
    def looked_at(self) -> tuple[str, ...]:
        """Everybody who was looked at so far, also those who were only counted."""
        return tuple(key for key, choice in self._chosen.items() if choice is not None)

    @cached_property
    def _chosen(self) -> dict[str, Choice | None]:
        return {}

    @cached_property
    def _line_hours(self) -> Hours | None:
        return self.facts.directory.hours_of(self.line.hours if self.line else None)


def _until(hours: Hours | None, zone: str, at: datetime) -> str:
    """Until when it is closed, by its own clock; empty for what never opens."""
    opens = next_open(hours, zone, at)
    return opens.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M") if opens else ""


@dataclass(frozen=True, slots=True)
class Miss:
    """A condition that does not hold; the reasons, where there are some to tell, and whom it looked at."""

    condition: str
    reasons: tuple[Reason, ...] = ()
    choices: tuple[Choice, ...] = ()


def miss(rule: Rule, situation: Situation) -> Miss | None:
    """Give the first condition that does not hold, but for those that the line settles; None: the rule holds."""
    when = rule.when
    for name in when.asked:
        found = _CONDITIONS[name](when, situation)
        if found is not None:
            return found
    return None


def known_person(situation: Situation, fact: str) -> tuple[tuple[Reason, ...], tuple[Choice, ...]]:
    """Tell of the owner, or of the last who talked: who it is and whether they, or who stands in, can be rung.

    The last of the choices has attempts when they can; there are none when there is nobody to look at.
    """
    who, key = WHO[fact], situation.facts.owner if fact == "owner" else situation.facts.last_talked
    if fact in situation.facts.missing:
        return (because(f"{fact}_not_in_time", "{who} could not be looked up in time", who=who),), ()
    if key is None:
        if is_anonymous(situation.arrival.caller_number):
            return (because(f"{fact}_hidden", "{who} is not known: the number is hidden", who=who),), ()
        return (because(f"{fact}_nobody", "{who}: there is nobody", who=who),), ()
    choices = situation.line_up(key)
    if not choices:
        return (because(f"{fact}_left", "{who}, {person}, is not in the directory", who=who, person=key),), ()
    return (of_whom(choices[0], fact, who), *standing_in(choices)), choices


def of_whom(choice: Choice, fact: str, who: str) -> Reason:
    """Tell whether somebody who is this to the call can be rung."""
    name = choice.person.name
    if choice.attempts:
        return because(fact, "{name} is {who}", name=name, who=who)
    text = "{name} is {who}, but {why}"
    return because(f"{fact}_{choice.why.key}", text, name=name, who=who, why=choice.why.text)


def standing_in(choices: Sequence[Choice]) -> tuple[Reason, ...]:
    """Tell of who stands in, and why they cannot be rung if so; nothing when nobody does."""
    if len(choices) < 2:
        return ()
    absent, choice = choices[0].person.name, choices[-1]
    if choice.attempts:
        return (because("stands_in", "{name} stands in for {absent}", name=choice.person.name, absent=absent),)
    text, why = "{name} stands in for {absent}, but {why}", choice.why
    return (because(f"stands_in_{why.key}", text, name=choice.person.name, absent=absent, why=why.text),)


WHO: Final[Mapping[str, str]] = {
    "owner": "the owner of this caller's lead",
    "last_talked": "the last who talked with this caller",
}


_NOT_IN_TIME: Final = (because("party_not_in_time", "the caller could not be looked up in time"),)


def _blocked(when: When, situation: Situation) -> Miss | None:
    blocked = situation.facts.directory.is_blocked(situation.caller)
    return None if blocked == when.blocked else Miss("blocked")


def _vip(when: When, situation: Situation) -> Miss | None:
    vip = situation.facts.directory.is_vip(situation.caller)
    return None if vip == when.vip else Miss("vip")


def _known(when: When, situation: Situation) -> Miss | None:
    if situation.known is None:
        return Miss("known", _NOT_IN_TIME)
    return None if situation.known == when.known else Miss("known")


def _number(when: When, situation: Situation) -> Miss | None:
    return None if situation.caller.startswith(when.number) else Miss("number")


def _stage(when: When, situation: Situation) -> Miss | None:
    if "party" in situation.facts.missing:
        return Miss("stage", _NOT_IN_TIME)
    return None if situation.facts.stage in when.stage else Miss("stage")


def _open(when: When, situation: Situation) -> Miss | None:
    if situation.is_open == when.open:
        return None
    return Miss("open", (situation.hours,) if situation.hours else ())


def _hours(when: When, situation: Situation) -> Miss | None:
    return None if any(situation.open_in(it) for it in when.hours) else Miss("hours")


def _outside(when: When, situation: Situation) -> Miss | None:
    return Miss("outside") if any(situation.open_in(it) for it in when.outside) else None


def _time(when: When, situation: Situation) -> Miss | None:
    return None if open_at(_week(when.time), situation.zone, situation.arrival.at) else Miss("time")


@lru_cache(maxsize=1000)
def _week(written: tuple[tuple[str, str], ...]) -> Hours:
    return Hours("time", read_week(dict(written)))


def _owner(when: When, situation: Situation) -> Miss | None:
    return _person("owner", when.owner, situation)


def _last_talked(when: When, situation: Situation) -> Miss | None:
    return _person("last_talked", when.last_talked, situation)


def _person(fact: str, wanted: PersonState | None, situation: Situation) -> Miss | None:
    reasons, choices = known_person(situation, fact)
    if wanted == "free":
        holds = bool(choices and choices[-1].attempts)
    elif wanted == "known":
        holds = bool(choices)
    else:
        holds = reasons[0].key in {f"{fact}_nobody", f"{fact}_hidden"}
    return None if holds else Miss(fact, reasons, choices)


def _owner_is(when: When, situation: Situation) -> Miss | None:
    facts = situation.facts
    return None if facts.owner in when.owner_is and "owner" not in facts.missing else Miss("owner_is")


def _team(when: When, situation: Situation) -> Miss | None:
    load = when.team
    if load is None:
        return None
    team = situation.facts.directory.team(load.key) if load.key else situation.team
    waiting = situation.facts.waiting.get(team.key, 0) if team else 0
    if waiting < load.waiting_at_least or waiting > _bound(load.waiting_at_most):
        return Miss("team")
    if not load.free_at_least and load.free_at_most is None:
        return None
    free = len({found[-1].person.key for found in situation.line_ups(team) if found[-1].attempts})
    return None if load.free_at_least <= free <= _bound(load.free_at_most) else Miss("team")


def _bound(most: int | None) -> float:
    return float("inf") if most is None else most


_CONDITIONS: Final[Mapping[str, Callable[[When, Situation], Miss | None]]] = {
    "blocked": _blocked,
    "vip": _vip,
    "known": _known,
    "number": _number,
    "stage": _stage,
    "open": _open,
    "hours": _hours,
    "outside": _outside,
    "time": _time,
    "owner": _owner,
    "owner_is": _owner_is,
    "last_talked": _last_talked,
    "team": _team,
}
