"""What may be chosen in a form of the directory, and how it is called (pure)."""

from __future__ import annotations

from typing import Final

from directory.model import Directory
from directory.rules import REJECTS, RELATIVE, Rule
from web.admin.asked import CHOICES, FREELY, Ask
from web.wording import phone
from web.words import has_words, say

Option = tuple[str, str]
_SECTIONS: Final = ("people", "teams", "hours", "lines")


def options_of(ask: Ask, directory: Directory, language: str) -> list[Option]:
    """(value, words) of everything that may be chosen."""
    if ask.source in _SECTIONS:
        return entries(ask.source, directory)
    if ask.source == "destination":
        return destinations(directory, language)
    return [(value, say(language, f"option.{ask.source}.{value}")) for value in CHOICES.get(ask.source, ())]


def entries(section: str, directory: Directory) -> list[Option]:
    """The entries of a section, by the names that people know them by."""
    match section:
        case "people":
            return [(person.key, person.name) for person in directory.people]
        case "teams":
            return [(team.key, team.name) for team in directory.teams]
        case "lines":
            return [(line.number, f"{line.name}, {phone(line.number)}") for line in directory.lines]
        case "rules":
            return [(rule.name, rule.name) for rule in directory.rules]
    return [(hours.key, hours.key) for hours in directory.hours]


def destinations(directory: Directory, language: str) -> list[Option]:
    """Where a rule may send a call: `kind:what`, or the kind alone where what it names is typed beside it."""
    relative = [(f"ring:{it}", say(language, f"option.ring_to.{it}")) for it in RELATIVE]
    people = [(f"person:{key}", name) for key, name in entries("people", directory)]
    teams = entries("teams", directory)
    rung = [(f"team:{key}", say(language, "option.to_team", name=name)) for key, name in teams]
    held = [(f"hold:{key}", say(language, "option.to_hold", name=name)) for key, name in teams]
    free = [(kind, say(language, f"option.to.{kind}")) for kind in FREELY]
    turned = [(f"reject:{it}", say(language, f"option.reject.{it}")) for it in REJECTS]
    return [*relative, *rung, *people, *held, *free, *turned]


def rule_words(rule: Rule, directory: Directory, language: str) -> str:
    """Where a rule sends its calls, one place after another."""
    called = dict(destinations(directory, language))
    told = ((called.get(f"{it.kind}:{it.to}"), called.get(it.kind), it.to) for it in rule.then)
    return " → ".join(whole or f"{kind}: {to}" for whole, kind, to in told)


def blank_of(name: str, language: str) -> str:
    """What it means that nothing is chosen."""
    for key in (f"blank.{name}", f"blank.{name.rpartition('.')[2]}"):
        if has_words(key):
            return say(language, key)
    return "—"
