"""`switchhook replay`: folds tapes into call records without any server."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from calls.call import UNTIMED, Call, apply, join
from calls.events import Event, names
from calls.view import CallView, view
from telephony.tape import read_tape

PBX = "tape"


def fold(events: Iterable[Event]) -> list[Call]:
    """Calls from any events, joined by shared names, ordered by the first channel seen."""
    calls: dict[int, Call] = {}
    by_name: dict[str, int] = {}
    for number, event in enumerate(events):
        tied = names(event)
        found = sorted({by_name[name] for name in tied if name in by_name})
        call = Call()
        for one in found:
            call = join(call, calls.pop(one))
        kept = found[0] if found else number
        calls[kept] = apply(call, event)
        for name in by_name.keys() if len(found) > 1 else ():
            if by_name[name] in found:
                by_name[name] = kept
        by_name.update(dict.fromkeys(tied, kept))
    order = {id(call): number for number, call in calls.items()}
    return sorted(calls.values(), key=lambda call: (_began(call), order[id(call)]))


def replay(paths: Iterable[Path]) -> tuple[list[CallView], int]:
    """(the records of all tapes as witnesses of one period, the number of events skipped).

    Raises telephony.tape.TapeError for a file that is no tape.
    """
    events: list[Event] = []
    skipped = 0
    for path in paths:
        tape = read_tape(path, PBX)
        events.extend(tape.events)
        skipped += tape.skipped
    return [seen for call in fold(events) if (seen := view(call)).caller_channel], skipped


def _began(call: Call) -> object:
    return min((c.created_at or c.seen_at or UNTIMED for c in call.channels.values()), default=UNTIMED)
