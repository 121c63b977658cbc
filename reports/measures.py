"""The measures of reports: what is counted, and what is made of counts.

A count is one SQL question that gives a row for each thing counted; the same rows are added up to day facts, and
listed behind the number. A ratio divides two counts. `registry` lists all; `layout` says which of them reports show.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Of = Literal["call", "lead", "promise", "client"]
"""What one row behind a number is: a call, a lead, a promise to call back, or a client's answer about NPS."""

Better = Literal["more", "fewer", "neither"]
"""Which way is good."""

Unit = Literal["count", "seconds", "share", "number", "points"]
"""Of a measure's value: how many; seconds; 0 to 1; so many a thing; -100 to 100."""

Detail = Literal["", "status", "cause", "reason", "step", "stage"]
"""What tells the rows of one count apart, besides line and person; "" of none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many of something, or the sum of its seconds, on a day.

    `items` is a SELECT that gives, for the moments from `:since` on and before `:until`, one row for each thing: `at`
    (timestamptz, which says the day and hour), `call_id` (uuid), `lead_id` and `promise_id` (bigint; null where it has
    none), `line` (as the directory writes it; "" none of ours), `person` (a key; "" nobody), `detail` (text), `value`
    (double: 1, or the seconds). `:zone` is the company's time zone. `at_end`: what is so at the end of the day, not
    what happened on it; of today, now.
    """

    key: str
    of: Of
    items: str
    unit: Unit = "count"
    better: Better = "neither"
    detail: Detail = ""
    at_end: bool = False
    hourly: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """One count divided by another: `share` when the part is of the whole, else a mean.

    `points` is the mean of -1, 0 and 1, times 100. `at_end` is told of a ratio whose counts are.
    """

    key: str
    part: str
    whole: str
    unit: Unit
    better: Better


Measure = Count | Ratio


def counts_of(measure: Measure) -> tuple[str, ...]:
    """The counts that a measure is made of: of a ratio the part, then the whole."""
    return (measure.part, measure.whole) if isinstance(measure, Ratio) else (measure.key,)


def by_key(measures: tuple[Measure, ...]) -> Mapping[str, Measure]:
    """The measures by their keys. Raises ValueError when two share one."""
    found = {one.key: one for one in measures}
    if len(found) != len(measures):
        raise ValueError("two measures have one key")
    return found


PREFIX_OF_STEP: Final = "step."
"""Plans name the leads that reached a step of the funnel so: `step.meeting` is the count `steps` with that detail."""

PREFIX_OF_CONVERSION: Final = "conversion."
"""And so the share of leads that reached it, of those that reached the step before: `conversion.meeting`."""
