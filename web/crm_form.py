"""The form that asks for what a connection needs: made from its kind, read into what is wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from crm_sync.asking import LANGUAGES, Ask, Fault, Faults, Field, Way, Words, written
from crm_sync.kinds import KINDS
from crm_sync.workplace import Kind
from web.words import say

_DISPUTED: Final = "extension "
_EVENT: Final = "event."
_OWN: Final = ("", "connection", "link_days", "event")
"""What is wrong with these stands at the field of the form itself; "": at its head."""


@dataclass(frozen=True, slots=True)
class Row:
    """A field as it is shown: `value` is never a secret's, which says `kept` instead when there is one."""

    field: Field
    value: str
    fault: str
    kept: bool = False
    language: str = "ru"

    @property
    def label(self) -> str:
        """What it is called."""
        return said(self.field.ask.label, self.language)

    @property
    def help(self) -> str:
        """What to write there."""
        return said(self.field.ask.help, self.language)

    def choice(self, value: str) -> str:
        """What a value of a choice is called."""
        ask: Ask = self.field.ask
        return said(ask.choices[value], self.language) if value in ask.choices else value


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a kind: `common` ones, those of the ways to be let in, of which one is `chosen`, and rare ones."""

    kind: Kind
    common: Sequence[Row]
    ways: Sequence[tuple[Way, Sequence[Row]]]
    chosen: int
    rare: Sequence[Row]
    faults: Mapping[str, str]
    link_days: str
    events: frozenset[str]

    @property
    def has_rare_fault(self) -> bool:
        """Whether something is wrong among what is folded away."""
        return any(row.fault for row in self.rare) or "link_days" in self.faults


def said(words: Words, language: str) -> str:
    """A text in the reader's language."""
    return words[LANGUAGES.index(language)]


def remedy_of(kind: str, missing: str, language: str) -> str:
    """What to do about what a probe misses; empty where only its name is known."""
    if missing.startswith(_DISPUTED):
        return say(language, "todo.extension", extension=missing.split()[1])
    words = KINDS[kind].guide.remedy(missing)
    return said(words, language) if words else ""


def form_of(
    kind: Kind, language: str, told: Mapping[str, str], kept: frozenset[str] = frozenset(), faults: Sequence[Fault] = ()
) -> Form:
    """The form with what was `told` into it; `kept` are the secrets that we have already."""
    wrong = {fault.name: fault.said(language) for fault in faults}
    asked = [field for field in kind.fields if field.name != kind.door]
    rows = {
        field.name: Row(
            field,
            "" if field.control == "secret" else told.get(field.name, field.default),
            wrong.pop(field.name, ""),
            field.name in kept and field.control == "secret",
            language,
        )
        for field in asked
    }
    of_ways = {name for way in kind.guide.ways for name in way.names}
    ways = [(way, [rows[name] for name in way.names]) for way in kind.guide.ways]
    chosen = way_of(kind, told, kept)
    left = [row for name, row in rows.items() if name not in of_ways]
    own = {name: text for name, text in wrong.items() if name in _OWN}
    lost = [f"{name}: {text}" for name, text in wrong.items() if name not in _OWN]
    return Form(
        kind=kind,
        common=[row for row in left if not row.field.ask.rare],
        ways=ways,
        chosen=chosen,
        rare=[row for row in left if row.field.ask.rare],
        faults=own | ({"": "; ".join(lost)} if lost else {}),
        link_days=told.get("link_days", ""),
        events=events_told(kind, told),
    )


def way_of(kind: Kind, told: Mapping[str, str], kept: frozenset[str] = frozenset()) -> int:
    """Which way to be let in was chosen, else which one has most of what it needs."""
    number = told.get("way", "")
    ways = kind.guide.ways
    if number.isascii() and number.isdecimal() and len(number) < 3 and int(number) < len(ways):
        return int(number)
    have = [sum(1 for name in way.names if name in kept or told.get(name)) / len(way.names) for way in ways]
    return have.index(max(have)) if have else 0


def settings_told(kind: Kind, told: Mapping[str, str]) -> dict[str, Any]:
    """What was told of settings, but for those of a way that was not chosen."""
    left = _not_chosen(kind, told)
    return {
        field.name: told[field.name].strip()
        for field in kind.fields
        if field.control != "secret" and field.name in told and field.name not in left
    }


def secrets_told(kind: Kind, told: Mapping[str, str]) -> dict[str, str]:
    """What was told of secrets, but for those of a way that was not chosen."""
    left = _not_chosen(kind, told)
    names = [name for name in kind.secrets if name not in left and name != kind.door]
    return {name: told.get(name, "").strip() for name in names}


def secrets_left(kind: Kind, told: Mapping[str, str]) -> list[str]:
    """The secrets of ways that were not chosen: they are forgotten."""
    return sorted(_not_chosen(kind, told) & set(kind.secrets))


def check_way(kind: Kind, told: Mapping[str, str], kept: frozenset[str] = frozenset()) -> list[Fault]:
    """What the chosen way lacks."""
    if not kind.guide.ways:
        return []
    names = kind.guide.ways[way_of(kind, told, kept)].names
    return [Fault(name, "required") for name in names if not told.get(name, "").strip() and name not in kept]


def events_told(kind: Kind, told: Mapping[str, str]) -> frozenset[str]:
    """The events that were chosen; before anything was, the usual ones."""
    usual = not any(name.startswith(_EVENT) for name in told) and "way" not in told and "sent" not in told
    return frozenset(
        name for name, step in kind.events.items() if (step in kind.steps if usual else f"{_EVENT}{name}" in told)
    )


def check_events(kind: Kind, events: frozenset[str]) -> list[Fault]:
    """At least one has to be told."""
    return [Fault("event", "events")] if kind.events and not events else []


def told_of(kind: Kind, settings: Mapping[str, Any], link_days: int, steps: Sequence[str]) -> dict[str, str]:
    """What a form would have been told to make a connection as it is."""
    told = {
        field.name: written(field.control, settings[field.name])
        for field in kind.fields
        if field.control != "secret" and settings.get(field.name) is not None
    }
    events = {f"{_EVENT}{name}": "on" for name, step in kind.events.items() if step in steps}
    return {**told, **events, "link_days": str(link_days)}


def together(*parts: Sequence[Fault]) -> None:
    """Raise Faults for all that is wrong, once a field."""
    found = {fault.name: fault for faults in reversed(parts) for fault in faults}
    if found:
        raise Faults(*found.values())


def _not_chosen(kind: Kind, told: Mapping[str, str]) -> set[str]:
    ways = kind.guide.ways
    if not ways:
        return set()
    chosen = set(ways[way_of(kind, told)].names)
    return {name for way in ways for name in way.names} - chosen
