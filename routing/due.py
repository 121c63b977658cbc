"""Which calls tell what people answer on (pure)."""

from typing import Final

from calls.due import Change, Job

LEARN: Final = "routing.learn_answers"
QUEUE: Final = "routing"


def due(change: Change) -> list[Job]:
    """A settled inbound call that rang somebody is learned from, and again when late facts change its legs."""
    before, after = change.before, change.after
    if after.settled_at is None or after.direction != "inbound" or not after.legs:
        return []
    if before is not None and before.settled_at is not None and before.legs == after.legs:
        return []
    return [Job(LEARN, QUEUE, {"call_id": str(change.call_id)})]
