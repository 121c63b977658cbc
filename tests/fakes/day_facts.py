"""Day facts of invented houses, without a database: quiet ones, and ones in which something is planted (seeded)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from random import Random
from typing import Final

from directory.hours import read_week
from directory.lead_policy import FunnelStep, LeadPolicy
from directory.model import Company, Directory, Hours, Line, Person, Team
from reports.evidence import BY_HOUR, DAYS_BEFORE, Evidence
from reports.facts import Fact, Sums
from reports.findings import LOOKED_FOR
from reports.report import Audience
from reports.working_days import days

STEPS: Final = (("meeting", 0.6), ("booking", 0.6), ("contract", 0.7))
DAYS_VARY: Final = 0.1
"""By so much the days of a house vary, all else being the same."""
HOURS: Final = range(9, 19)
_OF_WEEKDAY: Final = (1.2, 1.0, 1.0, 1.0, 0.9, 0.5, 0.0)
_SHARES: Final[Mapping[str, float]] = {
    "rang_out": 0.06,
    "caller_gave_up_early": 0.04,
    "device_unreachable": 0.004,
    "service_down": 0.002,
}
_GROUPS: Final[Mapping[str, str]] = {
    "rang_out": "people",
    "caller_gave_up_early": "caller",
    "device_unreachable": "telephony",
    "service_down": "integration",
}


def house(teams: int = 3, lines: int = 2, people: int = 4) -> Directory:
    """So many teams, each with so many lines and people."""
    keys = [f"team{team}" for team in range(teams)]
    members = {key: tuple(f"{key}-p{person}" for person in range(people)) for key in keys}
    return Directory(
        company=Company(name="House"),
        hours=(Hours("office", read_week({"mon-fri": "09:00-19:00", "sat": "10:00-15:00"})),),
        people=tuple(Person(key=one, name=one, role="manager") for key in keys for one in members[key]),
        teams=tuple(Team(key=key, name=key, strategy="ring_all", members=members[key]) for key in keys),
        lines=tuple(
            Line(
                number=f"7495{team}{line}00000",
                name=f"{key} {line}",
                team=key,
                hours="office",
                campaign=f"ad{team}{line}",
            )
            for team, key in enumerate(keys)
            for line in range(lines)
        ),
        leads=LeadPolicy(funnel=tuple(FunnelStep(key=key, name=key) for key, _ in STEPS), leads_most=60),
    )


def with_hours(evidence: Evidence, hours: Sequence[Fact]) -> Evidence:
    """The same with what was counted by the hour, as the database adds it up for the house."""
    found: dict[tuple[str, str, str, int | None], list[float]] = {}
    periods = evidence.periods
    at = {day: number for number, one in enumerate(periods) for day in days(one.first, one.last)}
    for fact in hours:
        if fact.day in at:
            key = fact.count, fact.team, fact.line, fact.hour
            found.setdefault(key, [0.0] * len(periods))[at[fact.day]] += fact.value
    sums = [Sums(count, team, line, "", "", tuple(told), hour) for (count, team, line, hour), told in found.items()]
    return replace(evidence, day_hours=[fact for fact in hours if fact.count in BY_HOUR], period_hours=sums)


@dataclass
class Life:
    """What goes on in a house; what is planted is changed in these numbers, by day.

    `calls`: on a weekday on each line. `quiet` is 1 on days on which the house has as many calls as usual.
    """

    directory: Directory
    seed: int
    calls: float = 12.0
    silent: Mapping[str, frozenset[date]] = field(default_factory=dict)
    dead: Mapping[str, frozenset[date]] = field(default_factory=dict)
    down: Mapping[date, range] = field(default_factory=dict)
    qualifies: Mapping[str, float] = field(default_factory=dict)
    misses: Mapping[str, float] = field(default_factory=dict)
    enters_late: Mapping[str, float] = field(default_factory=dict)
    says: Mapping[str, float] = field(default_factory=dict)
    in_work: Mapping[str, int] = field(default_factory=dict)
    narrow: tuple[str, frozenset[date]] = ("", frozenset())
    nobody: frozenset[date] = frozenset()

    def evidence(self, first: date, last: date, audience: Audience = Audience("house")) -> Evidence:  # noqa: B008
        """What there is to look at for a report of these days."""
        self.dice = Random(self.seed)
        self.facts: dict[tuple[date, str, str, str, str, str], float] = {}
        self.by_hour: dict[tuple[date, str, str, str, int], float] = {}
        day = first - timedelta(days=DAYS_BEFORE)
        while day <= last:
            self._live(day)
            day += timedelta(days=1)
        told = Evidence(
            first=first,
            last=last,
            audience=audience,
            directory=self.directory,
            facts=[Fact(*key, value) for key, value in self.facts.items()],
            counts=LOOKED_FOR,
        )
        self.hours = [Fact(*key[:4], "", "", value, key[4]) for key, value in self.by_hour.items()]
        return with_hours(told, self.hours)

    def _live(self, day: date) -> None:
        busy = self.dice.gammavariate(1 / DAYS_VARY**2, DAYS_VARY**2) * _OF_WEEKDAY[day.weekday()]
        for line in self.directory.lines:
            people = self.directory.team(line.team).members  # type: ignore[union-attr]
            mean = 0.0 if day in self.silent.get(line.number, ()) else self.calls * busy
            for _ in range(self._poisson(mean)):
                self._call(day, line, self.dice.choice(people))
        for person in self.directory.people:
            self._add(
                day, "in_work", self.directory.lines[0], person.key, "qualifying", self.in_work.get(person.key, 20)
            )
        for line in self.directory.lines:
            self._add(day, "open_promises", line, "", "", self._poisson(1.0))

    def _call(self, day: date, line: Line, person: str) -> None:
        hour = self.dice.choice(HOURS)
        cause = self._cause(day, person, hour)
        self._add(day, "calls_in", line, "" if cause else person, "missed" if cause else "answered", 1, hour)
        if cause != "caller_gave_up_early":
            self._add(day, "answerable", line, "" if cause else person, "", 1, hour)
        if cause:
            self._missed(day, line, person, cause, hour)
            return
        whose = "" if day in self.nobody and self.dice.random() < 0.3 else person
        self._add(day, "answered", line, whose, "", 1, hour)
        wait = self.dice.expovariate(1 / 9)
        self._add(day, "wait_seconds", line, whose, "", wait, hour)
        if wait <= 20:
            self._add(day, "answered_soon", line, whose, "", 1, hour)
        self._add(day, "talk_seconds", line, whose, "", self.dice.lognormvariate(4.8, 0.6), hour)
        self._talked(day, line, person)

    def _cause(self, day: date, person: str, hour: int) -> str:
        if hour in self.down.get(day, ()):
            return "service_down"
        if day in self.dead.get(person, ()):
            return "device_unreachable"
        if self.dice.random() < self.misses.get(person, 0.0):
            return "rang_out"
        return next((cause for cause, share in _SHARES.items() if self.dice.random() < share), "")

    def _missed(self, day: date, line: Line, person: str, cause: str, hour: int) -> None:
        self._add(day, "missed", line, "", cause, 1, hour)
        self._add(day, f"missed_{_GROUPS[cause]}", line, "", cause, 1, hour)
        if cause == "rang_out":
            self._add(day, "charged", line, person, cause, 1)
        if cause == "device_unreachable":
            self._add(day, "unreached", line, person, cause, 1)
            self._add(day, "open_by_phone", line, person, "", 1)
        if _GROUPS[cause] == "integration":
            self._add(day, "open_by_integration", line, person, "", 1)
        self._add(day, "promised", line, person, "", 1)

    def _talked(self, day: date, line: Line, person: str) -> None:
        self._add(day, "entered", line, person, "", 1)
        if self.dice.random() < self.enters_late.get(person, 0.1):
            self._add(day, "entered_late", line, person, "", 1)
        if self.dice.random() < 0.4:
            self._add(day, "heard", line, person, "", 1)
            self._add(day, "steps_due", line, person, "", 3)
            said = sum(self.dice.random() < self.says.get(person, 0.7) for _ in range(3))
            self._add(day, "steps_said", line, person, "", said)
        if self.dice.random() < 0.6:
            self._lead(day, line, person)

    def _lead(self, day: date, line: Line, person: str) -> None:
        self._add(day, "leads_in", line, person, "", 1)
        self._add(day, "judged", line, person, "", 1)
        good = self.qualifies.get(person, self.qualifies.get(line.number, 0.5))
        if self.dice.random() >= good:
            self._add(day, "disqualified", line, person, "spam", 1)
            if self.dice.random() < (0.7 if person in self.qualifies else 0.1):
                self._add(day, "disqualified_after_long_talk", line, person, "spam", 1)
            return
        self._add(day, "qualified", line, person, "", 1)
        for step, share in STEPS:
            fallen = 0.3 if self.narrow[0] == step and day in self.narrow[1] else 1.0
            if self.dice.random() >= share * fallen:
                return
            self._add(day, "steps", line, person, step, 1)

    def _add(self, day: date, count: str, line: Line, person: str, detail: str, value: float, hour: int = -1) -> None:
        key = day, count, line.team, line.number, person, detail
        if value:
            self.facts[key] = self.facts.get(key, 0.0) + value
            if hour >= 0:
                at = day, count, line.team, line.number, hour
                self.by_hour[at] = self.by_hour.get(at, 0.0) + value

    def _poisson(self, mean: float) -> int:
        floor, product, count = math.exp(-mean), self.dice.random(), 0
        while product > floor:
            product *= self.dice.random()
            count += 1
        return count


def days_of(evidence_last: date, weekdays: Sequence[int], weeks: int) -> frozenset[date]:
    """These weekdays of so many weeks up to a day."""
    return frozenset(_days_back(evidence_last, weekdays, weeks))


def _days_back(last: date, weekdays: Sequence[int], weeks: int) -> Iterator[date]:
    for ago in range(7 * weeks):
        day = last - timedelta(days=ago)
        if day.weekday() in weekdays:
            yield day
