"""What the words of a talk tell of it: who spoke how much, who broke in, what was said and what was not (pure).

All times are seconds on the call's line. What lies in a span that is not judged (a hold with its music, a pause of the
recording, masked seconds) counts for nobody: neither as talk nor as silence.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final

from directory.script import Step, Topic
from recordings.names import SIDES
from recordings.questions import question_count
from recordings.spans import Span, length, minus, union, within
from recordings.spoken import Heard, find, phrase, said
from recordings.transcript import Word

CALLER, STAFF = SIDES

BREATH_SECONDS: Final = 0.5
"""Words of one side that are nearer than this are one stretch of speech."""

TURN_WORDS: Final = 2
"""A stretch of fewer words (yes, mm) is listening: it breaks in on nobody and ends nobody's monologue."""

OVERLAP_SECONDS: Final = 0.5
"""So long both must speak at once for a breaking in: shorter ones are how people take turns."""

INSIST_SECONDS: Final = 1.5
"""So long both speak at once when the one who was broken in on does not yield."""

MONOLOGUE_PAUSE_SECONDS: Final = 3.0
"""A longer silence ends a monologue."""

UNSURE: Final = 0.5
"""A word of less confidence may be another one."""

LOW_SHARE: Final = 0.3
"""Of unsure words: what rests on a text with more of them is marked."""

_PACE_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class SideFacts:
    """One side. `seconds` of speech; `words_per_minute` of speech, None when there was too little of it."""

    seconds: float = 0.0
    monologue_seconds: float = 0.0
    words_per_minute: float | None = None
    questions: int = 0


@dataclass(frozen=True, slots=True)
class Interruption:
    """`by` began to speak at `at` while the other side was speaking."""

    by: str
    at: float


@dataclass(frozen=True, slots=True)
class StepFact:
    """A step of the script: when staff said it. `unsure`: it rests on words that were heard badly."""

    step: str
    said: bool
    at: float | None
    unsure: bool


@dataclass(frozen=True, slots=True)
class Mention:
    """A word of a topic that one side said."""

    side: str
    at: float
    unsure: bool


@dataclass(frozen=True, slots=True)
class TopicFact:
    """What was talked about, with every mention by time; a topic that nobody mentioned has no fact."""

    topic: str
    mentions: tuple[Mention, ...]


@dataclass(frozen=True, slots=True)
class TalkFacts:
    """What a talk's words tell. `seconds`: from the first word to the last, without what is not judged.

    `response_seconds` is the median pause between the caller's end and staff's beginning, None when staff never
    answered.
    """

    seconds: float
    caller: SideFacts
    staff: SideFacts
    silence_seconds: float
    longest_silence_seconds: float
    longest_silence_at: float | None
    response_seconds: float | None
    interruptions: tuple[Interruption, ...]
    steps: tuple[StepFact, ...]
    topics: tuple[TopicFact, ...]
    unsure_share: float
    low_confidence: bool


@dataclass(frozen=True, slots=True)
class _Stretch:
    """What one side said in one breath."""

    side: str
    start: float
    end: float
    count: int

    @property
    def is_turn(self) -> bool:
        return self.count >= TURN_WORDS


def measure(
    words: Mapping[str, Sequence[Word]],
    *,
    unjudged: Sequence[Span] = (),
    script: Sequence[Step] = (),
    topics: Sequence[Topic] = (),
) -> TalkFacts:
    """The facts of a talk by the words of its sides (`caller`, `staff`; either may be missing)."""
    away = union(unjudged)
    heard = {side: _judged(words.get(side, ()), away) for side in SIDES}
    told = sorted(
        (one for side in SIDES for one in _stretches(side, heard[side], away)),
        key=lambda one: (one.start, one.end, one.side),
    )
    everything = [word for side in SIDES for word in heard[side]]
    unsure = sum(word.confidence < UNSURE for word in everything) / len(everything) if everything else 0.0
    low = unsure > LOW_SHARE
    line = minus([(told[0].start, max(one.end for one in told))], away) if told else []
    silences = minus(line, [(one.start, one.end) for one in told])
    longest = max(silences, key=lambda one: one[1] - one[0], default=(0.0, 0.0))
    said_by = {side: Heard([word.text for word in heard[side]]) for side in SIDES}
    return TalkFacts(
        seconds=_rounded(length(line)),
        caller=_side(CALLER, heard[CALLER], told, away),
        staff=_side(STAFF, heard[STAFF], told, away),
        silence_seconds=_rounded(length(silences)),
        longest_silence_seconds=_rounded(longest[1] - longest[0]),
        longest_silence_at=_rounded(longest[0]) if silences else None,
        response_seconds=_response(told, away),
        interruptions=_interruptions(told),
        steps=tuple(_step(step, heard[STAFF], said_by[STAFF], low=low) for step in script),
        topics=tuple(fact for topic in topics if (fact := _topic(topic, heard, said_by)).mentions),
        unsure_share=round(unsure, 3),
        low_confidence=low,
    )


