"""What changes between two directories, in lines that a person reads before saying yes."""

from collections.abc import Iterator
from dataclasses import fields
from decimal import Decimal
from typing import Any, Final

from directory.hours import write_dates, write_week
from directory.lead_policy import plain
from directory.model import Device, Directory, FollowUpPolicy, Hours
from directory.nps import plain as plain_nps
from directory.outgoing import money
from directory.retention import Keep
from directory.retention import plain as plain_retention
from directory.rules import Rule
from directory.values import masked

Entries = dict[str, dict[str, str]]

_SECTIONS: Final = (
    ("hours", "hours", "key"),
    ("people", "person", "key"),
    ("teams", "team", "key"),
    ("lines", "line", "number"),
    ("blocked", "blocked", "number"),
    ("allowed", "allowed", "number"),
    ("do_not_call", "do_not_call", "number"),
    ("vip", "vip", "number"),
    ("rules", "rule", "name"),
)


def difference(before: Directory, after: Directory) -> list[str]:
    """Give one line for each thing added (+), changed (~) and removed (-); empty when nothing changes.

    The order of a list is part of it: people, teams and lines that only change places are one line for the section.
    """
    lines = list(_changed("company", _entry(before.company), _entry(after.company)))
    lines += _changed("outgoing", _entry(before.outgoing), _entry(after.outgoing))
    lines += _changed("leads", _policy(plain(before.leads)), _policy(plain(after.leads)))
    lines += _changed("nps", _policy(plain_nps(before.nps)), _policy(plain_nps(after.nps)))
    for section, noun, key in _SECTIONS:
        old, new = _entries(before, section, key), _entries(after, section, key)
        lines += [f"+ {noun} {name}{_inside(entry)}" for name, entry in new.items() if name not in old]
        for name, entry in new.items():
            lines += _changed(f"{noun} {name}", old[name], entry) if name in old else ()
        lines += [f"- {noun} {name}{_inside(entry)}" for name, entry in old.items() if name not in new]
        if [name for name in old if name in new] != [name for name in new if name in old]:
            lines.append(f"~ {section}: order {', '.join(old)} -> {', '.join(new)}")
    return lines


def _entries(directory: Directory, section: str, key: str) -> Entries:
    return {getattr(entry, key): _entry(entry, key) for entry in getattr(directory, section)}


def _policy(policy: dict[str, Any]) -> dict[str, str]:
    return {name: _inline_value(told) for name, told in policy.items()}


def _entry(value: object, key: str = "") -> dict[str, str]:
    if isinstance(value, Hours):
        own = {"holidays": value.holidays} if value.holidays else {}
        return write_week(value.spans) | own | write_dates(value.dates)
    if isinstance(value, Rule):
        rule = value.to_json()
        return {"when": _inline(rule["when"]), "then": ", ".join(f"{{{_inline(it)}}}" for it in rule["then"])}
    names = (field.name for field in fields(value) if field.name != key)  # type: ignore[arg-type]  # a model class
    told = {name: _words(getattr(value, name)) for name in names}
    # An address of a calendar is a secret: the host is shown, and the digest's beginning when it changes.
    return told | ({"calendar": masked(told["calendar"])} if told.get("calendar", "none") != "none" else {})


def _words(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(_words(item) for item in value) or "none"
    if isinstance(value, Device):
        seconds = value.mobile_seconds and f"for {value.mobile_seconds} s"
        told = [value.kind, value.address, value.number and f"number {value.number}", value.trunk, seconds]
        return " ".join(part for part in told if part)
    if isinstance(value, Decimal):
        return money(value)
    if isinstance(value, FollowUpPolicy):
        told = [f"within {value.minutes} minutes" if value.minutes else "", " or ".join(value.owners), value.person]
        return ", ".join(part for part in told if part) or "none"
    if isinstance(value, Keep):
        return _inline(plain_retention(value))
    return "none" if value in (None, "") else str(value)


def _inline(told: dict[str, object]) -> str:
    """Write keys and values in one line, as YAML would between braces."""
    parts = (f"{key}: {_inline_value(value)}" for key, value in told.items())
    return ", ".join(parts) if told else "none"


def _inline_value(value: object) -> str:
    if isinstance(value, dict):
        return f"{{{_inline(value)}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_inline_value(item) for item in value)}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _inside(entry: dict[str, str]) -> str:
    told = ", ".join(f"{name} {text}" for name, text in entry.items() if text != "none")
    return f" ({told})" if told else ""


def _changed(what: str, old: dict[str, str], new: dict[str, str]) -> Iterator[str]:
    for name in dict.fromkeys((*old, *new)):
        was, now = old.get(name, "none"), new.get(name, "none")
        if was != now:
            yield f"~ {what}: {name} {was} -> {now}"
