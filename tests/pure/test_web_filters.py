"""What the filters of the list of calls mean."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.fakes.directories import OFFICE
from web.filters import PERIODS, FilterError, read_days

NOW = datetime(2026, 3, 4, 22, 30, tzinfo=UTC)
"""Thursday the 5th already in Moscow."""


def days(query: dict[str, str], now: datetime = NOW) -> tuple[str, str]:
    """Since and until, in UTC."""
    found = read_days(query, "Europe/Moscow", OFFICE, now)
    assert found.since is not None
    assert found.until is not None
    return f"{found.since:%m-%d %H}", f"{found.until:%m-%d %H}"


@pytest.mark.parametrize(
    "period, since, until",
    [
        ("today", "03-04 21", "03-05 21"), ("yesterday", "03-03 21", "03-04 21"), ("this_week", "03-01 21", "03-05 21"),
        ("last_week", "02-22 21", "03-01 21"), ("last_30_days", "02-03 21", "03-05 21"),
    ],
)  # fmt: skip
def test_a_period_is_of_whole_days_of_the_viewers_wall(period: str, since: str, until: str) -> None:
    """And moves with today."""
    assert days({"period": period}) == (since, until)
    assert days({"period": period}, NOW + timedelta(days=7)) != (since, until)


def test_days_that_are_told_count_before_a_periods() -> None:
    """Every period has its days; what is none is refused."""
    assert days({"period": "today", "from": "2026-03-01"}) == ("02-28 21", "03-05 21")
    assert all(days({"period": period}) for period in PERIODS)
    with pytest.raises(FilterError, match="period"):
        read_days({"period": "tomorrow"}, "Europe/Moscow", OFFICE, NOW)
