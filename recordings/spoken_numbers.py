"""Numbers in what was said: groups of digits with their words, whether written or spoken (pure).

Own code, for no library reads Russian and English digit by digit, in groups and mixed with written digits, and tells
which words a number was made of: what is masked is words, not values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from recordings.number_groups import Group, Piece, Said, Written
from recordings.number_words import COUNTED, COUNTED_WORDS, NUMBERS, PASSING, PLUS

_EDGES: Final = " \t\n.,!?…:;\"'«»“”()[]{}–—-№#*"
_CURRENCY: Final = frozenset("$€£₽%°")
_TIME: Final = re.compile(r"\d{1,2}:\d\d(?::\d\d)?", re.ASCII)
_DATE: Final = re.compile(r"(?:0?[1-9]|[12]\d|3[01])[./](?:0?[1-9]|1[0-2])[./](?:19|20)?\d\d", re.ASCII)
_THOUSANDS: Final = re.compile(r"\d{1,3}(?:[.,]\d{3})+", re.ASCII)
_ORDINAL: Final = re.compile(r"\d+(?:-?[а-яё]{1,3}|st|nd|rd|th)", re.ASCII)
_SEPARATED: Final = re.compile(r"[\d\-–—.,/_()+:№#*]+", re.ASCII)
_DIGITS: Final = frozenset("0123456789")
_LONG_DIGITS: Final = 13


@dataclass(frozen=True, slots=True)
class Run:
    """Pieces with nothing but passing words between them."""

    pieces: tuple[Piece, ...]

    @property
    def digits(self) -> str:
        """All digits in their order."""
        return "".join(piece.digits for piece in self.pieces)

    @property
    def shape(self) -> tuple[int, ...]:
        """How many digits each piece has."""
        return tuple(len(piece.digits) for piece in self.pieces)

    @property
    def first(self) -> int:
        """The place of the first word."""
        return self.pieces[0].first

    @property
    def last(self) -> int:
        """The place of the last word."""
        return self.pieces[-1].last


def plain(word: str) -> str:
    """A word as it is looked up: small letters, е for ё, no punctuation around it."""
    return word.casefold().replace("ё", "е").strip(_EDGES)


def pieces(words: Sequence[str]) -> tuple[Piece, ...]:
    """Every group of digits in these words."""
    found: list[Piece] = []
    group = Group()
    plus = False
    for place, word in enumerate(words):
        told = list(_lexed(word))
        for item in told:
            if isinstance(item, str) and item in PLUS:
                found += group.close()
                plus = True
                continue
            if isinstance(item, str):
                # "four hundred and seventy": the word belongs to the number when it goes on.
                if item != "and":
                    found += group.close()
                    plus = plus and item in PASSING
                continue
            found += group.take(item, place, plus=plus)
            plus = False
    found += group.close()
    return tuple(_ended(piece, words) for piece in found)


def runs(found: Iterable[Piece], words: Sequence[str]) -> tuple[Run, ...]:
    """Pieces that only passing words part, joined; amounts, times and dates that are written as such stand in none."""
    made: list[list[Piece]] = []
    before: Piece | None = None
    for piece in found:
        joined = before is not None and not (before.counted or before.ends or piece.counted or piece.plus)
        if before is not None and joined and _only_passing(words[before.last + 1 : piece.first]):
            made[-1].append(piece)
        else:
            made.append([piece])
        before = piece
    return tuple(Run(tuple(run)) for run in made if not run[0].counted)


def readings(run: Sequence[Piece]) -> Iterator[str]:
    """The digits of a run as heard, then as they may have been meant.

    4000 276 is 4276 and 200 20 is 220 when they were written apart; "девяносто восемь" is 90 8 for who reads so.
    """
    told = [piece.digits for piece in run]
    yield "".join(told)
    joints = [at for at in range(1, len(run)) if _merges(told[at - 1], told[at])][:_JOINTS_MOST]
    for chosen in range(1, 1 << len(joints)):
        yield _merged(told, {joint for bit, joint in enumerate(joints) if chosen >> bit & 1})
    for at, piece in enumerate(run):
        for digits in _splits(piece):
            yield "".join([*told[:at], digits, *told[at + 1 :]])


_JOINTS_MOST: Final = 10


def _merges(before: str, after: str) -> bool:
    zeros = len(before) - len(before.rstrip("0"))
    return len(before) <= 4 and 0 < len(after) <= zeros < len(before) and not after.startswith("0")


def _merged(told: Sequence[str], joints: set[int]) -> str:
    made = [told[0]]
    for at in range(1, len(told)):
        if at in joints and _merges(made[-1], told[at]):
            made[-1] = str(int(made[-1]) + int(told[at]))
        else:
            made.append(told[at])
    return "".join(made)


def _splits(piece: Piece) -> Iterator[str]:
    """The number cut before its last word, and before its last two."""
    for size in (1, 2):
        head, tail = piece.digits[:-size], piece.digits[-size:]
        if piece.last > piece.first and head.strip("0") and not tail.startswith("0"):
            yield head + "0" * size + tail


def _lexed(word: str) -> Iterator[str | Written | Said]:
    """The parts of one word: written digits, number words, anything else as text."""
    bare = plain(word)
    if any(letter in _DIGITS for letter in bare):
        yield from _written(word.strip(), bare)
        return
    for part in re.split(r"[-–—/.,]", bare):
        if part:
            numeral = NUMBERS.get(part)
            yield Said(*numeral) if numeral else part


def _written(word: str, bare: str) -> Iterator[str | Written | Said]:
    digits = "".join(letter for letter in bare if letter in _DIGITS)
    if _CURRENCY & set(word) or _TIME.fullmatch(bare) or _DATE.fullmatch(bare):
        yield Written(digits, counted=True)
    elif _THOUSANDS.fullmatch(bare):
        yield Written(digits)
    elif _ORDINAL.fullmatch(bare):
        yield bare
    elif _SEPARATED.fullmatch(bare):
        parts = re.findall(r"[0-9]+", bare)
        plus = word.lstrip("(").startswith("+")
        for at, part in enumerate(parts):
            yield Written(part, plus=plus and at == 0, alone=len(parts) > 1)
    elif len(digits) >= _LONG_DIGITS:
        yield Written(digits)
    else:
        for part in re.split(r"[-–—/.,]", bare):
            numeral = NUMBERS.get(part)
            if part:
                yield Said(*numeral) if numeral else Written(part) if part.isdecimal() and part.isascii() else part


def _ended(piece: Piece, words: Sequence[str]) -> Piece:
    if piece.last + 1 >= len(words):
        return piece
    after = words[piece.last + 1]
    told = plain(after)
    counts = told in COUNTED_WORDS or told.startswith(COUNTED) or after[:1] in _CURRENCY
    return replace(piece, ends=True) if counts else piece


def _only_passing(words: Sequence[str]) -> bool:
    return len(words) <= _PASSING_MOST and all(
        (told := plain(word)) in PASSING or not told or told in PLUS for word in words
    )


_PASSING_MOST: Final = 6
