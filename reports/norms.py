"""Whether a value is good or bad: against its plan, and against what was usual, as far as chance lets one say (pure).

Rules kept here:
1. Usual is the mean of what was seen before, where a value far out is drawn in to the median: one bad day is no norm.
2. What was seen before scatters; more than chance would have it, the less is said of now.
3. What is clearly off its plan is judged by the plan, whatever is usual; all else by what is usual.
4. Of few things, or with little known of before, a value that chance may explain is told as too few, not as usual.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, log, sqrt
from statistics import median
from typing import Final, NamedTuple

from reports.chances import Expected, Number, Share, Spread, Times, wilson
from reports.measures import Count, Measure, Ratio, Unit
from reports.report import Verdict

LEVEL: Final = 0.01
"""A figure of a quiet day is told as good or bad once in so many times."""

BEFORE_LEAST: Final = 3
"""So many periods before must be known."""

FEW: Final = 3
"""With fewer things than this, nothing out of the common is no news."""

_SCALES: Final[Mapping[Unit, tuple[float, float]]] = {
    "share": (0.0, 1.0),
    "points": (-100.0, 100.0),
    "number": (-inf, inf),
}
"""Between which values a measure lies; all others from 0 on."""

_FAR: Final = 3.0
_ENDLESS: Final = 1e9
_NEVER: Final = 0.01
_DAYS_VARY: Final = 0.15
"""By so much the rate of one day differs from that of another, all else being the same, in houses on the whole."""
_SHARES_VARY: Final = 0.01
"""So much alike are two things of one day, in houses on the whole: the correlation of a beta-binomial."""
_TIMES_SCATTER: Final = 1.5
"""So many times as much as exponential ones do times scatter, in houses on the whole."""
_KNOWN_WEIGHT: Final = 6
"""What is seen of scatter in a few periods is taken together with what houses have, as that of so many periods."""


class Seen(NamedTuple):
    """What was seen in one period: a ratio's two counts; of a count, how many, and how long the period was.

    Any unit of length will do (days that were worked, open hours). A period of no length is one that is not known.
    """

    part: float
    whole: float = 1.0


class Judged(NamedTuple):
    """`usual` (None: not known), what chance alone would make of it (`low` to `high`), and the verdict.

    `by_plan`: it is the plan's.
    """

    usual: float | None
    low: float | None
    high: float | None
    verdict: Verdict
    by_plan: bool = False


def judge(measure: Measure, now: Seen, before: Sequence[Seen], *, plan: float | None = None) -> Judged:
    """Judge what was seen in a period by what was seen in periods before, and by its plan (of just this period).

    Leave out what cannot be compared, as a public holiday among working days, or give it no length.
    """
    found = expected(measure, now.whole, before)
    value = value_of(measure, now)
    if value is None:
        return Judged(found.usual if found else None, None, None, "too_few")
    verdict = _by_plan(measure, now, value, plan) if plan is not None else None
    by_plan = verdict in {"good", "bad"}
    if found is None:
        return Judged(None, None, None, verdict or "too_few", by_plan)
    least, most = _SCALES.get(measure.unit, (0.0, inf))
    low, high = (min(max(bound, least), most) for bound in found.bounds(LEVEL))
    value = min(max(value, least), most)
    verdict = verdict or _verdict(measure, value - found.usual, out=not low <= value <= high)
    if verdict == "as_usual" and _few(measure, now, found):
        verdict = "too_few"
    return Judged(found.usual, low, high, verdict, by_plan)


def value_of(measure: Measure, seen: Seen) -> float | None:
    """A measure's value; None when there is nothing to divide by."""
    if isinstance(measure, Count):
        return seen.part
    if seen.whole <= 0:
        return None
    return seen.part / seen.whole * (100.0 if measure.unit == "points" else 1.0)


