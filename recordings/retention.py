"""What of a call is due to go by the policy (pure): the one answer for the worker's loop and for `--dry-run`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from directory.retention import Keep


@dataclass(frozen=True, slots=True)
class Ended:
    """What the policy asks of a call that is over; `there` are the kinds of `recordings.privacy_tables.REMOVED` it has.

    `held`: the law holds the call, or somebody in it.
    """

    line: str
    status: str
    ended_at: datetime
    there: frozenset[str]
    held: bool = False


def due(call: Ended, keep: Keep, now: datetime) -> tuple[str, ...]:
    """The kinds that are to be removed at `now`; nothing of what is held.

    Who has been forgotten is heard in no sound and named in no text: those go with them at the latest.
    """
    if call.held:
        return ()
    age = now - call.ended_at
    past = {
        kind
        for kind, days in (("audio", keep.audio_days), ("transcript", keep.transcript_days), ("party", keep.party_days))
        if days and age >= timedelta(days=days)
    }
    return tuple(kind for kind in ("audio", "transcript", "party") if kind in call.there and past & {kind, "party"})
