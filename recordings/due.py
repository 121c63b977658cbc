"""When a call owes audio and text (pure)."""

from __future__ import annotations

from calls.due import Change, Job
from calls.events import RecordingStored
from calls.view import CallView


def due(change: Change) -> list[Job]:
    """A settled call owes a look at what the PBX recorded; stored audio owes its text.

    A missed call owes the look too: the PBX leaves empty files behind. Both jobs first look at what is stored, so a job
    told twice does its work once.
    """
    call_id = str(change.call_id)
    jobs = []
    if _owes_look(change.after) and not (change.before and _owes_look(change.before) and _same(change)):
        jobs.append(Job("recordings.store_recording", "recordings", {"call_id": call_id}, lock=f"recording {call_id}"))
    if change.first(RecordingStored) is not None:
        jobs.append(Job("recordings.transcribe", "transcription", {"call_id": call_id}, lock=f"transcript {call_id}"))
    return jobs


def _owes_look(call: CallView) -> bool:
    """Inbound calls are always recorded by our dialplan; others when the PBX said that it records."""
    return call.settled_at is not None and (call.direction == "inbound" or bool(call.recorded))


def _same(change: Change) -> bool:
    """No talk came to light after settling, as it does when an outage is caught up with."""
    return change.after.answered_at is None or bool(change.before and change.before.answered_at)