def expected(measure: Measure, whole: float, before: Sequence[Seen]) -> Expected | None:
    """What may be expected of a measure in a period, by what was seen before; None: too little is known of before."""
    known = [seen for seen in before if seen.whole > 0]
    if whole <= 0 or len(known) < BEFORE_LEAST:
        return None
    if isinstance(measure, Count):
        if measure.unit != "count" or measure.at_end:
            return spread_expected(whole, known, least=1.0 if measure.unit == "count" else 0.0)
        return number_expected(whole, known)
    return _ratio_expected(measure, whole, known)


def _ratio_expected(measure: Ratio, whole: float, known: Sequence[Seen]) -> Expected:
    if measure.unit == "share":
        return share_expected(whole, known)
    if measure.unit == "seconds":
        return times_expected(whole, known)
    if measure.unit == "points":
        return _points_expected(whole, known)
    return _Each(number_expected(whole, known), whole)


def number_expected(whole: float, before: Sequence[Seen]) -> Number:
    """How many things may be expected in a period of length `whole`."""
    drawn = _drawn_in(before, lambda mean, _: mean)
    length = sum(seen.whole for seen in drawn)
    rate = (sum(seen.part for seen in drawn) + 0.5) / length
    mean = rate * whole
    squares = [(seen.part - rate * seen.whole) ** 2 / (rate * seen.whole) for seen in drawn]
    scatter = _scatter(squares, 1 + mean * _DAYS_VARY**2)
    # Negative binomial with the variance of a Poisson that scatters so, and of the rate's own uncertainty.
    return Number(mean, mean / (scatter * (1 + whole / length) - 1))


def share_expected(whole: float, before: Sequence[Seen]) -> Share:
    """Which share of `whole` things may be expected.

    Of a conversion more may reach a step than reached the one before, which others did: then it is all of them.
    """
    before = [Seen(min(max(seen.part, 0.0), seen.whole), seen.whole) for seen in before]
    drawn = _drawn_in(before, lambda mean, whole: mean * max(1 - mean / whole, 0.0))
    every = sum(seen.whole for seen in drawn)
    share = (sum(seen.part for seen in drawn) + 0.5) / (every + 1)
    squares = [(seen.part - share * seen.whole) ** 2 / (seen.whole * share * (1 - share)) for seen in drawn]
    scatter = _scatter(squares, 1 + (whole - 1) * _SHARES_VARY)
    # The weight of what was seen, so that the number of yes has the variance of a binomial one that scatters so.
    alike = (scatter * (1 + whole / every) - 1) / (whole - 1) if whole > 1 else 0.0
    weight = max(1 / alike - 1, 1.0) if alike > 0 else every + 1
    return Share(max(round(whole), 1), share * weight, (1 - share) * weight)


def times_expected(whole: float, before: Sequence[Seen]) -> Times:
    """Which mean of `whole` times may be expected; of times themselves no more is known than sum and number."""
    number = sum(seen.whole for seen in before)
    middle = median(seen.part / seen.whole for seen in before)
    drawn = [Seen(min(seen.part, middle * seen.whole * (1 + _FAR / sqrt(seen.whole))), seen.whole) for seen in before]
    mean = sum(seen.part for seen in drawn) / number
    if mean <= 0:
        return Times(0.0, 2 * whole, 2 * number)
    known = _TIMES_SCATTER + whole * _DAYS_VARY**2
    squares = [seen.whole * log(max(seen.part / seen.whole / mean, _NEVER)) ** 2 for seen in before]
    scatter = _scatter([min(square, _FAR**2 * known) for square in squares], known)
    return Times(mean, 2 * whole / scatter, 2 * number / scatter)


