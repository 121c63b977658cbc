"""The synthetic call: the service calls a line of its own now and then, to see that everything works (pure).

Such a call is told apart by the uniqueids of its first channels, which only a manager's Originate can choose: no number
and no name that a caller sends makes one. As soon as a channel of another kind is in it, it is a call like any other:
nobody hides a call with people by the name of one channel. Its direction is one of its own, so that nothing which looks
for calls with people, inbound, outbound or internal, finds it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

SYNTHETIC: Final = "synthetic"
"""The direction of such a call."""

PREFIX: Final = "switchhook-synthetic-"
"""What the uniqueids begin with of the channels by which it begins; the dialplan looks for it too."""

CONTEXT: Final = "switchhook-synthetic"
"""Where its two sides speak; see the dialplan."""

STEPS: Final = (
    *("begun", "arrived", "decided", "rang", "answered"),
    *("recorded", "stored", "transcribed", "planned"),
)
"""What such a call goes through, in order: the PBX took it, the line's arrival, the plan, the test phone, its answer,
the recording, the files of both sides in the store, their text, and what each CRM would be told."""

OK: Final = "ok"

RESULTS: Final = (OK, *STEPS)
"""What becomes of it: ok, or the step that failed."""

_HALF: Final = re.compile(rf"Local/[^@]+@{CONTEXT}-[0-9a-f]+;[12]$")
_SIDE: Final = re.compile(rf"Local/(?:phone@{CONTEXT}-[0-9a-f]+;1|[+0-9s]+@{CONTEXT}-[0-9a-f]+;2)$")


def is_of_synthetic(uniqueid: str) -> bool:
    """Whether a channel, by its uniqueid, began a synthetic call."""
    return uniqueid.startswith(PREFIX)


def is_synthetic(channels: Mapping[str, str]) -> bool:
    """Whether a call of these channels, uniqueid to name ("" not told yet), is one: all are halves, one began it."""
    return any(map(is_of_synthetic, channels)) and all(_HALF.match(name) for name in channels.values() if name)


def is_side(name: str) -> bool:
    """Whether the channel of that name stands for somebody in such a call: who calls, or the test phone."""
    return _SIDE.match(name) is not None
