"""What the columns of an imported file mean, by their headers or as they are told (pure)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from crm_sync.imports.faults import FileFault

IGNORED: Final = "-"
FIELD: Final = "field:"
"""Before the name of a field of the lead: one of the house's own."""

TARGETS: Final = (
    "phone", "name", "email", "owner", "stage", "step", "reason", "line", "deadline", "note", FIELD, IGNORED,
)  # fmt: skip
"""What a column may be; phone is needed, and may stand in several columns. `field:` alone is named by the header."""

HEADER_MOST: Final = 60
_MANY: Final = frozenset({"phone", IGNORED})

_HEADERS: Final[Mapping[str, tuple[str, ...]]] = {
    "phone": (
        "телефон", "тел", "телефоны", "номер", "номер телефона", "мобильный", "моб", "мобильный телефон",
        "рабочий телефон", "домашний телефон", "сотовый", "phone", "phones", "phone number", "number", "tel",
        "telephone", "mobile", "mobile phone", "work phone",
    ),
    "name": (
        "имя", "фио", "ф и о", "клиент", "контакт", "имя клиента", "name", "full name", "client", "contact",
        "customer",
    ),
    "email": ("email", "e mail", "mail", "почта", "эл почта", "электронная почта", "электронный адрес"),
    "owner": ("ответственный", "менеджер", "сотрудник", "owner", "responsible", "manager"),
    "stage": ("этап", "стадия", "статус", "stage", "status"),
    "step": ("шаг", "шаг воронки", "step"),
    "reason": ("причина", "причина отказа", "reason"),
    "line": ("линия", "line"),
    f"{FIELD}source": ("источник", "source"),
    "deadline": ("срок", "дедлайн", "deadline", "due"),
    "note": ("примечание", "комментарий", "заметка", "заметки", "note", "notes", "comment"),
    IGNORED: ("заявка", "открыта", "закрыта", "lead", "opened", "closed"),  # as an export writes them
}  # fmt: skip
_KNOWN: Final = {header: target for target, headers in _HEADERS.items() for header in headers}
_NOT_WORDS: Final = re.compile(r"[\W_]+")
_COUNTED: Final = re.compile(r" ?\d{1,2}$")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a file: its header as it stands there, and what it is: one of TARGETS, or `field:` with a name."""

    header: str
    target: str


def read_mapping(told: Sequence[str]) -> dict[str, str]:
    """Header -> target of words like "Тел. 2=phone". Raises FileFault for what is no such word."""
    mapping = {}
    for words in told:
        header, equals, target = words.rpartition("=")
        if not equals or not header.strip() or not is_target(target.strip()):
            raise FileFault("mapping", words)
        mapping[header.strip()] = target.strip()
    return mapping


def is_target(words: str) -> bool:
    """Tell whether a column may be that."""
    return words in TARGETS or (words.startswith(FIELD) and len(words) <= len(FIELD) + HEADER_MOST)


def columns_of(header: Sequence[str], told: Mapping[str, str]) -> tuple[Column, ...]:
    """What each column is: as told, else by its header, else a field of the lead. A column without a header is ignored.

    Raises FileFault: a header that stands for two columns or is too long, one that is told and not there, two columns
    for what there is once, no column with phones.
    """
    headers = [words.strip() for words in header]
    counts = Counter(words for words in headers if words)
    for words, count in counts.items():
        if count > 1:
            raise FileFault("header_twice", words)
        if len(words) > HEADER_MOST:
            raise FileFault("header_long", words)
    for words in told:
        if words not in counts:
            raise FileFault("no_such_header", words)
    columns = tuple(_column(words, told.get(words) or _guess(words)) for words in headers)
    targets = Counter(column.target for column in columns)
    for target, count in targets.items():
        if count > 1 and target not in _MANY:
            named = ", ".join(it.header for it in columns if it.target == target)
            raise FileFault("target_twice", named, [(it.header, it.target) for it in columns])
    if not targets["phone"]:
        raise FileFault("no_phone_column", ", ".join(counts), [(it.header, it.target) for it in columns])
    return columns


def _column(header: str, target: str) -> Column:
    return Column(header, FIELD + header if target == FIELD else target)


def _guess(header: str) -> str:
    """By the words of the header, whatever their case and punctuation; "Телефон 2" is one more "Телефон"."""
    words = _NOT_WORDS.sub(" ", header.casefold().replace("ё", "е")).strip()
    if not words:
        return IGNORED
    return _KNOWN.get(words) or ("phone" if _KNOWN.get(_COUNTED.sub("", words)) == "phone" else FIELD)
