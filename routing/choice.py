"""Whether a person can be rung now, on which devices, in which order, and why."""

from dataclasses import dataclass
from itertools import groupby
from typing import Final

from directory.model import Device, Person
from routing.arrival import Arrival, DeviceFact, DeviceState, Facts
from routing.plan import Candidate, Reason, Target, because
from routing.there import presence_of, why_not_there

_TALKING: Final = frozenset({"inuse", "busy", "onhold"})
_NOBODY_SAID: Final = DeviceState()


@dataclass(frozen=True, slots=True)
class Choice:
    """What was found out about one person.

    ``attempts`` are what rings, one after another, each a group that rings at once; empty when the person is not rung.
    """

    person: Person
    attempts: tuple[tuple[Target, ...], ...]
    candidates: tuple[Candidate, ...]
    why: Reason


def choose(person: Person, arrival: Arrival, facts: Facts) -> Choice:
    """Look at a person's presence and devices.

    Somebody who talks on one device is rung on none. A phone that is gone or set to do-not-disturb is passed over; one
    that nobody has said anything about is tried, for that costs the caller nothing. Devices next to each other in the
    person's order ring together, but a mobile, which needs the trunk and a confirmation, rings apart.
    """
    refusal = _refusal(person, arrival, facts)
    if refusal is not None:
        refused = tuple(_left(person, device, refusal) for device in person.devices) or (_left(person, None, refusal),)
        return Choice(person, (), refused, refusal)
    judged = [(device, *_judge(device, _state(device, facts))) for device in person.devices]
    usable = [device for device, taken, _ in judged if taken]
    attempts = tuple(
        tuple(_target(person, device) for device in group)
        for _, group in groupby(usable, key=lambda device: device.kind == "mobile")
    )
    candidates = tuple(Candidate(person.key, device.address, taken, why.key, why.text) for device, taken, why in judged)
    return Choice(person, attempts, candidates, _summary(person, attempts, [why for _, _, why in judged]))


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
    return None


def _judge(device: Device, state: DeviceFact) -> tuple[bool, Reason]:
    """Tell whether one device of a free person on shift may ring, and why."""
    if state.state == "dnd":
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


def _summary(person: Person, attempts: tuple[tuple[Target, ...], ...], reasons: list[Reason]) -> Reason:
    if attempts:
        return because("can_be_rung", "{name} is on shift and free", name=person.name)
    if any(reason.key == "do_not_disturb" for reason in reasons):
        return because("do_not_disturb", "{name} does not want to be disturbed", name=person.name)
    return because("unreachable", "no device of {name} can be reached", name=person.name)


def _left(person: Person, device: Device | None, reason: Reason) -> Candidate:
    return Candidate(person.key, device.address if device else "", False, reason.key, reason.text)


def _state(device: Device, facts: Facts) -> DeviceFact:
    return facts.devices.get(device.address, _NOBODY_SAID)


def _target(person: Person, device: Device) -> Target:
    mobile = device.kind == "mobile"
    dial = f"Local/{device.address}@switchhook-mobile/n" if mobile else device.address
    trunk = (device.trunk or "") if mobile else ""
    return Target(dial=dial, person=person.key, device=device.address, kind=device.kind, trunk=trunk)
