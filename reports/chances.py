"""How often chance alone gives as little or as much: the distributions that norms and anomalies are told by (pure).

Each is what may be expected of a period once others were seen. A negative binomial of counts: Poisson numbers whose
rate is known from a few periods only (Gamma-Poisson, Jeffreys' prior) and which scatter more than Poisson ones. A
beta-binomial of shares, likewise. The F distribution of a mean of times that are spread like exponential ones, or more.
Student's t of what is neither. Sources: Johnson, Kemp, Kotz, Univariate Discrete Distributions, 5 and 6.2.2; DLMF 8.17
for the incomplete beta function, whose continued fraction (8.17.22) is summed by Lentz's method.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from math import ceil, exp, floor, inf, isinf, lgamma, log, log1p, sqrt
from statistics import NormalDist
from typing import Final, Protocol

_EPSILON: Final = 1e-12
_ROUNDED: Final = 1e-6
"""A number of things that was divided and multiplied again is whole but for this."""

_REACHED: Final = 1e-9
_NEARER_MOST: Final = 60
_STEPS_MOST: Final = 10_000
_SUMMED_MOST: Final = 5_000
"""A share of more things than these is told by the normal distribution, which is as good there."""

_NORMAL: Final = NormalDist()


class Expected(Protocol):
    """What may be expected of a value. `usual` is its middle."""

    @property
    def usual(self) -> float:
        """What it is on the whole."""

    def at_most(self, value: float) -> float:
        """How likely it is no more than this."""

    def at_least(self, value: float) -> float:
        """How likely it is no less than this."""

    def bounds(self, level: float) -> tuple[float, float]:
        """Between which values it lies but for `level` of all times, half of these on each side."""


@dataclass(frozen=True, slots=True)
class Number:
    """How many: negative binomial with `mean`, and the less `size` is the wider; Poisson when that is infinite."""

    mean: float
    size: float = inf

    @property
    def usual(self) -> float:
        """The mean."""
        return self.mean

    def at_most(self, value: float) -> float:
        """P(X <= value)."""
        if value < 0:
            return 0.0
        if self.mean <= 0:
            return 1.0
        # A Poisson is a negative binomial of which the size is out of sight.
        size = min(self.size, 1e6 * max(self.mean, 1.0))
        return beta_below(size / (size + self.mean), size, floor(value + _ROUNDED) + 1)

    def at_least(self, value: float) -> float:
        """P(X >= value)."""
        return 1.0 if value <= _ROUNDED else 1.0 - self.at_most(ceil(value - _ROUNDED) - 1)

    def bounds(self, level: float) -> tuple[float, float]:
        """The least and the greatest number that are not out of the common."""
        if self.mean <= 0:
            return 0.0, 0.0
        spread = sqrt(self.mean + self.mean * self.mean / self.size)
        away, step = _NORMAL.inv_cdf(1 - level / 2) * spread, ceil(spread / 8)
        low = _first(lambda number: self.at_most(number) > level / 2, self.mean - away, step)
        high = _first(lambda number: self.at_least(number + 1) <= level / 2, self.mean + away, step)
        return float(low), float(high)


@dataclass(frozen=True, slots=True)
class Share:
    """Which share of `whole` things: beta-binomial, with the weights `yes` and `no` of what was seen before."""

    whole: int
    yes: float
    no: float

    @property
    def usual(self) -> float:
        """The mean share."""
        return self.yes / (self.yes + self.no)

    def at_most(self, value: float) -> float:
        """P(share <= value)."""
        return self._below(floor(value * self.whole + _ROUNDED))

    def at_least(self, value: float) -> float:
        """P(share >= value)."""
        return Share(self.whole, self.no, self.yes).at_most(1.0 - value)

    def bounds(self, level: float) -> tuple[float, float]:
        """The least and the greatest share that are not out of the common."""
        other = Share(self.whole, self.no, self.yes)
        return self._least(level / 2) / self.whole, (self.whole - other._least(level / 2)) / self.whole

    def _least(self, chance: float) -> int:
        """The least number of yes that no more than are found more often than `chance`."""
        each = self._each()
        if each is None:
            return _bisect(lambda number: self._below(number) > chance, 0, self.whole)
        total = 0.0
        for number, one in enumerate(each):
            total += one
            if total > chance:
                return number
        return self.whole

    def _below(self, part: int) -> float:
        whole, yes, no = self.whole, self.yes, self.no
        if part < 0:
            return 0.0
        if part >= whole:
            return 1.0
        every = yes + no
        if whole > _SUMMED_MOST:
            spread = sqrt(whole * yes * no / every**2 * (every + whole) / (every + 1))
            return _NORMAL.cdf((part + 0.5 - whole * yes / every) / spread)
        each = self._each()
        return _summed_by_logs(part, self) if each is None else min(1.0, sum(islice(each, part + 1)))

    def _each(self) -> Iterator[float] | None:
        """How likely no yes is, one, and so on, each made of the one before; None: that of none is too little."""
        whole, yes, no = self.whole, self.yes, self.no
        if whole > _SUMMED_MOST:
            return None
        chance = exp(lgamma(no + whole) - lgamma(no) + lgamma(yes + no) - lgamma(yes + no + whole))
        return self._from(chance) if chance > 0 else None

    def _from(self, chance: float) -> Iterator[float]:
        yield chance
        for number in range(self.whole):
            left = self.whole - number
            chance *= left * (self.yes + number) / ((number + 1) * (self.no + left - 1))
            yield chance


@dataclass(frozen=True, slots=True)
class Times:
    """A mean of times that scatter like exponential ones: `usual` times an F of `now` and `before` degrees."""

    usual: float
    now: float
    before: float

    def at_most(self, value: float) -> float:
        """P(mean <= value)."""
        if value <= 0 or self.usual <= 0:
            return 0.0 if value < self.usual else 1.0
        ratio = self.now * value / self.usual
        return beta_below(ratio / (ratio + self.before), self.now / 2, self.before / 2)

    def at_least(self, value: float) -> float:
        """P(mean >= value)."""
        return 1.0 - self.at_most(value)

    def bounds(self, level: float) -> tuple[float, float]:
        """Where the tails of half a level each begin."""
        if self.usual <= 0:
            return self.usual, self.usual
        low, high = (_crossing(self.at_most, chance, 0.0, self.usual) for chance in (level / 2, 1 - level / 2))
        return low, high


@dataclass(frozen=True, slots=True)
class Spread:
    """Any value with a middle and a scatter: Student's t with `degrees` (infinite: normal)."""

    usual: float
    scatter: float
    degrees: float = inf

    def at_most(self, value: float) -> float:
        """P(X <= value)."""
        if self.scatter <= 0:
            return 1.0 if value >= self.usual else 0.0
        away = (value - self.usual) / self.scatter
        if isinf(self.degrees):
            return _NORMAL.cdf(away)
        tail = beta_below(self.degrees / (self.degrees + away * away), self.degrees / 2, 0.5) / 2
        return tail if away < 0 else 1.0 - tail

    def at_least(self, value: float) -> float:
        """P(X >= value)."""
        return Spread(-self.usual, self.scatter, self.degrees).at_most(-value)

    def bounds(self, level: float) -> tuple[float, float]:
        """Where the tails of half a level each begin."""
        if self.scatter <= 0:
            return self.usual, self.usual
        away = self.scatter * _student(level / 2, self.degrees)
        return self.usual + away, self.usual - away


