"""What nobody may read or hear of a talk: its words replaced by what they were, and the seconds to mute (pure).

1. A word is masked whole. Neighbours of one kind become one word, `[card]`, with their times and least confidence.
2. Sound is muted on both sides, whoever spoke: a telephone's echo carries the other side's words.
3. Times of words are inexact and digits are lost, so a pause around or inside of a number is muted too.
4. What is masked stays masked: `[card]` is neither a number nor says that one comes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from directory.masking import MASK_KINDS, MaskKind
from recordings import personal_numbers, spoken_emails
from recordings.transcript import PAUSE_SECONDS, Word
from recordings.voices import Voice

BEFORE_SECONDS: Final = 0.3
BEHIND_SECONDS: Final = 0.5
"""Muted around a number even where other words are near: its words begin late and end early by up to that much."""

_SILENCE_SECONDS: Final = 3.0
"""Muted where no word is heard around a number: there may be one more digit of it that was not."""


_PAUSE_MUTED_SECONDS: Final = 10.0
_GAP_MUTED_SECONDS: Final = 1.0
_SOUND_SECONDS: Final = 0.2
_ENDS: Final = (".", "!", "?", "…")


@dataclass(frozen=True, slots=True)
class Muted:
    """Seconds on the call's line of time that nobody may hear, on neither side; what was said there, and by which."""

    side: str
    start: float
    end: float
    kind: MaskKind


@dataclass(frozen=True, slots=True)
class Masked:
    """What is left of the words of each side, and what is muted, by side and time."""

    words: dict[str, tuple[Word, ...]]
    muted: tuple[Muted, ...]


def token(kind: MaskKind) -> str:
    """What stands for masked words in every language."""
    return f"[{kind}]"


def kind_of(text: str) -> MaskKind | None:
    """The kind that a word of a transcript stands for, None for a word that was said."""
    bare = text.strip().rstrip("".join(_ENDS))
    return next((kind for kind in MASK_KINDS if token(kind) == bare), None)


def mask(sides: Mapping[str, Sequence[Word]], kinds: Collection[str], region: str = "RU") -> Masked:
    """Mask what is of these kinds in the words of each side, which stand in the order of time.

    `region`: the country whose national phone numbers are meant.
    """
    ordered = {side: sorted(words, key=lambda word: (word.start, word.end)) for side, words in sides.items()}
    if not kinds:
        return Masked({side: tuple(words) for side, words in ordered.items()}, ())
    places: dict[str, dict[int, MaskKind]] = {side: {} for side in ordered}
    stretches: list[tuple[str, MaskKind, list[int]]] = []
    for side, kind, told in _found(ordered, region):
        free = [place for place in told if place not in places[side]]
        if kind in kinds and free:
            places[side] |= dict.fromkeys(free, kind)
            stretches.append((side, kind, free))
    muted = [
        Muted(side, start, end, kind) for side, kind, told in stretches for start, end in _seconds(ordered[side], told)
    ]
    return Masked({side: _replaced(words, places[side]) for side, words in ordered.items()}, joined(muted))


def mask_text(text: str, kinds: Collection[str], region: str = "RU") -> str:
    """Mask what is of these kinds in what somebody wrote, as if it were said word after word."""
    words = [Word(word, at / 2, at / 2 + 0.4, 1.0) for at, word in enumerate(text.split())]
    masked = mask({"caller": words}, kinds, region)
    return " ".join(word.text for word in masked.words["caller"]) if masked.muted else text


def joined(muted: Iterable[Muted]) -> tuple[Muted, ...]:
    """Put together what overlaps, or is parted by less than a sound; the kind is that of the earlier."""
    told: list[Muted] = []
    for one in sorted(muted, key=lambda it: (it.side, it.start, it.end, it.kind)):
        last = told[-1] if told else None
        if last and last.side == one.side and one.start - last.end < _SOUND_SECONDS:
            told[-1] = Muted(one.side, last.start, max(last.end, one.end), last.kind)
        else:
            told.append(one)
    return tuple(told)


def muted_json(muted: Iterable[Muted]) -> list[dict[str, Any]]:
    """The seconds as they are stored."""
    return [{"side": it.side, "from": round(it.start, 2), "to": round(it.end, 2), "kind": it.kind} for it in muted]


def muted_from(told: Iterable[Mapping[str, Any]]) -> tuple[Muted, ...]:
    """Read what `muted_json` gave."""
    return tuple(Muted(it["side"], float(it["from"]), float(it["to"]), it["kind"]) for it in told)


def _found(ordered: Mapping[str, Sequence[Word]], region: str) -> Iterable[tuple[str, MaskKind, list[int]]]:
    """Every finding: the side, the kind and the places of its words."""
    for side, words in ordered.items():
        for address in spoken_emails.find(words):
            yield side, "email", list(address)
    for found in personal_numbers.find([Voice(side, words) for side, words in ordered.items()], region):
        yield found.side, found.kind, sorted({at for it in found.pieces for at in range(it.first, it.last + 1)})


def _seconds(words: Sequence[Word], places: Sequence[int]) -> list[tuple[float, float]]:
    """The seconds of one finding: its words and the pauses between them, with room at both ends."""
    parts = [[places[0], places[0]]]
    for before, place in pairwise(places):
        pause = words[place].start - words[before].end
        if pause < _GAP_MUTED_SECONDS or (place == before + 1 and pause < _PAUSE_MUTED_SECONDS):
            parts[-1][1] = place
        else:
            parts.append([place, place])
    return [_around(words, first, last) for first, last in parts]


def _around(words: Sequence[Word], first: int, last: int) -> tuple[float, float]:
    """From where to where is muted when these words are: up to the words around, but not far."""
    start, end = words[first].start, max(word.end for word in words[first : last + 1])
    before = max((word.end for word in words[max(first - 3, 0) : first]), default=0.0)
    behind = words[last + 1].start if last + 1 < len(words) else end + _SILENCE_SECONDS
    return (
        max(min(start - BEFORE_SECONDS, max(before, start - _SILENCE_SECONDS)), 0.0),
        max(end + BEHIND_SECONDS, min(behind, end + _SILENCE_SECONDS)),
    )


def _replaced(words: Sequence[Word], places: Mapping[int, MaskKind]) -> tuple[Word, ...]:
    told: list[Word] = []
    last: tuple[MaskKind, int] | None = None
    for at, word in enumerate(words):
        kind = places.get(at)
        if kind is None:
            told.append(word)
            continue
        text = token(kind) + (word.text.strip()[-1] if word.text.strip().endswith(_ENDS) else "")
        if last == (kind, at - 1) and word.start - told[-1].end < PAUSE_SECONDS:
            before = told.pop()
            end = max(before.end, word.end)
            told.append(Word(text, before.start, end, min(before.confidence, word.confidence)))
        else:
            told.append(Word(text, word.start, word.end, word.confidence))
        last = (kind, at)
    return tuple(told)
