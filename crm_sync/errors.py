"""What can go wrong with a CRM, told apart once, at its edge; `crm_sync.ledger.retry` says what follows from each.

CrmError
├── AuthExpiredError   the token is over: the adapter renews it once and repeats once; what still comes out is transient
├── AuthDeadError      nobody lets us in any more: stop asking, tell a person, keep what is owed
├── GoneError          the other side ended the connection for good (a webhook's 410)
├── BannedError        the vendor shut us out: nothing at all for an hour or more
├── RateLimitedError   too much: later, by its own word where it gave one
│   └── NoRoomError    too much by our own count: nothing was sent
├── TransientError     nobody answered, or with an error that passes; nothing was done there
├── UnknownOutcomeError  it was sent and nobody said what became of it: read back before sending again
├── FaultError         our own adapter failed in a way that nobody foresaw: the same doubt, the same patience
└── PermanentError     it will never take this one: a dead letter, for a person

Their text is for a person and is stored: it never holds a secret, a number or a name of a party.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal

from crm_sync.spans import span
from crm_sync.texts import kept

Scope = Literal["connection", "method", "effect"]
"""How much a limit is about: all that is sent there, one kind of request, or this one."""

_REASON_MOST: Final = 200
_ANSWER_MOST: Final = 500


class CrmError(Exception):
    """A request that a CRM did not carry out. `answer` is what it said, for a person; both are masked and cut."""

    kind: ClassVar[str]

    def __init__(self, reason: str, answer: Mapping[str, Any] | None = None) -> None:
        super().__init__(kept(reason, _REASON_MOST))
        said = (answer or {}).items()
        self.answer = {name: kept(told, _ANSWER_MOST) if isinstance(told, str) else told for name, told in said}


class AuthExpiredError(CrmError):
    """The access is over and could not be renewed just now."""

    kind = "auth_expired"


class AuthDeadError(CrmError):
    """The access is no good and no renewing will help."""

    kind = "auth_dead"


class GoneError(CrmError):
    """The other side wants nothing more."""

    kind = "gone"


class BannedError(CrmError):
    """The vendor refuses all of us."""

    kind = "banned"


class RateLimitedError(CrmError):
    """Too many requests. `retry_after`: seconds that it asked to wait, bounded; None when it did not say."""

    kind = "rate_limited"

    def __init__(
        self,
        reason: str,
        answer: Mapping[str, Any] | None = None,
        *,
        retry_after: float | None = None,
        scope: Scope = "connection",
    ) -> None:
        super().__init__(reason, answer)
        self.retry_after = span(retry_after)
        self.scope = scope


class NoRoomError(RateLimitedError):
    """As much was sent as may be, by our own count: the CRM was not asked."""


class TransientError(CrmError):
    """It passes. `is_away`: nobody is there at all, so nothing else needs to be tried there meanwhile."""

    kind = "transient"

    def __init__(
        self,
        reason: str,
        answer: Mapping[str, Any] | None = None,
        *,
        retry_after: float | None = None,
        is_away: bool = False,
    ) -> None:
        super().__init__(reason, answer)
        self.retry_after = span(retry_after)
        self.is_away = is_away


class UnknownOutcomeError(CrmError):
    """It was sent; whether it was done there nobody said."""

    kind = "unknown"


class FaultError(CrmError):
    """The adapter did not know what to do."""

    kind = "fault"


class PermanentError(CrmError):
    """It will be refused however often it is sent."""

    kind = "permanent"


KINDS = tuple(
    error.kind
    for error in (
        AuthExpiredError,
        AuthDeadError,
        GoneError,
        BannedError,
        RateLimitedError,
        TransientError,
        UnknownOutcomeError,
        FaultError,
        PermanentError,
    )
)
"""The closed list, as metrics and rows name them."""
