"""A period is held against those before it that are like it, and a day is one of work where something opens."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise

import pytest

from directory.hours import read_week
from directory.model import Company, Directory, Hours, Line, Person, SpecialDay, Team
from reports.periods import Period, before, chart_of, period_of, so_far
from reports.report import Audience, Kind
from reports.working_days import working_days, works_on

FRIDAY = date(2026, 11, 27)
HOUSE = Directory(
    company=Company(name="Ромашка"),
    hours=(
        Hours("office", read_week({"mon-fri": "09:00-18:00"}), "RU", (SpecialDay(date(2026, 11, 26)),)),
        Hours("late", read_week({"sat": "12:00-02:00"})),
    ),
    people=(
        Person(key="anna", name="Анна", role="manager"),
        Person(key="boris", name="Борис", role="manager", hours="late"),
    ),
    teams=(
        Team(key="sales", name="Продажи", strategy="hunt", members=("anna", "boris")),
        Team(key="night", name="Ночь", strategy="hunt", members=("boris",), hours="late"),
    ),
    lines=(Line(number="74951234567", name="Основная", team="sales", hours="office"),),
)


@pytest.mark.parametrize(
    "kind, first, last, nearest, oldest",
    [
        ("daily", FRIDAY, FRIDAY, date(2026, 11, 20), date(2026, 10, 2)),
        ("weekly", date(2026, 11, 23), date(2026, 11, 29), date(2026, 11, 16), date(2026, 9, 28)),
        ("monthly", date(2026, 11, 1), date(2026, 11, 30), date(2026, 10, 1), date(2026, 5, 1)),
    ],
)
def test_a_period_is_held_against_those_like_it(
    kind: Kind, first: date, last: date, nearest: date, oldest: date
) -> None:
    period = period_of(kind, FRIDAY)
    assert period == Period(first, last)
    held = before(kind, period)
    assert (held[0].first, held[-1].first) == (nearest, oldest)
    assert all(one.last < other.first for other, one in pairwise((period, *held)))


def test_a_month_ends_with_its_own_last_day_and_a_year_with_december() -> None:
    assert period_of("monthly", date(2028, 2, 29)) == Period(date(2028, 2, 1), date(2028, 2, 29))
    assert before("monthly", period_of("monthly", date(2027, 1, 5)))[0] == Period(date(2026, 12, 1), date(2026, 12, 31))


def test_a_week_that_goes_on_is_held_against_the_same_days_of_weeks_before() -> None:
    begun = so_far(period_of("weekly", FRIDAY), date(2026, 11, 25))
    assert begun == Period(date(2026, 11, 23), date(2026, 11, 25))
    assert before("weekly", begun)[0] == Period(date(2026, 11, 16), date(2026, 11, 18))
    assert chart_of("weekly", begun) == Period(date(2026, 10, 1), date(2026, 11, 25))


def test_a_period_begins_at_midnight_of_the_company_and_ends_with_a_day_of_its_own_length() -> None:
    since, until = Period(date(2026, 3, 29), date(2026, 3, 29)).moments("Europe/Berlin")
    assert until.timestamp() - since.timestamp() == timedelta(hours=23).total_seconds()


@pytest.mark.parametrize(
    "audience, day, works",
    [
        (Audience("team", "sales"), FRIDAY, True),
        (Audience("team", "sales"), date(2026, 11, 28), False),
        (Audience("team", "sales"), date(2026, 11, 26), False),
        (Audience("team", "sales"), date(2026, 11, 4), False),
        (Audience("team", "night"), date(2026, 11, 28), True),
        (Audience("team", "night"), date(2026, 11, 29), False),
        (Audience("house"), date(2026, 11, 28), True),
        (Audience("house"), date(2026, 11, 29), False),
        (Audience("person", "anna"), FRIDAY, True),
        (Audience("person", "anna"), date(2026, 11, 28), False),
        (Audience("person", "boris"), FRIDAY, False),
        (Audience("person", "boris"), date(2026, 11, 28), True),
    ],
)
def test_a_day_is_one_of_work_where_something_opens_on_it(audience: Audience, day: date, works: bool) -> None:
    """Of a week, a date of its own, a holiday; of a team by its line, of a person by their own hours or the team's."""
    assert works_on(HOUSE, audience, day) is works


def test_working_days_of_a_month_are_without_its_holidays() -> None:
    november = date(2026, 11, 1), date(2026, 11, 30)
    assert working_days(HOUSE, Audience("team", "sales"), *november) == 19
    assert working_days(replace(HOUSE, lines=()), Audience("team", "sales"), *november) == 30
