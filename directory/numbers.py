"""Phone numbers: one form for storing, one for showing, whatever a trunk or a person wrote."""

import re
from functools import lru_cache
from typing import Final

import phonenumbers
from phonenumbers import NumberParseException, PhoneMetadata, PhoneNumber, PhoneNumberFormat, PhoneNumberType

_WRITTEN: Final = re.compile(r"\+?[0-9][0-9 ().\-]{0,30}")
_PUNCTUATION: Final = re.compile(r"[ ().\-]")
_SHORT: Final = re.compile(r"[0-9]{1,6}")
_DIGITS_MOST: Final = 15
_EVERYWHERE: Final = frozenset({"112", "911"})
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


def is_emergency(number: str, region: str) -> bool:
    """Tell whether this is a number for help in need: 112 and 911, which mobiles call everywhere, and the region's."""
    written = number.strip()
    return written in _EVERYWHERE or (is_short(written) and phonenumbers.is_emergency_number(written, region))


def origin(number: str) -> tuple[str, bool]:
    """Give the region that E.164 digits belong to, "001" for none's own, and whether they cost a premium."""
    found = _parse("+" + number, "ZZ")
    if found is None:
        return "001", False
    premium = phonenumbers.number_type(found) == PhoneNumberType.PREMIUM_RATE
    return phonenumbers.region_code_for_number(found) or "001", premium


def dialling(region: str) -> tuple[str, str, str]:
    """Give a region's country code, and the prefixes dialled before national and before international numbers.

    A prefix is empty where there is none, or where it is not one fixed string of digits.
    """
    plan = PhoneMetadata.metadata_for_region(region)
    if plan is None:
        return "", "", ""
    told = (plan.national_prefix or "", plan.preferred_international_prefix or plan.international_prefix or "")
    digits = [prefix.replace("~", "") for prefix in told]
    return str(plan.country_code), *(prefix if prefix.isdigit() else "" for prefix in digits)  # type: ignore[return-value]


def longest_number(region: str) -> int:
    """Give how many digits, with its country code, the longest number of a region has; 15, E.164's most, at most."""
    plan = PhoneMetadata.metadata_for_region(region)
    if plan is None:
        return _DIGITS_MOST
    kinds = (plan.fixed_line, plan.mobile, plan.toll_free, plan.voip)
    lengths = [length for kind in kinds if kind is not None for length in kind.possible_length]
    return min(len(str(plan.country_code)) + max(lengths, default=_DIGITS_MOST), _DIGITS_MOST)


@lru_cache(maxsize=8)
def beginnings_abroad(region: str) -> frozenset[str]:
    """Give the beginnings (E.164 digits) that share the region's country code and are another's, or cost a premium.

    Found by asking for a number of each three digits behind the country code; where all or none of ten are so, the
    shorter beginning tells it.
    """
    code, example = dialling(region)[0], phonenumbers.example_number(region)
    if example is None:
        return frozenset()
    rest = phonenumbers.national_significant_number(example)[3:]
    asked = {f"{area:03}": origin(f"{code}{area:03}{rest}") for area in range(1000)}
    other = {area for area, (found, premium) in asked.items() if premium or found not in {region, "001"}}
    unknown = {area for area, (found, _) in asked.items() if found == "001"}
    for length in (2, 1):
        for shorter in (f"{number:0{length}}" for number in range(10**length)):
            ten = {f"{shorter}{digit}" for digit in range(10)}
            if ten & other and ten <= other | unknown:
                other = {shorter, *(area for area in other if not area.startswith(shorter))}
                unknown -= ten
            elif ten <= unknown:
                unknown.add(shorter)
    return frozenset(code + area for area in other)


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
