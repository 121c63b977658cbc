"""The action that begins a synthetic call (pure); what becomes of it the dialplan's switchhook-synthetic says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from calls.synthetic import CONTEXT, PREFIX
from telephony.plan_variables import UnsafeDialError

NUMBER: Final = "70000000000"
"""Who calls: a number that no telephone has. It is shown and routed by, and marks nothing."""

EXISTS: Final = f"DIALPLAN_EXISTS({CONTEXT},caller,1)"
"""What an older dialplan answers 0 to."""

_SECONDS: Final = 40
_LINE: Final = re.compile(r"[0-9]{1,20}\Z")
_LANGUAGE: Final = re.compile(r"[a-z]{2}\Z")


@dataclass(frozen=True, slots=True)
class _Refusal:
    """A step that rings nobody, whatever dialplan did it."""

    kind: str = "reject"
    dial: str = "declined"
    seconds: float = 1.0

    @property
    def targets(self) -> tuple[_Refusal]:
        return (self,)


REFUSAL: Final = (_Refusal(),)
"""What is handed over in the place of the plan: the dialplan knows by itself whom such a call rings."""


def caller_of(own: UUID) -> str:
    """The uniqueid of the channel that comes in on the line."""
    return f"{PREFIX}{own.hex}-in"


def originate(own: UUID, line: str, language: str) -> dict[str, str]:
    """Have the line called; both sides speak `language`. Raises UnsafeDialError for what may not reach the dialplan."""
    if not _LINE.match(line) or not _LANGUAGE.match(language):
        raise UnsafeDialError("a synthetic call: the line is digits, the language two letters")
    return {
        "Action": "Originate",
        "ActionID": str(own),
        "Channel": f"Local/{line}@{CONTEXT}/n",
        "ChannelId": f"{PREFIX}{own.hex}",
        "OtherChannelId": caller_of(own),
        "Context": CONTEXT,
        "Exten": "caller",
        "Priority": "1",
        "CallerID": f"<{NUMBER}>",
        "Timeout": str(_SECONDS * 1000),
        "Async": "true",
        "Variable": f"__SWITCHHOOK_SPEAKS={language}",
    }