def spread_expected(whole: float, before: Sequence[Seen], least: float = 0.0) -> Spread:
    """Which value of a period of length `whole` may be expected where nothing is known of how it comes about.

    `least`: it scatters at least like the number that it is, times this.
    """
    rates = [seen.part / seen.whole for seen in before]
    middle = median(rates)
    far = _FAR * max(median(abs(rate - middle) for rate in rates) * 1.4826, sqrt(abs(middle) * least))
    drawn = [min(max(rate, middle - far), middle + far) for rate in rates] if far > 0 else rates
    mean = sum(drawn) / len(drawn)
    squares = sum((rate - mean) ** 2 for rate in drawn) / (len(drawn) - 1)
    scatter = sqrt(max(squares, max(mean, 1.0) * least) * (1 + 1 / len(drawn)))
    return Spread(mean * whole, scatter * whole, len(drawn) - 1)


def _points_expected(whole: float, before: Sequence[Seen]) -> Spread:
    """Answers of -1, 0 and 1 scatter at most as if there were no 0, whatever their mean."""
    every = sum(seen.whole for seen in before)
    mean = sum(seen.part for seen in before) / every
    return Spread(100 * mean, 100 * sqrt(max(1 - mean * mean, 1 / every) * (1 / whole + 1 / every)))


def _drawn_in(before: Sequence[Seen], variance: Callable[[float, float], float]) -> list[Seen]:
    """The same, what is far from the median drawn in to where such scatter ends; `variance` of a number and a whole."""
    middle = median(seen.part / seen.whole for seen in before)
    usual = 1.4826 * median(abs(seen.part / seen.whole - middle) for seen in before)
    drawn = []
    for part, whole in before:
        mean = middle * whole
        far = _FAR * max(sqrt(max(variance(mean, whole), 1.0)), usual * whole)
        drawn.append(Seen(min(max(part, mean - far), mean + far), whole))
    return drawn


def _scatter(squares: Sequence[float], usual: float) -> float:
    """How many times as much it scatters as chance alone would have it; `squares`: each as a multiple of that."""
    return max(1.0, (sum(squares) + usual * _KNOWN_WEIGHT) / (len(squares) - 1 + _KNOWN_WEIGHT))


def _by_plan(measure: Measure, now: Seen, value: float, plan: float) -> Verdict | None:
    """What the plan says of it; None when chance may have made the difference.

    What stands at the end of a day, and a sum of times, is no chance.
    """
    if isinstance(measure, Count):
        sure = measure.unit != "count" or measure.at_end
        low, high = (plan, plan) if sure else Number(plan, 1 / _DAYS_VARY**2).bounds(LEVEL)
        out = not low <= value <= high
    elif measure.unit == "share":
        low, high = wilson(now.part, now.whole, LEVEL)
        out = not low <= plan <= high
    elif measure.unit == "seconds":
        low, high = Times(plan, 2 * now.whole, _ENDLESS).bounds(LEVEL)
        out = not low <= value <= high
    elif measure.unit == "points":
        low, high = Spread(plan, 100 * sqrt(max(1 - (plan / 100) ** 2, 0.0) / now.whole)).bounds(LEVEL)
        out = not low <= value <= high
    else:
        low, high = Number(plan * now.whole, 1 / _DAYS_VARY**2).bounds(LEVEL)
        out = not low <= now.part <= high
    return _verdict(measure, value - plan, out=True) if out else None


def _verdict(measure: Measure, difference: float, *, out: bool) -> Verdict:
    if not out or not difference or measure.better == "neither":
        return "as_usual"
    return "good" if (difference > 0) == (measure.better == "more") else "bad"


def _few(measure: Measure, now: Seen, found: Expected) -> bool:
    if isinstance(measure, Ratio):
        return now.whole < FEW
    return measure.unit == "count" and not measure.at_end and found.usual < FEW


@dataclass(frozen=True, slots=True)
class _Each:
    """A number of things, divided by how many they are shared by."""

    number: Number
    whole: float

    @property
    def usual(self) -> float:
        return self.number.usual / self.whole

    def at_most(self, value: float) -> float:
        return self.number.at_most(value * self.whole)

    def at_least(self, value: float) -> float:
        return self.number.at_least(value * self.whole)

    def bounds(self, level: float) -> tuple[float, float]:
        low, high = self.number.bounds(level)
        return low / self.whole, high / self.whole
