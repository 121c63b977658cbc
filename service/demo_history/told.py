"""What is told of a house: its calls, its leads with their changes, its promises; all by our clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID


@dataclass(slots=True, kw_only=True)
class Change:
    """One event of a lead, as its row has it; `call` is what brought it about."""

    at: datetime
    kind: str
    by: str
    before: str | None = None
    after: str | None = None
    reason: str | None = None
    call: UUID | None = None


@dataclass(slots=True, kw_only=True)
class ToldLead:
    """A lead with all that happened to it; `person` is whose it is once somebody talked.

    `free_at`: since when their calls are a matter of their own, for nobody owes them one. `closed_at` None: never.
    """

    number: str
    line: str
    person: str
    free_at: datetime
    call: UUID | None = None
    closed_at: datetime | None = None
    changes: list[Change] = field(default_factory=list)
    talks: list[datetime] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class ToldCall:
    """A call. `shape` as in `shapes`; `person` talked, called, or was to be rung; `card`: what they told, and when."""

    id: UUID
    at: datetime
    shape: str
    person: str
    lead: ToldLead
    wait: int
    talk: int = 0
    recovered: bool = False
    card: tuple[str, datetime] | None = None

    @property
    def answered_at(self) -> datetime:
        """When they began to talk, if they did."""
        return self.at + timedelta(seconds=self.wait)

    @property
    def ends(self) -> datetime:
        """When it was over."""
        return self.answered_at + timedelta(seconds=self.talk)


@dataclass(slots=True, kw_only=True)
class Promise:
    """The call that is owed for a missed one; `kept_by` is the talk that closed it, None: a person did, by hand."""

    missed: ToldCall
    owner: str
    closed_at: datetime
    kept_by: ToldCall | None = None
