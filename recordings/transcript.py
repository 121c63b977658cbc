"""Words of two sides become one conversation (pure). Times are seconds from the start of the recording."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Final

PAUSE_SECONDS: Final = 1.0
"""A side that is silent for so long begins a new segment."""

_SENTENCE_PAUSE_SECONDS: Final = 0.4
_LONG_SECONDS: Final = 10.0
_ENDS: Final = (".", "!", "?", "…")


@dataclass(frozen=True, slots=True)
class Word:
    """One word as heard, with its punctuation; `confidence` from 0 to 1."""

    text: str
    start: float
    end: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Segment:
    """What one side said in one go."""

    side: str
    start: float
    end: float
    text: str


def segments(sides: Mapping[str, Sequence[Word]]) -> tuple[Segment, ...]:
    """Both sides by time: a segment ends at a pause, or where the other side begins to speak between two words."""
    starts = {side: sorted(word.start for word in words) for side, words in sides.items()}
    found = []
    for side, words in sides.items():
        others = [start for other, told in starts.items() if other != side for start in told]
        found += [
            Segment(side, part[0].start, part[-1].end, " ".join(word.text for word in part))
            for part in _parts(sorted(words, key=lambda word: (word.start, word.end)), others)
        ]
    return tuple(sorted(found, key=lambda segment: (segment.start, segment.end, segment.side)))


def text(told: Iterable[Segment]) -> str:
    """What is searched: one line a segment, without names."""
    return "\n".join(segment.text for segment in told)


def words_json(sides: Mapping[str, Sequence[Word]]) -> list[dict[str, Any]]:
    """Every word of both sides in the order of time."""
    told = [{"side": side, **asdict(word)} for side, words in sides.items() for word in words]
    return sorted(told, key=lambda word: (word["start"], word["end"], word["side"]))


def words_by_side(told: Iterable[Mapping[str, Any]]) -> dict[str, list[Word]]:
    """Stored words (`words_json`) as the words of each side."""
    sides: dict[str, list[Word]] = {}
    for word in told:
        one = Word(str(word["text"]), float(word["start"]), float(word["end"]), float(word["confidence"]))
        sides.setdefault(str(word["side"]), []).append(one)
    return sides


def segments_json(told: Iterable[Segment]) -> list[dict[str, Any]]:
    """The segments as JSON objects."""
    return [asdict(segment) for segment in told]


def _parts(words: Sequence[Word], others: Sequence[float]) -> list[list[Word]]:
    if not words:
        return []
    parts = [[words[0]]]
    for before, word in pairwise(words):
        pause = word.start - before.end
        interrupted = pause > 0 and any(before.end <= start < word.start for start in others)
        long = word.start - parts[-1][0].start >= _LONG_SECONDS
        done = before.text.endswith(_ENDS) and (long or pause >= _SENTENCE_PAUSE_SECONDS)
        if pause >= PAUSE_SECONDS or done or interrupted:
            parts.append([])
        parts[-1].append(word)
    return parts
