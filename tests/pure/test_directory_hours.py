"""Working hours: when they are open, and when they open next."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory.hours import closes_on, next_open, open_at, read_dates, read_days, read_week, write_dates, write_week
from directory.model import Hours, Span, SpecialDay
from tests.fakes.directories import ZONES, some_hours, special_days, weeks

OFFICE = Hours("office", read_week({"mon-fri": "09:00-18:00", "sat": "10:00-15:00"}))
NIGHT = Hours("night", read_week({"fri": "22:00-06:00"}))
moments = st.datetimes(datetime(1990, 1, 1), datetime(2036, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # Hypothesis adds the zone


def moscow(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Moscow"))


@given(some_hours(), st.sampled_from(ZONES), moments)
def test_open_at_answers_for_every_moment(hours: Hours, zone: str, at: datetime) -> None:
    assert open_at(hours, zone, at) in (True, False)


@given(some_hours(), st.sampled_from(ZONES), moments)
def test_next_open_is_the_first_open_moment(hours: Hours, zone: str, at: datetime) -> None:
    """It is open then, and at no quarter of an hour of the two weeks before."""
    found = next_open(hours, zone, at)
    if found is None:
        assert not any(open_at(hours, zone, at + timedelta(hours=step)) for step in range(8 * 24))
        return
    assert open_at(hours, zone, found)
    assert found >= at
    steps = min(int((found - at) / timedelta(minutes=15)), 14 * 96)
    assert not any(open_at(hours, zone, at + timedelta(minutes=15 * step)) for step in range(steps))


@given(weeks())
def test_a_written_week_reads_back_to_the_same(spans: tuple[Span, ...]) -> None:
    assert read_week(write_week(spans)) == spans


@pytest.mark.parametrize(
    "at, expected",
    [
        ("2026-11-23 08:59:59", False),
        ("2026-11-23 09:00:00", True),
        ("2026-11-23 17:59:59", True),
        ("2026-11-23 18:00:00", False),
        ("2026-11-28 10:00:00", True),
        ("2026-11-29 12:00:00", False),
    ],
)
def test_office_hours_hold_to_the_second(at: str, expected: bool) -> None:
    assert open_at(OFFICE, "Europe/Moscow", moscow(at)) is expected


def test_a_span_over_midnight_belongs_to_the_day_it_starts() -> None:
    assert open_at(NIGHT, "Europe/Moscow", moscow("2026-11-28 05:59"))
    assert not open_at(NIGHT, "Europe/Moscow", moscow("2026-11-27 05:59"))
    assert not open_at(NIGHT, "Europe/Moscow", moscow("2026-11-28 06:00"))


def test_no_hours_are_always_open() -> None:
    assert open_at(None, "Europe/Moscow", moscow("2026-11-29 03:00"))


def test_hours_without_a_day_never_open() -> None:
    assert next_open(Hours("never", ()), "Europe/Moscow", moscow("2026-11-29 03:00")) is None


def test_after_saturday_comes_monday() -> None:
    assert next_open(OFFICE, "Europe/Moscow", moscow("2026-11-28 15:00")) == moscow("2026-11-30 09:00")


def test_hours_that_the_clock_skips_open_when_it_has_jumped() -> None:
    """In New York 2026-03-08 the clock goes from 02:00 to 03:00."""
    hours = Hours("early", read_week({"sun": "02:30-05:00"}))
    found = next_open(hours, "America/New_York", datetime(2026, 3, 8, 5, tzinfo=UTC))
    assert found == datetime(2026, 3, 8, 7, tzinfo=UTC)


def test_hours_that_the_clock_repeats_are_open_twice() -> None:
    """In New York 2026-11-01 the hour from 01:00 comes twice."""
    hours = Hours("early", read_week({"sun": "01:00-01:30"}))
    assert open_at(hours, "America/New_York", datetime(2026, 11, 1, 5, 15, tzinfo=UTC))
    assert open_at(hours, "America/New_York", datetime(2026, 11, 1, 6, 15, tzinfo=UTC))
    assert next_open(hours, "America/New_York", datetime(2026, 11, 1, 5, 45, tzinfo=UTC)) == datetime(
        2026, 11, 1, 6, tzinfo=UTC
    )


def test_a_public_holiday_is_closed_and_the_next_opening_is_after_all_of_them() -> None:
    """Russia, 2026: New Year and Christmas run to 8 January, the 9th is a day off moved from a Saturday."""
    hours = Hours("office", read_week({"mon-fri": "09:00-18:00"}), "RU")
    for day in ("2026-01-01", "2026-01-08", "2026-01-09", "2026-02-23", "2026-12-31"):
        assert not open_at(hours, "Europe/Moscow", moscow(f"{day} 12:00")), day
    assert next_open(hours, "Europe/Moscow", moscow("2025-12-30 18:00")) == moscow("2026-01-12 09:00")
    assert next_open(Hours("office", hours.spans), "Europe/Moscow", moscow("2026-01-01 12:00")) == moscow(
        "2026-01-01 12:00"
    )


def test_a_regions_own_holiday_is_closed_there_alone() -> None:
    """Epiphany is a holiday in Bavaria and not in Berlin."""
    at = datetime(2026, 1, 6, 12, tzinfo=ZoneInfo("Europe/Berlin"))
    week = read_week({"mon-fri": "09:00-18:00"})
    assert not open_at(Hours("munich", week, "DE-BY"), "Europe/Berlin", at)
    assert open_at(Hours("berlin", week, "DE-BE"), "Europe/Berlin", at)


def test_a_date_with_hours_of_its_own_comes_before_week_and_holiday() -> None:
    """A working holiday is open, a closed Tuesday is not, and the next opening knows of both."""
    dates = read_dates({"2026-01-02": "10:00-14:00", "2026-11-24..2026-11-27": "closed"})
    hours = Hours("office", read_week({"mon-fri": "09:00-18:00"}), "RU", dates)
    assert open_at(hours, "Europe/Moscow", moscow("2026-01-02 10:00"))
    assert not open_at(hours, "Europe/Moscow", moscow("2026-01-02 09:30"))
    assert next_open(hours, "Europe/Moscow", moscow("2025-12-31 12:00")) == moscow("2026-01-02 10:00")
    assert next_open(hours, "Europe/Moscow", moscow("2026-11-23 18:00")) == moscow("2026-11-30 09:00")


def test_a_night_that_began_before_a_closed_date_goes_on_into_it() -> None:
    hours = Hours("night", NIGHT.spans, None, read_dates({"2026-11-28": "closed"}))
    assert open_at(hours, "Europe/Moscow", moscow("2026-11-28 05:59"))
    closed = Hours("night", NIGHT.spans, None, read_dates({"2026-11-27": "closed"}))
    assert not open_at(closed, "Europe/Moscow", moscow("2026-11-28 05:59"))


def test_a_closure_of_most_of_a_year_still_has_an_end() -> None:
    hours = Hours(
        "office", read_week({"mon-fri": "09:00-18:00"}), None, read_dates({"2026-01-01..2026-12-01": "closed"})
    )
    assert next_open(hours, "Europe/Moscow", moscow("2026-01-01 12:00")) == moscow("2026-12-02 09:00")


def test_a_date_on_which_the_clock_jumps_is_open_by_the_wall() -> None:
    """In New York 2026-03-08 the clock goes from 02:00 to 03:00: two hours of the day's own are one."""
    hours = Hours("sunday", (), None, read_dates({"2026-03-08": "01:30-03:30"}))
    assert next_open(hours, "America/New_York", datetime(2026, 3, 1, tzinfo=UTC)) == datetime(
        2026, 3, 8, 6, 30, tzinfo=UTC
    )
    assert open_at(hours, "America/New_York", datetime(2026, 3, 8, 7, 29, tzinfo=UTC))
    assert not open_at(hours, "America/New_York", datetime(2026, 3, 8, 7, 30, tzinfo=UTC))


