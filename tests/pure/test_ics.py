"""Calendars as Google, Outlook and Nextcloud write them, and the times that they make busy."""

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from directory.ics import FAR, IcsError, Read, read
from tests.fakes.calendars import GOOGLE, NEXTCLOUD, OUTLOOK, calendar, event

SINCE, UNTIL = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 15, tzinfo=UTC)


def times(
    body: bytes, zone: str = "Europe/Moscow", since: datetime = SINCE, until: datetime = UNTIL, *, away: bool = False
) -> list[str]:
    """The times in UTC, "0302 09:00-10:00" for those of one day."""
    found = read(body, zone, since, until).times
    return [
        f"{it.starts_at:%m%d %H:%M}-{it.ends_at:%H:%M}"
        if it.starts_at.date() == it.ends_at.date()
        else f"{it.starts_at:%m%d %H:%M}-{it.ends_at:%m%d %H:%M}"
        for it in found
        if it.away is away
    ]


def test_a_series_keeps_its_hour_when_the_clock_changes() -> None:
    """Berlin goes to summer time on 29 March 2026: 10:00 is 09:00 in UTC before, and 08:00 after."""
    body = calendar(event("DTSTART;TZID=Europe/Berlin:20260327T100000", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=4"))
    assert times(body) == ["0327 09:00-10:00", "0328 09:00-10:00", "0329 08:00-09:00", "0330 08:00-09:00"]


def test_google_series_with_an_exception_a_moved_and_a_cancelled_time() -> None:
    """Mondays at 10:00 in Moscow: one is left out, one moved to Tuesday, one cancelled."""
    assert times(GOOGLE) == ["0302 07:00-07:30", "0317 12:00-13:00", "0330 07:00-07:30", "0406 07:00-07:30"]


def test_outlook_names_its_zones_its_own_way_and_tells_out_of_office() -> None:
    """A zone of Windows without a VTIMEZONE, and a quoted one with it; elsewhere and tentative are not busy."""
    assert times(OUTLOOK) == ["0302 06:00-07:00", "0303 13:00-14:00", "0310 12:00-13:00"]
    assert times(OUTLOOK, away=True) == ["0304 21:00-0306 21:00"]


def test_nextcloud_monthly_series_with_rdate_and_a_transparent_birthday() -> None:
    """The second Tuesday of each month at 15:00 in Yekaterinburg, and one time more."""
    assert times(NEXTCLOUD) == ["0310 10:00-11:00", "0320 10:00-11:00", "0414 10:00-11:00"]


def test_a_whole_day_is_one_of_the_persons_own_zone() -> None:
    body = calendar(event("DTSTART;VALUE=DATE:20260309", "DTEND;VALUE=DATE:20260311"))
    assert times(body, "Europe/Moscow") == ["0308 21:00-0310 21:00"]
    assert times(body, "America/New_York") == ["0309 04:00-0311 04:00"]
    assert times(calendar(event("DTSTART;VALUE=DATE:20260309")), "UTC") == ["0309 00:00-0310 00:00"]


def test_a_whole_day_on_which_the_clock_changes_has_twenty_three_hours() -> None:
    assert times(calendar(event("DTSTART;VALUE=DATE:20260329")), "Europe/Berlin") == ["0328 23:00-0329 22:00"]


def test_a_time_without_a_zone_is_the_calendars_else_the_persons() -> None:
    told = event("DTSTART:20260310T090000", "DTEND:20260310T100000")
    assert times(calendar(told), "Asia/Yekaterinburg") == ["0310 04:00-05:00"]
    assert times(calendar(told, "X-WR-TIMEZONE:Europe/Berlin"), "Asia/Yekaterinburg") == ["0310 08:00-09:00"]


@pytest.mark.parametrize(
    "line",
    [
        "TRANSP:TRANSPARENT",
        "STATUS:CANCELLED",
        "STATUS:TENTATIVE",
        "X-MICROSOFT-CDO-BUSYSTATUS:FREE",
        "X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE",
        "X-MICROSOFT-CDO-BUSYSTATUS:WORKINGELSEWHERE",
        "DTEND:20260310T090000Z",
    ],
)
def test_what_takes_no_time_makes_nobody_busy(line: str) -> None:
    assert times(calendar(event("DTSTART:20260310T090000Z", line))) == []


def test_times_that_touch_are_one() -> None:
    one = event("DTSTART:20260310T090000Z", "DTEND:20260310T100000Z")
    two = event("DTSTART:20260310T093000Z", "DTEND:20260310T110000Z", uid="2")
    three = event("DTSTART:20260310T110000Z", "DTEND:20260310T120000Z", uid="3")
    assert times(calendar(one, two, three)) == ["0310 09:00-12:00"]


def test_a_feed_without_events_makes_busy_by_its_periods() -> None:
    lines = (
        "BEGIN:VFREEBUSY", "UID:1", "DTSTAMP:20260301T000000Z",
        "FREEBUSY:20260310T090000Z/20260310T100000Z,20260311T090000Z/PT30M",
        "FREEBUSY;FBTYPE=FREE:20260312T090000Z/PT1H",
        "FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20260313T090000Z/PT1H",
        "END:VFREEBUSY",
    )  # fmt: skip
    body = calendar("\r\n".join(lines))
    assert times(body) == ["0310 09:00-10:00", "0311 09:00-09:30"]
    assert times(body, away=True) == ["0313 09:00-10:00"]


def test_what_goes_on_for_ever_ends_a_year_after_the_window() -> None:
    """Whoever reads the end in another zone must find it in their calendar."""
    period = "FREEBUSY:20260310T090000Z/99991231T235959Z"
    body = calendar("BEGIN:VFREEBUSY", "UID:1", "DTSTAMP:20260301T000000Z", period, "END:VFREEBUSY")
    (one,) = read(body, "Europe/Moscow", SINCE, UNTIL).times
    assert one.ends_at == UNTIL + FAR


def test_an_event_that_makes_no_sense_is_left_out_alone_and_said() -> None:
    good = event("DTSTART:20260310T090000Z", "DTEND:20260310T100000Z")
    for bad in ("DTSTART:yesterday", "DTSTART;TZID=(UTC+03:00) Moscow:20260310T090000", "SUMMARY:no beginning"):
        found = read(calendar(event(bad, uid="bad"), good), "UTC", SINCE, UNTIL)
        assert len(found.times) == 1, bad
        assert not found.whole, bad
    assert read(calendar(good), "UTC", SINCE, UNTIL).whole


@pytest.mark.parametrize(
    "body",
    [b"", b"<!doctype html><title>Log in</title>", b"BEGIN:VCARD\r\nEND:VCARD\r\n", GOOGLE[:-20]],
)
def test_what_is_no_calendar_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(IcsError, match="not_a_calendar"):
        read(body, "UTC", SINCE, UNTIL)


@pytest.mark.parametrize("freq", ["SECONDLY", "MINUTELY", "secondly"])
def test_an_event_of_every_second_is_refused_before_anything_is_worked_out(freq: str) -> None:
    with pytest.raises(IcsError, match="too_many_times"):
        read(calendar(event("DTSTART:20260301T000000Z", f"RRULE:FREQ={freq}")), "UTC", SINCE, UNTIL)


def test_a_byte_order_mark_and_several_calendars_in_one_file_are_read() -> None:
    one = calendar(event("DTSTART:20260310T090000Z", "DURATION:PT1H"))
    two = calendar(event("DTSTART:20260311T090000Z", "DURATION:PT1H"))
    assert times(b"\xef\xbb\xbf" + one + two) == ["0310 09:00-10:00", "0311 09:00-10:00"]


pieces = st.sampled_from(
    [b"BEGIN:VCALENDAR", b"END:VCALENDAR", b"BEGIN:VEVENT", b"END:VEVENT", b"DTSTART:20260310T090000Z", b"DTEND:x",
     b"RRULE:FREQ=DAILY;COUNT=3", b"RRULE:FREQ=", b"EXDATE:20260310T090000Z", b"RECURRENCE-ID:20260310T090000Z",
     b"DURATION:-PT1H", b"UID:1", b"TRANSP:OPAQUE", b"BEGIN:VTIMEZONE", b"END:VTIMEZONE", b"TZID:x", b" folded",
     b"\xff\xfe"]
)  # fmt: skip


@example([b"END:VCALENDAR", b"BEGIN:VEVENT", b"RRULE:FREQ="])
@given(st.lists(pieces, max_size=14))
def test_whatever_comes_is_read_or_refused_by_a_known_key(lines: list[bytes]) -> None:
    body = b"\r\n".join([b"BEGIN:VCALENDAR", *lines, b"END:VCALENDAR"])
    try:
        assert isinstance(read(body, "UTC", SINCE, UNTIL), Read)
    except IcsError as error:
        assert str(error) in {"not_a_calendar", "too_many_times"}  # noqa: PT017  # either is right
