"""Differences and faults of the directory as people read them, with sections and fields by their names (pure)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from directory.model import DAYS, Directory
from directory.sections import KEYS
from web.admin.asked import CHOICES, FORMS, Ask, asks_of
from web.words import has_words, say

_NOUNS: Final = {
    "hours": "hours",
    "person": "people",
    "team": "teams",
    "line": "lines",
    "rule": "rules",
    "company": "company",
    "outgoing": "outgoing",
    "leads": "leads",
    "nps": "nps",
    "blocked": "blocked",
    "allowed": "allowed",
    "vip": "vip",
    "do_not_call": "do_not_call",
}
"""The nouns of `directory.difference`, and the sections whose names they are shown by."""

_ADDED: Final = re.compile(r"([+-]) (\w+) (\S+)(?: \((.*)\))?", re.DOTALL)
_ORDER: Final = re.compile(r"~ (\w+): order (.*) -> (.*)", re.DOTALL)
_CHANGED: Final = re.compile(r"~ (\w+)(?: ([^:]+))?: (\S+) (.*?) -> (.*)", re.DOTALL)
_PLACE: Final = re.compile(r"(\w+)(?:\[(\d+)\]|\.([\w-]+))?\.?(.*)")
_DAYS: Final = re.compile("({0})-({0})".format("|".join(DAYS)))
_NONE: Final = "none"


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a difference: `sign` is +, ~ or -; `what` it is about; `field` (or nothing), `was`, `now`."""

    sign: str
    what: str
    field: str = ""
    was: str = ""
    now: str = ""


def change(line: str, language: str) -> Change:
    """A line of a difference in words; one that is not known stands as it is."""
    if found := _ADDED.fullmatch(line):
        inside = _inside(_NOUNS.get(found[2], found[2]), found[4] or "", language)
        return Change(found[1], _what(found[2], found[3], language), now=inside)
    if found := _ORDER.fullmatch(line):
        return Change("~", say(language, f"admin.{found[1]}"), say(language, "admin.order"), found[2], found[3])
    if found := _CHANGED.fullmatch(line):
        section = _NOUNS.get(found[1], found[1])
        was, now = (value_words(section, found[3], value, language) for value in (found[4], found[5]))
        return Change("~", _what(found[1], found[2] or "", language), field_name(section, found[3], language), was, now)
    return Change(line[:1], line[2:])


def field_name(section: str, name: str, language: str) -> str:
    """What a field is called on the pages; its own name where it has none there."""
    for key in (f"field.{section}.{name}", f"field.{name}", f"field.{name.rpartition('.')[2]}"):
        if has_words(key):
            return say(language, key)
    if _DAYS.fullmatch(name):
        return " – ".join(say(language, f"field.{day}") for day in name.split("-"))
    return name


def value_words(section: str, name: str, value: str, language: str) -> str:
    """A field's value as its form calls it where it is chosen there; any other as it is written."""
    if value == _NONE:
        return "—"
    source = next((ask.source for ask in _asks(section) if ask.name == name), "")
    keys = [f"option.{source}.{one}" for one in value.split(", ")]
    if all(map(has_words, keys)):
        return ", ".join(say(language, key) for key in keys)
    usual = source in CHOICES and value not in CHOICES[source] and has_words(f"blank.{name}")
    return say(language, f"blank.{name}") if usual else value  # what is so by default is chosen by choosing nothing


def place(directory: Directory, path: str, language: str) -> str:
    """Where in the directory a fault is: section, entry and field by name; empty for none."""
    found = _PLACE.fullmatch(path)
    if found is None or not has_words(f"admin.{found[1]}"):
        return path
    section, entry = found[1], found[3] or ""
    if found[2] and section in KEYS:
        entries = getattr(directory, section)
        at = int(found[2])
        entry = (
            str(getattr(entries[at], "name", "") or getattr(entries[at], KEYS[section])) if at < len(entries) else ""
        )
    field = re.sub(r"\[\d+\]", "", found[4])
    if section in {"company", "outgoing", "leads", "nps"}:
        entry, field = "", ".".join(part for part in (entry, field) if part)
    told = [say(language, f"admin.{section}"), entry, field_name(section, field, language) if field else ""]
    return " · ".join(part for part in told if part)


def _inside(section: str, told: str, language: str) -> str:
    """The fields of an entry that came or went; what begins no field belongs to the value before it."""
    fields: list[tuple[str, str]] = []
    for part in told.split(", "):
        name, _, value = part.partition(" ")
        if value and field_name(section, name, language) != name:
            fields.append((name, value))
        elif fields:
            fields[-1] = fields[-1][0], f"{fields[-1][1]}, {part}"
        else:
            return told
    named = (
        (field_name(section, name, language), value_words(section, name, value, language)) for name, value in fields
    )
    return "; ".join(f"{name}: {value}" for name, value in named)


def _asks(section: str) -> tuple[Ask, ...]:
    return asks_of(section) if section in FORMS else ()


def _what(noun: str, name: str, language: str) -> str:
    section = _NOUNS.get(noun, noun)
    kind = say(language, f"admin.one.{section}") if has_words(f"admin.one.{section}") else noun
    return f"{kind} {name}".strip()
