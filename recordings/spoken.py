"""Whether a phrase was said, in whatever form: endings, fillers, order and small slips of hearing (pure).

Stems are Snowball's, the same that PostgreSQL's `russian` configuration makes: Russian ones of words in Cyrillic
letters, English ones of others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import snowballstemmer
from rapidfuzz.distance import Levenshtein

from recordings.transcript import Word

_TOKEN: Final = re.compile(r"[^\W_]+")
_CYRILLIC: Final = re.compile(r"[а-яё]")
_WEIGHT_MOST: Final = 8
_SURE_LETTERS: Final = 4

_FILLERS_TOLD: Final = (
    "э ээ эм мм хм а ну вот так то же бы ли уж да типа значит короче uh um er erm hm well so oh ah like"
)
FILLERS: Final = frozenset(_FILLERS_TOLD.split())
"""Said between words without changing what is said."""

ALIKE: Final = 0.7
"""Two words of four letters and more that share so much of their letters are one word, heard a little wrong."""

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


def find(wanted: Sequence[Token], heard: Sequence[Token]) -> Iterator[Match]:
    """Every place where the phrase was said, by time, without overlap.

    Its words may stand in any order, with fillers and up to half as many other words between them.
    """
    if not wanted:
        return
    told = [token for token in heard if token.text not in FILLERS or any(token.text == it.text for it in wanted)]
    likeness = [{at: sure for at, token in enumerate(told) if (sure := _likeness(one, token))} for one in wanted]
    starts = sorted({at for places in likeness for at in places})
    size, free = len(wanted) + max(len(wanted) // 2, 1), 0
    for start in starts:
        if start < free:
            continue
        places, score = _window(wanted, likeness, range(start, start + size))
        if score >= SAID and start in places:
            yield Match(tuple(sorted({told[at].word for at in places})), round(score, 3))
            free = max(places) + 1


def said(words: Sequence[Word], match: Match) -> tuple[float, float]:
    """(when the phrase began, how surely its least sure word was heard)."""
    told = [words[place] for place in match.words]
    return told[0].start, min(word.confidence for word in told)


def _window(wanted: Sequence[Token], likeness: Sequence[dict[int, float]], window: range) -> tuple[set[int], float]:
    """The places in the window that stand for words of the phrase, and the share of its weight that they make."""
    taken: set[int] = set()
    got = 0.0
    for one, places in zip(wanted, likeness, strict=True):
        free = [(sure, -at) for at, sure in places.items() if at in window and at not in taken]
        if free:
            sure, at = max(free)
            taken.add(-at)
            got += sure * _weight(one)
    return taken, got / sum(_weight(one) for one in wanted)


def _weight(token: Token) -> int:
    """A long word tells more than a short one."""
    return min(len(token.text), _WEIGHT_MOST)


def _likeness(one: Token, other: Token) -> float:
    """1 for two forms of one word, else how much of their letters they share; 0 when they are no one word."""
    if one.stem == other.stem:
        return 1.0
    if min(len(one.text), len(other.text)) < _SURE_LETTERS:
        return 0.0
    return max(
        Levenshtein.normalized_similarity(one.text, other.text, score_cutoff=ALIKE),
        Levenshtein.normalized_similarity(one.stem, other.stem, score_cutoff=ALIKE),
    )
