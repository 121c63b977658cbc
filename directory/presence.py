"""Whether a person is there at a moment: shift, absence and who stands in, status, and what their calendar says (pure).

1. An absence goes from its first moment up to, and without, its last; so do a status and a calendar's time.
2. A status ends by itself at its ``until``; after that the person is available.
3. A calendar is believed as long as its last good copy is all there is; its age goes with what it says.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Literal

from directory.hours import open_at
from directory.model import Directory, Person

Status = Literal["available", "away", "do_not_disturb", "wrap_up"]

STATUSES: Final[tuple[Status, ...]] = ("available", "away", "do_not_disturb", "wrap_up")


@dataclass(frozen=True, slots=True)
class Absence:
    """A time in which a person does not work; ``substitute`` is the key of who is rung meanwhile, if anybody."""

    id: int
    starts_at: datetime
    ends_at: datetime
    substitute: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class StatusSet:
    """What a person said of themselves, up to ``until``; None: until they say otherwise."""

    status: Status
    until: datetime | None = None


@dataclass(frozen=True, slots=True, order=True)
class Busy:
    """A time that a calendar takes; ``away`` when it says out of office and not only busy."""

    starts_at: datetime
    ends_at: datetime
    away: bool = False


@dataclass(frozen=True, slots=True)
class CalendarCopy:
    """The last good copy of a calendar, as it was at ``fetched_at``: its times, earliest first."""

    times: tuple[Busy, ...]
    fetched_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PresenceBook:
    """All that is known beside the directory, by person: absences, earliest first, statuses and calendars."""

    absences: Mapping[str, tuple[Absence, ...]] = field(default_factory=dict)
    statuses: Mapping[str, StatusSet] = field(default_factory=dict)
    calendars: Mapping[str, CalendarCopy] = field(default_factory=dict)


NOTHING_KNOWN: Final = PresenceBook()


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """One person at one moment; as it stands, somebody on shift whom nothing keeps from answering.

    ``absence`` comes without its reason, which is for colleagues and in no call's record.
    ``status_until`` is None for a status without an end. ``calendar_until`` is when the calendar lets the person go,
    None when it does not hold them; ``calendar_age_seconds`` is the age of the copy that says so.
    """

    on_shift: bool = True
    absence: Absence | None = None
    status: Status = "available"
    status_until: datetime | None = None
    calendar_until: datetime | None = None
    calendar_away: bool = False
    calendar_age_seconds: float = 0.0

    @property
    def there(self) -> bool:
        """Whether the person may be rung as far as they, and not their telephones, are concerned."""
        held = self.absence is not None or self.calendar_until is not None
        return self.on_shift and not held and self.status == "available"


def presence_at(person: Person, directory: Directory, book: PresenceBook, at: datetime) -> Presence:
    """Give a person's presence at an aware moment."""
    absences = book.absences.get(person.key, ())
    told = book.statuses.get(person.key)
    if told is None or (told.until is not None and told.until <= at):
        told = StatusSet("available")
    calendar = book.calendars.get(person.key)
    until, away = _held(calendar.times, at) if calendar else (None, False)
    return Presence(
        on_shift=open_at(directory.hours_of(person.hours), directory.zone_of(person), at),
        absence=next((replace(it, reason="") for it in absences if it.starts_at <= at < it.ends_at), None),
        status=told.status,
        status_until=told.until,
        calendar_until=until,
        calendar_away=away,
        calendar_age_seconds=max(0.0, (at - calendar.fetched_at).total_seconds()) if calendar and until else 0.0,
    )


def lines_open(directory: Directory, at: datetime) -> dict[str, bool]:
    """Whether each line is within its hours, by its number."""
    return {
        line.number: open_at(directory.hours_of(line.hours), directory.zone_of(line), at) for line in directory.lines
    }


def works(person: Person, directory: Directory, presence: Presence, is_open: Mapping[str, bool]) -> bool:
    """Whether a phone of theirs should be there; who has no hours works whenever a line of their teams is open."""
    if not presence.on_shift or presence.absence is not None or presence.calendar_away:
        return False
    if person.hours is not None:
        return True
    teams = {team.key for team in directory.teams if person.key in team.members}
    return any(is_open[line.number] for line in directory.lines if not teams or line.team in teams)


def _held(times: tuple[Busy, ...], at: datetime) -> tuple[datetime | None, bool]:
    """Give until when, one time touching the next, a calendar holds its person, and whether it says out of office."""
    until: datetime | None = None
    away = False
    for time in times:
        if time.starts_at > (until or at):
            break
        if time.ends_at > (until or at):
            until = time.ends_at
        away = away or (time.away and time.starts_at <= at < time.ends_at)
    return until, away


class Presences(Mapping[str, Presence]):
    """Everybody's presence at one moment, each worked out when it is asked for."""

    def __init__(self, directory: Directory, book: PresenceBook, at: datetime) -> None:
        self._directory = directory
        self._book = book
        self._at = at
        self._known: dict[str, Presence] = {}

    def __getitem__(self, key: str) -> Presence:
        if key not in self._known:
            person = self._directory.person(key)
            if person is None:
                raise KeyError(key)
            self._known[key] = presence_at(person, self._directory, self._book, self._at)
        return self._known[key]

    def __iter__(self) -> Iterator[str]:
        return (person.key for person in self._directory.people)

    def __len__(self) -> int:
        return len(self._directory.people)


def line_up(key: str, presence: Mapping[str, Presence]) -> tuple[str, ...]:
    """Give a person and, as long as each is absent, who stands in for them; the last is the one to ring.

    It ends where somebody is there, where nobody stands in, and before it would come back to somebody: a circle of
    substitutes rings nobody of it twice.
    """
    keys = [key]
    while True:
        found = presence.get(keys[-1])
        following = found.absence.substitute if found and found.absence else None
        if following is None or following in keys:
            return tuple(keys)
        keys.append(following)
