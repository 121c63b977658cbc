"""What a card is: one call as one person sees it while it happens (pure)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from web.crm_copy import CrmWord

State = Literal["ringing", "talking", "done", "missed"]

KEPT: Final = timedelta(minutes=2)
"""How long a finished call stays on the desk of whoever it reached."""

QUOTE_LINES: Final = 3


@dataclass(frozen=True, slots=True)
class Reach:
    """One device that the call reached for, or the number behind a trunk; `person` is whose it is, None: nobody's."""

    person: str | None
    device: str
    number: str
    outcome: str | None
    started_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Said:
    """One piece of a transcript: `side` is caller or staff."""

    side: str
    text: str


@dataclass(frozen=True, slots=True)
class LastTalk:
    """The last transcribed talk with the same number, its first lines, and what its rights hang on.

    `person` talked, `people` are all whom that call reached, on `line`: not everybody who is called now may read it.
    """

    call: UUID
    at: datetime
    person: str | None
    people: frozenset[str]
    line: str | None
    lines: tuple[Said, ...]


@dataclass(frozen=True, slots=True)
class Background:
    """What is known about the caller apart from this call; `lead` is the id of the open lead, else of the last.

    `lost_at`, `lost_reason`: how that lead was lost last, also when it is back since.
    """

    party: str = ""
    lead: int | None = None
    stage: str = ""
    step: str = ""
    deadline_at: datetime | None = None
    owner: str | None = None
    lost_at: datetime | None = None
    lost_reason: str | None = None
    calls_before: int = 0
    last_call_at: datetime | None = None
    last_talk: LastTalk | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveCall:
    """One call that goes on, or ended a moment ago.

    Times are the PBX's, whose clock is `ahead` of ours; `plan` is routing's decision as JSON, empty when there is none.
    `crm` is what a CRM said of whose the caller is, where one is asked. `paused`: the PBX writes silence into the
    recording now.
    """

    id: UUID
    direction: str
    status: str
    line: str | None
    caller_number: str | None
    caller_name: str | None
    dialed: str
    started_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None
    missed_cause: str | None
    person: str | None
    talk_seconds: float
    reaches: tuple[Reach, ...]
    recorded: bool = False
    paused: bool = False
    ahead: timedelta = timedelta()
    plan: Mapping[str, Any] = field(default_factory=dict)
    background: Background = Background()
    crm: CrmWord | None = None

    @property
    def owner(self) -> str | None:
        """Whose the caller is: by the word of the CRM where one is asked, else by our own book."""
        return self.crm.owner if self.crm and self.crm.is_known else self.background.owner

    @property
    def people(self) -> frozenset[str]:
        """Everybody whose device it reached."""
        return frozenset(reach.person for reach in self.reaches if reach.person)

    @property
    def over_at(self) -> datetime | None:
        """When it leaves the desks, by our clock; None while it goes on."""
        return self.ended_at + KEPT - self.ahead if self.ended_at else None


@dataclass(frozen=True, slots=True)
class Card:
    """One call on one person's desk. `since` is when this state began, `until` when the card goes by itself."""

    call: LiveCall
    state: State
    since: datetime
    until: datetime | None
    reach: Reach


def card_for(call: LiveCall, person: str | None, now: datetime) -> Card | None:
    """The person's card for this call, None when it is not, or no longer, theirs.

    It rings from the moment their device is dialled, closes when somebody else answers, and stays a while when they
    talked or missed it.
    """
    mine = [reach for reach in call.reaches if reach.person is not None and reach.person == person]
    if not mine:
        return None
    now += call.ahead
    talked = [reach for reach in mine if reach.answered_at]
    if talked:
        return _talked(call, talked, now)
    open_ = [reach for reach in mine if reach.ended_at is None and reach.outcome is None]
    if open_ and call.ended_at is None:
        first = min(open_, key=lambda reach: reach.started_at or call.started_at)
        return Card(call, "ringing", first.started_at or call.started_at, None, first)
    if call.ended_at and call.status == "missed" and call.ended_at + KEPT > now:
        return Card(call, "missed", call.ended_at, call.ended_at + KEPT, mine[0])
    return None


def cards_for(calls: Iterable[LiveCall], person: str | None, now: datetime) -> list[Card]:
    """All cards of one person: what rings first, then talks, then what is over, the newest first."""
    order = ("ringing", "talking", "missed", "done")
    cards = [card for call in calls if (card := card_for(call, person, now))]
    return sorted(cards, key=lambda card: (order.index(card.state), -card.since.timestamp()))


def _talked(call: LiveCall, talked: list[Reach], now: datetime) -> Card | None:
    last = max(talked, key=lambda reach: reach.answered_at or call.started_at)
    over_at = last.ended_at or call.ended_at
    if over_at is None:
        return Card(call, "talking", last.answered_at or call.started_at, None, last)
    return Card(call, "done", over_at, over_at + KEPT, last) if over_at + KEPT > now else None
