"""How times, spans, counts and numbers read in the viewer's language (pure)."""

from datetime import UTC, date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from directory.numbers import is_anonymous, show

_MONTHS: Final = {
    "ru": ("января", "февраля", "марта", "апреля", "мая", "июня", "июля", "августа", "сентября", "октября", "ноября",
           "декабря"),
    "en": ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
           "December"),
}  # fmt: skip
_DAYS: Final = {"ru": ("Сегодня", "Вчера"), "en": ("Today", "Yesterday")}
HUES: Final = 8


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
    if ago in {0, 1}:
        return _DAYS[language][ago]
    text = f"{at.day} {_MONTHS[language][at.month - 1]}"
    return text if at.year == today.year else f"{text} {at.year}"


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
    text = f"{on.day} {_MONTHS[language][on.month - 1]}"
    return f"{text if on.year == today.year else f'{text} {on.year}'}, {clock(at, zone)}"


def plural(count: int, language: str, forms: str) -> str:
    """Choose among "звонок|звонка|звонков" or "call|calls" by the language's rule, with the count before it."""
    words = forms.split("|")
    if language != "ru":
        return f"{count} {words[0] if count == 1 else words[-1]}"
    if count % 10 == 1 and count % 100 != 11:
        return f"{count} {words[0]}"
    few = count % 10 in {2, 3, 4} and count % 100 not in {12, 13, 14}
    return f"{count} {words[1] if few else words[2]}"


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
