"""Good or bad: by what was usual and by the plan, as far as chance lets one say."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.chances import Spread
from reports.norms import Seen, expected, judge, value_of
from reports.registry import MEASURES

MISSED, LEADS, CALLS = MEASURES["missed"], MEASURES["leads_in"], MEASURES["calls_in"]
SHARE, WAIT, NPS, OVERDUE = MEASURES["missed_share"], MEASURES["wait"], MEASURES["nps"], MEASURES["overdue"]


def days(*values: float) -> list[Seen]:
    return [Seen(value) for value in values]


def shares(*parts: float, whole: float = 60) -> list[Seen]:
    return [Seen(part, whole) for part in parts]


USUAL = days(4, 5, 3, 6, 4, 5, 5, 4)


@pytest.mark.parametrize("now, verdict", [(5, "as_usual"), (9, "as_usual"), (20, "bad"), (0, "as_usual")])
def test_more_missed_calls_are_bad_only_where_chance_does_not_make_them(now: float, verdict: str) -> None:
    judged = judge(MISSED, Seen(now), USUAL)
    assert judged.verdict == verdict
    assert judged.usual == pytest.approx(4.5, abs=0.1)
    assert judged.low == 0.0
    assert judged.high == pytest.approx(12, abs=1)


def test_which_way_is_good_is_the_measures_own() -> None:
    assert judge(LEADS, Seen(20), USUAL).verdict == "good"
    assert judge(CALLS, Seen(20), USUAL).verdict == "as_usual"


def test_one_bad_day_is_no_norm() -> None:
    usual = judge(MISSED, Seen(4), days(4, 5, 3, 60, 4, 5, 5, 4)).usual
    assert usual is not None
    assert usual < 6


def test_what_scatters_more_is_judged_less() -> None:
    even = judge(MISSED, Seen(45), days(20, 19, 21, 20, 20, 19, 21, 20))
    uneven = judge(MISSED, Seen(45), days(10, 31, 8, 35, 22, 9, 33, 14))
    assert (even.verdict, uneven.verdict) == ("bad", "as_usual")


def test_a_few_of_what_are_always_few_is_too_few_to_tell() -> None:
    assert judge(MISSED, Seen(2), days(1, 0, 0, 2, 1, 0, 1, 1)).verdict == "too_few"
    assert judge(MISSED, Seen(9), days(1, 0, 0, 2, 1, 0, 1, 1)).verdict == "bad"
    assert judge(SHARE, Seen(1, 2), shares(4, 5, 3, 4)).verdict == "too_few"


def test_a_house_of_two_weeks_knows_nothing_usual() -> None:
    assert judge(MISSED, Seen(50), days(1, 2)) == (None, None, None, "too_few", False)


def test_a_day_of_no_length_is_compared_with_none() -> None:
    closed = [*USUAL[:4], Seen(0, 0.0), *USUAL[4:]]
    assert judge(MISSED, Seen(5), closed) == judge(MISSED, Seen(5), USUAL)
    assert judge(MISSED, Seen(0, 0.0), USUAL).usual is None


def test_a_period_is_compared_by_its_length() -> None:
    weeks = [Seen(50, 5.0), Seen(44, 4.0), Seen(55, 5.0), Seen(48, 5.0)]
    judged = judge(MISSED, Seen(31, 3.0), weeks)
    assert judged.usual == pytest.approx(31, abs=1)
    assert judged.verdict == "as_usual"


def test_a_share_of_few_is_judged_by_their_number() -> None:
    before = shares(6, 5, 7, 6, 6, 5, 7, 6)
    assert judge(SHARE, Seen(2, 7), before).verdict == "as_usual"
    assert judge(SHARE, Seen(30, 105), before).verdict == "bad"


def test_a_mean_of_times_is_judged_by_how_many_they_were() -> None:
    before = [Seen(60.0 * mean, 60) for mean in (14, 15, 13, 16, 14, 15, 15, 14)]
    assert judge(WAIT, Seen(5 * 25.0, 5), before).verdict == "as_usual"
    assert judge(WAIT, Seen(60 * 30.0, 60), before).verdict == "bad"
    assert judge(WAIT, Seen(60 * 6.0, 60), before).verdict == "good"


def test_nothing_to_divide_by_is_no_value() -> None:
    assert judge(WAIT, Seen(0.0, 0), [Seen(60.0, 6)] * 4).verdict == "too_few"


def test_a_promoter_more_or_less_among_few_answers_is_no_news() -> None:
    before = shares(4, 5, 3, 6, whole=10)
    assert judge(NPS, Seen(1, 2), before).verdict == "too_few"
    assert judge(NPS, Seen(2, 10), before).verdict == "as_usual"
    assert judge(NPS, Seen(-9, 10), before).verdict == "bad"


def test_what_stands_at_the_end_of_a_day_is_judged_by_how_it_stood_before() -> None:
    assert judge(OVERDUE, Seen(6), USUAL).verdict == "as_usual"
    assert judge(OVERDUE, Seen(30), USUAL).verdict == "bad"


@pytest.mark.parametrize(
    "measure, now, plan, verdict",
    [
        ("leads_in", Seen(5), 5.0, "as_usual"),
        ("leads_in", Seen(5), 25.0, "bad"),
        ("overdue", Seen(5), 4.0, "bad"),
        ("missed_share", Seen(6, 60), 0.01, "bad"),
        ("missed_share", Seen(6, 60), 0.08, "as_usual"),
        ("wait", Seen(60 * 14.0, 60), 5.0, "bad"),
        ("nps", Seen(20, 50), 90.0, "bad"),
        ("interruptions_a_talk", Seen(120, 60), 0.2, "bad"),
    ],
)
def test_what_is_clearly_short_of_its_plan_is_bad_however_usual(
    measure: str, now: Seen, plan: float, verdict: str
) -> None:
    assert judge(MEASURES[measure], now, [now] * 8, plan=plan).verdict == verdict
    assert judge(MEASURES[measure], now, [], plan=plan).verdict in (verdict, "too_few")


@given(st.sampled_from(sorted(MEASURES)), st.lists(st.integers(0, 40), min_size=3, max_size=8), st.integers(0, 40))
def test_whatever_was_seen_before_itself_can_be_expected(key: str, parts: list[int], now: int) -> None:
    seen = [Seen(part, 40) for part in parts]
    judged = judge(MEASURES[key], Seen(now, 40), seen)
    assert judged.usual is not None
    assert judged.low is not None
    assert judged.high is not None
    assert judged.low <= judged.usual <= judged.high or judged.low == pytest.approx(judged.high, abs=0.05)


def test_more_that_reached_a_step_than_the_one_before_are_all_of_them() -> None:
    """The leads of a step are not those of the step before on the same day: seven of five is no error."""
    conversion, before = MEASURES["step_conversion"], [Seen(5, 4), Seen(3, 4), Seen(9, 6), Seen(2, 0), Seen(6, 6)]
    judged = judge(conversion, Seen(7, 5), before, plan=0.3)
    assert judged.verdict == "good"
    assert judged.usual is not None
    assert 0.5 < judged.usual <= 1.0
    assert judge(conversion, Seen(7, 5), before).verdict == "as_usual"


_PARTS = st.one_of(st.integers(0, 10_000), st.floats(-100, 10_000))
_WHOLES = st.one_of(st.integers(0, 10_000), st.floats(0.001, 10_000))


@given(
    st.sampled_from(sorted(MEASURES)),
    st.builds(Seen, _PARTS, _WHOLES),
    st.lists(st.builds(Seen, _PARTS, _WHOLES), max_size=9),
    st.none() | st.floats(0, 10_000),
)
def test_whatever_was_seen_is_judged(key: str, now: Seen, before: list[Seen], plan: float | None) -> None:
    judged = judge(MEASURES[key], now, before, plan=plan)
    assert judged.low is None or (judged.high is not None and judged.low <= judged.high)
    found = expected(MEASURES[key], now.whole, before)
    value = value_of(MEASURES[key], now)
    if found is not None and value is not None:
        assert 0 <= found.at_most(value) <= 1 + 1e-9
        assert -1e-9 <= found.at_least(value) <= 1


def test_bounds_of_what_hardly_scatters_are_around_what_is_usual() -> None:
    for scale in (1e-139, 1e-9, 1.0, 1e12):
        low, high = Spread(scale, scale / 4, 2).bounds(0.05)
        assert (low, high) == pytest.approx((scale * (1 - 4.302653 / 4), scale * (1 + 4.302653 / 4)), rel=1e-6, abs=0)


def test_on_days_that_vary_as_houses_do_a_figure_is_out_about_as_rarely_as_told() -> None:
    rnd, out, looks = Random(7), 0, 400
    for _ in range(looks):
        now, *before = (Seen(sum(rnd.random() < rate / 200 for _ in range(200))) for rate in _rates(rnd))
        low, high = expected(MISSED, 1.0, before).bounds(0.05)  # type: ignore[union-attr]
        out += not low <= now.part <= high
    assert out / looks < 0.08


def _rates(rnd: Random) -> list[float]:
    return [20 * rnd.gammavariate(44, 1 / 44) for _ in range(9)]
