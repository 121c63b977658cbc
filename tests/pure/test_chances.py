"""How often chance alone gives as much: against values that tables and other programs give."""

from __future__ import annotations

from math import comb, exp, factorial, lgamma, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.chances import Expected, Number, Share, Spread, Times, beta_below, holm, wilson

EXPECTED = st.one_of(
    st.builds(Number, st.floats(0.1, 30_000), st.floats(0.5, 1000)),
    st.builds(Share, st.integers(1, 300), st.floats(0.5, 300), st.floats(0.5, 300)),
    st.builds(Times, st.floats(1, 1000), st.floats(0.1, 500), st.floats(6, 5000)),
    st.builds(Spread, st.floats(-50, 50), st.floats(0.1, 20), st.floats(2, 50)),
)


@pytest.mark.parametrize(
    "x, a, b, known",
    [(0.3, 2, 5, 0.579825), (0.5, 0.5, 0.5, 0.5), (0.9, 10, 2, 0.697357), (0.1, 1, 3, 0.271), (0.0, 2, 2, 0.0)],
)
def test_the_incomplete_beta_function_is_that_of_tables(x: float, a: float, b: float, known: float) -> None:
    assert beta_below(x, a, b) == pytest.approx(known, abs=1e-6)


@pytest.mark.parametrize("number, mean", [(0, 0.5), (3, 3.0), (8, 3.0), (25, 20.0)])
def test_a_number_without_more_scatter_is_a_poisson_one(number: int, mean: float) -> None:
    known = sum(exp(-mean) * mean**k / factorial(k) for k in range(number + 1))
    assert Number(mean).at_most(number) == pytest.approx(known, rel=1e-4)
    assert Number(mean).at_least(number + 1) == pytest.approx(1 - known, rel=1e-3)


def test_a_number_with_more_scatter_is_a_negative_binomial_one() -> None:
    mean, size = 5.0, 2.0
    logs = [lgamma(size + k) - lgamma(size) - lgamma(k + 1) + k * log(mean / (mean + size)) for k in range(4)]
    assert Number(mean, size).at_most(3) == pytest.approx(sum(map(exp, logs)) * (size / (mean + size)) ** size)


def test_of_shares_that_are_all_as_likely_each_is() -> None:
    assert [Share(10, 1, 1).at_most(part / 10) for part in range(11)] == pytest.approx(
        [(part + 1) / 11 for part in range(11)]
    )


@pytest.mark.parametrize("whole", [40, 400, 4_000])
def test_a_share_of_much_that_was_seen_is_a_binomial_one(whole: int) -> None:
    known = sum(comb(whole, k) * 3**k * 7 ** (whole - k) for k in range(int(0.28 * whole) + 1)) / 10**whole
    assert Share(whole, 3e8, 7e8).at_most(int(0.28 * whole) / whole) == pytest.approx(known, rel=1e-3)


def test_of_very_many_things_a_share_is_told_as_well() -> None:
    just, more = Share(5_000, 300, 700), Share(5_001, 300, 700)
    assert more.at_most(0.28) == pytest.approx(just.at_most(0.28), abs=2e-3)


def test_means_of_times_have_the_bounds_of_an_f_distribution() -> None:
    assert Times(1.0, 5, 10).at_least(3.3258) == pytest.approx(0.05, abs=1e-4)
    assert Times(1.0, 20, 1e9).bounds(0.05) == pytest.approx((9.591 / 20, 34.170 / 20), abs=1e-3)


def test_what_is_nothing_else_has_the_bounds_of_student() -> None:
    assert Spread(10.0, 2.0, 7).bounds(0.05) == pytest.approx((10 - 2 * 2.3646, 10 + 2 * 2.3646), abs=1e-3)
    assert Spread(0.0, 1.0).at_least(1.959964) == pytest.approx(0.025, abs=1e-6)
    assert Spread(3.0, 0.0).bounds(0.05) == (3.0, 3.0)


@pytest.mark.parametrize(
    "part, whole, known",
    [(7, 10, (0.3968, 0.8922)), (0, 10, (0.0, 0.2775)), (81, 263, (0.2553, 0.3662)), (29, 29, (0.8830, 1.0))],
)
def test_the_interval_of_wilson_is_that_of_newcombe_s_table(part: int, whole: int, known: tuple[float, float]) -> None:
    assert wilson(part, whole, 0.05) == pytest.approx(known, abs=1e-4)


def test_what_is_least_likely_is_believed_first_and_nothing_after_the_first_that_is_not() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005], 0.05) == [True, False, False, True]
    assert holm([0.02, 0.0001], 0.05) == [True, True]
    assert holm([], 0.05) == []


@given(EXPECTED)
def test_what_lies_between_the_bounds_is_no_rarer_than_told(expected: Expected) -> None:
    low, high = expected.bounds(0.05)
    assert low <= high
    assert expected.at_most(low - 1e-4) <= 0.025 + 1e-6
    assert expected.at_least(high + 1e-4) <= 0.025 + 1e-6
    assert expected.at_most(low + 1e-4) >= 0.025 - 1e-4
    assert expected.at_least(high - 1e-4) >= 0.025 - 1e-4
