"""A month's plan is shared out by days of work, adds up where it can, and its pace tells how sure it is."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory.hours import read_week
from directory.lead_policy import FunnelStep, LeadPolicy
from directory.model import Company, Directory, Hours, Line, Person, Team
from directory.presence import Absence
from reports.facts import Fact
from reports.measures import Better
from reports.plan_days import HOUSE, PlanDays, Whose, whose_of
from reports.plans import Counted, Plans, adds_up, counted_of, month_plan, pace, plan_of
from reports.registry import MEASURES
from reports.report import Audience
from web.reports.plan_grid import grid

NOVEMBER, DECEMBER = date(2026, 11, 1), date(2026, 12, 1)
ANNA, BORIS, VERA = (Whose("person", key) for key in ("anna", "boris", "vera"))
SALES, SERVICE = Whose("team", "sales"), Whose("team", "service")
DIRECTORY = Directory(
    company=Company(name="Ромашка"),
    hours=(
        Hours("office", read_week({"mon-fri": "09:00-18:00"}), "RU"),
        Hours("weekend", read_week({"sat,sun": "10:00-16:00"})),
    ),
    people=(
        Person(key="anna", name="Анна", role="manager"),
        Person(key="boris", name="Борис", role="manager"),
        Person(key="vera", name="Вера", role="manager", hours="weekend"),
        Person(key="galina", name="Галина", role="head"),
    ),
    teams=(
        Team(key="sales", name="Продажи", strategy="hunt", members=("anna", "boris", "galina"), hours="office"),
        Team(key="service", name="Сервис", strategy="hunt", members=("vera",), hours="office"),
    ),
    lines=(
        Line(number="74951234567", name="Основная", team="sales", campaign="yandex"),
        Line(number="74957654321", name="Вторая", team="service", campaign="yandex"),
        Line(number="74951111111", name="Сервисная", team="service"),
    ),
)


def planned(
    values: Mapping[tuple[Whose, str], float],
    month: date = NOVEMBER,
    away: Mapping[str, tuple[Absence, ...]] | None = None,
) -> Plans:
    """Plans of one month."""
    days = PlanDays(DIRECTORY, away or {})
    return Plans(DIRECTORY, {(month, whose, measure): value for (whose, measure), value in values.items()}, days)


def november(day: int) -> date:
    """A day of November 2026, which has 20 working days: the fourth is a holiday."""
    return date(2026, 11, day)


def test_a_day_has_its_share_by_working_days() -> None:
    """The Wednesday of the holiday and Saturdays have none; the week of the holiday has four."""
    plans = planned({(SALES, "leads_in"): 200})
    shares = {day: plan_of(plans, "leads_in", SALES, november(day), november(day)) for day in (3, 4, 5, 7)}
    assert shares == {3: 10, 4: 0, 5: 10, 7: 0}
    assert plan_of(plans, "leads_in", SALES, november(2), november(8)) == 40


def test_shares_of_days_add_up_to_the_month() -> None:
    plans = planned({(SALES, "leads_in"): 137})
    shares = [plan_of(plans, "leads_in", SALES, november(day), november(day)) or 0.0 for day in range(1, 31)]
    assert sum(shares) == pytest.approx(137)
    assert plan_of(plans, "leads_in", SALES, november(1), november(30)) == pytest.approx(137)


def test_who_is_away_has_the_plan_of_the_month_on_the_days_that_are_left() -> None:
    """Anna is away for ten working days, the last one only till noon is over."""
    noon = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)  # 12:30 in Moscow
    away = {"anna": (Absence(1, datetime(2026, 11, 8, 21, tzinfo=UTC), noon),)}
    plans = planned({(ANNA, "won"): 20}, away=away)
    assert [plan_of(plans, "won", ANNA, november(day), november(day)) for day in (6, 9, 20, 23)] == [2, 0, 0, 2]
    assert plan_of(plans, "won", ANNA, november(1), november(30)) == 20


def test_who_is_away_all_month_has_the_plan_by_the_calendar() -> None:
    """Nothing is divided by nought, and the month still has its plan."""
    away = {"anna": (Absence(1, datetime(2026, 10, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),)}
    plans = planned({(ANNA, "won"): 30}, away=away)
    assert plan_of(plans, "won", ANNA, november(10), november(10)) == 1
    assert plan_of(plans, "won", ANNA, november(1), november(30)) == 30


def test_people_with_hours_of_their_own_have_their_own_working_days() -> None:
    plans = planned({(VERA, "won"): 18})
    assert [plan_of(plans, "won", VERA, november(day), november(day)) for day in (6, 7, 8)] == [0, 2, 2]


def test_a_week_in_two_months_has_a_share_of_each() -> None:
    """30 November is one of 20 days, 1 to 6 December are four of 22; a month without a plan leaves the week without."""
    plans = planned({(SALES, "leads_in"): 200})
    week = date(2026, 11, 30), date(2026, 12, 6)
    assert plan_of(plans, "leads_in", SALES, *week) is None
    both = replace(plans, values={**plans.values, (DECEMBER, SALES, "leads_in"): 220})
    assert plan_of(both, "leads_in", SALES, *week) == pytest.approx(10 + 40)


def test_a_rate_is_the_same_on_every_day() -> None:
    """Of a week in two months it is the mean by days."""
    plans = planned({(SALES, "qualified_share"): 0.5})
    assert plan_of(plans, "qualified_share", SALES, november(4), november(4)) == 0.5
    both = replace(plans, values={**plans.values, (DECEMBER, SALES, "qualified_share"): 0.6})
    assert plan_of(both, "qualified_share", SALES, date(2026, 11, 30), date(2026, 12, 6)) == pytest.approx(0.58)


def test_counts_add_up_where_everybody_has_one() -> None:
    """A head has none and is not missed; a manager without one is."""
    plans = planned({(ANNA, "leads_in"): 30, (BORIS, "leads_in"): 50, (SERVICE, "leads_in"): 7})
    assert month_plan(plans, "leads_in", SALES, november(27)) == 80
    assert month_plan(plans, "leads_in", HOUSE, NOVEMBER) == 87
    own = planned({(ANNA, "leads_in"): 30, (BORIS, "leads_in"): 50, (SALES, "leads_in"): 100})
    assert month_plan(own, "leads_in", SALES, NOVEMBER) == 100
    assert month_plan(planned({(ANNA, "leads_in"): 30}), "leads_in", SALES, NOVEMBER) is None
    assert month_plan(plans, "leads_in", HOUSE, DECEMBER) is None


def test_lines_make_up_a_source() -> None:
    lines = {(Whose("line", "74951234567"), "qualified"): 4.0, (Whose("line", "74957654321"), "qualified"): 5.0}
    assert month_plan(planned(lines), "qualified", Whose("source", "yandex"), NOVEMBER) == 9
    assert month_plan(planned(lines), "qualified", Whose("source", "Сервисная"), NOVEMBER) is None


def test_rates_and_what_stands_are_handed_down() -> None:
    plans = planned({(HOUSE, "missed_share"): 0.05, (SALES, "missed_share"): 0.03, (HOUSE, "overdue"): 0})
    found = {
        str(whose): month_plan(plans, "missed_share", whose, NOVEMBER)
        for whose in (ANNA, VERA, SERVICE, Whose("line", "74951234567"), Whose("source", "yandex"))
    }
    assert found == {
        "person anna": 0.03,
        "person vera": 0.05,
        "team service": 0.05,
        "line 74951234567": 0.03,
        "source yandex": 0.05,
    }
    assert month_plan(plans, "overdue", ANNA, NOVEMBER) == 0


def test_a_plan_of_a_step_is_of_the_leads_that_reached_it() -> None:
    facts = [
        Fact(november(2), "steps", "sales", "74951234567", "anna", "meeting", 3),
        Fact(november(3), "steps", "sales", "74951234567", "anna", "contract", 1),
        Fact(november(3), "steps", "sales", "74957654321", "boris", "meeting", 2),
        Fact(november(3), "steps", "sales", "74957654321", "", "", 2, hour=11),
    ]
    assert counted_of(facts, "step.meeting", SALES, DIRECTORY).daily == {november(2): 3, november(3): 2}
    assert counted_of(facts, "step.meeting", ANNA, DIRECTORY).daily == {november(2): 3}
    assert counted_of(facts, "step.contract", Whose("source", "yandex"), DIRECTORY).daily == {november(3): 1}
    assert counted_of(facts, "step.meeting", HOUSE, DIRECTORY, over=november(2)).daily == {november(2): 3}
    assert whose_of(Audience("team", "sales")) == SALES


def test_what_stood_on_another_day_stands_no_more_when_there_is_none_of_it() -> None:
    facts = [Fact(november(2), "overdue", "sales", "", "anna", "", 5)]
    assert counted_of(facts, "overdue", SALES, DIRECTORY, stood=november(5)).daily == {november(2): 5, november(5): 0}
    assert counted_of(facts, "overdue", SALES, DIRECTORY, stood=november(2)).daily == {november(2): 5}
    assert counted_of([], "overdue", SALES, DIRECTORY).daily == {}
    assert counted_of([], "leads_in", SALES, DIRECTORY, stood=november(5)).daily == {}
    plans = planned({(SALES, "overdue"): 3})
    (row,) = grid(plans, facts, [SALES], ["overdue"], NOVEMBER, november(4), november(5), "en")
    assert row.cells[0] is not None
    assert (row.cells[0].so_far, row.cells[0].outlook) == ("0", "kept")


def test_a_plan_of_a_conversion_is_of_those_that_reached_the_step_before() -> None:
    """Before the first step they were qualified."""
    told = (("qualified", "", 10), ("steps", "meeting", 5), ("steps", "contract", 1))
    facts = [Fact(november(2), count, "sales", "", "anna", detail, value) for count, detail, value in told]
    funnel = LeadPolicy(funnel=(FunnelStep(key="meeting", name="Встреча"), FunnelStep(key="contract", name="Договор")))
    house = replace(DIRECTORY, leads=funnel)
    found = {
        step: pace(
            planned({}), f"conversion.{step}", SALES, november(2), counted_of(facts, f"conversion.{step}", SALES, house)
        )
        for step in ("meeting", "contract")
    }
    assert {step: one.so_far for step, one in found.items()} == {"meeting": 0.5, "contract": 0.2}
    assert month_plan(planned({(HOUSE, "conversion.meeting"): 0.4}), "conversion.meeting", ANNA, NOVEMBER) == 0.4


def test_pace_tells_where_the_month_is_going() -> None:
    """By Friday the thirteenth nine of twenty days are gone: 36 came, four a day, so 80 will."""
    plans = planned({(SALES, "leads_in"): 100})
    days = [november(day) for day in (2, 3, 5, 6, 9, 10, 11, 12, 13)]
    found = pace(plans, "leads_in", SALES, november(13), Counted(daily=dict.fromkeys(days, 4)))
    assert (found.days_gone, found.days_left, found.so_far, found.due) == (9, 11, 36, 45)
    assert found.forecast == pytest.approx(80)
    assert found.needed == pytest.approx(64 / 11)
    assert found.low is not None
    assert found.high is not None
    assert 60 < found.low < 80 < found.high < 100


def test_a_day_that_goes_on_is_expected_to_bring_only_the_rest() -> None:
    """Three have come today, four do a day: one more is expected of it; where five have, none is."""
    plans = planned({(SALES, "leads_in"): 100})
    whole = dict.fromkeys((november(day) for day in (2, 3, 5, 6)), 4.0)
    forecasts = [
        pace(plans, "leads_in", SALES, november(8), Counted(daily={**whole, november(9): today})).forecast
        for today in (0.0, 3.0)
    ]
    assert forecasts == [pytest.approx(80), pytest.approx(80)]


def test_a_month_that_is_over_ends_with_what_was() -> None:
    plans = planned({(SALES, "leads_in"): 10})
    found = pace(plans, "leads_in", SALES, november(30), Counted(daily={november(2): 4, november(30): 5}))
    assert (found.forecast, found.low, found.high, found.needed, found.due) == (9, 9, 9, None, 10)


def test_before_the_first_day_is_over_nothing_is_foretold() -> None:
    """The last day of October is over; what is needed a day is known all the same."""
    plans = planned({(SALES, "leads_in"): 100})
    found = pace(plans, "leads_in", SALES, date(2026, 10, 31), Counted(), month=NOVEMBER)
    assert (found.forecast, found.low, found.high, found.due, found.needed) == (None, None, None, 0, 5)


def test_what_is_reached_needs_nothing_more() -> None:
    found = pace(planned({(SALES, "won"): 3}), "won", SALES, november(2), Counted(daily={november(2): 4}))
    assert found.needed == 0


def test_a_rate_is_what_it_is_so_far() -> None:
    """Of nothing there is none. Few leads leave a share open; what stands at the end of days is as it stood last."""
    plans = planned({(SALES, "qualified_share"): 0.5})
    found = pace(plans, "qualified_share", SALES, november(3), Counted(daily={november(2): 1, november(3): 2}, whole=4))
    assert (found.plan, found.so_far, found.forecast) == (0.5, 0.75, 0.75)
    assert found.outlook("more") == "open"
    many = pace(plans, "qualified_share", SALES, november(3), Counted(daily={november(2): 300}, whole=400))
    assert many.outlook("more") == "kept"
    assert many.outlook("fewer") == "missed"
    assert pace(plans, "qualified_share", SALES, november(3), Counted(whole=0)).so_far is None
    assert pace(plans, "nps", SALES, november(3), Counted(daily={november(2): 1}, whole=4)).so_far == 25
    assert pace(plans, "overdue", SALES, november(3), Counted(daily={november(2): 7, november(3): 2})).so_far == 2


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.sampled_from([key for key in MEASURES if not adds_up(key)]))
def test_whatever_is_counted_a_rate_is_told(part: int, whole: int, measure: str) -> None:
    """Also of more than the whole; of seconds a share has no bounds, for they do not come one by one."""
    counted = Counted(daily={november(2): part}, whole=whole)
    told = pace(planned({(SALES, measure): 0.5}), measure, SALES, november(3), counted)
    assert told.outlook("more") in {None, "kept", "open", "missed"}
    if told.low is not None:
        assert told.high is not None
        assert told.so_far is not None
        assert told.low <= told.so_far + 1e-9
        assert told.so_far <= told.high + 1e-9
        assert measure != "staff_share"


@pytest.mark.parametrize(
    "better, plan, outlook",
    [
        ("more", 60, "kept"),
        ("more", 80, "open"),
        ("more", 100, "missed"),
        ("fewer", 100, "kept"),
        ("fewer", 80, "open"),
        ("fewer", 60, "missed"),
        ("neither", 60, None),
    ],
)
def test_whether_a_plan_will_be_kept_is_told_when_it_can_be(better: Better, plan: float, outlook: str | None) -> None:
    """Forty came in ten of twenty days."""
    days = [november(day) for day in (2, 3, 5, 6, 9, 10, 11, 12, 13, 16)]
    counted = Counted(daily=dict.fromkeys(days, 4))
    assert pace(planned({(SALES, "leads_in"): plan}), "leads_in", SALES, days[-1], counted).outlook(better) == outlook
    assert pace(planned({}), "leads_in", SALES, days[-1], counted).outlook(better) is None
    assert pace(planned({(SALES, "leads_in"): plan}), "leads_in", SALES, november(1), Counted()).outlook(better) is None


@pytest.mark.parametrize("gone, a_day", [(3, 0.3), (5, 4.0), (10, 1.0), (15, 12.0)])
def test_nine_months_of_ten_end_within_the_bounds(gone: int, a_day: float) -> None:
    """As told: of generated months, whatever the number of days that are gone and of what comes a day."""
    chance = random.Random(1)
    plans = planned({})
    days = plans.days.of(SALES, NOVEMBER, november(30))
    within = 0
    for _ in range(400):
        came = {day: _poisson(chance, a_day) for day in days}
        told = pace(plans, "leads_in", SALES, days[gone - 1], Counted(daily={day: came[day] for day in days[:gone]}))
        assert told.low is not None
        assert told.high is not None
        within += told.low <= sum(came.values()) <= told.high
    assert within >= 0.88 * 400


@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=30),
    st.integers(0, 500),
    st.sampled_from([SALES, HOUSE, ANNA, VERA]),
)
def test_whatever_comes_a_forecast_is_between_its_bounds_and_not_below_what_came(
    came: list[int], plan: int, whose: Whose
) -> None:
    plans = planned({(whose, "leads_in"): plan})
    daily = {NOVEMBER + timedelta(days=number): float(value) for number, value in enumerate(came)}
    told = pace(plans, "leads_in", whose, max(daily), Counted(daily=daily))
    if told.forecast is not None:
        assert told.low is not None
        assert told.high is not None
        assert sum(came) <= told.low <= told.forecast + 1e-9
        assert told.forecast <= told.high + 1e-9
    if told.needed is not None:
        assert (told.so_far or 0) + told.needed * told.days_left >= plan - 1e-6


def _poisson(chance: random.Random, mean: float) -> float:
    below, number, product = math.exp(-mean), 0, chance.random()
    while product > below:
        number, product = number + 1, product * chance.random()
    return float(number)
