"""Shares of causes, day by day and week by week."""

from __future__ import annotations

from datetime import date, timedelta

from web.cause_share import HEIGHT, NAMED_MOST, OTHERS, STEPS, first_day, shares

TODAY = date(2026, 11, 26)  # a Thursday


def test_each_period_is_whole_and_the_last_is_todays() -> None:
    """Days without a missed call are there with none; weeks begin on Monday, and the last ends today."""
    told = shares(
        "day", TODAY, [(TODAY, "rang_out", 3), (TODAY, "all_busy", 1), (TODAY - timedelta(days=2), "no_route", 2)]
    )
    assert [bar.total for bar in told.bars[-3:]] == [2, 0, 4]
    assert (len(told.bars), told.bars[0].since, told.total) == (STEPS["day"], first_day("day", TODAY), 6)
    assert told.causes == ("rang_out", "no_route", "all_busy")
    today = told.bars[-1].parts
    assert [(part.count, part.share) for part in today] == [(3, 0.75), (0, 0.0), (1, 0.25)]
    assert [(part.y, part.height) for part in today] == [(HEIGHT / 4, HEIGHT * 3 / 4), (HEIGHT / 4, 0), (0, HEIGHT / 4)]
    weeks = shares("week", TODAY, [(date(2026, 11, 23), "rang_out", 1), (date(2026, 11, 22), "rang_out", 5)])
    assert [(bar.since, bar.until, bar.total) for bar in weeks.bars[-2:]] == [
        (date(2026, 11, 16), date(2026, 11, 22), 5),
        (date(2026, 11, 23), TODAY, 1),
    ]


def test_rare_causes_are_one_part() -> None:
    """Six have a colour of their own; with all parts a bar is always whole."""
    counted = [(TODAY, f"cause{number}", 20 - number) for number in range(10)]
    told = shares("day", TODAY, counted)
    assert told.causes == (*(f"cause{number}" for number in range(NAMED_MOST)), OTHERS)
    parts = told.bars[-1].parts
    assert parts[-1].count == sum(20 - number for number in range(NAMED_MOST, 10))
    assert sum(part.count for part in parts) == told.bars[-1].total
    assert abs(sum(part.height for part in parts) - HEIGHT) < 0.1
    assert OTHERS not in shares("day", TODAY, counted[: NAMED_MOST + 1]).causes
