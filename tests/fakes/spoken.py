"""Invented numbers of people, and the ways in which they are said and written down by speech recognition."""

from __future__ import annotations

from random import Random
from typing import Final

from recordings.cards import luhn
from recordings.transcript import Word

_UNITS: Final = {
    "ru": ("ноль", "один", "два", "три", "четыре", "пять", "шесть", "семь", "восемь", "девять"),
    "en": ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
}
_TEENS: Final = {
    "ru": (
        *("десять", "одиннадцать", "двенадцать", "тринадцать", "четырнадцать"),
        *("пятнадцать", "шестнадцать", "семнадцать", "восемнадцать", "девятнадцать"),
    ),
    "en": (
        *("ten", "eleven", "twelve", "thirteen", "fourteen"),
        *("fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
    ),
}
_TENS: Final = {
    "ru": ("двадцать", "тридцать", "сорок", "пятьдесят", "шестьдесят", "семьдесят", "восемьдесят", "девяносто"),
    "en": ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"),
}
_HUNDREDS: Final = (
    *("сто", "двести", "триста", "четыреста", "пятьсот", "шестьсот", "семьсот", "восемьсот", "девятьсот"),
)
FILLERS: Final = {
    "ru": ("ага", "да,", "так", "э", "и", "дальше", "угу", "тире"),
    "en": ("so", "yes,", "um", "okay", "and", "dash", "then"),
}
STYLES: Final = ("digits", "pairs", "quads", "mixed", "written1", "written2", "written4", "whole")
_SIZES: Final = {"digits": 1, "pairs": 2, "quads": 4, "written1": 1, "written2": 2, "written4": 4, "whole": 99}


def said(text: str, start: float = 0.0, each: float = 0.4) -> tuple[Word, ...]:
    """Words at a steady pace."""
    return tuple(Word(word, start + each * n, start + each * (n + 0.9), 0.9) for n, word in enumerate(text.split()))


def card(random: Random, beginning: str = "4276", size: int = 16) -> str:
    """A number of a card that nobody has, with its check digit."""
    bare = beginning + "".join(random.choices("0123456789", k=size - len(beginning) - 1))
    return next(bare + digit for digit in "0123456789" if luhn(bare + digit))


def number(value: int, language: str) -> list[str]:
    """0 to 9999 in words."""
    told: list[str] = []
    if value >= 1000:
        told, value = _thousands(value // 1000, language), value % 1000
    if value >= 100:
        hundred = [_HUNDREDS[value // 100 - 1]] if language == "ru" else [_UNITS["en"][value // 100], "hundred"]
        told, value = [*told, *hundred], value % 100
    if value >= 20:
        told, value = [*told, _TENS[language][value // 10 - 2]], value % 10
    if value >= 10:
        told, value = [*told, _TEENS[language][value - 10]], 0
    return [*told, _UNITS[language][value]] if value or not told else told


def spoken(digits: str, language: str, style: str, random: Random, *, fill: bool = True) -> list[str]:
    """The digits as words: one by one, in pairs, fours or as it comes; spoken, written, or both."""
    told: list[str] = []
    at = 0
    while at < len(digits):
        size = _SIZES.get(style) or random.choice([1, 2, 3, 4])
        group, at = digits[at : at + size], at + size
        # "forty" before "two" may be 40 2 or 42: nobody says it so, and nobody could tell.
        written = style == "mixed" and (random.random() < 0.4 or (group[-1] == "0" and len(group) > 1))
        if written or style in {"written1", "written2", "written4", "whole"}:
            words = [group]
        elif style == "digits":
            words = [_UNITS[language][int(group)]]
        else:
            zeros = len(group) - len(group.lstrip("0"))
            words = [_UNITS[language][0]] * zeros
            words += number(int(group), language) if group.strip("0") else []
        if random.random() < 0.2:
            words[-1] += random.choice([",", "."])
        told += words
        if fill and at < len(digits) and random.random() < 0.25:
            told.append(random.choice(FILLERS[language]))
    return told


def _thousands(count: int, language: str) -> list[str]:
    if language == "en":
        return [_UNITS["en"][count], "thousand"]
    form = "тысяча" if count == 1 else "тысячи" if count < 5 else "тысяч"
    return [form] if count == 1 else ["две" if count == 2 else _UNITS["ru"][count], form]
