"""The action that has a client called and asked how willing they are to recommend the house (pure).

What the client hears and presses the dialplan's switchhook-nps says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from calls.nps import CONTEXT, PREFIX
from telephony.plan_variables import UnsafeDialError

RING_SECONDS: Final = 30
EXISTS: Final = f"DIALPLAN_EXISTS({CONTEXT},s,1)"
"""What an older dialplan answers 0 to."""

_NAME = r"[A-Za-z0-9][A-Za-z0-9_.+-]*"
_SOUNDS = rf"{_NAME}(?:[/&]{_NAME})*"
_FORMS: Final = {
    "number": re.compile(r"[0-9]{2,15}\Z"),
    "trunk": re.compile(rf"[A-Za-z][A-Za-z0-9]*/{_NAME}\Z"),
    "line": re.compile(r"[0-9]{0,20}\Z"),
    "shown": re.compile(r"[0-9]{0,20}\Z"),
    "language": re.compile(r"[a-z]{2,3}(?:_[A-Za-z]{2,4})?\Z"),
    "prompt": re.compile(rf"{_SOUNDS}\Z"),
    "comment_prompt": re.compile(rf"(?:{_SOUNDS})?\Z"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Whom to call, through which trunk, as which line, and what they hear.

    `shown` is the number that they see; without a `comment_prompt` no words are asked for.
    """

    id: UUID
    number: str
    trunk: str
    line: str
    shown: str
    language: str
    prompt: str
    comment_prompt: str
    comment_seconds: int


def channel_of(ask: UUID) -> str:
    """The uniqueid that the client's channel is given."""
    return f"{PREFIX}{ask.hex}"


def originate(asked: Question) -> dict[str, str | list[str]]:
    """Have the client called and, when they answer, asked. Its id is the question's. Raises UnsafeDialError."""
    for name, form in _FORMS.items():
        if not form.match(getattr(asked, name)):
            raise UnsafeDialError(f"the {name} of a question is of no safe form")
    technology, _, peer = asked.trunk.partition("/")
    to = f"{asked.number}@{peer}" if technology == "PJSIP" else f"{peer}/{asked.number}"
    told: dict[str, str | list[str]] = {
        "Action": "Originate",
        "ActionID": str(asked.id),
        "ChannelId": channel_of(asked.id),
        "Channel": f"{technology}/{to}",
        "Context": CONTEXT,
        "Exten": "s",
        "Priority": "1",
        "Timeout": str(RING_SECONDS * 1000),
        "Async": "true",
        "Variable": [
            f"SWITCHHOOK_LINE={asked.line}",
            f"SWITCHHOOK_NUMBER={asked.number}",
            f"SWITCHHOOK_LANGUAGE={asked.language}",
            f"SWITCHHOOK_PROMPT={asked.prompt}",
            f"SWITCHHOOK_COMMENT={asked.comment_prompt}",
            f"SWITCHHOOK_SECONDS={asked.comment_seconds}",
        ],
    }
    return told | ({"CallerID": f"<{asked.shown}>"} if asked.shown else {})
