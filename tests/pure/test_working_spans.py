"""Working time is walked by spans, and comes to what a walk by minutes comes to."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from directory.hours import next_open, open_at, read_week
from directory.model import Hours, SpecialDay
from directory.working_time import after_working, before_days, before_working
from tests.fakes.directories import ZONES, weeks

MINUTE = timedelta(minutes=1)
OFFICE = Hours("office", read_week({"mon-fri": "09:00-18:00", "sat": "10:00-15:00"}))
moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the strategy sets the zone


def walked(hours: Hours, zone: str, at: datetime, minutes: int) -> datetime | None:
    """Minute by minute."""
    moment: datetime | None = at
    for _ in range(minutes):
        moment = next_open(hours, zone, moment) if moment else None
        moment = moment + MINUTE if moment else None
    return moment


def walked_back(hours: Hours, zone: str, at: datetime, minutes: int, most: int) -> datetime | None:
    """Minute by minute, at most so many of the clock."""
    for ago in range(1, most):
        minutes -= open_at(hours, zone, at - ago * MINUTE)
        if not minutes:
            return at - ago * MINUTE
    return None


@settings(max_examples=60)
@given(weeks(), st.sampled_from(ZONES), moments, st.integers(1, 400))
def test_spans_come_to_what_minutes_come_to(spans: tuple[object, ...], zone: str, at: datetime, minutes: int) -> None:
    """Forwards and backwards, with seconds, over midnight and over jumps of the clock."""
    hours = Hours("any", spans)  # type: ignore[arg-type]  # Hypothesis gives Span
    assert after_working(hours, zone, at, minutes) == walked(hours, zone, at, minutes)
    back = walked_back(hours, zone, at, minutes, 3000)
    if back is not None:
        assert before_working(hours, zone, at, minutes) == back


@settings(max_examples=30)
@given(st.sampled_from(["2026-03-29", "2026-10-25"]), st.integers(-1500, 1500), st.integers(1, 300))
def test_the_hour_that_the_clock_skips_or_repeats_is_counted_as_it_passes(day: str, later: int, minutes: int) -> None:
    hours = Hours("night", read_week({"mon-sun": "00:30-02:30, 03:10-03:40"}))
    at = datetime.fromisoformat(f"{day}T01:00:13+00:00") + later * MINUTE
    assert after_working(hours, "Europe/Berlin", at, minutes) == walked(hours, "Europe/Berlin", at, minutes)
    assert before_working(hours, "Europe/Berlin", at, minutes) == walked_back(hours, "Europe/Berlin", at, minutes, 9000)


def test_the_last_hour_of_a_long_day_makes_it_a_working_one() -> None:
    late, monday = Hours("late", read_week({"sun": "23:30-23:50"})), datetime(2026, 10, 26, 12, tzinfo=UTC)
    assert before_days(late, "Europe/Berlin", monday, 1) == datetime(2026, 10, 24, 22, tzinfo=UTC)


def test_weeks_of_working_time_and_hours_that_never_come_cost_nothing() -> None:
    """The event loop that routes calls waits for it: each was a tenth of a second, or two."""
    now = datetime(2026, 11, 23, 10, tzinfo=UTC)
    past = Hours("past", (), dates=(SpecialDay(datetime(2020, 1, 6, tzinfo=UTC).date(), OFFICE.spans[:1]),))
    began = time.process_time()
    for _ in range(5):
        assert before_working(OFFICE, "Europe/Moscow", now, 20 * 540) is not None
        assert after_working(OFFICE, "Europe/Moscow", now, 20 * 540) is not None
    assert (time.process_time() - began) / 10 < 0.02
    began = time.process_time()
    assert before_working(past, "Europe/Moscow", now, 1) is None
    assert before_days(past, "Europe/Moscow", now, 1) is None
    assert time.process_time() - began < 0.2
