"""Where in a talk a search was answered (pure). A query reads as PostgreSQL's websearch_to_tsquery reads it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from recordings.spoken import parts_of, stem, tokens

REACH: Final = 8
"""Words that are shown before and behind what was found."""

_PAUSE_SECONDS: Final = 2.0
_PART: Final = re.compile(r'(-?)(?:"([^"]*)"|(\S+))')


@dataclass(frozen=True, slots=True)
class Moment:
    """Words that were searched for: who said them when (seconds), and the places of the words."""

    side: str
    start: float
    end: float
    words: tuple[int, ...]


def wanted(query: str) -> tuple[tuple[str, ...], ...]:
    """The stems of each word and each quoted phrase that a query asks for; what it excludes (-word) is none."""
    parts = [
        tuple(token.stem for token in tokens((quoted or word).split()))
        for minus, quoted, word in _PART.findall(query)
        if not minus and word.lower() != "or"
    ]
    return tuple(part for part in parts if part)


def moments(query: str, words: Sequence[Mapping[str, Any]]) -> tuple[Moment, ...]:
    """Every place of the talk that the query asks for, by time. `words` as in `recordings.tables`, with their places.

    A phrase is its words one after another on one side. One that PostgreSQL found otherwise (it passes over little
    words) is shown by its single words.
    """
    parts = wanted(query)
    sides = {side: _heard(side, words) for side in dict.fromkeys(str(word["side"]) for word in words)}
    found: set[tuple[str, tuple[int, ...]]] = set()
    for part in parts:
        places = [(side, place) for side, told in sides.items() for place in _places(part, told)]
        single = [(side, place) for one in part for side, told in sides.items() for place in _places((one,), told)]
        found.update(places or single)
    told = [
        Moment(side, float(words[places[0]]["start"]), float(words[places[-1]]["end"]), places)
        for side, places in found
    ]
    return tuple(sorted(told, key=lambda one: (one.start, one.end, one.side)))


def _heard(side: str, words: Sequence[Mapping[str, Any]]) -> list[tuple[str, int]]:
    """What one side said: the comparable parts of its words, with the places of the words among all."""
    mine = [(place, str(word["text"])) for place, word in enumerate(words) if word["side"] == side]
    return [(part, place) for place, text in mine for part in parts_of(text)]


def _places(part: Sequence[str], told: Sequence[tuple[str, int]]) -> list[tuple[int, ...]]:
    size = len(part)
    return [
        tuple(dict.fromkeys(place for _, place in told[at : at + size]))
        for at in range(len(told) - size + 1)
        if all(_is(text, wanted) for (text, _), wanted in zip(told[at : at + size], part, strict=True))
    ]


def _is(text: str, wanted: str) -> bool:
    """Whether a word has this stem; most are told apart by their first letter, which no stemming changes."""
    return text[0] == wanted[0] and stem(text) == wanted


@dataclass(frozen=True, slots=True)
class Excerpt:
    """What one side said around moments: pieces of text in their order, those that were searched for marked True."""

    side: str
    start: float
    pieces: tuple[tuple[str, bool], ...]

    @property
    def text(self) -> str:
        """It as one line."""
        return " ".join(text for text, _ in self.pieces)


def excerpts(query: str, words: Sequence[Mapping[str, Any]]) -> tuple[Excerpt, ...]:
    """Every moment with what its side said around it in one go; moments that lie so near are one excerpt."""
    found = moments(query, words)
    told = []
    for side in dict.fromkeys(one.side for one in found):
        mine = [place for place, word in enumerate(words) if word["side"] == side]
        order = {place: number for number, place in enumerate(mine)}
        hits = sorted({order[place] for one in found if one.side == side for place in one.words})
        told += [_excerpt(side, words, mine, group) for group in _near(hits, [words[place] for place in mine])]
    return tuple(sorted(told, key=lambda one: (one.start, one.side)))


def _follows(word: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether a word was said in one go with the one before it."""
    return float(after["start"]) - float(word["end"]) < _PAUSE_SECONDS


def _near(hits: Sequence[int], said: Sequence[Mapping[str, Any]]) -> list[list[int]]:
    """The hits that are shown together; `said` are the words of their side."""
    groups: list[list[int]] = []
    for hit in hits:
        before = groups[-1][-1] if groups else hit
        if groups and hit - before <= REACH and all(_follows(said[at], said[at + 1]) for at in range(before, hit)):
            groups[-1].append(hit)
        else:
            groups.append([hit])
    return groups


def _excerpt(side: str, words: Sequence[Mapping[str, Any]], mine: Sequence[int], hits: Sequence[int]) -> Excerpt:
    first, last = hits[0], hits[-1]
    while first > 0 and hits[0] - first < REACH and _follows(words[mine[first - 1]], words[mine[first]]):
        first -= 1
    while last + 1 < len(mine) and last - hits[-1] < REACH and _follows(words[mine[last]], words[mine[last + 1]]):
        last += 1
    pieces: list[tuple[str, bool]] = []
    for number in range(first, last + 1):
        text, marked = str(words[mine[number]]["text"]), number in hits
        if pieces and pieces[-1][1] == marked:
            text = f"{pieces.pop()[0]} {text}"
        pieces.append((text, marked))
    return Excerpt(side, float(words[mine[hits[0]]]["start"]), tuple(pieces))
