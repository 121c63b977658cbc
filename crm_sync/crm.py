"""What an adapter of a CRM is: the operations that the ledger carries out, and the values that they are told.

Every method is asynchronous, ends within the seconds it is given, and raises nothing but `crm_sync.errors`. None of
them is ever called on a caller's way to a telephone, but for `find_party`, which has its own small budget.
An adapter is one file named for what it speaks to. It has all of `Crm`; of the other protocols those that
`capabilities` names, and nobody calls what it does not name.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, Protocol
from uuid import UUID

from crm_sync.told import CrmCall, CrmIncident, CrmLead, CrmRecording, CrmTask, CrmTranscript, Subject

Step = Literal[
    "call_started",
    "call_answered",
    "call_finished",
    "recording",
    "transcript",
    "task",
    "lead",
    "message",
    "incident",
]

STEPS: Final[tuple[Step, ...]] = (
    "call_started",
    "call_answered",
    "call_finished",
    "recording",
    "transcript",
    "task",
    "lead",
    "message",
    "incident",
)
"""What a CRM can be owed, in the order in which it is told of one call."""

Capability = Literal[
    "live_card",  # Cards: shows and hides a card on somebody's screen
    "readback",  # `read_back` can tell what became of an effect
    "parties",  # Asked: whose a number is, and which users there are
    "inbound",  # Hears: tells of what happened there
    "numbers",  # Traced: tells which numbers a changed thing there has
    "listing",  # Lists: tells which calls of ours it holds
]


HEARD_MOST: Final = 200
"""Of one request so much is heard: of what changed besides the copies get old."""

SUBJECTS: Final[Mapping[Step, type[Subject]]] = {
    "call_started": CrmCall,
    "call_answered": CrmCall,
    "call_finished": CrmCall,
    "recording": CrmRecording,
    "transcript": CrmTranscript,
    "task": CrmTask,
    "lead": CrmLead,
    "message": CrmLead,
    "incident": CrmIncident,
}
"""What each step is told."""


async def _keep_nothing(remote_id: str) -> None:
    """Whoever asks without a ledger keeps nothing."""


@dataclass(frozen=True, slots=True)
class Effect:
    """One effect: `key` is the same at every attempt and at no other effect, `at` when it happened.

    `remote` are the ids that effects of the same call left there, by step; for a lead or a message those of the same
    lead too. `lately` is what the latest effect of the same number left, which a search there may not find yet.
    `sent_at`: until when it may have been on its way, where nobody knows what became of it; None: there is no doubt.
    `keep` stores at once what this one is called there, where it takes more than one request: the next attempt finds it
    in `remote`. `numbers`: what else the client is called by, of whom one number is told.
    """

    key: UUID
    at: datetime
    remote: Mapping[str, str] = field(default_factory=dict)
    lately: str | None = None
    sent_at: datetime | None = None
    keep: Callable[[str], Awaitable[None]] = _keep_nothing
    numbers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Done:
    """It is done there. `remote_id`: what the CRM calls it; `answer`: what it said, masked and cut."""

    remote_id: str | None = None
    answer: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Probed:
    """How a connection looks: `missing` are rights and settings that it lacks, by name; none: all is well.

    `access_ends_at`: after it nobody is let in who does not get a new key before; None: never, or nobody knows.
    """

    missing: tuple[str, ...] = ()
    access_ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CrmUser:
    """Somebody who works there: what the CRM calls them, their internal number and mailbox; None: they have none."""

    id: str
    name: str
    extension: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody there who has a number: `owner` is the key of a person here, None for nobody or nobody known."""

    remote_id: str
    name: str | None
    owner: str | None


