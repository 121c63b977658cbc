"""How long something lasts, as a CRM tells it: whatever that is, it is bounded here (pure)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

MOST_SECONDS: Final = 6 * 3600.0
"""Nobody is heeded for longer who asks us to wait: what is owed is tried a few times before it is given up."""


def span(told: Any, most: float = MOST_SECONDS) -> float | None:
    """Seconds from 0 to `most`, of a number or a text that is one; None: it is none."""
    if isinstance(told, bool) or not isinstance(told, int | float | str):
        return None
    try:
        seconds = float(told)
    except ValueError:
        return None
    except OverflowError:
        return most if told > 0 else 0.0  # type: ignore[operator]  # only an integer is too large to be a float
    return None if seconds != seconds else min(max(seconds, 0.0), most)  # noqa: PLR0124 NaN is no number


def moment_within(told: Any, now: datetime, most: float = MOST_SECONDS) -> datetime | None:
    """A moment in Unix time, from `now` to `most` seconds later; None: it is none."""
    until = span(told, float("inf"))
    return None if until is None else now + timedelta(seconds=min(max(until - now.timestamp(), 0.0), most))
