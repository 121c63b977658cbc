"""The parts of a call that were recorded on several channels, on one time line (pure).

Rules kept here:
1. A part begins, by the PBX's time, when its channel first came into a bridge after its recording was started:
   MixMonitor's option b writes nothing before (and a message in voicemail begins its length before its end).
2. The line begins with the first part. A part that begins when everything before has ended follows directly: silence
   that nobody recorded is not made up. Parts that overlap stand as far apart as they truly began.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

from calls.call import UNTIMED, Call, facts
from calls.events import RecordingStarted, VoicemailLeft, message_of

_LAST: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Part:
    """What was recorded on one channel: `seconds` of sound that began at `begins_at` (None: nothing tells when)."""

    channel: str
    begins_at: datetime | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Placed:
    """A part on the call's line: it sounds from `offset` for `seconds`."""

    channel: str
    offset: float
    seconds: float

    @property
    def end(self) -> float:
        """Where it ends on the line."""
        return self.offset + self.seconds

    def to_json(self) -> dict[str, Any]:
        """As it is stored."""
        return {"channel": self.channel, "offset": self.offset, "seconds": self.seconds}


class Sounding(Protocol):
    """A side of what was recorded on a channel; `seconds` None: there is no sound of it."""

    @property
    def channel(self) -> str:
        """The channel's uniqueid."""

    @property
    def seconds(self) -> float | None:
        """How long it sounds."""


def place(parts: Iterable[Part]) -> tuple[Placed, ...]:
    """The parts in their order on the line; what has no time comes last, by its channel's name."""
    placed: list[Placed] = []
    ends_at, left_out = _LAST, timedelta()
    first_at: datetime | None = None
    for part in sorted(parts, key=lambda one: (one.begins_at or _LAST, one.channel)):
        line_end = max((one.end for one in placed), default=0.0)
        offset = line_end
        if part.begins_at is not None:
            first_at = first_at or part.begins_at
            if placed and part.begins_at >= ends_at:
                left_out = part.begins_at - first_at - timedelta(seconds=line_end)
            offset = (part.begins_at - first_at - left_out).total_seconds()
            stops_at = part.begins_at + timedelta(seconds=part.seconds)
            ends_at = stops_at if ends_at is _LAST else max(ends_at, stops_at)
        placed.append(Placed(part.channel, round(offset, 3), part.seconds))
    return tuple(placed)


def line_of(call: Call, seconds: Mapping[str, float]) -> tuple[Placed, ...]:
    """The line of a call of which these channels (messages in voicemail by `message_of`) have so much sound."""
    messages = {message_of(fact.channel): fact for fact in facts(call, VoicemailLeft)}
    return place(Part(channel, _begins_at(call, messages, channel), length) for channel, length in seconds.items())


def parts_of(call: Call, sides: Iterable[Sounding], archived: Sequence[Placed] = ()) -> tuple[Placed, ...]:
    """Where what was recorded lies on the call's line: as the archive has it that holds all of it, else by its times.

    A channel sounds as long as the longer of its sides; what has no sound is nowhere.
    """
    lengths: dict[str, float] = {}
    for one in sides:
        if one.seconds:
            lengths[one.channel] = max(lengths.get(one.channel, 0.0), one.seconds)
    if lengths.keys() <= {part.channel for part in archived}:
        return tuple(archived)
    return line_of(call, lengths)


def sounding(call: Call, placed: Iterable[Placed], since: datetime, until: datetime) -> list[tuple[float, float]]:
    """Where on the line the parts sound that were recorded between two moments of the PBX: spans of seconds."""
    messages = {message_of(fact.channel): fact for fact in facts(call, VoicemailLeft)}
    spans = []
    for part in placed:
        begins_at = _begins_at(call, messages, part.channel)
        if begins_at is not None:
            start, end = ((moment - begins_at).total_seconds() for moment in (since, until))
            start, end = max(start, 0.0), min(end, part.seconds)
            spans += [(part.offset + start, part.offset + end)] if start < end else []
    return spans


def length_of(placed: Iterable[Placed]) -> float:
    """How long the line is, seconds."""
    return max((one.end for one in placed), default=0.0)


def _begins_at(call: Call, messages: Mapping[str, VoicemailLeft], channel: str) -> datetime | None:
    if channel in messages:
        left = messages[channel]
        return None if left.at is None else left.at - timedelta(seconds=left.seconds)
    known = call.channels.get(channel)
    if known is None:
        return None
    started = [fact.at for fact in facts(call, RecordingStarted) if fact.channel == channel and fact.at is not None]
    since = min(started, default=None)
    entered = [
        stay.at for stay in known.stays if stay.entered and stay.at != UNTIMED and (since is None or stay.at >= since)
    ]
    # Recorded without a bridge that we heard of: from where its recording, or the channel itself, began.
    return min(entered, default=since or known.up_at or known.created_at)
