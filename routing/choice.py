"""Whether a person can be rung now, on which devices, in which order, and why."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from directory.model import MOBILE_SECONDS, RING_SECONDS, Device, Line, Person
from routing import learned
from routing.arrival import Arrival, DeviceFact, DeviceState, Facts
from routing.plan import Candidate, Reason, Target, because
from routing.there import presence_of, why_not_there

_TALKING: Final = frozenset({"inuse", "busy", "onhold"})
_NOBODY_SAID: Final = DeviceState()
_SWITCHES: Final = ("Custom:DND", "Custom:DEVDND", "CustomPresence:")
"""What PBXes switch do-not-disturb by, for an extension or for a device."""

CONFIRM_SECONDS: Final = 12
"""What a mobile's owner gets to hear the question and press 1, after answering."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What was found out about one person.

    ``attempts`` are what rings, one after another, each a group that rings at once; empty when the person is not rung.
    ``order`` says why the devices ring in this order, where that was not simply the one written.
    """

    person: Person
    attempts: tuple[tuple[Target, ...], ...]
    candidates: tuple[Candidate, ...]
    why: Reason
    order: Reason | None = None


def choose(person: Person, arrival: Arrival, facts: Facts) -> Choice:
    """Look at a person's presence and devices.

    Somebody who talks on one device is rung on none. A phone that is gone or set to do-not-disturb is passed over; one
    that nobody has said anything about is tried, for that costs the caller nothing. In which order the devices ring,
    and which of them at once, is the person's choice.
    """
    refusal = _refusal(person, arrival, facts)
    if refusal is not None:
        refused = tuple(_left(person, device, refusal) for device in person.devices) or (_left(person, None, refusal),)
        return Choice(person, (), refused, refusal)
    judged = [(device, *_judge(device, facts)) for device in person.devices]
    usable, order = _ordered(person, [device for device, taken, _ in judged if taken], arrival, facts)
    line = facts.directory.line(arrival.line)
    attempts = tuple(tuple(_target(person, device, line) for device in group) for group in _groups(person, usable))
    candidates = tuple(Candidate(person.key, device.address, taken, why.key, why.text) for device, taken, why in judged)
    return Choice(person, attempts, candidates, _summary(person, attempts, [why for _, _, why in judged]), order)


def _ordered(
    person: Person, usable: Sequence[Device], arrival: Arrival, facts: Facts
) -> tuple[Sequence[Device], Reason | None]:
    """Put the devices that may ring in the person's order: as written, or as learned."""
    if person.order == "fixed" or len(usable) < 2:
        return usable, None
    return learned.order(person.name, usable, facts.answers, arrival.at, facts.directory.zone_of(person))


def _groups(person: Person, devices: Sequence[Device]) -> Iterator[Sequence[Device]]:
    """Tell which of the ordered devices ring at once; a mobile needs the trunk and a confirmation, and rings apart."""
    match person.ring:
        case "together":
            yield from [devices] if devices else []
        case "in_turn":
            yield from ([device] for device in devices)
        case "mobile_apart":
            yield from (list(group) for _, group in groupby(devices, key=lambda device: device.kind == "mobile"))


def _refusal(person: Person, arrival: Arrival, facts: Facts) -> Reason | None:
    """Tell why none of a person's devices may ring, if so."""
    directory = facts.directory
    if not person.devices:
        return because("no_device", "{name} has no device", name=person.name)
    caller = directory.person_of_number(arrival.caller_number)
    if caller is not None and caller.key == person.key:
        return because("is_the_caller", "{name} is the caller", name=person.name)
    kept_away = why_not_there(person, presence_of(person, arrival, facts), directory)
    if kept_away is not None:
        return kept_away
    talking = next((it.address for it in person.devices if _state(it, facts).state in _TALKING), None)
    if talking is not None:
        return because("busy", "{name} is talking on {device}", name=person.name, device=talking)
    load = facts.load.get(person.key)
    if load is not None and load.talking and not all(_is_told(address, facts) for address in load.talking_on or ("",)):
        return because("busy", "{name} is talking", name=person.name)
    return None


def _is_told(address: str, facts: Facts) -> bool:
    """Tell whether the PBX says what this device does: then it, and not the record of a call, knows who talks."""
    fact = facts.devices.get(address)
    return fact is not None and fact.state != "unknown"


def _judge(device: Device, facts: Facts) -> tuple[bool, Reason]:
    """Tell whether one device of a free person on shift may ring, and why."""
    state = _state(device, facts)
    if state.state == "dnd" or _is_silenced(device, facts):
        return False, because("do_not_disturb", "do not disturb is set")
    if device.kind == "mobile":
        return True, because("through_trunk", "called through the trunk, with confirmation by pressing 1")
    if state.state == "unavailable" or state.reachable is False:
        return False, because("unreachable", "not registered, or does not respond")
    if state.state == "ringing":
        return True, because("ringing", "registered; rings for another call already")
    if state.state == "not_inuse":
        return True, because("free", "registered and free")
    return True, because("state_unknown", "its state is not known; tried all the same")


def switches(device: Device) -> list[str]:
    """Name what may switch do-not-disturb on at the PBX for this phone or its extension."""
    names = (device.number, device.address.partition("/")[2])
    return [f"{switch}{name}" for name in names if name for switch in _SWITCHES]


def _is_silenced(device: Device, facts: Facts) -> bool:
    """Tell whether do-not-disturb is on at the PBX for this phone or its extension."""
    states = (facts.devices.get(switch) for switch in switches(device))
    return any(state is not None and state.state == "dnd" for state in states)


def _summary(person: Person, attempts: tuple[tuple[Target, ...], ...], reasons: list[Reason]) -> Reason:
    if attempts:
        return because("can_be_rung", "{name} is on shift and free", name=person.name)
    if any(reason.key == "do_not_disturb" for reason in reasons):
        return because("do_not_disturb", "{name} does not want to be disturbed", name=person.name)
    return because("unreachable", "no device of {name} can be reached", name=person.name)


def _left(person: Person, device: Device | None, reason: Reason) -> Candidate:
    return Candidate(person.key, device.address if device else "", False, reason.key, reason.text, reason.values)


def _state(device: Device, facts: Facts) -> DeviceFact:
    return facts.devices.get(device.address, _NOBODY_SAID)


def mobile_seconds(device: Device, line: Line | None) -> int:
    """Give how long a mobile rings: short of its mailbox, and not longer than the line's phones ring."""
    return min(device.mobile_seconds or MOBILE_SECONDS, line.ring_seconds if line else RING_SECONDS)


def _target(person: Person, device: Device, line: Line | None) -> Target:
    if device.kind != "mobile":
        return Target(dial=device.address, person=person.key, device=device.address, kind=device.kind)
    shows = "*caller" if line is not None and line.mobile_shows == "caller" else ""
    dial = f"Local/{device.address}*{mobile_seconds(device, line)}{shows}@switchhook-mobile/n"
    return Target(
        dial=dial,
        person=person.key,
        device=device.address,
        kind=device.kind,
        trunk=device.trunk or "",
        seconds=mobile_seconds(device, line) + CONFIRM_SECONDS,
    )
