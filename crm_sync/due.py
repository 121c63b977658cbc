"""Which calls go into the book (pure)."""

from __future__ import annotations

from calls.due import Change, Job
from calls.follow_up import is_with_outside, number_of
from calls.legs import is_outside
from calls.view import CallView
from crm_sync.ledger.owed import lane_of


def due(change: Change) -> list[Job]:
    """A settled call with a telephone number outside is linked to its party, calls of one number one after another.

    Whether the number is a colleague's mobile is not in the call: the job asks the directory.
    """
    if not _owes_link(change.after) or (change.before and _owes_link(change.before)):
        return []
    # A digest: the queue's rows and logs need not know who called.
    lock = f"party {lane_of(number_of(change.after))}"
    return [Job("crm_sync.link_call", "crm", {"call_id": str(change.call_id)}, lock=lock)]


def _owes_link(call: CallView) -> bool:
    outside = is_with_outside(call) and is_outside(number_of(call))
    return call.settled_at is not None and outside
