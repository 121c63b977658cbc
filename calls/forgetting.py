"""Forgetting a person in what a call is made of: their numbers, in every spelling, and their names (pure).

Rules this file obeys:
1. A number is known by its significant digits, whatever stands between them and before them (+7, 8, 810, a prefix to
   reach the outside): `pattern` is read alike by Python and by PostgreSQL, so what is looked for is what is replaced.
2. What names channels and bridges is never touched: the PBX counts them, they name nobody, and they join calls.
3. The pseudonym has digits enough to read as a number outside, and letters, so that it is no number of anybody: a call
   without the person reads as before, but for who it was.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import msgspec

from calls.events import Event

PSEUDONYM: Final = re.compile(r"erased[0-9]{12}")
DIGITS_LEAST: Final = 7
"""A number of fewer digits is an extension, or means nothing without the town."""

_BETWEEN: Final = "[^0-9A-Za-z]{0,3}"
_NAMES_OF_CHANNELS: Final = frozenset(
    {"kind", "pbx", "channel", "linkedid", "target", "target_linkedid", "transferee", "second", "bridge", "at", "since"}
    | {"sha256"}
)
_decode: Final = msgspec.json.decode


def pattern(significant: str) -> str:
    """The regular expression of a number by its significant digits, with what people and carriers put before them."""
    if not significant.isascii() or not significant.isdigit() or len(significant) < DIGITS_LEAST:
        raise ValueError(f"a number has at least {DIGITS_LEAST} digits, got {len(significant)} signs")
    return rf"(?<![0-9])\+?(?:[0-9]{_BETWEEN}){{0,5}}{_BETWEEN.join(significant)}(?![0-9])"


@dataclass(frozen=True)
class Person:
    """Whom to forget: significant digits of their numbers, names (as told), and what is to stand for a number.

    `names` of ours, as of a colleague who has the same, are the caller's to leave out: they are replaced everywhere.
    """

    numbers: frozenset[str]
    names: frozenset[str]
    pseudonym: str

    @cached_property
    def _numbers(self) -> re.Pattern[str]:
        return re.compile("|".join(pattern(number) for number in sorted(self.numbers)) or "(?!)")

    @cached_property
    def _called(self) -> re.Pattern[str] | None:
        words = sorted(
            {name.strip() for name in self.names if len(name.strip()) > 1}, key=lambda name: (-len(name), name)
        )
        if not words:
            return None
        return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, words))})(?!\w)", re.IGNORECASE)

    def has_number(self, told: str) -> bool:
        """Whether one of the numbers stands in a text."""
        return self._numbers.search(told) is not None

    def text(self, told: str) -> str:
        """A text without the person; JSON within it stays JSON."""
        if told[:1] in {"{", "["}:
            try:
                return json.dumps(self.value(_decode(told)), ensure_ascii=False, separators=(",", ":"))
            except msgspec.DecodeError:
                pass
        told = self._numbers.sub(self.pseudonym, told)
        return self._called.sub(self.pseudonym, told) if self._called else told

    def value(self, told: Any) -> Any:
        """A JSON value without the person, keys too; what names channels stays."""
        if isinstance(told, str):
            return self.text(told)
        if isinstance(told, Mapping):
            return {
                self.text(key): value if key in _NAMES_OF_CHANNELS else self.value(value) for key, value in told.items()
            }
        return [self.value(value) for value in told] if isinstance(told, list) else told


def forgotten(event: Event, person: Person) -> Event:
    """The event without the person; a name that came with their number goes whole."""
    told: dict[str, Any] = msgspec.to_builtins(event)
    if told.get("caller_name") and person.has_number(told.get("number", "")):
        del told["caller_name"]
    kept: Event = msgspec.convert(person.value(told), Event)
    return kept


def numbers_in(events: Iterable[Event]) -> frozenset[str]:
    """Every telephone number that somebody had, dialled, or was sent on to; whose they are is for the caller to say."""
    told = {getattr(event, field, "") for event in events for field in ("number", "dialed", "exten", "to", "shown")}
    return frozenset(one for one in told if sum(sign.isdigit() for sign in one) >= DIGITS_LEAST and not _ours(one))


def _ours(told: str) -> bool:
    return PSEUDONYM.fullmatch(told) is not None


def names_in(events: Iterable[Event], person: Person) -> Iterator[str]:
    """The names that came with the person's numbers; a name that is a number is none."""
    for event in events:
        number, name = getattr(event, "number", ""), getattr(event, "caller_name", "")
        if number and name and person.has_number(number) and any(sign.isalpha() for sign in name):
            yield name
