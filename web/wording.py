"""How times, spans, counts and numbers read in the viewer's language (pure)."""

from datetime import UTC, date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_interval, get_day_names
from babel.numbers import format_decimal, format_percent

from directory.numbers import is_anonymous, show
from web.words import say

_CLDR: Final = {"ru": Locale("ru"), "en": Locale("en", "GB")}
"""By whose customs dates and numbers are written: 21 November, and not November 21."""

HUES: Final = 8

COUNTED_MOST: Final = 1000
"""Pages count no further: of a hundred thousand, to count them would cost more than all else on a page."""


MINUS: Final = "−"

_WHOLE_NUMBER: Final = 100
"""A number from here on is told without a decimal."""

_WHOLE_PERCENT: Final = 0.0995
"""A share from here on is told without a decimal."""


def duration(seconds: float) -> str:
    """0:05, 2:41, 1:02:03."""
    whole = max(int(seconds), 0)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def clock(at: datetime, zone: ZoneInfo, *, seconds: bool = False) -> str:
    """The time of day on the wall of that zone."""
    return at.astimezone(zone).strftime("%H:%M:%S" if seconds else "%H:%M")


def day(at: date, today: date, language: str) -> str:
    """Today, Yesterday, 21 November; with the year when it is another one."""
    ago = (today - at).days
    return say(language, ("day.today", "day.yesterday")[ago]) if ago in {0, 1} else _date(at, today, language)


def short_day(at: date, language: str) -> str:
    """21 Nov; for a column of days of this year."""
    customs = _CLDR[language]
    return format_date(at, customs.datetime_skeletons["MMMd"], customs)


def day_and_weekday(at: date, language: str) -> str:
    """Sat, 21 Nov; it begins large."""
    customs = _CLDR[language]
    told = format_date(at, customs.datetime_skeletons["MMMEd"], customs)
    return told[:1].upper() + told[1:]


def _date(at: date, today: date, language: str) -> str:
    customs = _CLDR[language]
    pattern = customs.datetime_skeletons["MMMMd" if at.year == today.year else "yMMMMd"]
    return format_date(at, pattern, customs)


def weekday(at: int, language: str) -> str:
    """A day of the week in short, 0 for Monday: Mon."""
    return str(get_day_names("abbreviated", "format", _CLDR[language])[at])


def day_of_week(at: int, language: str) -> str:
    """A day of the week, 0 for Monday: Monday, понедельник."""
    return str(get_day_names("wide", "stand-alone", _CLDR[language])[at])


def whole_day(at: date, language: str) -> str:
    """Friday, 27 November 2026."""
    return format_date(at, "EEEE, d MMMM y", _CLDR[language])


def month(at: date, language: str) -> str:
    """November 2026, ноябрь 2026."""
    return format_date(at, "LLLL y", _CLDR[language])


def days(first: date, last: date, language: str) -> str:
    """23 – 29 November 2026; a single one is Friday, 27 November 2026."""
    if first == last:
        return whole_day(first, language)
    return f"{format_interval(first, last, 'MMMMd', locale=_CLDR[language])} {last.year}"


def counted(count: int) -> str:
    """How many there are, or that they are more than COUNTED_MOST: 12, 1000+."""
    return f"{COUNTED_MOST}+" if count > COUNTED_MOST else str(count)


def decimal(value: float, language: str) -> str:
    """A number with one decimal: 0.2, 1,234.5; in Russian 0,2 and 1 234,5."""
    return format_decimal(value, "#,##0.0", _CLDR[language])


def number(value: float, language: str) -> str:
    """A number with one decimal, if it has any and is small: 12, 8.2, −1,235; in Russian 8,2 and −1 235."""
    rounded = round(value, 1 if abs(value) < _WHOLE_NUMBER else None)
    told = format_decimal(rounded + 0.0, "#,##0.#", _CLDR[language])
    return told.replace("-", MINUS)


def percent(share: float, language: str) -> str:
    """A share of 0 to 1 in whole percent, below ten with one decimal: 18 %, 0.4 %; in English 18%."""
    whole = abs(share) >= _WHOLE_PERCENT or round(share * 100, 1) == round(share * 100)
    pattern = _CLDR[language].percent_formats[None].pattern
    return format_percent(share, pattern if whole else pattern.replace("0", "0.#", 1), _CLDR[language])


def moment(at: datetime, now: datetime, zone: ZoneInfo, language: str) -> str:
    """Yesterday, 14:05."""
    return f"{day(at.astimezone(zone).date(), now.astimezone(zone).date(), language)}, {clock(at, zone)}"


def within(told: str) -> str:
    """A day or a moment as it reads inside a sentence: yesterday, 14:05."""
    return told[:1].lower() + told[1:]


def deadline(at: datetime, now: datetime, zone: ZoneInfo, language: str) -> str:
    """14:05 when it is today's, else 24 November, 10:00."""
    on, today = at.astimezone(zone).date(), now.astimezone(zone).date()
    if on == today:
        return clock(at, zone)
    return f"{_date(on, today, language)}, {clock(at, zone)}"


def phone(number: str | None) -> str:
    """A number as people write it; empty when the caller hides it."""
    return "" if number is None or is_anonymous(number) else show(number.lstrip("+"))


def initials(name: str) -> str:
    """One or two letters that stand for a name; empty when it has no letters."""
    words = [word for word in name.split() if word[0].isalpha()]
    return "".join(word[0] for word in words[:2]).upper()


def hue(text: str) -> int:
    """The same colour for the same text, 0 to HUES - 1."""
    return sum(text.encode()) % HUES


def iso(at: datetime | None) -> str:
    """ISO 8601 in UTC, empty for None."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else ""
