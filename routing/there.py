"""Why a person is not to be rung whatever their telephones say: shift, absence, status, calendar (pure)."""

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from directory.model import Directory, Person
from directory.presence import NOTHING_KNOWN, Presence, presence_at
from routing.arrival import Arrival, Facts
from routing.plan import Reason, because

OLD_SECONDS: Final = 900.0
"""A calendar's copy older than this is said to be a copy, with its age: its feed has failed more than once."""

_LAST: Final = datetime(9999, 12, 30, tzinfo=UTC)

_STATUSES: Final = {
    "away": "{name} is away",
    "do_not_disturb": "{name} does not want to be disturbed",
    "wrap_up": "{name} is finishing the last call",
}


def presence_of(person: Person, arrival: Arrival, facts: Facts) -> Presence:
    """Give a person's presence; where the facts say nothing of them, what their hours alone say."""
    found = facts.presence.get(person.key)
    return found if found is not None else presence_at(person, facts.directory, NOTHING_KNOWN, arrival.at)


def why_not_there(person: Person, presence: Presence, directory: Directory) -> Reason | None:
    """Tell what keeps a person from answering; None: nothing does.

    An absence comes first, for then somebody may stand in.
    """
    zone = ZoneInfo(directory.zone_of(person))
    if presence.absence is not None:
        until, substitute = _spell(presence.absence.ends_at, zone), _name(presence.absence.substitute, directory)
        text = "{name} is absent until {until}" + (", {substitute} stands in" if substitute else "")
        return because("absent", text, name=person.name, until=until, substitute=substitute)
    if not presence.on_shift:
        return because("off_shift", "{name} is not on shift", name=person.name)
    if presence.status != "available":
        until = _spell(presence.status_until, zone) if presence.status_until else ""
        text = _STATUSES[presence.status] + (" until {until}" if until else "")
        return because(presence.status, text, name=person.name, until=until)
    if presence.calendar_until is not None:
        return _by_calendar(person, presence, presence.calendar_until, zone)
    return None


def _by_calendar(person: Person, presence: Presence, until: datetime, zone: ZoneInfo) -> Reason:
    key, what = ("calendar_away", "out of office") if presence.calendar_away else ("calendar_busy", "busy")
    text = f"{{name}} is {what} by their calendar until {{until}}"
    age = presence.calendar_age_seconds
    minutes = str(int(age // 60)) if age > OLD_SECONDS else ""
    text += ", as a copy has it that is {minutes} min old" if minutes else ""
    return because(key, text, name=person.name, until=_spell(until, zone), minutes=minutes)


def _spell(at: datetime, zone: ZoneInfo) -> str:
    """Spell a time in a person's zone; one beyond the calendar, wherever it came from, must lose no caller."""
    return min(at, _LAST).astimezone(zone).strftime("%Y-%m-%d %H:%M")


def _name(key: str | None, directory: Directory) -> str:
    person = directory.person(key) if key else None
    return person.name if person else ""
