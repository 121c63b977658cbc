"""How long periods were for somebody, in days of work, so that they can be held against one another (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from reports.periods import Period
from reports.plan_days import PlanDays, Whose


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """`periods`: that of a report, then those before it. Of days before `begun` nothing is known.

    `passed`: which share of the last day has passed, where those before it are whole, 0 to 1.
    """

    days: PlanDays
    periods: Sequence[Period]
    begun: date
    passed: float = 1.0
    _told: dict[Whose, tuple[float, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def of(self, whose: Whose) -> tuple[float, ...]:
        """The length of each period for somebody; 0: not known, or not to be compared.

        Of longer periods that is on how many days they worked. A day is compared with those on which they worked too,
        or on which they did not work either. It is reckoned once for each of them.
        """
        if whose not in self._told:
            self._told[whose] = self._of(whose)
        return self._told[whose]

    def _of(self, whose: Whose) -> tuple[float, ...]:
        worked = [self.days.of(whose, period.first, period.last) for period in self.periods]
        now = self.periods[0]
        if now.first == now.last:
            lengths = [float(bool(days) == bool(worked[0])) for days in worked]
        else:
            lengths = [float(len(days)) for days in worked]
        if now.last in worked[0] or now.first == now.last:
            lengths[0] -= 1 - self.passed
        known = (period.first >= self.begun for period in self.periods[1:])
        return (lengths[0], *(length * there for length, there in zip(lengths[1:], known, strict=True)))
