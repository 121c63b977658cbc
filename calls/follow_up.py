"""The promise to call back: which calls make one, whose it is, until when, and what ends it (pure).

Rules kept here:
1. Every inbound call that nobody talked on, or that was sent to somebody who never took it, makes one or makes an open
   one more urgent; colleagues and the blocked none.
2. Only a real conversation, whoever called, closes it by itself: a ring never does. A person needs a reason.
3. Who calls back is the first of the policy's candidates who works before the deadline, else the first at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final, Literal

from calls.due import Change, Job
from calls.legs import is_outside
from calls.view import CallView
from directory.hours import next_open
from directory.model import Directory, FollowUpOwner, FollowUpPolicy
from directory.numbers import Regions, normal
from directory.presence import Presence, line_up
from directory.working_time import after_working

Origin = Literal["missed", "voicemail", "requested"]
Action = Literal["opened", "repeated", "given", "escalated", "tried", "closed"]

ORIGINS: Final[tuple[Origin, ...]] = ("missed", "voicemail", "requested")
ACTIONS: Final[tuple[Action, ...]] = ("opened", "repeated", "given", "escalated", "tried", "closed")

TALK_SECONDS_LEAST: Final = 5.0
"""Who was connected for less was not called back: a mobile's mailbox that greets, a hang-up at the first word."""

PLACES_KEPT: Final = 20
"""Further behind in a queue nobody counts."""

TASK: Final = "calls.follow_up"
QUEUE: Final = "follow_ups"

_URGENT: Final[Mapping[Origin, int]] = {"missed": 0, "voicemail": 1, "requested": 2}


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose promise it is: the key of a person (None: nobody) and the policy's key that found them."""

    person: str | None
    by: FollowUpOwner | None


def due(change: Change) -> list[Job]:
    """A settled call with the outside, and every later change of what came of it, is weighed once by the job."""
    if _weighed(change.after) is None or (change.before and _weighed(change.before) == _weighed(change.after)):
        return []
    # A digest: the queue's rows and logs need not know who called.
    lock = f"follow up {sha256(number_of(change.after).encode()).hexdigest()[:16]}"
    return [Job(TASK, QUEUE, {"call_id": str(change.call_id)}, lock=lock)]


def _weighed(call: CallView) -> tuple[object, ...] | None:
    outside = is_with_outside(call) and is_outside(number_of(call))
    told = (origin_of(call), is_conversation(call), cause_of(call), call.answered_at)
    return told if outside and call.settled_at is not None else None


def is_with_outside(call: CallView) -> bool:
    """Whether somebody outside called us, or was called: neither a call between colleagues nor a synthetic one."""
    return call.direction in {"inbound", "outbound"}


def number_of(call: CallView) -> str:
    """The number outside that the call was with, as the PBX spells it."""
    return call.dialed if call.direction == "outbound" else call.caller_number


def stored_number(call: CallView, regions: Regions) -> str:
    """The same as it is stored: a caller's as the line's region writes numbers, one that we called as the company's."""
    return normal(number_of(call), regions.of(call.line) if call.direction == "inbound" else regions.company)


def origin_of(call: CallView) -> Origin | None:
    """Why the caller of this ended call is owed a call, None when they are not."""
    lost = call.answered_at is None or call.lost_in_transfer
    if call.direction != "inbound" or not lost or call.ended_at is None:
        return None
    if call.call_back_asked:
        return "requested"
    return "voicemail" if call.status == "voicemail" else "missed"


def cause_of(call: CallView) -> str | None:
    """Why nobody talked with the caller, or with whom they were sent to."""
    return "transfer_failed" if call.lost_in_transfer else call.missed_cause


def is_conversation(call: CallView) -> bool:
    """Whether people of both sides really talked."""
    return is_with_outside(call) and call.talk_seconds >= TALK_SECONDS_LEAST


def priority(origin: Origin, attempts: int, place: int = 0) -> int:
    """How soon it is somebody's turn: each further attempt and each request raises it.

    Who gave up a `place` in the queue (from 1, 0: none) to be called back keeps it before those who stood behind.
    """
    kept = max(PLACES_KEPT - place, 0) if place else 0
    return max(attempts - 1, 0) + _URGENT[origin] + kept


def deadline(directory: Directory, line: str, at: datetime, owner: str | None = None) -> datetime | None:
    """Until when to call back who was missed at `at`: so many minutes of working time later.

    Working time is the line's; where it has no hours, its team's; else the owner's.
    """
    found = directory.line(line)
    holders = (found, directory.team(found.team) if found else None, directory.person(owner or ""))
    holder = next((one for one in holders if one and one.hours), found)
    hours = directory.hours_of(holder.hours) if holder else None
    zone = directory.zone_of(holder) if holder else directory.company.time_zone
    return after_working(hours, zone, at, directory.follow_up_of(line).minutes or 0)


def choose_owner(
    directory: Directory,
    policy: FollowUpPolicy,
    candidates: Mapping[FollowUpOwner, Sequence[str]],
    presence: Mapping[str, Presence],
    at: datetime,
    due_at: datetime | None,
) -> Owner:
    """The first candidate, in the policy's order, who works between `at` and `due_at`; else the first there is.

    Who is absent at `at` hands on to who stands in for them.
    """
    known = [
        Owner(line_up(key, presence)[-1], by)
        for by in policy.owners
        for key in candidates.get(by, ())
        if directory.person(key) is not None
    ]
    fit = (one for one in known if _works(directory, presence, one.person or "", at, due_at))
    return next(fit, next(iter(known), Owner(None, None)))


def _works(
    directory: Directory, presence: Mapping[str, Presence], key: str, at: datetime, due_at: datetime | None
) -> bool:
    person, there = directory.person(key), presence.get(key)
    begins = next_open(directory.hours_of(person.hours), directory.zone_of(person), at) if person else None
    back_at = there.absence.ends_at if there and there.absence else at
    return begins is not None and (due_at is None or max(begins, back_at) <= due_at)


def head_of(directory: Directory, line: str) -> str | None:
    """Who learns of it when it is overdue: a head in the line's team, else the company's first head."""
    found = directory.line(line)
    members = directory.members(found.team) if found else ()
    heads = [person.key for person in (*members, *directory.people) if person.role == "head"]
    return next(iter(heads), None)
