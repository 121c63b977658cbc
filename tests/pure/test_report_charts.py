"""Pictures of days and of a month's pace: bars as high as what they count, and what is usual at its height."""

from __future__ import annotations

from datetime import date, timedelta

from reports.report import Audience, DayPoint, Figure
from web.reports.charts import HEIGHT, STEP, charts, pace

FIRST = date(2026, 11, 23)
WHOLE = Audience("house")


def day(place: int, missed: float, usual: float | None = None) -> DayPoint:
    return DayPoint(day=FIRST + timedelta(days=place), calls_in=0, missed=missed, leads_in=3, missed_usual=usual)


def test_bars_are_as_high_as_their_numbers_and_the_highest_fills_the_picture() -> None:
    """What is usual counts too; the last day is told apart, and where nothing is known the line breaks."""
    missed, calls_in, leads = charts([day(0, 5, 10), day(1, 0), day(2, 2.5, 5)], WHOLE)
    assert [(bar.height, bar.y) for bar in missed.bars] == [(50, 50), (0, 100), (25, 75)]
    assert [bar.last for bar in missed.bars] == [False, False, True]
    assert missed.usual == f"M0 0.0H{STEP}M{2 * STEP} 50.0H{3 * STEP}"
    assert missed.most == 10
    assert {bar.height for bar in calls_in.bars} == {0}
    assert {bar.height for bar in leads.bars} == {HEIGHT}
    assert (calls_in.usual, leads.width) == ("", 3 * STEP)


def test_without_days_there_is_no_picture_and_a_person_answers_and_misses_what_is_charged() -> None:
    """Nothing is drawn of nothing."""
    assert charts([], WHOLE) == ()
    assert [one.measure for one in charts([day(0, 1)], Audience("person", "anna"))] == [
        *("charged", "answered", "leads_in")
    ]
    assert [one.measure for one in charts([day(0, 1)], Audience("team", "sales"))] == ["missed", "calls_in", "leads_in"]


def test_the_pace_ends_with_the_plan() -> None:
    """More than the plan is all of it; there is none without a plan, with nothing known of the month, and of a rate."""
    figure = Figure(measure="leads_in", value=1, plan_month=200, month_so_far=50, month_forecast=260)
    told = pace(figure)
    assert told is not None
    assert (told.done, told.forecast) == (25, 100)
    assert pace(Figure(measure="leads_in", value=1, plan_month=200)) is None
    assert pace(Figure(measure="missed_share", value=0.2, plan_month=0.1, month_so_far=0.2)) is None
    assert pace(Figure(measure="leads_in", value=1, month_so_far=50)) is None
    gone = pace(Figure(measure="leads_in", value=1, plan_month=200, month_so_far=0))
    assert gone is not None
    assert gone.forecast is None
