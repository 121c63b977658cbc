"""What happened while nobody listened: the CEL rows of a gap as events.

Events told before are harmless, because the fold takes a fact told twice as told once: a gap may begin earlier than
what was missed, and be read again. Who records them marks the calls that they changed as recovered.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from calls.events import Event
from telephony import cel
from telephony.cel_file import read_period


def read_gap(pbx: str, path: Path, since: datetime, until: datetime) -> list[Event]:
    """The events of `pbx` from `since` to `until` (aware, both included), from its CEL file and its rotated siblings.

    Events come in the order of time. Raises OSError when the file cannot be read.
    """
    return [event for row in read_period(path, since, until) for event in cel.translate(pbx, row)]
