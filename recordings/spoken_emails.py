"""E-mail addresses in what was said, written or spelled: "иван точка петров собака мейл точка ру" (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from recordings.number_words import NUMBERS
from recordings.spoken_numbers import plain
from recordings.transcript import Word

_SIGNS: Final = frozenset("собака собачка собаку собакой эт at".split())  # noqa: SIM905 read as a line
_DOTS: Final = frozenset("точка точку точкой дот dot point".split())  # noqa: SIM905
_JOINS: Final = _DOTS | frozenset(
    "дефис тире минус нижнее подчеркивание нижний плюс dash hyphen underscore under score plus minus".split()  # noqa: SIM905
)
_ENDS: Final = "ru ру рф com ком org орг net нет su io info инфо de uk co eu us by kz ua biz edu gov me app".split()  # noqa: SIM905
_HOUSES: Final = re.compile(
    r"(?:e-?mail|mail|мейл|мэйл|маил|емейл|yandex|яндекс|gmail|джимейл|гмейл|жмейл|rambler|рамблер|bk|бк|list|inbox|icloud"
    r"|айклауд|outlook|hotmail|yahoo)(?:\.\w+)?"
)
_DOMAIN: Final = re.compile(rf"[\w-]+(?:\.[\w-]+)*\.(?:{'|'.join(_ENDS)})")
_BEFORE: Final = frozenset(
    """
    почта почту почте почты адрес адресу мой моя мою ваш ваша это на имейл емейл мыло электронная электронной
    электронную пишите напишите записывайте и или а да вот ну так
    email e-mail mail address is my your the it's its to and or by write that's would be so
    """.split()  # noqa: SIM905
)
_DOMAIN_WORDS: Final = 4
_LOCAL_WORDS: Final = 14
_BARE_WORDS: Final = 2
_PAUSE_SECONDS: Final = 2.0


def find(words: Sequence[Word]) -> list[range]:
    """The places of the words of each address."""
    told = [plain(word.text) for word in words]
    found: list[range] = []
    for sign, word in enumerate(told):
        if found and sign in found[-1]:
            continue
        end = _end(told, sign)
        if "@" in word or (word in _SIGNS and end is not None):
            first = sign if word.partition("@")[0] and "@" in word else _first(words, told, sign)
            found.append(range(first, (sign if end is None else end) + 1))
    return found


def _end(told: Sequence[str], sign: int) -> int | None:
    """The place of the last word of the domain behind the sign; None when there is none."""
    if "@" in told[sign] and _DOMAIN.fullmatch(told[sign].rpartition("@")[2]):
        return sign
    for at in range(sign + 1, min(sign + 2 + _DOMAIN_WORDS, len(told))):
        if _DOMAIN.fullmatch(told[at]) or (told[at] in _ENDS and _joined(told, sign, at)):
            return _on(told, at)
    if sign + 1 < len(told) and _HOUSES.fullmatch(told[sign + 1]):
        return sign + 1
    return None


def _joined(told: Sequence[str], sign: int, at: int) -> bool:
    """A dot stands before the ending, or it follows a well-known house at once ("собака мейл ру")."""
    return told[at - 1] in _DOTS or (at == sign + 2 and _HOUSES.fullmatch(told[at - 1]) is not None)


def _on(told: Sequence[str], at: int) -> int:
    """The domain may go on: "dot co dot uk"."""
    while at + 2 < len(told) and told[at + 1] in _DOTS and told[at + 2] in _ENDS:
        at += 2
    return at


def _first(words: Sequence[Word], told: Sequence[str], sign: int) -> int:
    """Where the name before the sign begins: back over spelled letters, digits, joints, and a few bare words."""
    first, bare = sign, _BARE_WORDS
    for at in _backwards(words, sign):
        word = told[at]
        spelled = len(word) == 1 == len(told[at + 1])
        if word in _BEFORE and not spelled and told[at + 1] not in _JOINS and first < sign:
            break
        if word in _JOINS:
            bare += 1
        elif not (len(word) <= 1 or word in NUMBERS or any(letter.isdigit() for letter in word)):
            bare -= 1
        if bare < 0:
            break
        first = at
    return first


def _backwards(words: Sequence[Word], sign: int) -> Iterator[int]:
    for at in range(sign - 1, max(sign - 1 - _LOCAL_WORDS, -1), -1):
        ended = words[at].text.rstrip().endswith((".", "!", "?")) and at < sign - 1
        if words[at + 1].start - words[at].end > _PAUSE_SECONDS or ended:
            return
        yield at
