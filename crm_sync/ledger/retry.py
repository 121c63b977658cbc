"""When an effect that failed is sent again, and when it is given up: one table for every CRM (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from crm_sync.errors import (
    AuthDeadError,
    BannedError,
    CrmError,
    FaultError,
    GoneError,
    PermanentError,
    RateLimitedError,
    TransientError,
)

WAITS: Final = (1.0, 5.0, 30.0, 120.0, 600.0)
"""Seconds before the second, third … attempt; the last goes on."""

GIVE_UP_SECONDS: Final = 24 * 3600.0
"""An effect that was tried for so long is a dead letter."""

BANNED_SECONDS: Final = 3600.0
DOUBT_SECONDS: Final = 30.0
_JITTER: Final = 0.2


@dataclass(frozen=True, slots=True)
class Policy:
    """How patient the ledger is. `waits` are seconds; with jitter they grow by up to a fifth."""

    waits: Sequence[float] = WAITS
    give_up_seconds: float = GIVE_UP_SECONDS
    banned_seconds: float = BANNED_SECONDS
    doubt_seconds: float = DOUBT_SECONDS

    def wait(self, attempts: int, luck: float) -> float:
        """Seconds before the next attempt, after so many (from 1); `luck` is from 0 to 1."""
        return self.waits[min(attempts, len(self.waits)) - 1] * (1 + _JITTER * luck)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows: the effect is `dead`, or sent again after `seconds`.

    `pause`: so long nothing is sent to that connection; `stop`: nothing is any more, until a person starts it again.
    """

    dead: bool = False
    seconds: float = 0.0
    pause: float = 0.0
    stop: bool = False


def after(error: CrmError, attempts: int, failures: int, tried_seconds: float, luck: float, policy: Policy) -> Verdict:
    """What to do after `error`, the last of so many attempts (from 1) in `tried_seconds`.

    `failures`: how often in a row its connection was paused before (from 0); they make the pause longer.
    """
    if isinstance(error, PermanentError):
        return Verdict(dead=True)
    if isinstance(error, GoneError):
        return Verdict(dead=True, stop=True)
    if isinstance(error, AuthDeadError):
        return Verdict(stop=True)
    if tried_seconds >= policy.give_up_seconds:
        return Verdict(dead=True)
    wait, pause = policy.wait(attempts, luck), policy.wait(failures + 1, luck)
    if isinstance(error, BannedError):
        return Verdict(seconds=policy.banned_seconds, pause=policy.banned_seconds)
    if isinstance(error, RateLimitedError):
        told = error.retry_after or 0.0
        return Verdict(seconds=max(wait, told), pause=max(pause, told) if error.scope == "connection" else 0.0)
    if isinstance(error, TransientError):
        told = error.retry_after or 0.0
        return Verdict(seconds=max(wait, told), pause=max(pause, told) if error.is_away else 0.0)
    if isinstance(error, FaultError):
        return Verdict(seconds=wait)
    # Who hangs once may hang again, and each time it has a turn for long; but one effect must not hold up all for long.
    return Verdict(seconds=wait, pause=min(pause, policy.doubt_seconds))
