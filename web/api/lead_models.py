"""What the API answers of leads, and what is sent to change one."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, Field

from crm_sync.book.decisions import FIELDS_MOST
from crm_sync.book.notes import TEXT_MOST
from web.api.operations import Answer, Body, Moment

Reason = Annotated[str, Field(max_length=64)]
Seen = Annotated[
    str | None,
    Field(
        max_length=200,
        description="What the lead was when it was decided (a stage, with its step: in_work/meeting). Where it is"
        " another by now nothing is done, and the answer is 409. Null: whatever it is.",
    ),
]


class LeadTold(Answer):
    """A party's interest being worked."""

    id: int
    party_id: int
    party_name: str | None
    numbers: list[str]
    stage: str
    step: str | None = Field(description="Of the house's funnel, while in work.")
    stage_at: AwareDatetime = Field(description="Since when it is at this stage and step.")
    owner: str | None = Field(description="Key of a person; null: nobody.")
    source_line: str | None
    opened_at: AwareDatetime
    deadline_at: AwareDatetime | None
    contact_at: AwareDatetime | None = Field(description="The last talk with the party.")
    closed_at: AwareDatetime | None
    reason: str | None = Field(description="Why it was lost or disqualified.")
    duplicate_of: int | None
    fields: dict[str, str]
    chain: str | None = Field(description="The revival chain it goes, or went, through.")
    chain_step: int | None = Field(description="How many of its steps were taken.")
    chain_at: AwareDatetime | None = Field(description="When the next one is due.")
    created_by_call: UUID | None


class LeadPage(Answer):
    """One page of leads, the newest first; `next` asks for the following one."""

    items: list[LeadTold]
    next: str | None


class LeadCount(Answer):
    """How many leads there are, and at which stages."""

    total: int
    stages: dict[str, int]


class LeadEventTold(Answer):
    """One change of a lead: what was before and after depends on the kind."""

    id: int
    at: AwareDatetime
    by: str = Field(description="Key of a person, a login, or switchhook.")
    kind: str
    before: str | None
    after: str | None
    reason: str | None
    call_id: UUID | None


class NoteTold(Answer):
    """What somebody wrote."""

    id: int
    at: AwareDatetime
    by: str
    text: str
    call_id: UUID | None


class TaskTold(Answer):
    """What somebody shall do."""

    id: int
    text: str
    assignee: str | None
    due_at: AwareDatetime | None
    made_at: AwareDatetime
    made_by: str
    made_because: str | None
    done_at: AwareDatetime | None
    done_by: str | None


class TaskWhole(TaskTold):
    """A task with whose it is: the party's, and the lead's where it is for one."""

    party_id: int
    lead_id: int | None


class TaskPage(Answer):
    """One page of tasks, the newest first; `next` asks for the following one."""

    items: list[TaskWhole]
    next: str | None


class LostTold(Answer):
    """How it was lost last, and what was done to revive it: events of kinds `revival` and `message`."""

    at: AwareDatetime
    reason: str | None
    steps: list[LeadEventTold]


class LeadWhole(LeadTold):
    """A lead with all that belongs to it, in order of time."""

    email: str | None
    blocked: list[str] = Field(description="Those of its numbers that are on the block list.")
    lost: LostTold | None
    history: list[LeadEventTold]
    notes: list[NoteTold]
    tasks: list[TaskTold]


class LeadMove(Body):
    """Where a lead shall go."""

    stage: str = Field(max_length=32)
    step: str | None = Field(default=None, max_length=64)
    reason: Reason | None = None
    duplicate_of: int | None = Field(default=None, ge=1, lt=2**63, description="The other lead, with `duplicate`.")
    block: bool = Field(default=False, description="With `spam`: put the numbers on the block list.")
    seen: Seen = None


class LeadReturn(Body):
    """A lost lead comes back."""

    seen: Seen = None


class LeadOwner(Body):
    """Whose a lead shall be; null: nobody's. `seen`: whose it was when it was decided ("": nobody's)."""

    owner: str | None = Field(max_length=64)
    seen: str | None = Field(default=None, max_length=64)


class LeadNote(Body):
    """What is worth keeping."""

    text: str = Field(min_length=1, max_length=TEXT_MOST)


class LeadTask(Body):
    """What somebody shall do, by when; without `assignee` nobody in particular."""

    text: str = Field(min_length=1, max_length=TEXT_MOST)
    assignee: str | None = Field(default=None, max_length=64)
    due_at: Moment | None = None


class LeadDeadline(Body):
    """By when a lead must go on; null: nobody asks."""

    at: Moment | None


class LeadFields(Body):
    """The house's own fields: name to text; null takes one away, the others stay."""

    fields: dict[str, str | None] = Field(min_length=1, max_length=FIELDS_MOST)
