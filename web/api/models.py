"""What the API answers; times are ISO 8601 with zone, spans are seconds."""

from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from directory.presence_store import REASON_MOST
from web.api.operations import Answer, Body, Moment

_KEY: Final = r"^[a-z0-9][a-z0-9_-]{0,63}$"


class CallBrief(Answer):
    """One call in a list."""

    id: UUID
    pbx: str
    direction: str
    status: str
    line: str | None
    caller_number: str | None
    caller_name: str | None
    dialed: str
    started_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None
    settled_at: datetime | None
    missed_cause: str | None
    answered_by: list[str] = Field(description="Devices, as the PBX names them.")
    person: str | None = Field(description="Key of the person who answered; of a call out, who called.")
    people: list[str] = Field(description="Keys of everybody whose device it reached.")
    talk_seconds: float
    wait_seconds: float
    hold_seconds: float
    party_id: int | None
    lead_id: int | None
    recovered: bool
    recorded: bool
    transcribed: bool
    audio: str | None = Field(description="How complete the recording is: stored, short, silent, …; null: not judged.")


class CallPage(Answer):
    """One page of calls, the newest first; `next` asks for the following one."""

    items: list[CallBrief]
    next: str | None


class SideTold(Answer):
    """One side of a recorded channel: how it stands, and the numbers that say so; `reason` is for the operator."""

    channel: str
    side: str
    state: str
    seconds: float | None
    talk_seconds: float | None
    loud_seconds: float | None
    loudest_dbfs: float | None
    reason: str | None


class Gap(Answer):
    """A call whose audio is not complete; `transfer` is how it went between people, `trunk` a device of the PBX."""

    call_id: UUID
    started_at: datetime
    line: str | None
    person: str | None
    trunk: str
    transfer: str
    state: str
    talk_seconds: float
    sides: list[SideTold]


class GapPage(Answer):
    """One page of gaps, the newest call first; `next` asks for the following one."""

    items: list[Gap]
    next: str | None


class CallWhole(Answer):
    """One call: its row, and everything that happened in it as `switchhook replay` writes it."""

    id: UUID
    status: str
    person: str | None
    line: str | None
    settled_at: datetime | None
    recovered: bool
    party_id: int | None
    lead_id: int | None
    record: dict[str, Any]


class RecordingPaused(Answer):
    """What the PBX does now with the recording of a call."""

    call_id: UUID
    paused: bool


class MomentTold(Answer):
    """One line of a call's timeline."""

    at: datetime
    kind: str
    text: str


class Timeline(Answer):
    """What happened, in order, in the viewer's language."""

    items: list[MomentTold]


class CrmCopy(Answer):
    """What the CRM said last of whose the caller is, which stood in for an answer that was late or an error.

    Without `told_at` it had never said anything.
    """

    crm: str | None = Field(description="What people call that CRM.")
    owner: str | None = Field(description="Key of a person; null: nobody.")
    fault: Literal["late", "failed"]
    told_at: datetime | None
    age_seconds: float | None = Field(description="How old it was when it was used.")


class Decision(Answer):
    """What routing decided; `plan` is empty when the PBX routed the call by itself."""

    decided_at: datetime | None
    outcome: str
    seconds: float
    reasons: list[str]
    crm_copy: CrmCopy | None = Field(description="Null where the CRM answered, or none is asked.")
    plan: dict[str, Any]


class Outline(Answer):
    """How loud each side is in equal parts of the recording, 0 to 1."""

    seconds: float
    caller: list[float]
    staff: list[float]


class SegmentTold(Answer):
    """What one side said in one go, seconds from the recording's beginning."""

    side: str
    start: float
    end: float
    text: str


class WordTold(SegmentTold):
    """One word; `confidence` 0 to 1."""

    confidence: float | None


class Transcript(Answer):
    """A talk as text."""

    language: str
    model: str
    made_at: datetime
    text: str
    segments: list[SegmentTold]
    words: list[WordTold]


class CallWish(Body):
    """A number to call, in any usual spelling; who calls it, the login's own person unless told."""

    to: str = Field(pattern=r"^[^\x00-\x1f]{1,40}$")
    from_person: str | None = Field(default=None, pattern=_KEY)


