"""The calls out that one process allowed in the last day: limits hold by them while the database does not answer. Pure.

It knows nothing of other processes, and counts a minute for each call, so it may allow more than the database would;
but never without an end.
"""

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from directory.outgoing import NOTHING
from routing.outgoing import Usage

CALLS_MOST: Final = 50_000
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Call:
    at: datetime
    person: str | None
    per_minute: Decimal


class Recent:
    """Told of each call that was allowed, in the order of time."""

    def __init__(self) -> None:
        """Know of none."""
        self._calls: deque[_Call] = deque(maxlen=CALLS_MOST)

    def note(self, at: datetime, person: str | None, per_minute: Decimal) -> None:
        """Remember a call; ``person`` is a key, None for a device that is nobody's."""
        self._calls.append(_Call(at, person, per_minute))
        while self._calls[0].at <= at - _DAY:
            self._calls.popleft()

    def usage(self, person: str | None, at: datetime, midnight: datetime) -> Usage:
        """Give what was called before ``at``, and what it cost since ``midnight``, a minute each."""
        hour = [call for call in self._calls if call.at > at - _HOUR]
        minute = [call for call in hour if call.at > at - _MINUTE]
        spent = [call for call in self._calls if call.at >= midnight and call.per_minute]
        return Usage(
            person_minute=sum(call.person == person for call in minute),
            person_hour=sum(call.person == person for call in hour),
            company_minute=len(minute),
            company_hour=len(hour),
            person_spent=sum((call.per_minute for call in spent if call.person == person), NOTHING),
            company_spent=sum((call.per_minute for call in spent), NOTHING),
        )
