"""Whether the audio of a call is complete, judged from who talked when and what its files hold (pure).

A side is judged by what is sure to be in its file: the talk on its channel, less the time that somebody held, was
parked, or had the recording paused, for then nothing may come from either side. Longer than the talk is well.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from calls.call import Call
from calls.legs import is_outside
from calls.talks import Span, covered_seconds, talks
from calls.view import CallView
from calls.waits import holds

WORST_FIRST: Final = ("missing", "unreadable", "empty", "silent", "short", "stored")
"""What a side can be: no file; a file that is no sound; one without sound; not a word in it; too little; all well."""

NOT_IN_CRM: Final = "not_in_crm"
"""What a call can be whose sides are all well: a CRM is owed its sound and does not have it in time."""

OF_CALLS: Final = (*WORST_FIRST[:-1], NOT_IN_CRM, "stored")
"""What the audio of a whole call can be, the worst first."""

KEPT: Final = ("stored", "short", "silent")
"""In these states there is a file in the store."""

LOST: Final = ("missing", "unreadable", "empty")

TRANSFERS: Final = ("none", "blind", "attended", "blonde", "conference", "parked", "forward", "pickup", "queue")
"""How a call went between people, as far as recordings break over it: the first that happened, see `transfer`."""

SHORT_SECONDS: Final = 2.0
"""So much less than the talk is no gap: answering, moving between bridges, the witnesses' clocks."""

SILENT_SECONDS: Final = 5.0
"""Who talks for so long says a word; in a shorter talk a side may well say nothing."""

LOUD_LEAST_SECONDS: Final = 0.1
"""A click or a pressed key is shorter than any word."""


@dataclass(frozen=True, slots=True)
class Sound:
    """What a side's file holds, seconds. `loud_seconds`: of sound above the noise of a line, None: not measured."""

    seconds: float
    loud_seconds: float | None = None
    loudest_dbfs: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a side stands (one of WORST_FIRST) and, unless it is well, why, in words and numbers for the operator."""

    state: str
    reason: str | None = None


STORED: Final = Verdict("stored")


def judge(talk_seconds: float, sound: Sound) -> Verdict:
    """Judge a side that has a file, by the talk that is owed on its channel."""
    if talk_seconds >= SILENT_SECONDS and sound.loud_seconds is not None and sound.loud_seconds < LOUD_LEAST_SECONDS:
        loudest = (
            "no sound at all" if sound.loudest_dbfs is None else f"nothing louder than {sound.loudest_dbfs:.0f} dBFS"
        )
        return Verdict("silent", f"{loudest} in {talk_seconds:.1f} s of talk")
    if talk_seconds - sound.seconds > SHORT_SECONDS:
        return Verdict("short", f"{sound.seconds:.1f} s of sound for {talk_seconds:.1f} s of talk")
    return STORED


def talk_owed(call: Call, seen: CallView) -> dict[str, float]:
    """Seconds of talk that the recording of each channel must hold at least; a channel without a talk is not in it.

    A call that may not be recorded owes nothing.
    """
    if seen.refused:
        return {}
    heard: dict[str, list[Span]] = {}
    for talk in talks(call):
        for channel in (talk.one, talk.other):
            heard.setdefault(channel, []).append(talk.span)
    apart = {channel: holds(call) for channel in heard}
    for muted in seen.muted:
        apart.setdefault(muted.channel, []).append(Span(muted.since, muted.until))
    return {channel: _less(spans, apart[channel], seen.ended_at) for channel, spans in heard.items()}


def worst(states: Iterable[str]) -> str | None:
    """The state of a whole call: that of its worst side; None for no side."""
    return min(states, default=None, key=WORST_FIRST.index)


def transfer(seen: CallView) -> str:
    """One of TRANSFERS: the first that happened of what puts the most strain on a recording."""
    kinds = {one.kind for one in seen.transfers}
    happened = {
        "conference": seen.conference,
        "attended": "attended" in kinds,
        "blonde": "blonde" in kinds,
        "blind": "blind" in kinds,
        "parked": bool(seen.parks),
        "pickup": bool(seen.pickups),
        "forward": bool(seen.forwards),
        "queue": bool(seen.queues),
    }
    return next((kind for kind, it_did in happened.items() if it_did), "none")


def trunk(seen: CallView) -> str:
    """The device by which whoever is outside was reached, "" for a call between colleagues."""
    if seen.direction == "inbound":
        return seen.caller_device
    return next((leg.device for leg in seen.legs if is_outside(leg.number)), "")


def _less(talk: Sequence[Span], apart: Sequence[Span], now: datetime | None) -> float:
    common = [both for one in talk for other in apart if (both := _both(one, other)) is not None]
    return max(covered_seconds(talk, now) - covered_seconds(common, now), 0.0)


def _both(one: Span, other: Span) -> Span | None:
    """When both were; an open end lasts."""
    since = max(one.since, other.since)
    until = min(filter(None, (one.until, other.until)), default=None)
    return Span(since, until) if until is None or since < until else None
