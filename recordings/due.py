"""When a call owes audio and text (pure)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from calls.due import Change, Job
from calls.events import RecordingStored, Transcribed, TranscriptionGivenUp
from calls.nps import OF_NOBODY
from calls.view import CallView

_EPOCH: Final = datetime(2020, 1, 1, tzinfo=UTC)
"""Priorities are seconds since then: they fit the queue's numbers for 68 years."""

_WITNESSES_SECONDS: Final = 1.0
"""By less than that two witnesses of the same talk differ."""


def due(change: Change) -> list[Job]:
    """A settled call owes a look at what the PBX recorded; stored audio owes its text, and then its archive.

    Two calls that turn out to be one, when that is over, owe one text and one archive of all that either kept.
    A missed call owes the look too: the PBX leaves empty files behind. All jobs first look at what is stored, so a job
    told twice does its work once.
    """
    call_id = str(change.call_id)
    jobs = []
    if _owes_look(change.after) and not (change.before and _owes_look(change.before) and _same(change)):
        jobs.append(look(call_id))
    is_whole = change.joined and change.after.ended_at is not None
    if is_whole or change.first(RecordingStored) is not None:
        jobs.append(transcribe_job(call_id, change.after.ended_at))
    if is_whole or change.first(Transcribed) is not None or change.first(TranscriptionGivenUp) is not None:
        jobs.append(archive_job(call_id))
    return jobs


def look(call_id: str) -> Job:
    """Look at what the PBX recorded of this call; looks at one call come one after another."""
    return Job("recordings.store_recording", "recordings", {"call_id": call_id}, lock=f"recording {call_id}")


def transcribe_job(call_id: str, ended_at: datetime | None) -> Job:
    """Turn the call's audio into its text: the newest call first, so that a backlog is behind whoever works now."""
    newest = int((ended_at - _EPOCH).total_seconds()) if ended_at else 0
    return Job(
        "recordings.transcribe",
        "transcription",
        {"call_id": call_id},
        lock=f"transcript {call_id}",
        priority=min(max(newest, 0), 2**31 - 2),
    )


def archive_job(call_id: str) -> Job:
    """The job that makes a call's archive, behind all that is to be stored.

    Its lock is that of storing: nobody adds a side while others are removed.
    """
    return Job("recordings.archive", "recordings", {"call_id": call_id}, lock=f"recording {call_id}", priority=-1)


def _owes_look(call: CallView) -> bool:
    """Our dialplan records whoever calls in and whom it lets us call; others when the PBX said that it records."""
    ours = call.direction in {"inbound", *OF_NOBODY} or (call.direction == "outbound" and call.let_out)
    return call.settled_at is not None and (ours or bool(call.recorded))


def _same(change: Change) -> bool:
    """Neither talk nor a refusal came to light after settling, as it does when an outage is caught up with."""
    before, after = change.before, change.after
    if before is None or before.refused != after.refused:
        return False
    return after.answered_at is None or abs(after.talk_seconds - before.talk_seconds) < _WITNESSES_SECONDS
