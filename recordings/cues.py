"""Words that say which number comes next: "номер карты", "security code", "my phone" (pure)."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, Literal

CueKind = Literal["card", "account", "phone", "passport", "snils", "cvc", "code", "expiry"]

_PATTERNS: Final[dict[CueKind, str]] = {
    "card": r"карт(?:а|ы|е|у|ой|очк\w+)|кредитк\w+|виз[аыу]|мастеркард\w*|cards?|visa|mastercard|amex|american express",
    "account": (
        r"заказ\w*|счет\w*|договор\w*|трек\w*|накладн\w+|инн|огрн\w*|бик|кпп|артикул\w*|штрихкод\w*|посылк\w+|заявк\w+"
        r"|order|account|tracking|invoice|contract|booking|parcel|reference|ticket|barcode|serial"
    ),
    "phone": (
        r"телефон\w*|мобильн\w+|сотов\w+|перезвон\w*|позвон\w*|набер\w+|ватсап\w*|вотсап\w*|ваш номер|мой номер"
        r"|phones?|mobile|cell|telephone|whatsapp|call me|call back|call you|reach me|my number|your number"
    ),
    "passport": r"паспорт\w*|серия|серию|серии|passport",
    "snils": r"снилс\w*|страхов\w+ (?:номер\w*|свидетельств\w*)|snils",
    "cvc": (
        r"c ?v ?[cv] ?2?|с ?в ?с|ц ?в ?[сц]|си ?-?ви ?-?(?:си|ви)|на обороте|с обратной стороны|на обратной стороне"
        r"|(?:три|3) (?:последние )?цифры|security code|on the back|three digits|3 digits"
    ),
    "code": r"код\w*|смс|code|pin|пин\w*",
    "expiry": (
        r"срок\w*(?: действия)?|действ(?:ует|ительна) до|годна до|истекает"
        r"|expir\w+|valid (?:thru|through|until|to)|good thru"
    ),
}
_CUES: Final = {kind: re.compile(rf"(?<!\S)(?:{pattern})(?!\S)") for kind, pattern in _PATTERNS.items()}


@dataclass(frozen=True, slots=True)
class Cue:
    """A cue that ends with the word at `place` of a side, said at `at` seconds."""

    kind: CueKind
    side: str
    place: int
    at: float


def cues(side: str, words: Sequence[str], times: Sequence[float]) -> list[Cue]:
    """Every cue in these words (as they are looked up), said at these times."""
    text = " ".join(words)
    begins = [0, *accumulate(len(word) + 1 for word in words)]
    return [
        Cue(kind, side, place, times[place])
        for kind, pattern in _CUES.items()
        for found in pattern.finditer(text)
        for place in [bisect_right(begins, found.end() - 1) - 1]
    ]
