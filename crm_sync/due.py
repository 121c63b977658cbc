"""Which calls go into the book (pure)."""

from __future__ import annotations

from hashlib import sha256

from calls.due import Change, Job
from calls.legs import is_outside
from calls.view import CallView


def due(change: Change) -> list[Job]:
    """A settled inbound call from a telephone number is linked to its party, calls of one number one after another.

    Whether the number is a colleague's mobile is not in the call: the job asks the directory.
    """
    if not _owes_link(change.after) or (change.before and _owes_link(change.before)):
        return []
    # A digest: the queue's rows and logs need not know who called.
    lock = f"party {sha256(change.after.caller_number.encode()).hexdigest()[:16]}"
    return [Job("crm_sync.link_call", "crm", {"call_id": str(change.call_id)}, lock=lock)]


def _owes_link(call: CallView) -> bool:
    return call.settled_at is not None and call.direction == "inbound" and is_outside(call.caller_number)
