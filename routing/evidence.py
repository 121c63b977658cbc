"""What a decision rested on, as plain JSON, and back: kept with each decision, so that it can be made anew (pure)."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any, Final

import msgspec

from directory.model import Directory, Person
from directory.presence import Presence
from routing.arrival import Arrival, DeviceState, Facts, Load
from routing.choice import switches
from routing.learned import Answers, hour_of_week
from routing.plan import Plan

_PLAIN: Final = ("owner", "last_talked", "known", "stage", "owner_age_seconds", "crm")


def of(arrival: Arrival, facts: Facts, plan: Plan) -> dict[str, Any]:
    """Give the facts that mattered: of the caller, and of everybody and every device that was looked at."""
    found = [person for key in plan.looked_at if (person := facts.directory.person(key)) is not None]
    devices = [device for person in found for device in person.devices]
    names = dict.fromkeys(name for it in devices for name in (it.address, *switches(it)))
    told: dict[str, Any] = {name: value for name in _PLAIN if (value := getattr(facts, name)) is not None}
    told["vip"] = facts.directory.is_vip(facts.directory.normal(arrival.caller_number, arrival.line))
    told["missing"] = sorted(facts.missing)
    told["devices"] = {
        it: [state.state, state.reachable] for it in names if (state := facts.devices.get(it)) is not None
    }
    told["answers"] = {it: told for person in found for it, told in _answers(person, arrival, facts)}
    told["crm_fault"], told["crm_seconds"] = facts.crm_fault or [], facts.crm_seconds or []
    told["presence"] = {it: _plain(facts.presence[it]) for it in plan.looked_at if it in facts.presence}
    told["load"] = {it: _plain(facts.load[it]) for it in plan.looked_at if it in facts.load}
    told["turns"] = {team: list(facts.turns.get(team, ())) for team, _ in plan.turns}
    told["waiting"] = {team: count for team, count in facts.waiting.items() if count}
    return {name: value for name, value in told.items() if name == "known" or not (value is False or value in ({}, []))}


def back(told: Mapping[str, Any], directory: Directory) -> Facts:
    """Give the facts that ``of`` kept, for a decision by this directory."""
    return Facts(
        directory=directory,
        devices={it: DeviceState(*state) for it, state in told.get("devices", {}).items()},
        presence={it: msgspec.convert(found, Presence) for it, found in told.get("presence", {}).items()},
        load={it: msgspec.convert(found, Load) for it, found in told.get("load", {}).items()},
        turns=told.get("turns", {}),
        waiting=told.get("waiting", {}),
        missing=frozenset(told.get("missing", ())),
        answers={it: msgspec.convert(found, Answers, strict=False) for it, found in told.get("answers", {}).items()},
        crm_fault=told.get("crm_fault", ""),
        crm_seconds=told.get("crm_seconds", 0.0),
        **{name: told.get(name) for name in _PLAIN},
    )


def _answers(person: Person, arrival: Arrival, facts: Facts) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give what a person whose order is learned answers on at this hour."""
    if person.order != "learned":
        return
    hour = hour_of_week(arrival.at, facts.directory.zone_of(person))
    for device in person.devices:
        known = facts.answers.get(device.address)
        if known is not None:
            week, day = ({it: own[it] for it in own if it in {hour, hour % 24}} for own in (known.week, known.day))
            told: dict[str, Any] = msgspec.to_builtins(Answers(week, day, known.ever), str_keys=True)
            yield device.address, told


def _plain(value: Presence | Load) -> dict[str, Any]:
    """Give the fields of a value that are not by default."""
    usual = {it.name: it.default for it in fields(value)}
    told: dict[str, Any] = msgspec.to_builtins(value)
    return {name: it for name, it in told.items() if it != usual[name]}
