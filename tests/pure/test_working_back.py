"""Working time is counted backwards as it is forwards."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory.hours import read_week
from directory.model import Hours
from directory.working_time import after_working, before_days, before_working

OFFICE = Hours("office", read_week({"mon-fri": "09:00-18:00", "sat": "10:00-15:00"}))
ZONE = "Europe/Moscow"


@given(st.integers(0, 20_000), st.integers(0, 700))
def test_so_many_minutes_back_and_forth_is_never_later_than_now(later: int, minutes: int) -> None:
    """Who came at that moment has had exactly those minutes; who came a minute later has not."""
    now = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(minutes=later)
    since = before_working(OFFICE, ZONE, now, minutes)
    assert since is not None
    reached = after_working(OFFICE, ZONE, since, minutes)
    assert reached is not None
    assert reached <= now
    after = after_working(OFFICE, ZONE, since + timedelta(minutes=1), minutes)
    assert after is not None
    assert after > now or minutes == 0


@pytest.mark.parametrize(
    "now, days, since",
    [
        ("2026-03-05T12:00", 3, "2026-03-02T00:00"),
        ("2026-03-02T12:00", 1, "2026-02-28T00:00"),
        ("2026-03-02T12:00", 2, "2026-02-27T00:00"),
        ("2026-03-01T12:00", 2, "2026-02-27T00:00"),
    ],
)
def test_working_days_are_those_on_which_somebody_works(now: str, days: int, since: str) -> None:
    told = before_days(OFFICE, ZONE, datetime.fromisoformat(f"{now}+03:00"), days)
    assert told == datetime.fromisoformat(f"{since}+03:00")


def test_hours_that_never_come_are_told_as_such() -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    assert before_working(Hours("never", ()), ZONE, now, 1) is None
    assert before_days(Hours("never", ()), ZONE, now, 1) is None
    assert before_working(None, ZONE, now, 90) == now - timedelta(minutes=90)
