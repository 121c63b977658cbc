"""What a notice is: something that a person should know, of a closed kind, with the values that its words need (pure).

Rules kept here:
1. A notice is told a person once: its key says what happened, and whoever tells it again tells nothing new.
2. It holds nothing of a person outside: ids, keys of our people, numbers of lines, counts and times. Who reads it
   looks that up, by their own rights, so a message in a mailbox or a chat gives nobody away, and nothing of it has to
   be erased when somebody outside is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from directory.model import Directory

Subject = Literal["call", "lead", "follow_up", "house", "report"]
"""What a notice is about; `house` is the company's work as a whole, a report's id is the last day that it tells."""

SUBJECTS: Final[tuple[Subject, ...]] = ("call", "lead", "follow_up", "house", "report")

KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "test": (),
    "deadline_near": ("deadline", "due_at", "owner"),
    "deadline_passed": ("deadline", "due_at", "owner"),
    "help_asked": ("person",),
    "colleague_answered": ("person",),
    "device_without_person": ("device", "line"),
    "doctor_found": ("worse", "well", "check"),
    "follow_up_overdue": ("line", "due_at", "owner"),
    "revival_without_channel": ("step",),
    "task_given": ("by", "due_at"),
    "lead_given": ("by",),
    "leads_given": ("by", "count"),
    "crm_access_ended": (),
    "incident_opened": ("fault", "about", "began_at"),
    "incident_closed": ("fault", "about", "began_at", "ended_at", "lost", "saved"),
    "attention": ("overdue", "forgotten", "long", "overloaded"),
    "report_daily": ("audience", "about"),
    "report_weekly": ("audience", "about"),
    "report_monthly": ("audience", "about"),
}
"""Every kind, and the values that its words name; `web/locale` has the words of each."""

_VALUE: Final = re.compile(r"[A-Za-z0-9_@/:.+-]{0,120}")
_OURS: Final = ("about", "line", "owner", "person")
"""Values that are ours, though they may look like a number of somebody outside."""

_NUMBER: Final = re.compile(r"\+?[0-9]{7,}")


def plain(value: str | None) -> str:
    """Give a line, as a PBX wrote it, if a notice can hold it; else nothing: the notice's subject tells it."""
    return value if value is not None and _VALUE.fullmatch(value) else ""


class NoticeRefused(ValueError):
    """What was to be told is no notice; the text says why. It is a fault of the program, not of a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something to tell. `subject_id` is the id of the call, the lead or the follow-up that it is about.

    `key` tells what happened, the same however often it is told. Raises NoticeRefused.
    """

    key: str
    kind: str
    subject: Subject
    subject_id: str = ""
    values: Mapping[str, str | int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        named = KINDS.get(self.kind)
        if named is None:
            raise NoticeRefused(f"kind: there is no {self.kind!r}")
        if set(self.values) != set(named):
            raise NoticeRefused(f"values of {self.kind}: must be {', '.join(named)}, got {', '.join(self.values)}")
        told = {"subject_id": self.subject_id, **self.values}
        wrong = next((name for name, value in told.items() if not _VALUE.fullmatch(str(value))), None)
        wrong = wrong or next(
            (name for name, value in self.values.items() if name not in _OURS and _is_number(value)), None
        )
        if wrong is not None:
            raise NoticeRefused(f"{wrong} of {self.kind}: must be an id, a key, a number or a time")
        if not self.key or len(self.key) > 200:
            raise NoticeRefused(f"key of {self.kind}: must be 1 to 200 characters")


def _is_number(value: str | int) -> bool:
    """Whether it could be somebody's telephone number."""
    return isinstance(value, str) and _NUMBER.fullmatch(value) is not None


@dataclass(frozen=True, slots=True)
class Told:
    """A notice as it was told a person, and the language that they read."""

    person: str
    kind: str
    subject: Subject
    subject_id: str
    values: Mapping[str, str | int]
    made_at: datetime
    language: str


@dataclass(frozen=True, slots=True)
class Written:
    """A notice in words: one line that says it, what more there is to say (or nothing), where to go (None: nowhere)."""

    title: str
    text: str
    link: str | None


Words = Callable[[Directory, Told], Written]
"""Puts a notice into words, with what people and lines are called in the directory."""
