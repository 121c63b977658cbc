"""What a card is: one call as one person sees it while it happens (pure)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from web.crm_copy import CrmWord

State = Literal["ringing", "calling", "talking", "done", "missed"]

When = Literal["ring", "answer", "never"]
"""When a person's cards appear: as soon as their phone rings, when they answered, or never."""

KEPT: Final = timedelta(minutes=2)
"""How long a call that nobody answered stays on the desks of those whom it reached."""

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
class OpenTask:
    """Something that is still to be done for the caller, by `assignee` (a key, or nobody)."""

    text: str
    due_at: datetime | None
    assignee: str | None


@dataclass(frozen=True, slots=True)
class Promised:
    """A call back that the caller is promised, by `owner` (a key, or nobody), before `due_at`."""

    due_at: datetime | None
    owner: str | None


@dataclass(frozen=True, slots=True)
class Background:
    """What is known about the caller apart from this call; `lead` is the id of the open lead, else of the last.

    `lost_at`, `lost_reason`: how that lead was lost last, also when it is back since. `numbers` are the party's others.
    """

    party: str = ""
    party_id: int | None = None
    numbers: tuple[str, ...] = ()
    tasks: tuple[OpenTask, ...] = ()
    promised: Promised | None = None
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


@dataclass(frozen=True, slots=True)
class Help:
    """A person (key) asks the head for help in a call; `taken_by` (key, or login) comes, None: nobody yet."""

    person: str
    taken_by: str | None


@dataclass(frozen=True, slots=True)
class Consults:
    """`by` (key) talks with `person` (key), or somebody else who has `number`, before they hand the other side over.

    `answered`: they talk; else it still rings there.
    """

    by: str
    person: str | None
    number: str
    answered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveCall:
    """One call that goes on, or ended a moment ago.

    Times are the PBX's, whose clock is `ahead` of ours; `plan` is routing's decision as JSON, empty when there is none.
    `crm` is what a CRM said of whose the caller is, where one is asked. `paused`: the PBX writes silence into the
    recording now. `held`: somebody in it is on hold. `caller_ended_at` is when one of ours who called hung up, though
    others may talk on. `helps` tells who asks the head for help, `consults` who asks whom before they hand the other
    side over. `rows` keeps what the desk drew of it, by language; after each change it is another call.
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
    held: bool = False
    caller_ended_at: datetime | None = None
    helps: tuple[Help, ...] = ()
    consults: tuple[Consults, ...] = ()
    ahead: timedelta = timedelta()
    plan: Mapping[str, Any] = field(default_factory=dict)
    background: Background = Background()
    crm: CrmWord | None = None
    rows: dict[str, Any] = field(default_factory=dict, compare=False)

    @property
    def number(self) -> str | None:
        """The number outside: whose call it is with; None: they hide it."""
        return self.dialed if self.direction == "outbound" else self.caller_number

    @property
    def placed_by(self) -> str | None:
        """The key of who of ours called out."""
        return self.person if self.direction == "outbound" else None

    @property
    def name(self) -> str:
        """Who it is with, as far as anybody told."""
        return self.background.party or (self.caller_name or "" if self.direction != "outbound" else "")

    @property
    def owner(self) -> str | None:
        """Whose the caller is: by the word of the CRM where one is asked, else by our own book."""
        return self.crm.owner if self.crm and self.crm.is_known else self.background.owner

    @property
    def people(self) -> frozenset[str]:
        """Everybody whose device it reached, or who called."""
        told = {reach.person for reach in self.reaches if reach.person}
        return frozenset(told | ({self.placed_by} if self.placed_by else set()))

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


def card_for(call: LiveCall, person: str | None, now: datetime, when: When = "ring") -> Card | None:
    """The person's card for this call, None when it is not, or no longer, theirs, or they want none.

    It rings from the moment their device is dialled, closes when somebody else answers, and stays a while when they
    missed it. What they have talked through is `done_card`'s.
    """
    mine = [reach for reach in call.reaches if reach.person is not None and reach.person == person]
    if when == "never" or not (mine or _placed(call, person)):
        return None
    now += call.ahead
    talked = [reach for reach in mine if reach.answered_at]
    if talked:
        return _talking(call, talked)
    if _placed(call, person):
        return _called(call, person)
    open_ = [reach for reach in mine if reach.ended_at is None and reach.outcome is None]
    if open_ and call.ended_at is None:
        first = min(open_, key=lambda reach: reach.started_at or call.started_at)
        return Card(call, "ringing", first.started_at or call.started_at, None, first) if when == "ring" else None
    if call.ended_at and call.status == "missed" and call.ended_at + KEPT > now:
        return Card(call, "missed", call.ended_at, call.ended_at + KEPT, mine[0])
    return None


def done_card(call: LiveCall, person: str) -> Card:
    """The card of a call that the person has talked through and of which nothing was told yet."""
    mine = [reach for reach in call.reaches if reach.person == person and reach.answered_at]
    last = max(mine, key=lambda reach: reach.answered_at or call.started_at) if mine else _own(call, person)
    return Card(call, "done", last.ended_at or call.ended_at or call.started_at, None, last)


def cards_for(calls: Iterable[LiveCall], person: str | None, now: datetime, when: When = "ring") -> list[Card]:
    """All cards of one person while calls go on, or were missed: what rings first, the newest first."""
    order = ("ringing", "calling", "talking", "missed")
    cards = [card for call in calls if (card := card_for(call, person, now, when))]
    return sorted(cards, key=lambda card: (order.index(card.state), -card.since.timestamp()))


def _placed(call: LiveCall, person: str | None) -> bool:
    return person is not None and call.placed_by == person


def _called(call: LiveCall, person: str | None) -> Card | None:
    """The card of who called out, until they hang up, having handed the other side over or not."""
    if call.ended_at or call.caller_ended_at:
        return None
    own = _own(call, person)
    if call.answered_at is None:
        return Card(call, "calling", call.started_at, None, own)
    return Card(call, "talking", call.answered_at, None, own)


def _own(call: LiveCall, person: str | None) -> Reach:
    """The device that a person called from; nobody told which."""
    return Reach(person, "", "", None, call.started_at, call.answered_at, call.caller_ended_at or call.ended_at)


def _talking(call: LiveCall, talked: list[Reach]) -> Card | None:
    last = max(talked, key=lambda reach: reach.answered_at or call.started_at)
    if last.ended_at or call.ended_at:
        return None
    return Card(call, "talking", last.answered_at or call.started_at, None, last)
