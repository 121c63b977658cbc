"""An ICS calendar (RFC 5545) to the times at which it makes its person busy (pure; the one importer of icalendar).

What makes busy, and what does not:
1. An event does, from its beginning to its end, each time it recurs; a whole day is one of the person's own zone.
2. A cancelled, a transparent or a tentative one does not; nor one that Outlook marks free, tentative or elsewhere.
3. One that Outlook marks out of office (X-MICROSOFT-CDO-BUSYSTATUS:OOF) makes away instead of busy.
4. A time without a zone is one of the calendar's zone (X-WR-TIMEZONE), else of the person's.
5. VFREEBUSY, as feeds that show no events have it, makes busy by its periods.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import icalendar
import recurring_ical_events

from directory.presence import Busy

FAR: Final = timedelta(days=366)
"""A time that goes on longer than this after the window ends there: 9999-12-31, as some write "for ever"."""

TIMES_MOST: Final = 5_000
"""More times than this in one window are no person's week."""

_NO_PERSONS: Final = frozenset({"SECONDLY", "MINUTELY"})
_NOT_BUSY: Final = frozenset({"FREE", "TENTATIVE", "WORKINGELSEWHERE"})
_BEGIN: Final = b"BEGIN:VCALENDAR"
_END: Final = b"END:VCALENDAR"


class IcsError(ValueError):
    """A calendar cannot be used; the text is a key of a closed list: not_a_calendar, too_many_times."""


@dataclass(frozen=True, slots=True)
class Read:
    """The times of a window, earliest first, none touching the next of its kind; ``whole``: every event was read."""

    times: tuple[Busy, ...]
    whole: bool = True


def read(body: bytes, time_zone: str, since: datetime, until: datetime) -> Read:
    """Read a calendar's times between two aware moments; ``time_zone`` is the person's.

    An event that makes no sense is left out alone. Raises IcsError. Takes as long as its writer likes: what comes from
    outside is read in a process that may be ended (``directory.ics_process``).
    """
    zone = ZoneInfo(time_zone)
    whole = True
    found: list[Busy] = []
    for calendar in _calendars(body):
        events = _expanded(calendar, since, until)
        if events is None:
            whole = False
            parts = (_expanded(part, since, until) for part in _series(calendar))
            events = [event for part in parts for event in part or ()]
        found += [time for event in events for time in _times(event, zone)]
        found += _periods(calendar, zone)
        whole = whole and not calendar.errors
        if len(found) > TIMES_MOST:
            raise IcsError("too_many_times")
    last = until + FAR
    cut = (Busy(max(it.starts_at, since), min(it.ends_at, last), it.away) for it in found)
    return Read(tuple(_joined(it for it in cut if it.starts_at < until and it.ends_at > since)), whole)


def _calendars(body: bytes) -> list[icalendar.Calendar]:
    text = body.removeprefix(b"\xef\xbb\xbf").strip()
    if text[: len(_BEGIN)].upper() != _BEGIN or text[-len(_END) :].upper() != _END:  # one that is cut off is none
        raise IcsError("not_a_calendar")
    try:
        return icalendar.Calendar.from_ical(text, multiple=True)
    except (ValueError, LookupError, TypeError, AttributeError):
        raise IcsError("not_a_calendar") from None


def _expanded(calendar: icalendar.Calendar, since: datetime, until: datetime) -> list[Any] | None:
    """Give every time of every event in the window; None when an event in it makes no sense."""
    try:
        if any(_is_no_persons(event) for event in calendar.walk("VEVENT")):
            raise IcsError("too_many_times")
        events: list[Any] = recurring_ical_events.of(calendar).between(since, until)
        [(event.start, event.end) for event in events]  # which asks for what may not be there
    except IcsError:
        raise
    except MemoryError:
        raise IcsError("too_many_times") from None
    except Exception:  # noqa: BLE001  # the libraries raise whatever a broken event makes them
        return None
    if len(events) > TIMES_MOST:
        raise IcsError("too_many_times")
    return events


def _is_no_persons(event: Any) -> bool:
    """Whether it recurs so often that reading it would not end."""
    rules = event.get("RRULE", [])
    return any(
        _NO_PERSONS & {str(word).upper() for word in rule.get("FREQ", [])}
        for rule in (rules if isinstance(rules, list) else [rules])
    )


def _series(calendar: icalendar.Calendar) -> Iterator[icalendar.Calendar]:
    """Give each event, with its exceptions, as a calendar of its own."""
    series: dict[str, list[Any]] = {}
    for event in calendar.walk("VEVENT"):
        series.setdefault(str(event.get("UID", "")), []).append(event)
    for events in series.values():
        part = icalendar.Calendar(calendar)
        part.subcomponents = [*calendar.walk("VTIMEZONE"), *events]
        yield part


def _times(event: Any, zone: ZoneInfo) -> Iterator[Busy]:
    mark = str(event.get("X-MICROSOFT-CDO-BUSYSTATUS", "")).strip().upper()
    status = str(event.get("STATUS", "")).strip().upper()
    transparent = str(event.get("TRANSP", "")).strip().upper() == "TRANSPARENT"
    if transparent or status in {"CANCELLED", "TENTATIVE"} or mark in _NOT_BUSY:
        return
    since, until = _moment(event.start, zone), _moment(event.end, zone)
    if since < until:
        yield Busy(since, until, mark == "OOF")


def _periods(calendar: icalendar.Calendar, zone: ZoneInfo) -> Iterator[Busy]:
    for component in calendar.walk("VFREEBUSY"):
        told = component.get("FREEBUSY", [])
        for line in told if isinstance(told, list) else [told]:
            kind = str(line.params.get("FBTYPE", "BUSY")).upper() if hasattr(line, "params") else "BUSY"
            if kind in {"FREE", "BUSY-TENTATIVE"}:
                continue
            for since, until in _pairs(line):
                yield Busy(_moment(since, zone), _moment(until, zone), kind == "BUSY-UNAVAILABLE")


def _pairs(line: Any) -> Iterator[tuple[datetime, datetime]]:
    """Give the periods of a FREEBUSY line, which icalendar reads as one value or as several."""
    for period in getattr(line, "dts", [line]):
        since, until = period.dt if hasattr(period, "dt") else period
        yield since, until if isinstance(until, datetime) else since + until


def _moment(at: date, zone: ZoneInfo) -> datetime:
    """Give a time in UTC."""
    if not isinstance(at, datetime):
        at = datetime.combine(at, time(), zone)
    try:
        return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
    except OverflowError:
        return at.replace(tzinfo=UTC)  # a day more or less at either end of time is all the same


def _joined(times: Iterable[Busy]) -> list[Busy]:
    """Join times of one kind that touch, and give all in order."""
    joined: dict[bool, list[Busy]] = {False: [], True: []}
    for one in sorted(times):
        kind = joined[one.away]
        if kind and one.starts_at <= kind[-1].ends_at:
            kind[-1] = Busy(kind[-1].starts_at, max(kind[-1].ends_at, one.ends_at), one.away)
        else:
            kind.append(one)
    return sorted(joined[False] + joined[True])
