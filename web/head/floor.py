"""What everybody of the house does now: in a call, free, away, or without a telephone that could ring (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from directory.model import Device, Directory, Person
from directory.presence import Presence
from telephony.devices import DeviceState
from web.cards import LiveCall

Doing = Literal[
    "talking", "ringing", "on_phone", "free", "wrap_up", "away", "do_not_disturb", "absent", "calendar", "off_shift",
    "unreachable",
]  # fmt: skip
"""talking, ringing: in a call; on_phone: a device of theirs is in use otherwise; unreachable: none can ring."""

_IN_USE: Final = frozenset({"inuse", "busy", "onhold"})
_NOBODY_SAID: Final = DeviceState("")
_ORDER: Final = (
    *("talking", "ringing", "on_phone", "wrap_up", "free", "unreachable"),
    *("do_not_disturb", "away", "calendar", "absent", "off_shift"),
)


@dataclass(frozen=True, slots=True)
class DeviceNow:
    """One telephone: its kind, and `free`, `in_use`, `ringing`, `gone`, or `unknown` where the PBX says nothing."""

    kind: str
    address: str
    state: str


@dataclass(frozen=True, slots=True)
class PersonNow:
    """One person: what they do, since when (a call) or until when (anything else) if known, and who stands in."""

    person: Person
    doing: Doing
    since: datetime | None
    until: datetime | None
    substitute: str | None
    devices: tuple[DeviceNow, ...]

    @property
    def on_shift(self) -> bool:
        """Whether they work now, whatever they do."""
        return self.doing not in {"absent", "off_shift"}


def floor(
    directory: Directory,
    presences: Mapping[str, Presence],
    states: Mapping[str, DeviceState],
    calls: Iterable[LiveCall],
    teams: frozenset[str] | None = None,
) -> list[PersonNow]:
    """Everybody of these teams (None: of any), who talks first and who does not work last; times are by our clock."""
    ours, going_on = members(directory, teams), [call for call in calls if call.ended_at is None]
    people = [
        _person(person, presences.get(person.key, Presence()), states, _in_call(person.key, going_on, directory))
        for person in directory.people
        if person.key in ours
    ]
    return sorted(people, key=lambda one: (_ORDER.index(one.doing), one.person.name))


def of_teams(directory: Directory, calls: Iterable[LiveCall], teams: frozenset[str] | None) -> list[LiveCall]:
    """The calls that go on on the lines of these teams, or with their people; None: all. The oldest stands first."""
    ours = members(directory, teams)
    found = [
        call
        for call in calls
        if call.ended_at is None
        and (teams is None or _team(directory, call) in teams or not ours.isdisjoint(people_in(call, directory)))
    ]
    return sorted(found, key=lambda call: call.started_at - call.ahead)


def talking_in(call: LiveCall, directory: Directory) -> list[str]:
    """Who of ours talks in a call now, in the order they came."""
    if call.status != "talking" or call.ended_at is not None:
        return []
    answered = [reach for reach in call.reaches if reach.person and reach.answered_at]
    answered.sort(key=lambda reach: reach.answered_at or call.started_at)
    began = began_by(call, directory) if call.caller_ended_at is None else None
    # Who called and was called back into the call talks on that leg, or does not any more.
    first = [began] if began and all(reach.person != began for reach in answered) else []
    return list(dict.fromkeys([*first, *(str(reach.person) for reach in answered if reach.ended_at is None)]))


def began_by(call: LiveCall, directory: Directory) -> str | None:
    """Who of ours began a call, to the outside or to a colleague."""
    if call.direction != "internal":
        return call.placed_by
    person = directory.person_of_number(call.caller_number or "")
    return person.key if person else None


def people_in(call: LiveCall, directory: Directory) -> frozenset[str]:
    """Everybody of ours in a call: whom it reached, and who began it."""
    began = began_by(call, directory)
    return call.people | ({began} if began else frozenset())


def members(directory: Directory, teams: frozenset[str] | None) -> frozenset[str]:
    """The keys of everybody in these teams; None: in any."""
    return frozenset(key for team in directory.teams if teams is None or team.key in teams for key in team.members)


def _team(directory: Directory, call: LiveCall) -> str | None:
    line = directory.line(call.line) if call.line else None
    return line.team if line else None


def _person(
    person: Person,
    presence: Presence,
    states: Mapping[str, DeviceState],
    in_call: tuple[Literal["talking", "ringing"], datetime] | None,
) -> PersonNow:
    devices = tuple(_device(one, states) for one in person.devices)
    substitute = presence.absence.substitute if presence.absence else None
    if in_call is not None:
        return PersonNow(person, in_call[0], in_call[1], None, substitute, devices)
    doing, until = _otherwise(presence, devices)
    return PersonNow(person, doing, None, until, substitute, devices)


def _in_call(
    key: str, calls: Sequence[LiveCall], directory: Directory
) -> tuple[Literal["talking", "ringing"], datetime] | None:
    """Whether they talk or ring in a call, and since when."""
    talks = [call for call in calls if key in talking_in(call, directory)]
    if talks:
        return "talking", min((call.answered_at or call.started_at) - call.ahead for call in talks)
    rings = [
        (reach.started_at or call.started_at) - call.ahead
        for call in calls
        for reach in call.reaches
        if reach.person == key and reach.outcome is None and reach.ended_at is None
    ]
    return ("ringing", min(rings)) if rings else None


def _otherwise(presence: Presence, devices: tuple[DeviceNow, ...]) -> tuple[Doing, datetime | None]:
    """What they do who are in no call of ours, and until when that lasts, if it is known."""
    if any(one.state == "in_use" for one in devices):
        return "on_phone", None
    if presence.absence is not None:
        return "absent", presence.absence.ends_at
    if not presence.on_shift:
        return "off_shift", None
    if presence.status != "available":
        return presence.status, presence.status_until
    if presence.calendar_until is not None:
        return "calendar", presence.calendar_until
    return ("free" if any(one.state != "gone" for one in devices) else "unreachable"), None


def _device(device: Device, states: Mapping[str, DeviceState]) -> DeviceNow:
    told = states.get(device.address, _NOBODY_SAID)
    if device.kind == "mobile" and not told.device:
        state = "unknown"  # a mobile is behind a trunk, which says nothing of it
    elif told.state == "unavailable" or not told.reachable:
        state = "gone"
    elif told.state in _IN_USE:
        state = "in_use"
    else:
        state = {"ringing": "ringing", "not_inuse": "free"}.get(told.state, "unknown")
    return DeviceNow(device.kind, device.address, state)
