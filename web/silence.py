"""Where the sound of a call is silent though somebody may have spoken, for its page (pure)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from calls.call import UNTIMED, Call
from calls.view import CallView
from recordings.archive_plan import Span
from recordings.masking import muted_from
from recordings.parts import Placed, sounding
from web.wording import duration
from web.words import say


@dataclass(frozen=True, slots=True)
class Silence:
    """Seconds of the recording, from and to, in which nothing is heard, and why in words."""

    start: float
    end: float
    why: str


def silences(
    call: Call,
    seen: CallView,
    placed: Sequence[Placed],
    muted: Sequence[Span],
    masked: Sequence[Mapping[str, Any]],
    language: str,
) -> list[Silence]:
    """The seconds in which the recording was paused, and those that are `muted` in the archive, in order.

    `placed`: the parts on the call's line; `masked`: what the transcript tells of what was said there.
    """
    why = say(language, "silence.paused")
    told = {(start, end, why) for start, end in _paused(call, seen, placed)}
    told |= {(start, end, _masked(start, end, masked, language)) for start, end in muted}
    return [
        Silence(round(start, 2), round(end, 2), f"{words}, {duration(start)}–{duration(end)}")
        for start, end, words in sorted(told)
    ]


def _paused(call: Call, seen: CallView, placed: Sequence[Placed]) -> Iterator[Span]:
    for span in seen.muted:
        until = span.until or seen.ended_at
        if until is not None and UNTIMED not in {span.since, until}:
            yield from sounding(call, [one for one in placed if one.channel == span.channel], span.since, until)


def _masked(start: float, end: float, masked: Sequence[Mapping[str, Any]], language: str) -> str:
    kinds = dict.fromkeys(one.kind for one in muted_from(masked) if one.start < end and start < one.end)
    told = ", ".join(say(language, f"masked.{kind}") for kind in kinds)
    return say(language, "silence.masked", what=told) if told else say(language, "silence.muted")
