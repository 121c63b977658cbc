"""How a person is told of what concerns them: by which channels, at which address, and when not (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from directory.hours import next_open, read_spans
from directory.model import DAY_MINUTES, DAYS, Directory, Hours, Person, Span

NEVER: Final = "never"
"""As `quiet`: they may be disturbed at any time."""

_EMAIL: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_CHAT: Final = re.compile(r"-?[1-9][0-9]{0,18}")


def email(value: str) -> str:
    """Check a mailbox's address, as a mail server takes it without further ado."""
    if not _EMAIL.fullmatch(value) or ".." in value or len(value) > 254:
        raise ValueError(f"must be one e-mail address, as in anna@example.org, got {value!r}")
    return value


def chat(value: str) -> str:
    """Check the number of a Telegram chat."""
    if not _CHAT.fullmatch(value):
        raise ValueError(f"must be the number of a chat with our bot, as in 123456789, got {value!r}")
    return value


def quiet(value: str) -> str:
    """Check the hours of each day in which a person is left in peace: `22:00-08:00`, or `never`."""
    if value != NEVER:
        (span, *more) = read_spans(0, value)
        if more or span.opens == span.closes % DAY_MINUTES:
            raise ValueError(f"must be one time of the day as in 22:00-08:00, or never, got {value!r}")
    return value


def missing(person: Person) -> Iterator[tuple[str, str]]:
    """Every channel that a person wants and has no address for: its place in `notify`, and what is missing."""
    for index, channel in enumerate(person.notify):
        if channel in {"email", "telegram"} and not getattr(person, channel):
            yield f"notify[{index}]", f"{channel} is asked for, and there is no {channel!r} of this person"


def tell_at(directory: Directory, person: Person, at: datetime) -> datetime:
    """When a person may be disturbed: `at`, or when their quiet hours of then end.

    Quiet is what `quiet` says, else the time outside their working hours; who never works is told at once.
    """
    zone = directory.zone_of(person)
    if person.quiet == NEVER:
        return at
    if person.quiet is None:
        return next_open(directory.hours_of(person.hours), zone, at) or at
    (span,) = read_spans(0, person.quiet)
    awake = (Span(day, span.closes % DAY_MINUTES, span.opens or DAY_MINUTES) for day in range(len(DAYS)))
    return next_open(Hours("awake", tuple(awake)), zone, at) or at
