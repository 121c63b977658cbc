"""Life of a house, day by day: who calls, who answers or does not, who is called back (pure, but for the dice)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final

from directory.hours import open_at
from directory.model import Directory
from service.demo_history import course, shapes
from service.demo_history.dice import Dice, busy_hours
from service.demo_history.told import Promise, ToldCall, ToldLead
from service.demo_history.truths import OUTAGE_HOURS, Truth, Truths

CALLS_A_DAY: Final = 13.0
"""Of each line, on a weekday."""
_OF_WEEKDAY: Final = (1.15, 1.0, 1.0, 1.0, 0.85, 0.5, 0.0)
_OF_HOUR: Final = {9: 0.7, 10: 1.1, 11: 1.4, 12: 1.3, 13: 0.8, 14: 0.9, 15: 1.1, 16: 1.1, 17: 0.9, 18: 0.7}
_CLOSED_HOUR: Final = 0.06
"""Calls of an hour in which nobody works, held against one of the day."""
_KNOWN: Final = 0.3
"""Of calls, those of clients who called before: one of the last so many of their line."""
_LAST: Final = 60
_KEPT: Final = 0.92
"""Of promises to call back."""
_MISSES: Final = (
    ("caller_gave_up_early", 0.04),
    ("rang_out", 0.05),
    ("all_busy", 0.012),
    ("rejected", 0.004),
    ("device_unreachable", 0.003),
    ("service_down", 0.002),
)
_NOBODY_RANG: Final = ("device_unreachable", "all_busy", "outside_hours", "caller_gave_up_early")
_DAY: Final = timedelta(days=1)


@dataclass
class Life:
    """Everything that happened, in the order in which it was made up; what follows later of a day is told with it."""

    directory: Directory
    truths: Truths
    dice: Dice
    calls: list[ToldCall] = field(default_factory=list)
    leads: list[ToldLead] = field(default_factory=list)
    promises: list[Promise] = field(default_factory=list)

    def __post_init__(self) -> None:
        managers = {one.key for one in self.directory.people if one.role == "manager"}
        teams = {team.key: [key for key in team.members if key in managers] for team in self.directory.teams}
        self._staff = {line.number: teams[line.team] for line in self.directory.lines}
        self._steps = [step.key for step in self.directory.leads.funnel]
        self._clients: dict[str, list[ToldLead]] = {line: [] for line in self._staff}

    def live(self, day: date) -> None:
        """One day: all who call in, and all that follows from it."""
        callers = [(at, line) for line in self._staff for at in self._moments(day, line)]
        for at, line in sorted(callers):
            self._called(at, line)

    def _moments(self, day: date, line: str) -> Iterator[datetime]:
        if self.truths.key(Truth.SILENT_LINE, day) == line:
            return
        mean = CALLS_A_DAY / sum(_OF_HOUR.values())
        opens, closes = busy_hours(day) or (0, 0)
        for hour in range(8, 22):
            told = _OF_HOUR.get(hour, 0) * _OF_WEEKDAY[day.weekday()] if opens <= hour < closes else _CLOSED_HOUR
            for _ in range(self.dice.so_many(mean * told)):
                yield self.dice.moment(day, hour)

    def _called(self, at: datetime, line: str) -> None:
        """Somebody calls a line: a client who is known, or one who is new."""
        known = self._known(at, line) if self.dice.yes(_KNOWN) else []
        lead = self.dice.choice(known) if known else None
        if new := lead is None:
            lead = ToldLead(
                number=f"79165{len(self.leads):06}", line=line, person=self._turn(line, at.date()), free_at=at + _DAY
            )
            self.leads.append(lead)
            self._clients[line].append(lead)
        cause, saved = self._fate(at, line, lead.person)
        call = ToldCall(
            id=self.dice.uuid(), at=at, shape=cause or shapes.ANSWERED, person=lead.person, lead=lead, wait=0
        )
        call.recovered = saved
        self.calls.append(call)
        if cause:
            self._missed(call, new=new)
        else:
            call.wait = max(2, round(self.dice.gammavariate(3, 3)))
            self._talked(call, new=new)

    def _known(self, at: datetime, line: str) -> list[ToldLead]:
        last = self._clients[line][-_LAST:]
        return [one for one in last if one.free_at < at and (one.closed_at is None or one.closed_at > at)]

    def _turn(self, line: str, day: date) -> str:
        staff, favourite = self._staff[line], self.truths.key(Truth.OVERLOAD, day)
        return self.dice.choices(staff, [6 if key == favourite else 1 for key in staff])[0]

    def _fate(self, at: datetime, line: str, person: str) -> tuple[str, bool]:
        """Why nobody talks on a call ("": somebody does), and whether it was saved from an outage."""
        day = at.date()
        if not self._open(at, line):
            return "outside_hours", False
        if at.hour in OUTAGE_HOURS and self.truths.key(Truth.OUTAGE, day) is not None:
            return ("", True) if self.dice.yes(0.2) else ("service_down", False)
        if self.truths.key(Truth.DEAD_PHONE, day) == person:
            return "device_unreachable", False
        luck = self.dice.random()
        for cause, chance in _MISSES:
            luck -= chance
            if luck < 0:
                return cause, False
        return "", False

    def _open(self, at: datetime, number: str) -> bool:
        line = self.directory.line(number)
        hours = self.directory.hours_of(line.hours) if line is not None else None
        return line is None or open_at(hours, self.directory.zone_of(line), at)

    def _missed(self, call: ToldCall, *, new: bool) -> None:
        lead = call.lead
        call.wait = self.dice.randint(3, 8) if call.shape in _NOBODY_RANG else self.dice.randint(15, 40)
        if new:
            course.opened(lead, call, talked=False)
        promise = Promise(missed=call, owner=call.person, closed_at=self.dice.working_day(call.at.date(), 1, 3))
        self.promises.append(promise)
        if self.dice.yes(_KEPT):
            if self.truths.key(Truth.DEAD_PHONE, call.at.date()) == call.person:  # they have no phone to call with
                others = (key for key in self._staff[lead.line] if key != call.person)
                promise.owner = next(others, call.person)
            back = course.called(self.dice, lead, self.dice.soon(call.ends, self.dice.about(14, 0.9)), promise.owner)
            self.calls.append(back)
            promise.closed_at, promise.kept_by = back.answered_at, back
            if new:
                self._talked(back, new=False, first=True)
        elif new:
            course.given_up(self.dice, lead, call)
        lead.free_at = max(lead.free_at, promise.closed_at + _DAY)

    def _talked(self, call: ToldCall, *, new: bool, first: bool = False) -> None:
        """They talk; in the first talk with a client somebody finds out what they want."""
        call.lead.talks.append(call.at)
        if new or first:
            self.calls += course.begun(self.dice, self.truths, self._steps, call, called_in=new)
        else:
            call.talk = round(self.dice.about(90, 0.6)) + 6
