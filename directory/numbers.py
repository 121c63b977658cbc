"""Phone numbers: one form for storing, one for showing, whatever a trunk or a person wrote."""

import re
from functools import lru_cache
from typing import Final

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat

_WRITTEN: Final = re.compile(r"\+?[0-9][0-9 ().\-]{0,30}")
_PUNCTUATION: Final = re.compile(r"[ ().\-]")
_SHORT: Final = re.compile(r"[0-9]{1,6}")
_NAMELESS: Final = frozenset(
    {"", "anonymous", "unknown", "restricted", "private", "unavailable", "withheld", "asterisk", "s"}
)


@lru_cache(maxsize=4096)
def e164(number: str, region: str) -> str | None:
    """Give the E.164 digits without plus, or None when this is no public phone number.

    Understands what trunks of the region send: national and international prefixes (8…, 810…), the country code with
    or without plus, 00 before it, and punctuation. Short internal numbers, anonymous callers and malformed text are
    None. ``region`` is an ISO 3166 code of two letters.
    """
    written = number.strip()
    if not _WRITTEN.fullmatch(written):
        return None
    digits = _PUNCTUATION.sub("", written)
    if digits.startswith("+"):
        found = _parse(digits, region)
        return _digits(found) if found is not None and phonenumbers.is_possible_number(found) else None
    # A trunk often sends the country code without plus, which no numbering plan allows but every carrier does.
    for spelling in (digits, "+" + digits.removeprefix("00")):
        found = _parse(spelling, region)
        if found is not None and phonenumbers.is_valid_number(found):
            return _digits(found)
    return None


def normal(number: str, region: str) -> str:
    """Give the form that is stored: E.164 digits when that can be told, else the text as given, trimmed."""
    return e164(number, region) or number.strip()


def is_short(number: str) -> bool:
    """Tell whether this is an internal number: one to six digits."""
    return _SHORT.fullmatch(number) is not None


def is_anonymous(number: str | None) -> bool:
    """Tell whether the caller is hidden: no number, or one of the words that stand for none."""
    return number is None or number.strip().casefold() in _NAMELESS


def show(number: str) -> str:
    """Give the form that people read (+7 916 000-00-11); anything but E.164 digits comes back unchanged."""
    if is_short(number) or not number.isascii() or not number.isdigit():
        return number
    found = _parse("+" + number, "ZZ")
    if found is None or not phonenumbers.is_possible_number(found):
        return number
    return str(phonenumbers.format_number(found, PhoneNumberFormat.INTERNATIONAL))


def regions() -> frozenset[str]:
    """Give every region code that ``e164`` understands."""
    return frozenset(phonenumbers.SUPPORTED_REGIONS)


def _parse(text: str, region: str) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(text, region)
    except NumberParseException:
        return None


def _digits(number: PhoneNumber) -> str:
    return str(phonenumbers.format_number(number, PhoneNumberFormat.E164)).removeprefix("+")
