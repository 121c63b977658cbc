"""`switchhook replay`: folds tapes into call records without any server."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from calls.call import UNTIMED, Call, apply, join
from calls.events import Event, names
from calls.view import CallView, view
from telephony import tape

PBX = "tape"
_NOTHING = Call()


def fold(events: Iterable[Event]) -> list[Call]:
    """Calls from any events, joined by shared names, ordered by the first channel seen."""
    calls: dict[int, Call] = {}
    by_name: dict[str, int] = {}
    for number, event in enumerate(events):
        tied = names(event)
        kept, *gone = sorted({by_name[name] for name in tied if name in by_name}) or [number]
        call = calls.get(kept, _NOTHING)
        for one in gone:
            call = join(call, calls.pop(one))
        calls[kept] = apply(call, event)
        if gone:
            by_name = {name: kept if number in gone else number for name, number in by_name.items()}
        for name in tied:
            by_name[name] = kept
    order = {id(call): number for number, call in calls.items()}
    return sorted(calls.values(), key=lambda call: (_began(call), order[id(call)]))


def replay(paths: Iterable[Path]) -> tuple[list[CallView], int]:
    """(the records of all tapes as witnesses of one period, the number of events skipped).

    Raises telephony.tape.TapeError for a file that is no tape.
    """
    events: list[Event] = []
    skipped = 0
    for path in paths:
        told = tape.read(path, PBX)
        events.extend(told.events)
        skipped += told.skipped
    return [seen for call in fold(events) if (seen := view(call)).caller_channel], skipped


def _began(call: Call) -> object:
    return min((c.created_at or c.seen_at or UNTIMED for c in call.channels.values()), default=UNTIMED)


def table(records: Iterable[CallView]) -> str:
    """The records as lines for people: when, who, what became of it, who talked."""
    lines = []
    for seen in records:
        when = seen.started_at.strftime("%Y-%m-%d %H:%M:%S") if seen.started_at else "-" * 19
        legs = ", ".join(f"{leg.device} {leg.outcome or 'ringing'}" for leg in seen.legs)
        moves = "".join(
            f" · {one.kind} transfer to {one.to}{'' if one.completed else ' that nobody took'}"
            for one in seen.transfers
        )
        moves += "".join(f" · picked up by {one.by}" for one in seen.pickups)
        moves += "".join(f" · parked by {one.by}" for one in seen.parks)
        moves += "".join(f" · queue {one.name}{f' {one.outcome}' if one.outcome else ''}" for one in seen.queues)
        cause = f" ({seen.missed_cause})" if seen.missed_cause else ""
        lines.append(
            f"{when}  {seen.direction:8}  {seen.caller_number or '?'} -> {seen.dialed or '?'}  {seen.status}{cause}"
            f"  wait {seen.wait_seconds:.1f} s  talk {seen.talk_seconds:.1f} s  [{legs}]{moves}"
        )
    return "\n".join(lines) or "no calls"
