"""The plans of a month with how each goes, as the API and the command line tell them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from directory.model import Directory
from reports.fact_rows import last_counted, read_facts
from reports.periods import period_of
from reports.plan_days import Whose
from reports.plan_rows import read_plans
from reports.plans import Pace, counts_planned, measure_of, pace
from reports.report import Outlook
from web.reports.plan_grid import facts_by, known_of


@dataclass(frozen=True, slots=True)
class ToldPlan:
    """One plan that somebody made, and its month so far."""

    whose: Whose
    measure: str
    value: float
    pace: Pace

    @property
    def outlook(self) -> Outlook | None:
        """Whether it will be kept."""
        measure = measure_of(self.measure)
        return self.pace.outlook(measure.better) if measure else None

    def to_json(self) -> dict[str, Any]:
        """As programs read it; shares are 0 to 1, times are seconds."""
        return {
            "kind": self.whose.kind,
            "key": self.whose.key,
            "measure": self.measure,
            "value": self.value,
            "so_far": self.pace.so_far,
            "due": self.pace.due,
            "forecast": self.pace.forecast,
            "low": self.pace.low,
            "high": self.pace.high,
            "needed_a_day": self.pace.needed,
            "outlook": self.outlook,
        }


async def told_plans(
    connection: AsyncConnection, directory: Directory, month: date, today: date, mine: Collection[Whose]
) -> list[ToldPlan]:
    """The plans of a month of `mine`, by whose and measure; today is not over yet."""
    last = period_of("monthly", month).last
    plans = await read_plans(connection, directory, month)
    values = {(whose, key): value for (_, whose, key), value in plans.values.items() if whose in set(mine)}
    counts = counts_planned((key for _, key in values), directory.leads)
    facts = await read_facts(connection, month, last, counts=counts)
    known, over = facts_by(facts, directory), min(today - timedelta(days=1), last)
    counted = await last_counted(connection, month, last)
    stood = counted.day if counted else None
    return [
        ToldPlan(whose, key, value, pace(plans, key, whose, over, known_of(plans, known, whose, key, stood), month))
        for (whose, key), value in sorted(values.items())
    ]
