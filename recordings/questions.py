"""How many questions somebody asked: by the marks that were heard, else by question words (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from recordings.spoken import FILLERS, Token, tokens
from recordings.transcript import Word

_ENDS: Final = (".", "!", "?", "…")
_CLOSING: Final = "\"'»”)"
_PAUSE_SECONDS: Final = 2.0
_BEFORE_TOLD: Final = "и а но или скажите подскажите пожалуйста and but or please tell me"
_WORDS_TOLD: Final = (
    "кто кого кому кем что чего чему чем где когда куда откуда почему зачем сколько какой какая какое какие какого "
    "каким каких чей чья чье чьи как который которая what who whom whose when where why how which"
)
_VERBS_TOLD: Final = "do does did is are am was were can could will would should shall may have has"
_BEFORE: Final = FILLERS | frozenset(_BEFORE_TOLD.split())
_WORDS: Final = frozenset(_WORDS_TOLD.split())
_VERBS: Final = frozenset(_VERBS_TOLD.split())
_PERSONS: Final = frozenset({"i", "you", "he", "she", "it", "we", "they", "there", "this", "that"})


def question_count(words: Sequence[Word]) -> int:
    """How many questions one side asked; `words` in the order of time.

    A sentence that ends with a mark is what its mark says; one that was cut off is a question when it begins as one.
    """
    return sum(_asks(sentence) for sentence in _sentences(words))


def _sentences(words: Sequence[Word]) -> Iterator[list[Word]]:
    sentence: list[Word] = []
    for word in words:
        if sentence and word.start - sentence[-1].end >= _PAUSE_SECONDS:
            yield sentence
            sentence = []
        sentence.append(word)
        if _bare(word).endswith(_ENDS):
            yield sentence
            sentence = []
    if sentence:
        yield sentence


def _asks(sentence: Sequence[Word]) -> bool:
    last = _bare(sentence[-1])
    if last.endswith(_ENDS):
        return last.endswith("?")
    return _begins_as_question(tokens([word.text for word in sentence]))


def _begins_as_question(told: Sequence[Token]) -> bool:
    texts = [token.text for token in told]
    if "ли" in texts:
        return True
    while texts and texts[0] in _BEFORE:
        texts = texts[1:]
    return bool(texts) and (texts[0] in _WORDS or (texts[0] in _VERBS and texts[1:2] != [] and texts[1] in _PERSONS))


def _bare(word: Word) -> str:
    return word.text.rstrip(_CLOSING)
