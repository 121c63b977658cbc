"""What CRMs are told of: calls, their sound and text, promises, leads, and incidents (pure)."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct


class CrmCall(Struct, frozen=True, kw_only=True):
    """A call, as it reads when the CRM is first told of it. Times are aware UTC; numbers E.164 digits where known.

    `number` and `name` are of whoever is outside, `person` is the key of who talked with them, of a call out of
    who called, also where nobody answered; None: nobody of ours.
    `joined`: ids of calls that turned out to be part of this one.
    """

    id: UUID
    pbx: str
    direction: str
    status: str
    line: str | None
    number: str | None
    name: str | None
    started_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime | None
    wait_seconds: float
    talk_seconds: float
    person: str | None
    missed_cause: str | None
    party: int | None
    lead: int | None
    recovered: bool
    joined: tuple[UUID, ...] = ()


class CrmRecording(Struct, frozen=True, kw_only=True):
    """The sound of a call at a signed address: `url` is made anew from the link's number `link` at each attempt.

    A connection in shadow has no link: `link` and `expires_at` are None, and no adapter is told so.
    """

    call: UUID
    seconds: float
    expires_at: datetime | None
    link: int | None
    url: str = ""


class CrmSegment(Struct, frozen=True, kw_only=True):
    """What one side said without a pause, in seconds from the start of the recording; `side` is caller or staff."""

    side: str
    begins: float
    ends: float
    text: str


class CrmTranscript(Struct, frozen=True, kw_only=True):
    """The text of a call, numbers masked, whole and segment by segment. `is_whole`: False when it was cut."""

    call: UUID
    language: str
    text: str
    is_whole: bool
    segments: tuple[CrmSegment, ...] = ()


class CrmTask(Struct, frozen=True, kw_only=True):
    """A promise to call back, and what happened to it: `change` is one of `calls.follow_up.ACTIONS`."""

    id: int
    change: str
    call: UUID
    number: str
    line: str | None
    origin: str
    cause: str | None
    owner: str | None
    due_at: datetime | None
    attempt_count: int
    closed_by: str | None


LINK_PLACE: Final = "{link}"
"""Stands in the words of a message for an address that is a secret: it is kept nowhere, and made when they are told."""


class CrmLead(Struct, frozen=True, kw_only=True):
    """A lead, and what happened to it: `change` is the kind of its event, `before` and `after` what it changed.

    `numbers` and `name` are the party's; `after` of a message are its words; `reason` is a key of the house's policy or
    of what decided.
    """

    id: int
    change: str
    party: int
    name: str | None
    numbers: tuple[str, ...]
    stage: str
    step: str | None
    owner: str | None
    line: str | None
    before: str | None
    after: str | None
    reason: str | None
    by: str
    call: UUID | None


class CrmIncident(Struct, frozen=True, kw_only=True):
    """A fault that is kept, and what happened to it: `change` is one of `calls.incidents.WHATS`.

    `kind` is one of `calls.incidents.KINDS`, `subject` which PBX, trunk or connection; nobody outside is named.
    """

    id: int
    change: str
    kind: str
    subject: str
    grave: bool
    started_at: datetime
    ended_at: datetime | None
    calls_lost: int
    calls_saved: int


Subject = CrmCall | CrmRecording | CrmTranscript | CrmTask | CrmLead | CrmIncident
