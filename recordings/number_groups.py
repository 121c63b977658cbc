"""One number while it is said, word by word, and the digits that it comes to (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

_UNIT: Final = 1
_TEN: Final = 2
_HUNDRED: Final = 3
_ANY: Final = 4

_RANKS: Final = {"hundred": (_ANY, _HUNDRED), "ten": (_HUNDRED, _TEN), "teen": (_HUNDRED, _UNIT), "unit": (_TEN, _UNIT)}
"""Behind a part of which rank a word may stand, and its own rank: what is smaller may follow."""


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
class Written:
    """Digits as one word writes them. `alone`: a part of a longer written number, to which nothing is joined."""

    digits: str
    counted: bool = False
    plus: bool = False
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Said:
    """A number word, as `number_words` tells."""

    kind: str
    value: int


@dataclass(frozen=True, slots=True)
class _Part:
    rank: int
    value: int
    first: int
    last: int


@dataclass(slots=True)
class Group:
    """One number that is being said: its thousands, and what is said below them."""

    parts: list[_Part] = field(default_factory=list)
    thousands: int | None = None
    first: int = 0
    last: int = 0
    plus: bool = False
    times: int = 0

    def take(self, item: Written | Said, place: int, *, plus: bool) -> list[Piece]:
        """Add a part; gives the numbers that it ended."""
        if isinstance(item, Written):
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
        return sum(part.value for part in self.parts)

    def _begin_anew(self) -> None:
        self.parts, self.thousands, self.times, self.plus = [], None, 0, False

    def _begin(self, place: int, *, plus: bool = False, thousands: int | None = None) -> None:
        self.first, self.last, self.plus, self.thousands = place, place, plus, thousands

    def _add(self, part: _Part, *, plus: bool = False) -> None:
        if not self._there():
            self._begin(part.first, plus=plus)
        self.parts.append(part)
        self.last = part.last

    def _small(self, item: Said, place: int, *, plus: bool) -> list[Piece]:
        needs, rank = _RANKS[item.kind]
        free = self.parts[-1].rank if self.parts else (_ANY if self.thousands is not None else 0)
        ended = [] if item.value and free >= needs else self.close()
        self._add(_Part(rank if item.value else 0, item.value, place, place), plus=plus)
        return ended

    def _thousand(self, place: int, *, plus: bool, one: bool) -> list[Piece]:
        ended: list[Piece] = []
        wrong_form = one and self._there() and self._below() % 10 != 1
        if not wrong_form and self.thousands is not None and self.parts and self.parts[-1].rank < _HUNDRED:
            # "четыре тысячи двести семьдесят три тысячи": the last part begins the next number.
            last = self._give_up(1)
            ended = self.close()
            self._begin(last[0].first, thousands=last[0].value)
        elif wrong_form or self.thousands is not None or not self._below():
            # "шесть тысяча двести": six thousand would be "шесть тысяч".
            ended = self.close()
            self._begin(place, plus=plus, thousands=1)
        else:
            self.thousands, self.parts = self._below(), []
        self.last = place
        return ended

    def _hundred(self, place: int, *, plus: bool) -> list[Piece]:
        below, ended = self._below(), list[Piece]()
        if below >= 100 and self.parts[-1].rank < _HUNDRED:
            # "nine hundred seventy nine hundred" is 970 900, "twelve hundred thirty eight hundred" 1200 3800.
            taken = self._give_up(len(self.parts) - 1 if self.parts[0].value >= 1000 else 1)
            ended = self.close()
            for part in taken:
                self._add(part)
            below = self._below()
        if not 0 < below < 100:
            ended = [*ended, *self.close()]
            self._add(_Part(_HUNDRED, 100, place, place), plus=plus)
            return ended
        self.parts, self.last = [_Part(_HUNDRED, below * 100, self.parts[0].first, place)], place
        return ended

    def _give_up(self, count: int) -> list[_Part]:
        """Take the last parts out of the number."""
        taken, self.parts = self.parts[-count:], self.parts[:-count]
        self.last = taken[0].first - 1
        return taken

    def _repeated(self, item: Said, place: int, *, plus: bool) -> list[Piece]:
        """Make "double seven" and "две семёрки" 77, "семёрка" 7."""
        if self.times:
            times, first, said_plus = self.times, self.first, self.plus
            self._begin_anew()
            return [Piece(str(item.value) * times, first, place, said_plus)]
        last = self.parts[-1] if self.parts else None
        if last is not None and last.rank == _UNIT and 2 <= last.value <= 9:
            self._give_up(1)
            return [*self.close(), Piece(str(item.value) * last.value, last.first, place, plus)]
        return [*self.close(), Piece(str(item.value), place, place, plus)]

    def _written(self, item: Written, place: int, *, plus: bool) -> list[Piece]:
        if item.counted or item.alone or item.plus or len(item.digits) > 3 or item.digits.startswith("0"):
            ended = self.close()
            return [*ended, Piece(item.digits, place, place, plus=plus or item.plus, counted=item.counted)]
        if self.times:
            return self._repeated(Said("unit", int(item.digits)), place, plus=plus)
        ended = [] if self.thousands is not None and not self.parts else self.close()
        self._add(_Part(_UNIT, int(item.digits), place, place), plus=plus)
        return ended
