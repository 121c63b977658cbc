"""Differences and faults of the directory as people read them, with sections and fields by their names (pure)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from directory.model import Directory
from directory.sections import KEYS
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
        return Change(found[1], _what(found[2], found[3], language), now=found[4] or "")
    if found := _ORDER.fullmatch(line):
        return Change("~", say(language, f"admin.{found[1]}"), say(language, "admin.order"), found[2], found[3])
    if found := _CHANGED.fullmatch(line):
        section = _NOUNS.get(found[1], found[1])
        was, now = ("—" if value == _NONE else value for value in (found[4], found[5]))
        return Change("~", _what(found[1], found[2] or "", language), field_name(section, found[3], language), was, now)
    return Change(line[:1], line[2:])


def field_name(section: str, name: str, language: str) -> str:
    """What a field is called on the pages; its own name where it has none there."""
    for key in (f"field.{section}.{name}", f"field.{name}", f"field.{name.rpartition('.')[2]}"):
        if has_words(key):
            return say(language, key)
    return name


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
    if section in {"company", "outgoing", "leads"}:
        entry, field = "", ".".join(part for part in (entry, field) if part)
    told = [say(language, f"admin.{section}"), entry, field_name(section, field, language) if field else ""]
    return " · ".join(part for part in told if part)


def _what(noun: str, name: str, language: str) -> str:
    section = _NOUNS.get(noun, noun)
    kind = say(language, f"admin.one.{section}") if has_words(f"admin.one.{section}") else noun
    return f"{kind} {name}".strip()