@dataclass(frozen=True, slots=True)
class HeldCall:
    """A finished call as it is held there. `key` is of the effect that told it, or `call` the call's id: what was kept.

    Neither: it is ours only when the ledger knows its `remote_id`. `at`: when it began, or was told where that is not
    known. `seconds` of talk and `owner` (a user there) are None where nobody can read them.
    """

    remote_id: str
    key: UUID | None = None
    call: UUID | None = None
    at: datetime | None = None
    seconds: float | None = None
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class Inbound:
    """What somebody sent to us, as it came; `query` is of the address."""

    headers: Mapping[str, str]
    body: bytes
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Heard:
    """What happened there, verified: a click to call, a form that asks to be called, or a new owner, lead or contact.

    `told` is kind by kind. `is_once`: its `remote_id` is of a pass that is good once, so the same again is no wish.
    """

    kind: Literal["originate", "call_back", "owner_changed", "lead_changed", "contact_changed"]
    told: Mapping[str, str]
    is_once: bool = False


class Crm(Protocol):
    """A connection to one CRM. Each effect's method may be called again for an effect of which nobody knows."""

    capabilities: frozenset[Capability]

    async def probe(self) -> Probed:
        """Ask in the cheapest way whether we are let in and may do what we must."""

    async def read_back(self, step: Step, effect: Effect) -> Done | None:
        """Tell what became of an effect that was sent; None: it was not done, or sending it again is safe."""

    async def call_started(self, effect: Effect, call: CrmCall) -> Done:
        """A call rings."""

    async def call_answered(self, effect: Effect, call: CrmCall) -> Done:
        """Somebody talks."""

    async def call_finished(self, effect: Effect, call: CrmCall) -> Done:
        """A call is over and settled; it may be the first that the CRM hears of it."""

    async def attach_recording(self, effect: Effect, recording: CrmRecording) -> Done:
        """The sound of a finished call is there; again: it replaces what was told before."""

    async def attach_transcript(self, effect: Effect, transcript: CrmTranscript) -> Done:
        """The text of a finished call is there."""

    async def ensure_lead(self, effect: Effect, lead: CrmLead) -> Done:
        """A lead was opened or changed: make it so there, found by what we called it before.

        One that we did not make there keeps its owner, stage and name unless a person changed them here (`lead.by`).
        """

    async def send_message(self, effect: Effect, lead: CrmLead) -> Done:
        """Take a message for a lead's client (`after`), to be sent on to them by a channel of the other side."""

    async def create_task(self, effect: Effect, task: CrmTask) -> Done:
        """A promise to call back was opened or changed: make it so there, once, found by what we called it before."""

    async def tell_incident(self, effect: Effect, incident: CrmIncident) -> Done:
        """A fault of the house began or is over."""

    async def close(self) -> None:
        """Give back the connections."""


class Asked(Protocol):
    """An adapter that can be asked (`parties`)."""

    async def users(self) -> Sequence[CrmUser]:
        """Who works there now; who keeps the last good answer is `crm_sync.people`."""

    async def find_party(self, number: str, deadline: float) -> Sequence[Candidate]:
        """Who has this number (E.164 digits), within `deadline` seconds; raises TransientError after it."""


class Traced(Protocol):
    """An adapter that is told of changes without their numbers, and can ask for them (`numbers`)."""

    async def numbers_of(self, remote_id: str) -> Sequence[str]:
        """The numbers (E.164 digits) of what `Heard.told` calls `remote_id`; none of what is not there any more."""


class Cards(Protocol):
    """An adapter that shows cards (`live_card`); best effort, never queued."""

    async def card_show(self, effect: Effect, call: CrmCall, users: Sequence[str]) -> None:
        """Show the call's card to these users."""

    async def card_hide(self, effect: Effect, call: CrmCall, users: Sequence[str]) -> None:
        """Take the card away from these users."""


class Hears(Protocol):
    """An adapter that is told of things (`inbound`)."""

    def parse_inbound(self, request: Inbound) -> Sequence[Heard]:
        """What a request tells, after its signature was verified; of very much its beginning (`HEARD_MOST`).

        Raises PermanentError for one that is not theirs.
        """


class Lists(Protocol):
    """An adapter that can tell which calls of ours the CRM holds (`listing`)."""

    async def calls_told(self, since: datetime, until: datetime) -> Sequence[HeldCall]:
        """The finished calls that began, or were told there, from `since` to before `until`: a day or less; also more.

        Raises PermanentError when there are more than it is fair to walk through.
        """
