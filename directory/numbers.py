"""Phone numbers: one form for storing, one for showing, whatever a trunk or a person wrote."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import phonenumbers
from phonenumbers import NumberParseException, PhoneMetadata, PhoneNumber, PhoneNumberFormat, PhoneNumberType

_WRITTEN: Final = re.compile(r"\+?[0-9][0-9 ().\-]{0,30}")
_PUNCTUATION: Final = re.compile(r"[ ().\-]")
_SHORT: Final = re.compile(r"[0-9]{1,6}")
_DIGITS_MOST: Final = 15
_AREA_DIGITS: Final = 3
_EXAMPLE_DIGITS: Final = 5
_AREAS: Final = tuple(f"{area:03}" for area in range(1000))
_DEAR_TYPES: Final = frozenset(
    {PhoneNumberType.PREMIUM_RATE, PhoneNumberType.SHARED_COST, PhoneNumberType.PERSONAL_NUMBER}
)
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


@dataclass(frozen=True, slots=True)
class Regions:
    """Whose national numbers callers write: the company's region, and those of lines (as stored) with their own."""

    company: str
    lines: Mapping[str, str] = field(default_factory=dict)

    def of(self, line: str) -> str:
        """The region of a line's callers, however the trunk writes the line; the company's where none is known."""
        return self.lines.get(line) or self.lines.get(normal(line, self.company), self.company)


def significant(number: str, region: str) -> str:
    """Give the digits that every spelling of a number ends with: those behind the country code, else all of them."""
    known = e164(number, region)
    found = _parse(f"+{known}", region) if known else None
    if found is None:
        return "".join(sign for sign in number if sign.isascii() and sign.isdigit())
    national = str(phonenumbers.national_significant_number(found))
    return national if len(national) > _AREA_DIGITS + _AREA_DIGITS else known or national


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
    """Give the region that E.164 digits belong to, "001" for none's own, and whether they cost a premium.

    A premium is what the region's numbering plan calls a premium rate, a shared cost or a personal number.
    """
    found = _parse("+" + number, "ZZ")
    if found is None:
        return "001", False
    return phonenumbers.region_code_for_number(found) or "001", phonenumbers.number_type(found) in _DEAR_TYPES


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
    """Give how many digits, with its country code, the longest number of a region has; at most E.164's 15."""
    plan = PhoneMetadata.metadata_for_region(region)
    if plan is None:
        return _DIGITS_MOST
    kinds = (plan.fixed_line, plan.mobile)
    lengths = [length for kind in kinds if kind is not None for length in kind.possible_length]
    return min(len(str(plan.country_code)) + max(lengths, default=_DIGITS_MOST), _DIGITS_MOST)


@lru_cache(maxsize=512)
def premium_beginnings(region: str) -> frozenset[str]:
    """Give the beginnings (E.164 digits) of a region's numbers that cost a premium, and perhaps some beside them.

    Found by asking for numbers of each three digits, of every length that such numbers have, and by the region's
    examples of them.
    """
    plan = PhoneMetadata.metadata_for_region(region)
    kinds = [] if plan is None else [plan.premium_rate, plan.shared_cost, plan.personal_number]
    told = [kind for kind in kinds if kind is not None and kind.national_number_pattern]
    patterns = [re.compile(kind.national_number_pattern or "") for kind in told]
    lengths = {length for kind in told for length in kind.possible_length if length >= _AREA_DIGITS}
    dear = {
        area
        for area in _AREAS
        for written in (area + digit * (length - _AREA_DIGITS) for length in lengths for digit in "0123456789")
        if any(pattern.fullmatch(written) for pattern in patterns)
    }
    dear |= {kind.example_number[:_AREA_DIGITS] for kind in told if kind.example_number}
    code = dialling(region)[0]
    return frozenset(code + area for area in _shortened(dear, set()))


@lru_cache(maxsize=8)
def beginnings_abroad(region: str) -> frozenset[str]:
    """Give the beginnings (E.164 digits) that share the region's country code and are another's, or cost a premium.

    Another's are found as those that cost a premium are: by numbers of each three digits behind the country code, and
    by examples.
    """
    code, example = dialling(region)[0], phonenumbers.example_number(region)
    others = [other for other in _sharing(code) if other != region]
    if example is None or not others:
        return premium_beginnings(region)
    rest = phonenumbers.national_significant_number(example)[_AREA_DIGITS:]
    asked = {area: origin(f"{code}{area}{rest}")[0] for area in _AREAS}
    foreign = {area for area, found in asked.items() if found not in {region, "001"}}
    unknown = {area for area, found in asked.items() if found == "001"}
    examples = [found for other in others if (found := phonenumbers.example_number(other)) is not None]
    beginnings = {phonenumbers.national_significant_number(found)[:_EXAMPLE_DIGITS] for found in examples}
    shorter = _shortened(foreign, unknown)
    shorter |= {one for one in beginnings if not one.startswith(tuple(shorter))}
    return frozenset(code + area for area in shorter) | premium_beginnings(region)


def within_premium(beginning: str) -> bool:
    """Tell whether what begins so (E.164 digits) lies among the numbers that cost a premium."""
    code = next((beginning[:end] for end in (1, 2, 3) if _sharing(beginning[:end])), "")
    return any(beginning.startswith(tuple(premium_beginnings(region))) for region in _sharing(code))


def premium_below(beginning: str) -> frozenset[str]:
    """Give the beginnings of numbers that cost a premium among those that begin so (E.164 digits)."""
    codes = [str(code) for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE]
    mine = [code for code in codes if code.startswith(beginning) or beginning.startswith(code)]
    dear = {one for code in mine for region in _sharing(code) for one in premium_beginnings(region)}
    return frozenset(one for one in dear if one.startswith(beginning))


def _sharing(code: str) -> tuple[str, ...]:
    """Give the regions of a country code."""
    found = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(code), ()) if code else ()
    return tuple(region for region in found if region != "001")


def _shortened(areas: set[str], unknown: set[str]) -> set[str]:
    """Where all of ten areas are so, or are nobody's, the shorter beginning tells it."""
    found, unknown = set(areas), set(unknown)
    for length in (2, 1):
        for shorter in (f"{number:0{length}}" for number in range(10**length)):
            ten = {f"{shorter}{digit}" for digit in range(10)}
            if ten & found and ten <= found | unknown:
                found = {shorter, *(area for area in found if not area.startswith(shorter))}
                unknown -= ten
            elif ten <= unknown:
                unknown.add(shorter)
    return found


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