@lru_cache(maxsize=4096)
def _student(chance: float, degrees: float) -> float:
    """Below which value Student's t is so often."""
    return _crossing(Spread(0.0, 1.0, degrees).at_most, chance, -1000.0, 1.0)


def wilson(part: float, whole: float, level: float) -> tuple[float, float]:
    """Between which shares the true one lies when `part` of `whole` was seen, but for `level` of all times.

    Wilson's score interval (E. B. Wilson, JASA 22, 1927), which is right for few things and for shares near 0 and 1.
    Of other things there may be more than of the whole: then it is all.
    """
    z = _NORMAL.inv_cdf(1 - level / 2)
    share, square = min(max(part / whole, 0.0), 1.0), z * z
    middle = (share + square / (2 * whole)) / (1 + square / whole)
    half = z / (1 + square / whole) * sqrt(share * (1 - share) / whole + square / (4 * whole * whole))
    return max(0.0, middle - half), min(1.0, middle + half)


def holm(chances: Sequence[float], level: float) -> list[bool]:
    """Which of all that was looked at is no chance, so that a day on which nothing is has none but for `level`.

    Holm's step-down procedure (S. Holm, Scand. J. Statist. 6, 1979): valid however the looks depend on one another.
    """
    told = [False] * len(chances)
    for rank, index in enumerate(sorted(range(len(chances)), key=lambda index: chances[index])):
        if chances[index] > level / (len(chances) - rank):
            break
        told[index] = True
    return told


