"""Texts of others as they may be stored and shown: writable, and without secrets and numbers (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

_WORD: Final = re.compile(r"[A-Za-z0-9_.+/=-]{20,}")
_SECRET: Final = re.compile(r"whsec_[A-Za-z0-9+/=]*|[0-9]{5,}")
_DIGIT, _LETTER = re.compile(r"[0-9]"), re.compile(r"[A-Za-z]")
_UNWRITABLE: Final = re.compile(r"[\x00\ud800-\udfff]")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")


def masked(text: str, secrets: Sequence[str] = ()) -> str:
    """Text that may be stored: `secrets`, and what looks like one, are not in it, nor any number of five digits.

    Of what looks like a secret, a word as long as one with digits among letters, the last two characters stay.
    """
    for secret in secrets:
        text = text.replace(secret, "…") if secret else text
    return _SECRET.sub(_end, _WORD.sub(_word, text.replace("\0", "")))


def kept(text: str, most: int) -> str:
    """So much of a text, masked, in one line without control characters."""
    # Masked before it is cut: the rest of a secret that was cut is no longer known as one.
    return masked(_CONTROL.sub(" ", text[: 8 * most]))[:most]


def writable(told: Any) -> Any:
    """A value of JSON, with U+FFFD for what no text of the database holds: NUL, and half of a pair of UTF-16."""
    if isinstance(told, str):
        return _UNWRITABLE.sub("\ufffd", told)
    if isinstance(told, Mapping):
        return {writable(name): writable(value) for name, value in told.items()}
    return [writable(one) for one in told] if isinstance(told, list) else told


def _word(found: re.Match[str]) -> str:
    return _end(found) if _DIGIT.search(found[0]) and _LETTER.search(found[0]) else found[0]


def _end(found: re.Match[str]) -> str:
    return "…" + found[0][-2:]
