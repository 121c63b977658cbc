"""The single values of a directory: each function gives the stored form, or raises ValueError with the reason."""

import re
from collections.abc import Callable
from hashlib import sha256
from typing import Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from directory.days_off import regions_of
from directory.nodes import suggestion
from directory.numbers import e164, is_short, regions

_KEY: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,79}"
_ADDRESS: Final = re.compile(rf"(?!Local/)[A-Za-z][A-Za-z0-9]*/{_NAME}(?:@{_NAME})?")
_CALENDAR_MOST: Final = 2000
_TRUNK: Final = re.compile(rf"[A-Za-z][A-Za-z0-9]*/{_NAME}")
_PREFIX: Final = re.compile(r"\+?[1-9][0-9 ().\-]{0,20}")
_AMOUNT: Final = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,4})?")
_QUEUE: Final = re.compile(_NAME)
_VOICEMAIL: Final = re.compile(rf"{_NAME}(?:@{_NAME})?")
_SOUND: Final = rf"{_NAME}(?:/{_NAME})*"
_MESSAGE: Final = re.compile(rf"{_SOUND}(?:&{_SOUND})*")
_MESSAGE_CHARACTERS_MOST: Final = 400
_REFUSAL_KEY: Final = re.compile(r"[0-9*]")
_SPOKEN: Final = re.compile(r"[a-z]{2,3}")
_BEGINNING: Final = re.compile(r"[1-9][0-9]{0,14}")

Check = Callable[[str], str]


def key(value: str) -> str:
    """Check the short name of a person, team or hours."""
    if not _KEY.fullmatch(value):
        raise ValueError(f"must be small letters, digits, - and _, got {value!r}")
    return value


def address(value: str) -> str:
    """Check a device as Asterisk writes it; the pattern keeps dial strings free of anything but a name."""
    if not _ADDRESS.fullmatch(value):
        raise ValueError(f"must look like TECH/name, as in PJSIP/anna-desk, got {value!r}")
    return value


def trunk(value: str) -> str:
    """Check a trunk as Asterisk writes it."""
    if not _TRUNK.fullmatch(value):
        raise ValueError(f"must look like TECH/name, as in PJSIP/trunk, got {value!r}")
    return value


def mobile(region: str) -> Callable[[str], str]:
    """Make a check of public numbers for the company's region."""

    def checked(value: str) -> str:
        found = e164(value, region)
        if found is None:
            raise ValueError(f"must be a phone number of {region} or an international one, got {value!r}")
        return found

    return checked


def line(region: str) -> Callable[[str], str]:
    """Make a check of line numbers: public ones, or short internal ones."""

    def checked(value: str) -> str:
        return value if is_short(value) else mobile(region)(value)

    return checked


def queue(value: str) -> str:
    """Check the name of one of Asterisk's queues."""
    if not _QUEUE.fullmatch(value):
        raise ValueError(f"must be a queue's name as Asterisk knows it, got {value!r}")
    return value


def voicemail(value: str) -> str:
    """Check where a message is left: a name of our own, or a mailbox of Asterisk."""
    if not _VOICEMAIL.fullmatch(value):
        raise ValueError(f"must be a name, or a mailbox such as 100@default, got {value!r}")
    return value


def message(value: str) -> str:
    """Check the names of sounds, an & between them, as Asterisk's Playback reads them."""
    if not _MESSAGE.fullmatch(value) or len(value) > _MESSAGE_CHARACTERS_MOST:
        raise ValueError(f"must be names of sounds, as in vm-nobodyavail&vm-goodbye, got {value!r}")
    return value


def refusal_key(value: str) -> str:
    """Check the key by which a caller refuses."""
    if not _REFUSAL_KEY.fullmatch(value):
        raise ValueError(f"must be one key, a digit or *, got {value!r}")
    return value


def spoken(value: str) -> str:
    """Check the code of a language that a person speaks."""
    if not _SPOKEN.fullmatch(value):
        raise ValueError(f"must be a language code, as in en, got {value!r}")
    return value


def beginning(value: str) -> str:
    """Check the beginning of international numbers; a plus before it is left out."""
    digits = value.removeprefix("+")
    if not _BEGINNING.fullmatch(digits):
        raise ValueError(f"must be the beginning of an international number, as in 7495, got {value!r}")
    return digits


def extension(value: str) -> str:
    """Check an internal number."""
    if not is_short(value):
        raise ValueError(f"must be an internal number of one to six digits, got {value!r}")
    return value


def prefix(value: str) -> str:
    """Check the beginning of international numbers; the country code comes first, with or without plus."""
    digits = re.sub(r"[^0-9]", "", value)
    if not _PREFIX.fullmatch(value) or not 0 < len(digits) <= 15:
        raise ValueError(f"must be the first digits of international numbers, as in +7 or +49 30, got {value!r}")
    return digits


def amount(value: str) -> str:
    """Check an amount of money: not below zero, four decimals at most."""
    if not _AMOUNT.fullmatch(value):
        raise ValueError(f"must be an amount such as 1.50, got {value!r}")
    return value


def time_zone(value: str) -> str:
    """Check the name of a time zone."""
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"there is no such time zone, got {value!r}; names look like Europe/Moscow") from None
    return value


def region(value: str) -> str:
    """Check a country code of two letters."""
    if value not in regions():
        raise ValueError(f"must be a country code of two letters, as in RU, got {value!r}")
    return value


def holidays(value: str) -> str:
    """Check whose public holidays are meant: a country as RU, or a country and its region as DE-BY."""
    country, dash, part = value.partition("-")
    parts = regions_of(country)
    if parts is None:
        raise ValueError(f"must be a country code of two letters with known holidays, as in RU, got {value!r}")
    if dash and part not in parts:
        raise ValueError(f"{country} has no region {part!r} with holidays of its own{suggestion(part, parts)}")
    return value


def calendar(value: str) -> str:
    """Check the address of a calendar feed; webcal:// is https://. What is wrong is told without the address."""
    told = re.sub(r"\Awebcals?://", "https://", value, flags=re.IGNORECASE)
    try:
        parts = urlsplit(told)
        port = parts.port
    except ValueError:
        raise ValueError("this is no address (it is a secret and not shown)") from None
    if parts.scheme.lower() not in {"http", "https"} or not parts.hostname or port == 0:
        raise ValueError("must be an address with http:// or https:// and a host (it is a secret and not shown)")
    if len(told) > _CALENDAR_MOST or not told.isascii() or " " in told or "\\" in told:
        raise ValueError(f"must be at most {_CALENDAR_MOST} ASCII characters without spaces (it is not shown)")
    return told


def masked(address: str) -> str:
    """Give what may be shown of a calendar's address: its host, and four bytes that tell two addresses apart."""
    return f"{urlsplit(address).hostname} ({sha256(address.encode()).hexdigest()[:8]})"


def one_of(names: tuple[str, ...]) -> Callable[[str], str]:
    """Make a check of words from a closed list."""

    def checked(value: str) -> str:
        if value not in names:
            raise ValueError(f"unknown value {value!r}{suggestion(value, names)}")
        return value

    return checked
