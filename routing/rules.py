"""The rules, in the order they are asked; the first that stops the call or names a person decides.

To add one: write a function from Situation to Verdict, put it into RULES at its place, and test its promise
(docs/how_to/add_a_routing_rule.md).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from directory.hours import next_open, open_at
from directory.model import Line, Team
from directory.numbers import is_anonymous
from routing.arrival import Arrival, Facts
from routing.choice import Choice, choose
from routing.plan import Reason, because

SORRY: Final = ("vm-nobodyavail", "please-try-call-later", "vm-goodbye")
NOT_IN_SERVICE: Final = ("ss-noservice",)


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

    def choose(self, key: str) -> Choice | None:
        """Look at a person; None when there is nobody of that key."""
        person = self.facts.directory.person(key)
        return choose(person, self.arrival, self.facts) if person is not None else None


@dataclass(frozen=True, slots=True)
class Pass:
    """The rule does not decide; the reason, where there is one to tell, is kept, as is whom it looked at."""

    reason: Reason | None = None
    choice: Choice | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """The caller is told something and the call ends; ``prompts`` are names of sounds that Asterisk brings along."""

    reason: Reason
    prompts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class First:
    """This person rings first, then the line's team."""

    reason: Reason
    choice: Choice


Verdict = Pass | Stop | First
Rule = Callable[[Situation], Verdict]


def blocked(situation: Situation) -> Verdict:
    """Put nobody through who is on the block list."""
    if situation.facts.directory.is_blocked(situation.arrival.caller_number):
        return Stop(because("blocked", "the caller's number is blocked"), NOT_IN_SERVICE)
    return Pass()


def line_known(situation: Situation) -> Verdict:
    """Say so when the number dialled is no line of the directory; the first team rings then."""
    if situation.line is not None:
        return Pass()
    return Pass(because("line_unknown", "{line} is no line of the directory", line=situation.arrival.line))


def closed(situation: Situation) -> Verdict:
    """Ring nobody outside the line's hours."""
    line, directory, at = situation.line, situation.facts.directory, situation.arrival.at
    if line is None:
        return Pass()
    hours, zone = directory.hours_of(line.hours), line.time_zone or directory.company.time_zone
    if open_at(hours, zone, at):
        return Pass(because("open", "line {line} is open", line=line.name))
    opens = next_open(hours, zone, at)
    text = "line {line} is closed until {opens}" if opens else "line {line} is never open"
    told = because("outside_hours", text, line=line.name, opens=opens.isoformat() if opens else "")
    return Stop(told, SORRY)


def owner(situation: Situation) -> Verdict:
    """Ring the owner of the caller's lead."""
    return _known_person(situation, situation.facts.owner, "owner", "the owner of this caller's lead")


def last_talked(situation: Situation) -> Verdict:
    """Ring whoever talked with the caller last."""
    return _known_person(situation, situation.facts.last_talked, "last_talked", "the last who talked with this caller")


RULES: Final[tuple[tuple[str, Rule], ...]] = (
    ("blocked", blocked),
    ("line_unknown", line_known),
    ("outside_hours", closed),
    ("owner", owner),
    ("last_talked", last_talked),
)


def _known_person(situation: Situation, key: str | None, fact: str, who: str) -> Verdict:
    if fact in situation.facts.missing:
        return Pass(because(f"{fact}_not_in_time", "{who} could not be looked up in time", who=who))
    if key is None:
        if is_anonymous(situation.arrival.caller_number):
            return Pass(because(f"{fact}_hidden", "{who} is not known: the number is hidden", who=who))
        return Pass(because(f"{fact}_nobody", "{who}: there is nobody", who=who))
    choice = situation.choose(key)
    if choice is None:
        return Pass(because(f"{fact}_left", "{who}, {person}, is not in the directory", who=who, person=key))
    if choice.attempts:
        return First(because(fact, "{name} is {who}", name=choice.person.name, who=who), choice)
    text = "{name} is {who}, but {why}"
    return Pass(
        because(f"{fact}_{choice.why.key}", text, name=choice.person.name, who=who, why=choice.why.text), choice
    )
