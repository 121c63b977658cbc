"""Working hours: how they are written, when they are open, when they open next."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

from directory.days_off import day_off
from directory.model import DAY_MINUTES, DAYS, Hours, Span, SpecialDay

_SPAN: Final = re.compile(r"([0-9]{1,2}):([0-9]{2})\s*-\s*([0-9]{1,2}):([0-9]{2})")
_HORIZON_DAYS: Final = 400  # a year from any moment, and more: who opens later than that is told as never open
_DATES: Final = re.compile(r"(2[01][0-9]{2}-[0-9]{2}-[0-9]{2})(?:\s*\.\.\s*(2[01][0-9]{2}-[0-9]{2}-[0-9]{2}))?")
_DATES_MOST: Final = 366
_CLOSED: Final = "closed"
_LAST_HOUR: Final = 23
_LAST_MINUTE: Final = 59


def open_at(hours: Hours | None, time_zone: str, at: datetime) -> bool:
    """Tell whether these hours are open at an aware moment; no hours at all means always.

    The moment is turned into the zone's wall clock, so an hour that the clock repeats is open twice and one that it
    skips is never asked about.
    """
    return hours is None or _open(hours, at.astimezone(_zone(time_zone)))


def next_open(hours: Hours | None, time_zone: str, at: datetime) -> datetime | None:
    """Give the first moment from ``at`` on when the hours are open, in UTC; None when they are not within 400 days."""
    if open_at(hours, time_zone, at):
        return at.astimezone(UTC)
    if hours is None or not ever_open(hours):
        return None
    found: list[datetime] = []
    for offset in range(-1, _HORIZON_DAYS):
        late_enough = bool(found)  # the day after may still hold an earlier moment: a jump of the clock
        moments = (moment for moment in _candidates(hours, _zone(time_zone), at, offset) if moment >= at)
        found += (moment for moment in moments if open_at(hours, time_zone, moment))
        if late_enough:
            break
    return min(found, default=None)


def ever_open(hours: Hours) -> bool:
    """Tell whether these hours have a span at all, whatever its day."""
    return bool(hours.spans or any(special.spans for special in hours.dates))


def open_spans(hours: Hours, time_zone: str, since: datetime) -> list[tuple[datetime, datetime]]:
    """Give when the hours are open within a day (24 hours) from `since`, in UTC and in order; two may touch."""
    zone, begin = _zone(time_zone), since.astimezone(UTC)
    end = begin + timedelta(days=1)
    first, last = begin.astimezone(zone), end.astimezone(zone)
    turns = {begin, end}
    for day in range((last.date() - first.date()).days + 2):
        turns.update(_turns(hours, zone, first.date() + timedelta(days=day - 1)))
    if first.utcoffset() != last.utcoffset():
        turns.add(_jump(zone, begin, end))
    parts = pairwise(sorted(turn for turn in turns if begin <= turn <= end))
    return [(opens, closes) for opens, closes in parts if open_at(hours, time_zone, opens)]


def closes_on(hours: Hours, time_zone: str, day: date) -> datetime | None:
    """Give when the last of what opens on a date closes, in UTC, though it be on the next; None: nothing opens then."""
    minutes = [span.closes if span.closes > span.opens else span.closes + DAY_MINUTES for span in _spans_on(hours, day)]
    return _wall(_zone(time_zone), day, max(minutes)).replace(fold=1).astimezone(UTC) if minutes else None


def _wall(zone: ZoneInfo, day: date, minute: int) -> datetime:
    """Give what the wall of a zone shows so many minutes after midnight of a date; they may be more than a day has."""
    minutes = minute % DAY_MINUTES
    return datetime.combine(day + timedelta(days=minute // DAY_MINUTES), time(minutes // 60, minutes % 60), zone)


def _turns(hours: Hours, zone: ZoneInfo, day: date) -> Iterator[datetime]:
    """Give every moment at which the spans of a date begin or end, of an hour that the clock repeats both."""
    for span in _spans_on(hours, day):
        closes = span.closes if span.closes > span.opens else span.closes + DAY_MINUTES
        for minute in (span.opens, closes):
            wall = _wall(zone, day, minute)
            yield from (wall.replace(fold=fold).astimezone(UTC) for fold in (0, 1))


def opens_on(hours: Hours, day: date) -> bool:
    """Tell whether something of these hours begins on this date."""
    return bool(_spans_on(hours, day))


def prepare(hours: Iterable[Hours], at: datetime) -> None:
    """Have the holidays of this year and the next at hand, so that no caller waits for them."""
    for place in {it.holidays for it in hours if it.holidays is not None}:
        for year in (at.year, at.year + 1):
            day_off(place, date(year, 1, 1))


def read_week(week: Mapping[str, str]) -> tuple[Span, ...]:
    """Turn a written week, as in {"mon-fri": "09:00-13:00, 14:00-18:00", "sat": "10:00-15:00"}, into spans.

    Raises ValueError with the reason in words.
    """
    spans: list[Span] = []
    taken: dict[int, str] = {}
    for days, text in week.items():
        for day in read_days(days):
            if day in taken:
                raise ValueError(f"{DAYS[day]} is given twice, in {taken[day]!r} and in {days!r}")
            taken[day] = days
            spans.extend(read_spans(day, text))
    return tuple(sorted(spans))


def read_days(text: str) -> tuple[int, ...]:
    """Turn "mon", "mon-fri", "fri-mon" or "mon,wed" into day numbers; raises ValueError."""
    days: list[int] = []
    for part in (piece.strip().casefold() for piece in text.split(",")):
        first, dash, last = (piece.strip() for piece in part.partition("-"))
        if first not in DAYS or (dash and last not in DAYS):
            raise ValueError(f"days must look like mon, mon-fri or mon,wed, got {text!r}")
        start, stop = DAYS.index(first), DAYS.index(last) if dash else DAYS.index(first)
        days.extend(day % len(DAYS) for day in range(start, stop + 1 + (len(DAYS) if stop < start else 0)))
    if len(set(days)) != len(days):
        raise ValueError(f"a day is given twice in {text!r}")
    return tuple(days)


def read_spans(day: int, text: str) -> tuple[Span, ...]:
    """Turn "09:00-18:00" or several such, comma between them, into the spans of one day; raises ValueError."""
    spans = tuple(sorted(_read_span(day, piece.strip()) for piece in text.split(",")))
    for earlier, later in pairwise(spans):
        if earlier.closes <= earlier.opens or later.opens < earlier.closes:
            raise ValueError(f"spans overlap in {text!r}")
    return spans


def read_dates(dates: Mapping[str, str]) -> tuple[SpecialDay, ...]:
    """Turn written dates, as in {"2026-12-31": "10:00-15:00", "2027-01-09..2027-01-11": "closed"}, into special days.

    Raises ValueError with the reason in words.
    """
    found: dict[date, SpecialDay] = {}
    for text, hours in dates.items():
        for day in _read_dates(text):
            if day in found:
                raise ValueError(f"{day} is given twice")
            spans = () if hours.strip().casefold() == _CLOSED else read_spans(day.weekday(), hours)
            found[day] = SpecialDay(day, spans)
    return tuple(sorted(found.values()))


def write_dates(days: Iterable[SpecialDay]) -> dict[str, str]:
    """Give the shortest written dates that read back to the same; dates alike and in a row share a key."""
    runs: list[tuple[date, date, str]] = []
    for special in sorted(days):
        hours = ", ".join(_write_span(span) for span in special.spans) or _CLOSED
        if runs and runs[-1][1] + timedelta(days=1) == special.date and runs[-1][2] == hours:
            runs[-1] = (runs[-1][0], special.date, hours)
        else:
            runs.append((special.date, special.date, hours))
    return {f"{first}" if first == last else f"{first}..{last}": hours for first, last, hours in runs}


def write_week(spans: Iterable[Span]) -> dict[str, str]:
    """Give the shortest written week that reads back to the same spans; days alike and in a row share a key."""
    by_day = {
        day: ", ".join(_write_span(span) for span in sorted(spans) if span.day == day)
        for spans in (tuple(spans),)
        for day in range(len(DAYS))
    }
    week: dict[str, str] = {}
    first = 0
    for day in range(len(DAYS)):
        if day + 1 < len(DAYS) and by_day[day + 1] == by_day[first]:
            continue
        if by_day[first]:
            week[DAYS[first] if first == day else f"{DAYS[first]}-{DAYS[day]}"] = by_day[first]
        first = day + 1
    return week


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _open(hours: Hours, wall: datetime) -> bool:
    minute = wall.hour * 60 + wall.minute
    today, yesterday = wall.date(), wall.date() - timedelta(days=1)
    return any(
        span.opens <= minute < (span.closes if span.closes > span.opens else DAY_MINUTES)
        for span in _spans_on(hours, today)
    ) or any(span.closes <= span.opens and minute < span.closes for span in _spans_on(hours, yesterday))


def _spans_on(hours: Hours, day: date) -> tuple[Span, ...]:
    """Give what opens on this date; a span over midnight belongs to the day it starts, whatever the next day is."""
    special = next((it for it in hours.dates if it.date == day), None)
    if special is not None:
        return special.spans
    if hours.holidays is not None and day_off(hours.holidays, day):
        return ()
    return tuple(span for span in hours.spans if span.day == day.weekday())


def _candidates(hours: Hours, zone: ZoneInfo, at: datetime, offset: int) -> Iterator[datetime]:
    """Give every moment of one day at which closed hours can turn open: a span's start, or a jump of the clock."""
    day = at.astimezone(zone).date() + timedelta(days=offset)
    for start in (span.opens for span in _spans_on(hours, day)):
        wall = datetime.combine(day, time(start // 60, start % 60), zone)
        yield from (wall.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    morning = at.astimezone(UTC) + timedelta(days=offset)
    evening = morning + timedelta(days=1)
    if morning.astimezone(zone).utcoffset() != evening.astimezone(zone).utcoffset():
        yield _jump(zone, morning, evening)


def _jump(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) / 2
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)


def _read_dates(text: str) -> Iterator[date]:
    """Give the dates of "2026-12-31" or "2026-12-31..2027-01-11"."""
    found = _DATES.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"dates must look like 2026-12-31 or 2026-12-31..2027-01-11, got {text!r}")
    try:
        first, last = (date.fromisoformat(part) for part in (found[1], found[2] or found[1]))
    except ValueError:
        raise ValueError(f"there is no such date in {text!r}") from None
    days = (last - first).days
    if not 0 <= days < _DATES_MOST:
        raise ValueError(f"dates must go on, and for a year at most, got {text!r}")
    return (first + timedelta(days=day) for day in range(days + 1))


def _read_span(day: int, text: str) -> Span:
    found = _SPAN.fullmatch(text)
    if found is None:
        raise ValueError(f"hours must look like 09:00-18:00, got {text!r}")
    opens, closes = (_minute(found[hour], found[hour + 1]) for hour in (1, 3))
    if opens is None or closes is None or opens == DAY_MINUTES:
        raise ValueError(f"no such time of day in {text!r}")
    closes = closes or DAY_MINUTES
    if opens == closes:
        raise ValueError(f"opens and closes at one time, {text!r}; around the clock is 00:00-24:00")
    return Span(day, opens, closes)


def _minute(hour: str, minute: str) -> int | None:
    if int(hour) * 60 + int(minute) == DAY_MINUTES and minute == "00":
        return DAY_MINUTES
    return int(hour) * 60 + int(minute) if int(hour) <= _LAST_HOUR and int(minute) <= _LAST_MINUTE else None


def _write_span(span: Span) -> str:
    return f"{span.opens // 60:02}:{span.opens % 60:02}-{span.closes // 60:02}:{span.closes % 60:02}"
