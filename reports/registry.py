"""All measures of the house, in the order in which reports show them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from reports.counts import calls, leads, nps, promises, standing, talks
from reports.measures import Count, Measure, Ratio, by_key

COUNTS: Final[tuple[Count, ...]] = (
    *calls.COUNTS,
    *promises.COUNTS,
    *leads.COUNTS,
    *standing.COUNTS,
    *talks.COUNTS,
    *nps.COUNTS,
)

RATIOS: Final[tuple[Ratio, ...]] = (
    *calls.RATIOS,
    *promises.RATIOS,
    *leads.RATIOS,
    *talks.RATIOS,
    *nps.RATIOS,
)

MEASURES: Final = by_key((*COUNTS, *RATIOS))

COUNT_OF: Final = {one.key: one for one in COUNTS}

SUBJECTS: Final[Mapping[str, tuple[Measure, ...]]] = {
    "calls": (*calls.RATIOS, *calls.COUNTS),
    "promises": (*promises.RATIOS, *promises.COUNTS),
    "leads": (*leads.RATIOS, *leads.COUNTS),
    "standing": standing.COUNTS,
    "talks": (*talks.RATIOS, *talks.COUNTS),
    "nps": (*nps.RATIOS, *nps.COUNTS),
}
"""What measures are about -> those, what is divided before what it is made of."""
