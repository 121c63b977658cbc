"""When a call owes audio and text (pure)."""

from __future__ import annotations

from calls.due import Change, Job
from calls.events import RecordingStored
from calls.view import CallView


def due(change: Change) -> list[Job]:
    """A settled call that people talked on owes its recording; stored audio owes its text.

    Both jobs look at what is stored before they work, so a job told twice does its work once.
    """
    call_id = str(change.call_id)
    jobs = []
    if _owes_audio(change.after) and not (change.before and _owes_audio(change.before)):
        jobs.append(Job("recordings.store_recording", "recordings", {"call_id": call_id}, lock=f"recording {call_id}"))
    if change.first(RecordingStored) is not None:
        jobs.append(Job("recordings.transcribe", "transcription", {"call_id": call_id}, lock=f"transcript {call_id}"))
    return jobs


def _owes_audio(call: CallView) -> bool:
    """Inbound calls are always recorded by our dialplan; others when the PBX said that it records."""
    talked = call.settled_at is not None and call.answered_at is not None
    return talked and (call.direction == "inbound" or bool(call.recordings))
