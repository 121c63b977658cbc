"""Who has just had something done on a channel whose name tells of nobody: a mobile's is of the trunk."""

from __future__ import annotations

import time
from collections import deque
from typing import Final

_SECONDS: Final = 30.0
"""So long after a wish was done the dialplan asks whether its number may be called; what begins later is nobody's."""
_MOST: Final = 1000


class Wishers:
    """The wishes of the last seconds at one PBX."""

    def __init__(self) -> None:
        self._done: deque[tuple[float, str, str]] = deque(maxlen=_MOST)

    def note(self, channel: str, person: str) -> None:
        """Remember whose wish (the key of a person) is done on the channel of this name."""
        self._done.append((time.monotonic(), channel, person))

    def person(self, channel: str) -> str:
        """Give the key of whose wish was done last on the channel of this name; "" for nobody's."""
        since = time.monotonic() - _SECONDS
        return next((person for at, name, person in reversed(self._done) if name == channel and at >= since), "")
