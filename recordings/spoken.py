"""Whether a phrase was said, in whatever form: endings, fillers, order and small slips of hearing (pure).

Stems are Snowball's, the same that PostgreSQL's `russian` configuration makes: Russian ones of words in Cyrillic
letters, English ones of others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Final

import snowballstemmer
from rapidfuzz.distance import Levenshtein

from recordings.transcript import Word

_TOKEN: Final = re.compile(r"[^\W_]+")
_CYRILLIC: Final = re.compile(r"[а-яё]")
_WEIGHT_MOST: Final = 8
_SURE_LETTERS: Final = 4
_BEFORE: Final = 2

_FILLERS_TOLD: Final = (
    "э ээ эм мм хм а ну вот так то же бы ли уж да типа значит короче uh um er erm hm well so oh ah like"
)
FILLERS: Final = frozenset(_FILLERS_TOLD.split())
"""Said between words without changing what is said."""

ALIKE: Final = 0.7
"""Two words of four letters and more that begin alike and share so much are one word, heard a little wrong.

The first letter keeps opposites apart (открыта, закрыта; locked, unlocked).
"""

SAID: Final = 0.8
"""A phrase was said when so much of it, by the weight of its words, was."""


@dataclass(frozen=True, slots=True)
class Token:
    """A word as it is compared; `word` is the place of the word that it is of."""

    text: str
    stem: str
    word: int


@dataclass(frozen=True, slots=True)
class Match:
    """A phrase that was said: with which words (places, ascending), and how well, SAID to 1."""

    words: tuple[int, ...]
    score: float


class Heard:
    """What one side said, made ready for many phrases to be looked for."""

    def __init__(self, texts: Sequence[str]) -> None:
        """`texts` are its words in their order."""
        told = tokens(texts)
        self.whole = _Index(told)
        self.plain = _Index([token for token in told if token.text not in FILLERS])


class _Index:
    """Tokens, and where each word stands among them, by first letter: no slip that is borne changes that one."""

    def __init__(self, told: Sequence[Token]) -> None:
        self.told = told
        self.places: dict[str, dict[Token, list[int]]] = {}
        for at, token in enumerate(told):
            bare = Token(token.text, token.stem, 0)
            self.places.setdefault(token.text[0], {}).setdefault(bare, []).append(at)

    def like(self, one: Token) -> dict[int, float]:
        """The places of words that are like this one, and how much."""
        words = self.places.get(one.text[0], {}).items()
        return {at: sure for word, places in words if (sure := _likeness(one, word)) for at in places}


def tokens(texts: Sequence[str]) -> list[Token]:
    """The comparable parts of words, in their order; a mark such as "-" alone has none."""
    return [Token(found, stem(found), place) for place, text in enumerate(texts) for found in parts_of(text)]


def parts_of(text: str) -> list[str]:
    """What of a word is compared: runs of letters and digits, in small letters."""
    return _TOKEN.findall(text.lower().replace("ё", "е"))


def phrase(text: str) -> tuple[Token, ...]:
    """A phrase as it is looked for: without fillers, unless it has nothing else."""
    told = tokens(text.split())
    return tuple(token for token in told if token.text not in FILLERS) or tuple(told)


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """The stem of one word in small letters."""
    language = "russian" if _CYRILLIC.search(word) else "english"
    # A stemmer keeps what it works on: each word has its own, so that threads do not meet in one.
    return str(snowballstemmer.stemmer(language).stemWord(word))


def find(wanted: Sequence[Token], heard: Heard) -> Iterator[Match]:
    """Every place where the phrase was said, by time, without overlap.

    Its words may stand in any order, with fillers and up to half as many other words between them; one may be heard as
    two, and two as one.
    """
    index = heard.whole if any(token.text in FILLERS for token in wanted) else heard.plain
    likeness = [index.like(one) for one in wanted]
    near = {max(at - before, 0) for places in likeness for at in places for before in range(_BEFORE + 1)}
    size, free = len(wanted) + max(len(wanted) // 2, 1), 0
    for start in sorted(near):
        if start < free:
            continue
        stretch = range(start, min(start + size, len(index.told)))
        places, score = _Window(wanted, index.told, stretch).matched(likeness)
        if score >= SAID and start in places:
            yield Match(tuple(sorted({index.told[at].word for at in places})), round(score, 3))
            free = max(places) + 1


def said(words: Sequence[Word], match: Match) -> tuple[float, float]:
    """(when the phrase began, how surely its least sure word was heard)."""
    told = [words[place] for place in match.words]
    return told[0].start, min(word.confidence for word in told)


@dataclass(slots=True)
class _Window:
    """A stretch of what was heard, in which words of the phrase are looked for, each place for one of them."""

    wanted: Sequence[Token]
    told: Sequence[Token]
    window: range
    taken: set[int] = field(default_factory=set)
    got: float = 0.0

    def matched(self, likeness: Sequence[Mapping[int, float]]) -> tuple[set[int], float]:
        """(the places that stand for words of the phrase, the share of its weight that they make)."""
        left = [number for number, places in enumerate(likeness) if not self._one_for_one(number, places)]
        left = [number for number in left if not self._apart(number)]
        for number, after in pairwise(left):
            if after == number + 1:
                self._together(number)
        return self.taken, self.got / sum(map(_weight, self.wanted))

    def _one_for_one(self, number: int, places: Mapping[int, float]) -> bool:
        free = [(places[at], -at) for at in self.window if at in places and at not in self.taken]
        sure, at = max(free, default=(0.0, 0))
        return bool(free) and self._take((-at,), sure * _weight(self.wanted[number]))

    def _apart(self, number: int) -> bool:
        """A word that was heard as two."""
        one = self.wanted[number]
        for at in self.window[:-1]:
            if self.told[at].text[0] != one.text[0] or self.taken & {at, at + 1}:
                continue
            if sure := _likeness(one, _joined(self.told[at], self.told[at + 1])):
                return self._take((at, at + 1), sure * _weight(one))
        return False

    def _together(self, number: int) -> bool:
        """Two words that were heard as one."""
        pair = self.wanted[number : number + 2]
        for at in self.window:
            if self.told[at].text[0] != pair[0].text[0] or at in self.taken:
                continue
            if sure := _likeness(_joined(*pair), self.told[at]):
                return self._take((at,), sure * sum(map(_weight, pair)))
        return False

    def _take(self, places: tuple[int, ...], weight: float) -> bool:
        self.taken.update(places)
        self.got += weight
        return True


@lru_cache(maxsize=4096)
def _joined(one: Token, other: Token) -> Token:
    text = one.text + other.text
    return Token(text, stem(text), one.word)


def _weight(token: Token) -> int:
    """A long word tells more than a short one."""
    return min(len(token.text), _WEIGHT_MOST)


def _likeness(one: Token, other: Token) -> float:
    """1 for two forms of one word, else how much of their letters they share; 0 when they are no one word."""
    if one.stem == other.stem:
        return 1.0
    if min(len(one.text), len(other.text)) < _SURE_LETTERS or one.text[0] != other.text[0]:
        return 0.0
    return max(
        Levenshtein.normalized_similarity(one.text, other.text, score_cutoff=ALIKE),
        Levenshtein.normalized_similarity(one.stem, other.stem, score_cutoff=ALIKE),
    )