def test_a_holiday_is_one_of_the_zones_own_date() -> None:
    """When 23 February begins in Kamchatka it is the 22nd in Moscow."""
    hours = Hours("always", read_week({"mon-sun": "00:00-24:00"}), "RU")
    at = datetime(2026, 2, 22, 12, 30, tzinfo=UTC)
    assert not open_at(hours, "Asia/Kamchatka", at)
    assert open_at(hours, "Europe/Moscow", at)


@given(special_days())
def test_written_dates_read_back_to_the_same(days: tuple[SpecialDay, ...]) -> None:
    assert read_dates(write_dates(days)) == days


def test_dates_in_a_row_are_written_as_one() -> None:
    dates = {"2026-12-30": "10:00-15:00", "2026-12-31..2027-01-02": "closed"}
    assert write_dates(read_dates(dates)) == dates
    assert read_dates({"2026-12-31..2027-01-01": "closed"})[-1] == SpecialDay(date(2027, 1, 1))


@pytest.mark.parametrize(
    "dates, reason",
    [
        ({"31.12.2026": "closed"}, "dates must look like 2026-12-31"),
        ({"2026-02-30": "closed"}, "no such date"),
        ({"2026-12-31..2026-12-30": "closed"}, "must go on"),
        ({"2026-01-01..2028-01-01": "closed"}, "for a year at most"),
        ({"2026-12-31..2027-01-02": "closed", "2027-01-01": "10:00-12:00"}, "2027-01-01 is given twice"),
        ({"2026-12-31": "shut"}, "must look like 09:00-18:00"),
        ({"2026-12-31": "09:00-12:00, 11:00-13:00"}, "overlap"),
    ],
)
def test_bad_dates_are_refused_with_the_reason(dates: dict[str, str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_dates(dates)


@pytest.mark.parametrize("text, days", [("mon", (0,)), ("fri-mon", (4, 5, 6, 0)), ("mon, wed", (0, 2)), ("SAT", (5,))])
def test_days_are_names_ranges_and_lists(text: str, days: tuple[int, ...]) -> None:
    assert read_days(text) == days


@pytest.mark.parametrize(
    "week, reason",
    [
        ({"mon": "9-18"}, "must look like 09:00-18:00"),
        ({"mon": "25:00-26:00"}, "no such time of day"),
        ({"mon": "24:00-25:00"}, "no such time of day"),
        ({"mon": "09:00-09:00"}, "around the clock is 00:00-24:00"),
        ({"mon": "09:00-14:00, 13:00-18:00"}, "overlap"),
        ({"mon": "22:00-06:00, 23:00-23:30"}, "overlap"),
        ({"mon-fri": "09:00-18:00", "fri": "09:00-17:00"}, "fri is given twice"),
        ({"mon,mon": "09:00-18:00"}, "given twice"),
        ({"monday": "09:00-18:00"}, "days must look like"),
        ({"": "09:00-18:00"}, "days must look like"),
    ],
)
def test_bad_hours_are_refused_with_the_reason(week: dict[str, str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_week(week)


def test_a_day_closes_with_its_last_span_though_it_be_after_midnight() -> None:
    """On a day off nothing does; an hour that the clock repeats closes when it is over for the second time."""
    split = Hours("split", read_week({"mon": "09:00-13:00, 14:00-18:00", "sun": "20:00-01:30"}))
    assert closes_on(split, "Europe/Moscow", date(2026, 11, 23)) == moscow("2026-11-23 18:00:00")
    assert closes_on(split, "Europe/Moscow", date(2026, 11, 24)) is None
    assert closes_on(NIGHT, "Europe/Moscow", date(2026, 11, 27)) == moscow("2026-11-28 06:00:00")
    assert closes_on(split, "America/New_York", date(2026, 10, 31)) is None
    summer_ends = Hours("late", read_week({"sat": "20:00-01:30"}))
    assert closes_on(summer_ends, "America/New_York", date(2026, 10, 31)) == datetime(2026, 11, 1, 6, 30, tzinfo=UTC)
