"""Numbers in what was said: groups of digits with their words, whether written or spoken (pure).

Own code, for no library reads Russian and English digit by digit, in groups and mixed with written digits, and tells
which words a number was made of: what is masked is words, not values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from recordings.number_words import COUNTED, COUNTED_WORDS, NUMBERS, PASSING, PLUS

_EDGES: Final = " \t\n.,!?…:;\"'«»“”()[]{}–—-№#*"
_CURRENCY: Final = frozenset("$€£₽%°")
_TIME: Final = re.compile(r"\d{1,2}:\d\d(?::\d\d)?")
_DATE: Final = re.compile(r"(?:0?[1-9]|[12]\d|3[01])[./](?:0?[1-9]|1[0-2])[./](?:19|20)?\d\d")
_THOUSANDS: Final = re.compile(r"\d{1,3}(?:[.,]\d{3})+")
_ORDINAL: Final = re.compile(r"\d+(?:-?[а-яё]{1,3}|st|nd|rd|th)")
_SEPARATED: Final = re.compile(r"[\d\-–—.,/_()+:№#*]+")
_LONG_DIGITS: Final = 13


@dataclass(frozen=True, slots=True)
class Piece:
    """A group of digits, made of the words `first` to `last` (their places). `plus`: a plus stands before it.

    `counted`: written as an amount, a time or a date, so no part of a longer number. `ends`: what follows makes it an
    amount or a date, so nothing is added to it ("5678 рублей").
    """

    digits: str
    first: int
    last: int
    plus: bool = False
    counted: bool = False
    ends: bool = False


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
    group = _Group()
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


_JOINTS_MOST: Final = 6


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


@dataclass(frozen=True, slots=True)
class _Written:
    digits: str
    counted: bool = False
    plus: bool = False
    alone: bool = False
    """Nothing is joined to it: it is a part of a longer written number."""


@dataclass(frozen=True, slots=True)
class _Said:
    kind: str
    value: int


def _lexed(word: str) -> Iterator[str | _Written | _Said]:
    """The parts of one word: written digits, number words, anything else as text."""
    bare = plain(word)
    if any(letter.isdigit() for letter in bare):
        yield from _written(word.strip(), bare)
        return
    for part in re.split(r"[-–—/.,]", bare):
        if part:
            numeral = NUMBERS.get(part)
            yield _Said(*numeral) if numeral else part


def _written(word: str, bare: str) -> Iterator[str | _Written | _Said]:
    digits = "".join(letter for letter in bare if letter.isdecimal())
    if _CURRENCY & set(word) or _TIME.fullmatch(bare) or _DATE.fullmatch(bare):
        yield _Written(digits, counted=True)
    elif _THOUSANDS.fullmatch(bare):
        yield _Written(digits)
    elif _ORDINAL.fullmatch(bare):
        yield bare
    elif _SEPARATED.fullmatch(bare):
        parts = re.findall(r"\d+", bare)
        plus = word.lstrip("(").startswith("+")
        for at, part in enumerate(parts):
            yield _Written(part, plus=plus and at == 0, alone=len(parts) > 1)
    elif len(digits) >= _LONG_DIGITS:
        yield _Written(digits)
    else:
        for part in re.split(r"[-–—/.,]", bare):
            numeral = NUMBERS.get(part)
            if part:
                yield _Said(*numeral) if numeral else _Written(part) if part.isdecimal() else part


@dataclass(slots=True)
class _Group:
    """One number that is being said: its thousands, and what is said below them."""

    parts: list[tuple[int, int, int, int]] = field(default_factory=list)
    """(rank, value, first place, last place); rank: what is smaller than it may follow."""

    thousands: int | None = None
    first: int = 0
    last: int = 0
    plus: bool = False
    times: int = 0

    def take(self, item: _Written | _Said, place: int, *, plus: bool) -> list[Piece]:
        """Add a part; gives the numbers that it ended."""
        if isinstance(item, _Written):
            return self._written(item, place, plus=plus)
        if item.kind == "repeat":
            ended = self.close()
            self.times, self.first, self.plus = item.value, place, plus
            return ended
        if self.times or (item.kind == "name"):
            return self._repeated(item, place, plus=plus)
        if item.kind in {"thousand", "one_thousand"}:
            return self._thousand(place, plus=plus, one=item.kind == "one_thousand")
        if item.kind == "times_hundred":
            return self._hundred(place, plus=plus)
        return self._small(item, place, plus=plus)

    def close(self) -> list[Piece]:
        """End the number, if there is one."""
        told = [Piece(self._digits(), self.first, self.last, self.plus)] if self._there() else []
        self._begin_anew()
        return told

    def _there(self) -> bool:
        return bool(self.parts) or self.thousands is not None

    def _digits(self) -> str:
        return str((self.thousands or 0) * 1000 + self._below())

    def _below(self) -> int:
        return sum(value for _, value, _, _ in self.parts)

    def _begin_anew(self) -> None:
        self.parts, self.thousands, self.times, self.plus = [], None, 0, False

    def _add(self, rank: int, value: int, place: int, *, plus: bool) -> None:
        if not self._there():
            self.first, self.plus = place, plus
        self.parts.append((rank, value, place, place))
        self.last = place

    def _small(self, item: _Said, place: int, *, plus: bool) -> list[Piece]:
        needs, rank = {"hundred": (4, 3), "ten": (3, 2), "teen": (3, 1), "unit": (2, 1)}[item.kind]
        free = self.parts[-1][0] if self.parts else (4 if self.thousands is not None else 0)
        ended = [] if item.value and free >= needs else self.close()
        self._add(rank if item.value else 0, item.value, place, plus=plus)
        return ended

    def _thousand(self, place: int, *, plus: bool, one: bool) -> list[Piece]:
        ended: list[Piece] = []
        if one and self._there() and self._below() % 10 != 1:
            # "шесть тысяча двести": six thousand would be "шесть тысяч".
            ended = self.close()
            self.first, self.thousands, self.plus = place, 1, plus
        elif self.thousands is not None and self.parts and self.parts[-1][0] < 3:
            # "четыре тысячи двести семьдесят три тысячи": the last part begins the next number.
            _, value, first, _ = self.parts.pop()
            self.last = self.parts[-1][3] if self.parts else max(self.first, first - 1)
            ended = self.close()
            self.first, self.thousands = first, value
        elif self.thousands is not None or not self._below():
            ended = self.close()
            self.first, self.thousands, self.plus = place, 1, plus
        else:
            self.thousands, self.parts = self._below(), []
        self.last = place
        return ended

    def _hundred(self, place: int, *, plus: bool) -> list[Piece]:
        below, last = self._below(), self.parts[-1] if self.parts else None
        if last and below >= 100 and last[0] == 1:
            # "nine hundred seventy nine hundred": the last part begins the next number.
            self.parts.pop()
            self.last = last[2] - 1
            ended = self.close()
            self.first, self.parts, self.last = last[2], [(3, last[1] * 100, last[2], place)], place
            return ended
        if not 0 < below < 100:
            ended = self.close()
            self._add(3, 100, place, plus=plus)
            return ended
        first = self.parts[0][2]
        self.parts, self.last = [(3, below * 100, first, place)], place
        return []

    def _repeated(self, item: _Said, place: int, *, plus: bool) -> list[Piece]:
        """Make "double seven" and "две семёрки" 77, "семёрка" 7."""
        if self.times:
            times, first, said_plus = self.times, self.first, self.plus
            self._begin_anew()
            return [Piece(str(item.value) * times, first, place, said_plus)]
        if self.parts and self.parts[-1][0] == 1 and 2 <= self.parts[-1][1] <= 9:
            _, times, first, _ = self.parts.pop()
            self.last = self.parts[-1][3] if self.parts else self.last
            ended = self.close()
            return [*ended, Piece(str(item.value) * times, first, place, plus)]
        return [*self.close(), Piece(str(item.value), place, place, plus)]

    def _written(self, item: _Written, place: int, *, plus: bool) -> list[Piece]:
        if item.counted or item.alone or item.plus or len(item.digits) > 3 or item.digits.startswith("0"):
            ended = self.close()
            return [*ended, Piece(item.digits, place, place, plus=plus or item.plus, counted=item.counted)]
        if self.times:
            return self._repeated(_Said("unit", int(item.digits)), place, plus=plus)
        ended = [] if self.thousands is not None and not self.parts else self.close()
        self._add(1, int(item.digits), place, plus=plus)
        return ended


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
