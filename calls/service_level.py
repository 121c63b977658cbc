"""Which inbound calls the service level counts, and which of them as answered soon (pure)."""

from __future__ import annotations

from typing import Final

from directory.model import RING_SECONDS

SOON_SECONDS: Final = RING_SECONDS
"""Answered within so long is answered soon. It is how long a line rings whom it rings first, unless told otherwise: who
was answered later waited until somebody else was tried."""

NOT_COUNTED: Final = ("caller_gave_up_early", "outside_hours")
"""Missed calls that the service level does not count: the caller left before anybody could answer, or nobody was to."""
