"""Deadlines in working time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from directory.hours import open_at, read_week
from directory.model import Hours
from directory.working_time import after_working
from tests.fakes.directories import ZONES, weeks

OFFICE = Hours("office", read_week({"mon-fri": "09:00-13:00, 14:00-18:00"}))
MOSCOW = "Europe/Moscow"
moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the strategy sets the zone


def moscow(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour - 3, minute, tzinfo=UTC)


def test_an_hour_of_a_working_day_is_an_hour() -> None:
    assert after_working(OFFICE, MOSCOW, moscow(23, 10, 15), 60) == moscow(23, 11, 15)


def test_the_break_at_noon_does_not_count() -> None:
    assert after_working(OFFICE, MOSCOW, moscow(23, 12, 40), 60) == moscow(23, 14, 40)


def test_who_calls_on_friday_evening_is_due_on_monday_morning() -> None:
    assert after_working(OFFICE, MOSCOW, moscow(27, 17, 30), 60) == moscow(30, 9, 30)
    assert after_working(OFFICE, MOSCOW, moscow(28, 12), 60) == moscow(30, 10)


def test_around_the_clock_every_minute_counts_and_hours_that_never_come_have_no_deadline() -> None:
    assert after_working(None, MOSCOW, moscow(28, 23, 30), 60) == moscow(28, 23, 30) + timedelta(hours=1)
    assert after_working(Hours("never", ()), MOSCOW, moscow(23, 10), 60) is None


@given(weeks(), st.sampled_from(ZONES), moments, st.integers(1, 200))
def test_so_many_minutes_of_the_hours_lie_before_the_deadline(
    spans: tuple[object, ...], zone: str, at: datetime, minutes: int
) -> None:
    """Counted one by one, whatever the hours, the zone and its jumps of the clock."""
    hours = Hours("any", spans)  # type: ignore[arg-type]  # Hypothesis gives Span
    found = after_working(hours, zone, at, minutes)
    if found is None:
        assert not spans
        return
    assert found - at >= timedelta(minutes=minutes)
    assert open_at(hours, zone, found - timedelta(minutes=1))
