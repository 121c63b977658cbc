"""What findings are looked for in: the day facts of a period and of the weeks before it (pure).

Days are told apart as the house worked: one on which it was closed is compared with none, and a line's day weighs as
many hours as the line was open.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property, lru_cache
from typing import Final, Literal
from zoneinfo import ZoneInfo

from directory.hours import open_spans
from directory.model import Directory, Hours, Line
from reports.facts import Fact, Sums
from reports.periods import Period
from reports.report import Audience, IncidentTold

DAYS_BEFORE: Final = 63
"""Facts of so many days before a period are asked for."""

WEEKS: Final = 8
"""A day is compared with the same weekday of so many weeks before it, a longer period with so many weeks."""

BY_HOUR: Final = frozenset({"calls_in", "missed_integration"})
"""What is looked at by the hour of single days: how much of one has passed, and when an outage was."""

Tell = Literal["all", "team", "line", "person", "detail"]
"""What facts of a count are told apart by; `all`: they are not, and the key is empty."""

_WEEK: Final = timedelta(weeks=1)
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """All that is looked at for the report of `first` to `last` (both counted) to an audience.

    `facts` are the whole house's, by person and detail, of the period and of DAYS_BEFORE days before it, those of
    `counts` (None: of all); `day_hours` are those by the hour of BY_HOUR, `incidents` those of all these days.
    `period_hours` are what the audience has by the hour in each of `periods`. `until_hour`: of the last day all before
    this hour is counted (10.5: half past ten); None: all is. `since` is the first day that facts are known of; None:
    that of the earliest fact. `strangers` are by line the extension that is nobody's and answered most of its calls in
    the period.
    """

    first: date
    last: date
    audience: Audience
    directory: Directory
    facts: Sequence[Fact]
    counts: Collection[str] | None = None
    day_hours: Sequence[Fact] = ()
    period_hours: Sequence[Sums] = ()
    incidents: Sequence[IncidentTold] = ()
    strangers: Mapping[str, str] = field(default_factory=dict)
    until_hour: float | None = None
    since: date | None = None
    _open: dict[tuple[str, date], float] = field(default_factory=dict, init=False, repr=False, compare=False)
    _tables: dict[tuple[str, Tell], Mapping[str, Mapping[date, float]]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @cached_property
    def begun(self) -> date:
        """The first day that is known of."""
        return self.since or min((fact.day for fact in self.facts), default=self.first)

    @cached_property
    def own(self) -> Evidence:
        """The same of the audience's facts alone; `day_hours` are still the house's."""
        audience = self.audience
        if audience.kind == "house":
            return self
        mine = [fact for fact in self.facts if getattr(fact, audience.kind) == audience.key]
        return replace(self, facts=mine, since=self.begun)

    def of(self, count: str) -> Sequence[Fact]:
        """The facts of a count. Raises KeyError for one that was not asked for."""
        if self.counts is not None and count not in self.counts:
            raise KeyError(count)
        return self._by_count.get(count, ())

    @cached_property
    def _by_count(self) -> Mapping[str, Sequence[Fact]]:
        found: dict[str, list[Fact]] = {}
        for fact in self.facts:
            found.setdefault(fact.count, []).append(fact)
        return found

    def table(self, count: str, by: Tell = "all") -> Mapping[str, Mapping[date, float]]:
        """How much of a count there was, by what tells it apart and by day."""
        if (count, by) not in self._tables:
            found: dict[str, dict[date, float]] = {}
            for fact in self.of(count):
                days = found.setdefault("" if by == "all" else getattr(fact, by), {})
                days[fact.day] = days.get(fact.day, 0.0) + fact.value
            self._tables[count, by] = found
        return self._tables[count, by]

    def sum(self, count: str, days: Iterable[date], by: Tell = "all", key: str = "") -> float:
        """How much of a count there was on these days, of one key."""
        of = self.table(count, by).get(key, {})
        return sum(of.get(day, 0.0) for day in days)

    def window(self, days: int) -> Sequence[date]:
        """So many days up to the last one, or the period where it is longer."""
        return self.days(min(self.first, self.last - _DAY * (days - 1)), self.last)

    @cached_property
    def passed(self) -> float:
        """How much of the last day has passed, by when calls of the days before came in: 0 to 1."""
        return 1.0 if self.until_hour is None else day_passed(self.day_hours, self.last, self.until_hour)

    def days(self, first: date, last: date) -> list[date]:
        """Every day from `first` to `last`, both counted, that is known of."""
        first = max(first, self.begun)
        return [first + _DAY * number for number in range((last - first).days + 1)]

    @cached_property
    def period(self) -> Sequence[date]:
        """The days of the period."""
        return self.days(self.first, self.last)

    @cached_property
    def before(self) -> Sequence[Sequence[date]]:
        """Periods to compare with, the newest first: of one day the same weekdays, of more the weeks before it."""
        return blocks_before(self.first, self.last, self.begun)

    @property
    def periods(self) -> Sequence[Period]:
        """The period, and those of `before`."""
        return [Period(self.first, self.last), *(Period(days[0], days[-1]) for days in self.before)]

    def open_hours(self, days: Iterable[date], lines: Iterable[Line] | None = None) -> float:
        """How many hours these lines (None: all) were open on these days; of the last day only what has passed."""
        of = [line.number for line in (self.directory.lines if lines is None else lines)]
        return sum(self._open_on(number, day) for day in days for number in of)

    def _open_on(self, line: str, day: date) -> float:
        if (line, day) not in self._open:
            found = self.directory.line(line)
            whole = line_hours(self.directory, found, day) if found else 0.0
            self._open[line, day] = whole * (self.passed if day == self.last else 1.0)
        return self._open[line, day]


def blocks_before(first: date, last: date, begun: date) -> list[list[date]]:
    """The periods that `first` to `last` is compared with: the same weekday of eight weeks, or eight weeks as a whole.

    Of days before `begun` nothing is known: a period that holds one is left out.
    """
    days = 1 if first == last else 7
    blocks = [[first - _WEEK * week + _DAY * day for day in range(days)] for week in range(1, WEEKS + 1)]
    return [block for block in blocks if block[0] >= begun]


def day_passed(hours: Iterable[Fact], day: date, until_hour: float) -> float:
    """Which share of the calls that come in on such a day (that weekday of the weeks before) comes before this hour."""
    all_day = early = 0.0
    for fact in hours:
        if fact.count == "calls_in" and fact.day < day and fact.day.weekday() == day.weekday():
            all_day += fact.value
            early += fact.value * min(max(until_hour - (fact.hour or 0), 0.0), 1.0)
    return early / all_day if all_day else until_hour / 24


def source_of(directory: Directory, line: str) -> str:
    """What brought a line's calls: its campaign, else the line's name, also when it is given up; else itself."""
    found = directory.line(line)
    return (found.campaign or found.name) if found else directory.given_up.get(line, line)


def line_hours(directory: Directory, line: Line, day: date) -> float:
    """How many hours of `day`, by its own clock, the line is open; one without hours is always open."""
    hours = directory.hours_of(line.hours)
    return 24.0 if hours is None else hours_open(hours, directory.zone_of(line), day)


@lru_cache(maxsize=4096)
def hours_open(hours: Hours, zone: str, day: date) -> float:
    """How many hours these hours are open on `day`: none on a public holiday of theirs, or when they are closed."""
    starts = datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)
    return sum(((closes - opens).total_seconds() for opens, closes in open_spans(hours, zone, starts)), 0.0) / 3600
