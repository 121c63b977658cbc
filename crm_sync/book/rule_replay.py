"""What other lead rules would have made of past calls, each on the book as it was when it came (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from crm_sync.book.rules import CallFacts, Created, decide
from directory.lead_policy import LeadPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class PastCall:
    """A call that settled, `at` is when it began: what the book knew before it, and what became of it then.

    `stage` is that of its party's open lead then, else of the last. `rule` None: none is written down for it.
    """

    id: UUID
    at: datetime
    facts: CallFacts
    known: bool
    stage: str | None
    created: Created
    rule: str | None


@dataclass(frozen=True, slots=True)
class Replayed:
    """A past call, and what the rules would make of it: by which, and what is new."""

    call: PastCall
    rule: str
    created: Created

    @property
    def differs(self) -> bool:
        """Whether something else would be new than was."""
        return self.created != self.call.created

    def to_json(self) -> dict[str, Any]:
        """The call by its id alone: no number of anybody's."""
        return {
            "call": str(self.call.id),
            "type": self.call.facts.kind,
            "line": self.call.facts.line,
            "known": self.call.known,
            "was": {"rule": self.call.rule, "created": self.call.created},
            "would_be": {"rule": self.rule, "created": self.created},
        }


def replay(policy: LeadPolicy, past: Iterable[PastCall]) -> list[Replayed]:
    """Decide every call anew."""
    found = []
    for call in past:
        booking = decide(policy, call.facts, known=call.known, stage=call.stage)
        found.append(Replayed(call, booking.rule.name, booking.created))
    return found


def summary(found: Iterable[Replayed]) -> dict[str, int]:
    """How many calls each rule would decide."""
    return dict(sorted(Counter(one.rule for one in found).items()))
