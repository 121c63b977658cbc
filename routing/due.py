"""Which calls tell what people answer on (pure)."""

from typing import Final

from calls.due import Change, Job
from calls.view import CallView

LEARN: Final = "routing.learn_answers"
QUEUE: Final = "routing"


def _rings(call: CallView) -> list[tuple[str, bool, str | None]]:
    """What is learned of a call's legs; the witnesses tell their times apart by microseconds."""
    return [(leg.device, leg.rang, leg.outcome) for leg in call.legs]


def due(change: Change) -> list[Job]:
    """A settled inbound call that rang somebody is learned from, and again when late facts change its legs."""
    before, after = change.before, change.after
    if after.settled_at is None or after.direction != "inbound" or not after.legs:
        return []
    if before is not None and before.settled_at is not None and _rings(before) == _rings(after):
        return []
    return [Job(LEARN, QUEUE, {"call_id": str(change.call_id)})]