def _judged(words: Sequence[Word], away: Sequence[Span]) -> list[Word]:
    return sorted(
        (word for word in words if not within((word.start + word.end) / 2, away)),
        key=lambda word: (word.start, word.end),
    )


def _stretches(side: str, words: Sequence[Word], away: Sequence[Span]) -> list[_Stretch]:
    found: list[_Stretch] = []
    for word in words:
        last = found[-1] if found else None
        if last and word.start - last.end <= BREATH_SECONDS and not _parted(last.end, word.start, away):
            found[-1] = _Stretch(side, last.start, max(last.end, word.end), last.count + 1)
        else:
            found.append(_Stretch(side, word.start, word.end, 1))
    return found


def _parted(end: float, start: float, away: Sequence[Span]) -> bool:
    """Whether something that is not judged lies between."""
    return any(end <= gone[1] and gone[0] <= start for gone in away)


def _side(side: str, words: Sequence[Word], told: Sequence[_Stretch], away: Sequence[Span]) -> SideFacts:
    seconds = length(minus([(one.start, one.end) for one in told if one.side == side], away))
    pace = len(words) * 60 / seconds if seconds >= _PACE_SECONDS else None
    return SideFacts(
        seconds=_rounded(seconds),
        monologue_seconds=_rounded(_monologue(side, told, away)),
        words_per_minute=None if pace is None else round(pace, 1),
        questions=question_count(words),
    )


def _monologue(side: str, told: Sequence[_Stretch], away: Sequence[Span]) -> float:
    """The longest run of a side: no turn of the other, no long silence and nothing unjudged between its stretches."""
    turns = [one.start for one in told if one.side != side and one.is_turn]
    longest, begun, last = 0.0, 0.0, None
    for one in (one for one in told if one.side == side):
        if (
            last is None
            or one.start - last.end > MONOLOGUE_PAUSE_SECONDS
            or _parted(last.end, one.start, away)
            or bisect_right(turns, last.start) < bisect_right(turns, one.start)
        ):
            begun = one.start
        last = one
        longest = max(longest, length(minus([(begun, one.end)], away)))
    return longest


def _response(told: Sequence[_Stretch], away: Sequence[Span]) -> float | None:
    pauses = [
        length(minus([(before.end, after.start)], away))
        for before, after in pairwise(told)
        if before.side == CALLER and after.side == STAFF and after.start >= before.end
    ]
    return _rounded(median(pauses)) if pauses else None


def _interruptions(told: Sequence[_Stretch]) -> tuple[Interruption, ...]:
    """A turn that begins while the other side is speaking: both are heard for OVERLAP_SECONDS and the other ends
    first, or both insist for INSIST_SECONDS.
    """
    found = []
    speaking: dict[str, _Stretch] = {}
    for one in told:
        other = speaking.get(CALLER if one.side == STAFF else STAFF)
        if other and one.is_turn and other.start < one.start < other.end:
            both = min(one.end, other.end) - one.start
            if both >= INSIST_SECONDS or (both >= OVERLAP_SECONDS and other.end < one.end):
                found.append(Interruption(one.side, _rounded(one.start)))
        speaking[one.side] = one
    return tuple(found)


def _step(step: Step, words: Sequence[Word], heard: Heard, *, low: bool) -> StepFact:
    """The earliest saying of any of its phrases, a sure one before an unsure one."""
    found = [
        (sure < UNSURE, at)
        for text in step.phrases
        for at, sure in (said(words, match) for match in find(phrase(text), heard))
    ]
    unsure, at = min(found, default=(low, None))
    return StepFact(step.step, said=bool(found), at=None if at is None else _rounded(at), unsure=unsure)


def _topic(topic: Topic, words: Mapping[str, Sequence[Word]], heard: Mapping[str, Heard]) -> TopicFact:
    found: dict[tuple[str, float], Mention] = {}
    for side in SIDES:
        for text in topic.words:
            for match in find(phrase(text), heard[side]):
                at, sure = said(words[side], match)
                found.setdefault((side, at), Mention(side, _rounded(at), unsure=sure < UNSURE))
    return TopicFact(topic.name, tuple(sorted(found.values(), key=lambda one: (one.at, one.side))))


def _rounded(seconds: float) -> float:
    return round(seconds, 2)
