"""What a query asks for: words of a name, and pieces of phone numbers in whatever writing (pure)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from directory.numbers import dialling

DIGITS_LEAST: Final = 3
"""Fewer digits are no piece of a number: most numbers have them."""

LETTERS_LEAST: Final = 2

_NUMBER: Final = re.compile(r"(?<![^\W_])(\+?)\s?\(?([0-9](?:[ \u00a0().\-\u2010-\u2015/]*[0-9])*)(?![^\W_])")
_NOT_DIGITS: Final = re.compile(r"[^0-9]")
_EXCLUDED: Final = re.compile(r'(?<!\S)-(?:"[^"]*"|\S+)')
_WORD: Final = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a number: its digits anywhere in one, or one that begins as another writing of it does."""

    anywhere: str | None
    beginnings: tuple[str, ...]

    @property
    def writings(self) -> tuple[str, ...]:
        """All digits that it is looked for by."""
        return (*([self.anywhere] if self.anywhere else []), *self.beginnings)

    def span(self, number: str) -> tuple[int, int] | None:
        """Which digits of a number (as stored) are the piece; None when it is not in it."""
        begins = next((one for one in self.beginnings if number.startswith(one)), None)
        if begins is not None:
            return 0, len(begins)
        at = number.rfind(self.anywhere) if self.anywhere else -1
        return (at, at + len(self.anywhere or "")) if at >= 0 else None


@dataclass(frozen=True, slots=True)
class Asked:
    """A query: its words (folded, without what it excludes), its pieces of numbers, and all of it as it was typed."""

    words: tuple[str, ...]
    pieces: tuple[Piece, ...]
    text: str


def read(query: str, region: str) -> Asked:
    """What `query` asks for, by a person of `region` (ISO 3166): there "8 916 …" is how +7 916 … is dialled."""
    wanted = _EXCLUDED.sub(" ", query)
    pieces: list[Piece] = []

    def take(found: re.Match[str]) -> str:
        digits = _NOT_DIGITS.sub("", found[2])
        if len(digits) < DIGITS_LEAST:
            return found[0]
        pieces.append(_piece(digits, region, plus=bool(found[1])))
        return " "

    words = _WORD.findall(folded(_NUMBER.sub(take, wanted)))
    kept = [word for word in words if len(word) >= LETTERS_LEAST and word != "or"]
    return Asked(tuple(dict.fromkeys(kept)), tuple(dict.fromkeys(pieces)), query)


def folded(text: str) -> str:
    """Text as it is compared: in small letters, ё as е."""
    return text.lower().replace("ё", "е")


def _piece(digits: str, region: str, *, plus: bool) -> Piece:
    code, national, abroad = dialling(region)
    beginnings = [digits] if plus else []
    beginnings += [digits.removeprefix(prefix) for prefix in (abroad, "00") if prefix and digits.startswith(prefix)]
    if code and digits.startswith(code):
        # What a person here dialled is kept as they dialled it.
        beginnings += [f"{national}{digits.removeprefix(code)}"] if national else []
    if national and digits.startswith(national) and not plus:
        beginnings.append(f"{code}{digits.removeprefix(national)}")
    told = tuple(dict.fromkeys(one for one in beginnings if len(one) >= DIGITS_LEAST))
    return Piece(None if plus else digits, told)