def beta_below(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b)."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(x, a, b) / a
    return 1.0 - front * _fraction(1 - x, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of the incomplete beta function, by Lentz's method."""
    least = 1e-300
    c, d = 1.0, 1.0 / (1.0 - (a + b) * x / (a + 1) or least)
    value = d
    for step in range(1, _STEPS_MOST):
        for term in (
            step * (b - step) * x / ((a + 2 * step - 1) * (a + 2 * step)),
            -(a + step) * (a + b + step) * x / ((a + 2 * step) * (a + 2 * step + 1)),
        ):
            d = 1.0 / (1.0 + term * d or least)
            c = 1.0 + term / c or least
            value *= c * d
        if abs(c * d - 1.0) < _EPSILON:
            break
    return value


def _summed_by_logs(part: int, share: Share) -> float:
    """The chance of `part` yes at most, where that of none is too little for a float."""
    whole, yes, no = share.whole, share.yes, share.no
    outside = lgamma(whole + 1) + lgamma(yes + no) - lgamma(yes) - lgamma(no) - lgamma(whole + yes + no)
    logs = (
        outside + lgamma(yes + k) + lgamma(no + whole - k) - lgamma(k + 1) - lgamma(whole - k + 1)
        for k in range(part + 1)
    )
    return min(1.0, sum(map(exp, logs)))


def _first(true: Callable[[int], bool], near: float, step: int) -> int:
    """The least number from 0 on of which it is true, when it is true of all after it; it is looked for from `near`.

    By strides of `step`, each twice the one before it, until it lies between two.
    """
    low = high = max(0, int(near))
    while not true(high):
        low, high, step = high + 1, high + step, 2 * step
    while low > 0 and true(low - 1):
        high, low, step = low - 1, max(0, low - step), 2 * step
    return _bisect(true, low, high)


def _bisect(true: Callable[[int], bool], low: int, high: int) -> int:
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if true(middle) else (middle + 1, high)
    return low


def _crossing(below: Callable[[float], float], chance: float, low: float, step: float) -> float:
    """Where a rising function first reaches `chance`: above `low`, some `step` away.

    By the Illinois method (M. Dowell, P. Jarratt, BIT 11, 1971), a secant that keeps the value on either side.
    """
    other, at_other = low, below(low) - chance
    last = low + step
    while (at_last := below(last) - chance) < 0:
        other, at_other, step = last, at_last, 2 * step
        last = other + step
    for _ in range(_NEARER_MOST):
        if abs(at_last) <= _REACHED:
            break
        middle = last - at_last * (last - other) / (at_last - at_other)
        at_middle = below(middle) - chance
        if (at_middle < 0) == (at_last < 0):
            at_other /= 2
        else:
            other, at_other = last, at_last
        last, at_last = middle, at_middle
    return last
