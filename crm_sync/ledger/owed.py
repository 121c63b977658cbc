"""What every CRM is owed of a change of a call (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final
from uuid import UUID

from calls.due import Change
from calls.events import RecordingStored, Transcribed
from calls.follow_up import number_of
from calls.nps import NPS
from calls.synthetic import SYNTHETIC
from calls.view import CallView
from crm_sync.crm import Step

_SAME_DIGITS: Final = 10
"""A number as the trunk spells it and as people dial it: the last ten digits are the same."""


@dataclass(frozen=True, slots=True)
class Owed:
    """One effect that each connection which wants `step` is owed; `subject` tells rows of one call apart.

    `lane`: a digest of whom it is about; effects of one lane are told one after another. `waits`: it is told of, but
    not before `ledger.release`. `at`: when it was over; None: it goes on. `shadow`: it is written down and never sent.
    """

    call_id: UUID | None
    pbx: str
    step: Step
    lane: str
    subject: int | None = None
    waits: bool = False
    at: datetime | None = None
    shadow: bool = False


def owed(change: Change) -> list[Owed]:
    """A call with the outside is told of when it rings, when people talk and when it is settled; then sound and text.

    Who comes to know of a call only when it is over, as after an outage, is told of its end alone. Of a synthetic call
    nobody is told, and what they would be is planned; of one that asked a client nothing is.
    """
    before, after = change.before, change.after
    if after.direction in {"internal", NPS} or after.erased:
        return []
    steps: list[Step] = []
    if _rings(after) and not (before and _rings(before)):
        steps.append("call_started")
    if _talks(after) and not (before and _talks(before)):
        steps.append("call_answered")
    if change.just_settled:
        steps.append("call_finished")
    if change.first(RecordingStored) is not None:
        steps.append("recording")
    if change.first(Transcribed) is not None:
        steps.append("transcript")
    lane = lane_of(number_of(after) or str(change.call_id))
    over = after.ended_at
    if after.direction == SYNTHETIC:
        return [Owed(change.call_id, after.pbx, step, lane, at=over, shadow=True) for step in steps]
    return [Owed(change.call_id, after.pbx, step, lane, waits=step == "recording", at=over) for step in steps]


def lane_of(number: str) -> str:
    """The lane of a number in any spelling; nobody reads the number from it without trying them all."""
    digits = "".join(sign for sign in number if sign.isdigit())
    return sha256((digits[-_SAME_DIGITS:] or number).encode()).hexdigest()[:16]


def _rings(call: CallView) -> bool:
    known = number_of(call) if call.direction == "outbound" else call.line
    return bool(known) and call.started_at is not None and call.ended_at is None


def _talks(call: CallView) -> bool:
    return call.answered_at is not None and call.ended_at is None
