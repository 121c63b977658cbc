"""By which days a month's plan is shared out: the working days of whoever has it, without their absences (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from directory.model import Directory
from directory.presence import Absence
from reports.periods import period_of
from reports.report import Audience
from reports.working_days import days, works_on

WhoseKind = Literal["house", "team", "person", "line", "source"]
WHOSE_KINDS: Final[tuple[WhoseKind, ...]] = ("house", "team", "person", "line", "source")


@dataclass(frozen=True, slots=True, order=True)
class Whose:
    """Whose plan: the house's, or of a team, person, line or source by its key."""

    kind: WhoseKind
    key: str = ""

    def __str__(self) -> str:
        """`house`, `team sales`, `person anna`, `line 74951234567`, `source yandex`."""
        return f"{self.kind} {self.key}".strip()


HOUSE: Final = Whose("house")


def whose_of(audience: Audience) -> Whose:
    """Whose plans a report holds its figures against."""
    return Whose(audience.kind, audience.key)


@dataclass(frozen=True, slots=True)
class PlanDays:
    """The calendars of a house. A person is away on a day whose noon, on their wall, is within an absence of theirs."""

    directory: Directory
    absences: Mapping[str, tuple[Absence, ...]] = field(default_factory=dict)
    _worked: dict[tuple[Audience, date], bool] = field(default_factory=dict, init=False, repr=False, compare=False)

    def of(self, whose: Whose, first: date, last: date) -> tuple[date, ...]:
        """The days from `first` to `last`, both counted, on which they work; a line works when its team does."""
        whom = self._whom(whose)
        return tuple(day for day in days(first, last) if self._works(whom, day))

    def _works(self, whom: Audience, day: date) -> bool:
        if (whom, day) not in self._worked:
            away = whom.kind == "person" and self._away(whom.key, day)
            self._worked[whom, day] = not away and works_on(self.directory, whom, day)
        return self._worked[whom, day]

    def _whom(self, whose: Whose) -> Audience:
        if whose.kind == "line":
            line = self.directory.line(whose.key)
            return Audience("team", line.team) if line else Audience("house")
        if whose.kind == "source":
            return Audience("house")
        return Audience(whose.kind, whose.key)

    def _away(self, key: str, day: date) -> bool:
        person = self.directory.person(key)
        zone = self.directory.zone_of(person) if person else self.directory.company.time_zone
        noon = datetime.combine(day, time(12), ZoneInfo(zone))
        return any(one.starts_at <= noon < one.ends_at for one in self.absences.get(key, ()))


def month_of(day: date) -> date:
    """The first day of a day's month, by which a month is named."""
    return day.replace(day=1)


def months(first: date, last: date) -> Iterator[tuple[date, date]]:
    """The first and the last day of each month of which a day from `first` to `last` is."""
    month = period_of("monthly", first)
    while month.first <= last:
        yield month.first, month.last
        month = period_of("monthly", month.last + timedelta(days=1))
