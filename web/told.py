"""Routing's reasons in words, by their keys; one without words here is shown in the English that came with it."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from directory.model import DAYS, Directory
from web.names import person_name
from web.refused import why_refused
from web.wording import weekday
from web.words import has_words, say

_WHO: Final = {
    "the owner of this caller's lead": "owner",
    "the last who talked with this caller": "last_talked",
    "whom the rule names": "named",
}
_DEVICES: Final = {"desk phone": "desk", "softphone": "soft", "mobile": "mobile"}
_UNITS: Final = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days"}
_MORE: Final = ("skill", "language", "until", "substitute", "minutes")
"""What a reason may have besides its words."""


@dataclass(frozen=True, slots=True)
class Considered:
    """One device of one person that routing looked at."""

    name: str
    device: str
    kind: str
    taken: bool
    why: str


def reason(told: Mapping[str, Any] | str, language: str) -> str:
    """One reason of a plan in words; a plain text comes back as it is."""
    if isinstance(told, str):
        return told
    key, text, values = str(told.get("key", "")), str(told.get("text", "")), told.get("values") or {}
    known = {name: _value(name, str(value), language) for name, value in values.items()}
    for rule in ("owner", "last_talked", "person", "stands_in"):
        if key.startswith(f"{rule}_") and not has_words(f"because.{key}"):
            but = why(key.removeprefix(f"{rule}_"), language)
            return _sentence(say(language, "because.but", reason=_because(rule, known, language), but=but))
    if has_words(f"because.{key}"):
        return _sentence(_because(key, known, language))
    return why_refused(language, key) if has_words(f"not_called.{key}") else _sentence(text)


def _because(key: str, values: Mapping[str, str], language: str) -> str:
    """The words of a reason, and what else its values tell: until when, who stands in, how old a copy is."""
    text = say(language, f"because.{key}")
    told = text.format_map(defaultdict(str, values))
    for name in _MORE:
        if values.get(name) and f"{{{name}}}" not in text:
            told = say(language, f"more.{name}", reason=told, value=values[name])
    return told


def _value(name: str, value: str, language: str) -> str:
    """A value that is a word of ours, in words; names and numbers stay as they are."""
    number, _, unit = value.partition(" ")
    if name == "age" and unit in _UNITS:
        return say(language, f"age.{_UNITS[unit]}", count=number)
    if name == "day" and value in DAYS:
        return weekday(DAYS.index(value), language)
    if name == "who" and value in _WHO:
        return say(language, f"who_is.{_WHO[value]}")
    return say(language, f"device.{_DEVICES[value]}") if name == "device" and value in _DEVICES else value


def reasons(plan: Mapping[str, Any], language: str) -> list[str]:
    """Why the whole plan is as it is."""
    return [reason(one, language) for one in _list(plan, "reasons")]


def why_person(plan: Mapping[str, Any], person: str | None, language: str) -> list[str]:
    """Why this person is rung: the reasons of the steps that ring them, then why this device."""
    told = []
    for step in _list(plan, "steps"):
        if any(target.get("person") == person for target in step.get("targets", ())):
            told.append(reason(step.get("reason", ""), language))
            break
    return [line for line in dict.fromkeys(told) if line]


def considered(plan: Mapping[str, Any], directory: Directory, language: str) -> Iterator[Considered]:
    """Everybody whom routing looked at, in its order."""
    for one in _list(plan, "considered"):
        key = str(one.get("key", ""))
        device = str(one.get("device", ""))
        name = person_name(directory, one.get("person"))
        known = {name: str(value) for name, value in (one.get("values") or {}).items()}
        why = _because(key, known, language) if has_words(f"because.{key}") else str(one.get("why", ""))
        yield Considered(name, device, device_kind(directory, device), bool(one.get("taken")), _sentence(why))


def why(key: str, language: str) -> str:
    """Why a person or a device was passed over, by the key of the reason; the key where there are no words."""
    found = (it for it in (f"but.{key}", f"because.{key}") if has_words(it))
    return next((say(language, it) for it in found), key.replace("_", " "))


def device_kind(directory: Directory, address: str, number: str = "") -> str:
    """Whether a device is a desk phone, a softphone or a mobile; empty when the directory does not know it.

    A mobile is known by its number: its address is the trunk's.
    """
    forms = {address, number, directory.normal(address), directory.normal(number)} - {""}
    owner = directory.person_of_device(address) or directory.person_of_number(number)
    kinds: Iterator[str] = (it.kind for it in owner.devices if forms & {it.address, it.number}) if owner else iter(())
    return next(kinds, "")


def _list(plan: Mapping[str, Any], name: str) -> Sequence[Any]:
    found = plan.get(name)
    return found if isinstance(found, list) else ()


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
