"""How well a name or a number answers what was asked, and which part of it does (pure).

A score is 1 for what was typed exactly, and falls with every liberty that was taken; 0 is no answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from rapidfuzz.distance import OSA

from recordings.moments import wanted
from recordings.spoken import stem
from web.search.asked import Piece, folded

Pieces = tuple[tuple[str, bool], ...]
"""Text in its order; what answers the query is marked True."""

EXACT: Final = 1.0
INFLECTED: Final = 0.95
BEGINS: Final = 0.9
ENDS: Final = 0.9
INSIDE: Final = 0.75
SLIP: Final = 0.7
"""Of a word with one letter wrong, missing, added, or two in the wrong order; less for each letter more."""

_WORD: Final = re.compile(r"[^\W_]+")
_LETTERS_FOR_ONE_SLIP: Final = 4
_LETTERS_FOR_TWO_SLIPS: Final = 8


def word_score(asked: str, word: str) -> float:
    """How well a word of a name answers one that was asked for; both folded."""
    if asked == word:
        return EXACT
    if {stem(asked), asked} & {stem(word), word}:
        return INFLECTED
    if word.startswith(asked):
        return BEGINS
    slips = slips_allowed(asked)
    likely = min(_slips(one, other, slips) for one, other in _readings(asked, word))
    if slips and likely <= slips:
        return SLIP - 0.1 * (likely - 1)
    return 0.0


def slips_allowed(asked: str) -> int:
    """How many letters of a word may be wrong."""
    return (len(asked) >= _LETTERS_FOR_ONE_SLIP) + (len(asked) >= _LETTERS_FOR_TWO_SLIPS)


def name_score(asked: Sequence[str], name: str) -> float:
    """How well a name answers all of these words (folded): as well as the one that it answers worst."""
    words = _WORD.findall(folded(name))
    return min((max((word_score(one, word) for word in words), default=0.0) for one in asked), default=0.0)


def number_score(pieces: Sequence[Piece], number: str) -> float:
    """How well a number (as stored) answers all of these pieces."""
    return min((_piece_score(piece, number) for piece in pieces), default=0.0)


def marked_name(words: Sequence[str], name: str) -> Pieces:
    """A name with the words of it, or their beginnings, that answer."""
    spans = []
    for found in _WORD.finditer(name):
        word = folded(found[0])
        best = max(words, key=lambda one: word_score(one, word), default="")
        if best and word_score(best, word) > 0:
            spans.append((found.start(), found.start() + len(best) if word.startswith(best) else found.end()))
    return cut(name, spans)


def marked_words(query: str, text: str) -> Pieces:
    """Text with the words that a query asks for, in whatever form, as PostgreSQL finds them."""
    stems = {one for part in wanted(query) for one in part}
    found = [word for word in _WORD.finditer(text) if stem(folded(word[0])) in stems]
    return cut(text, [word.span() for word in found])


def marked_number(pieces: Sequence[Piece], number: str, shown: str) -> Pieces:
    """A number as it is shown, with those of its digits that answer; `number` has the same digits, as stored."""
    places = [place for place, sign in enumerate(shown) if sign.isdigit()]
    found = [span for piece in pieces if (span := piece.span(number))]
    if len(places) != len(number):
        return ((shown, False),)
    return cut(shown, [(places[start], places[end - 1] + 1) for start, end in found])


def cut(text: str, spans: Sequence[tuple[int, int]]) -> Pieces:
    """Text in pieces, what lies in one of the spans marked."""
    pieces: list[tuple[str, bool]] = []
    at = 0
    for start, end in sorted(spans):
        if end <= at:
            continue
        pieces += [(text[at : max(start, at)], False), (text[max(start, at) : end], True)]
        at = end
    return tuple(piece for piece in [*pieces, (text[at:], False)] if piece[0])


def _piece_score(piece: Piece, number: str) -> float:
    span = piece.span(number)
    if span is None:
        return 0.0
    whole, begins, ends = span == (0, len(number)), span[0] == 0, span[1] == len(number)
    return EXACT if whole else BEGINS if begins else ENDS if ends else INSIDE


def _readings(asked: str, word: str) -> list[tuple[str, str]]:
    """What may have been meant: the word, its stem, or the beginning of a longer word."""
    return [(asked, word), (stem(asked), stem(word)), (stem(asked), word), (asked, word[: len(asked)])]


def _slips(one: str, other: str, most: int) -> int:
    return int(OSA.distance(one, other, score_cutoff=most))