class OutgoingCall(Answer):
    """A call that was asked for, and what became of it.

    `state`: wanted, placing, placed, connected (the person's phone answered) or failed; `reason` is the key of why.
    """

    id: UUID
    state: str
    reason: str | None
    to: str
    person: str | None
    purpose: str
    asked_at: datetime
    device: str | None = Field(description="What was called first.")
    call_id: UUID | None = Field(description="The call, once the PBX has told of it.")


class StatusWish(Body):
    """What to say of a person, the login's own unless told; `until` ends it by itself."""

    status: Literal["available", "away", "do_not_disturb"]
    until: Moment | None = None
    person: str | None = Field(default=None, pattern=_KEY)


class StatusTold(Answer):
    """What is said of a person now."""

    person: str
    status: str
    until: datetime | None


class AbsenceWish(Body):
    """When a person is away, the login's own unless told, and who is rung meanwhile; `reason` is for colleagues."""

    since: Moment = Field(alias="from")
    to: Moment
    person: str | None = Field(default=None, pattern=_KEY)
    substitute: str | None = Field(default=None, pattern=_KEY)
    reason: str = Field(default="", max_length=REASON_MOST)


class AbsenceTold(Answer):
    """A time in which a person does not work. One that ends where it begins was cancelled."""

    model_config = ConfigDict(frozen=True, validate_by_name=True)

    id: int
    person: str
    since: datetime = Field(alias="from")
    to: datetime
    substitute: str | None
    reason: str


class FollowUpClose(Body):
    """Why nobody needs to call back; kept in the promise's history with the login."""

    reason: str = Field(pattern=r"^[^\x00-\x1f]{1,200}$")


class PartyTold(Answer):
    """A person outside."""

    id: int
    name: str | None
    numbers: list[str]
    created_at: datetime


class PartyPage(Answer):
    """One page of parties."""

    items: list[PartyTold]
    next: str | None


class FollowUpAction(Answer):
    """What was done to a promise: by a login, a person's key, or switchhook; `why` is a key or a person's words."""

    at: datetime
    who: str
    what: str
    why: str
    call: UUID | None


class FollowUpTold(Answer):
    """A promise to call back, one open a caller and line."""

    id: int
    number: str
    line: str
    origin: str = Field(description="missed, voicemail or requested.")
    cause: str | None = Field(description="Why the last of its calls was missed.")
    call_id: UUID = Field(description="The first of its calls.")
    attempt_count: int
    priority: int = Field(description="Greater is sooner.")
    owner: str | None = Field(description="Key of the person who calls back.")
    owner_by: str | None = Field(description="crm_owner, last_rung, line_person or round_robin.")
    opened_at: datetime
    last_missed_at: datetime
    due_at: datetime | None = Field(description="In working time.")
    overdue: bool
    escalated_at: datetime | None
    escalated_to: str | None
    closed_at: datetime | None
    closed_by: str | None = Field(description="talk, answered_after_all or hand.")
    closed_by_call: UUID | None
    claimed_by: str | None = Field(description="Who is on it just now: key of a person, else a login.")
    claimed_at: datetime | None
    history: list[FollowUpAction]


class FollowUpPage(Answer):
    """One page of promises."""

    items: list[FollowUpTold]
    next: str | None


class DeviceTold(Answer):
    """What can ring for a person; `state` and `reachable` are null when no PBX has told."""

    address: str
    kind: str
    number: str | None
    person: str
    pbx: str | None = None
    state: str | None = None
    reachable: bool | None = None
    changed_at: datetime | None = None


class DeviceList(Answer):
    """All devices."""

    items: list[DeviceTold]


class PersonTold(Answer):
    """Someone who works here."""

    key: str
    name: str
    role: str
    teams: list[str]
    devices: list[str]
    there: bool = Field(description="On shift, not absent, available, and free by the calendar.")
    status: str = Field(description="available, away, do_not_disturb or wrap_up.")
    status_until: datetime | None
    absent_until: datetime | None
    substitute: str | None = Field(description="Key of the person who is rung while this one is absent.")
    busy_until: datetime | None = Field(description="Until when their calendar holds them.")


class PersonList(Answer):
    """All people."""

    items: list[PersonTold]


class TeamTold(Answer):
    """People who share lines."""

    key: str
    name: str
    strategy: str
    members: list[str]


class TeamList(Answer):
    """All teams."""

    items: list[TeamTold]


class LineTold(Answer):
    """A number that callers dial."""

    number: str
    name: str
    team: str
    language: str | None
    open_now: bool


class LineList(Answer):
    """All lines."""

    items: list[LineTold]
