"""Lead rules that somebody wrote, tried on past calls before they are saved: for so long as a page may take."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from crm_sync.book.past_calls import past_calls
from crm_sync.book.rule_replay import Replayed, replay, summary
from directory.lead_policy import LeadPolicy
from directory.model import Directory

PERIODS: Final = (7, 30)
"""Days back from now; the first unless somebody says."""

CALLS_MOST: Final = 500
DIFFERENCES_MOST: Final = 20
SECONDS_MOST: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What rules would have made of the last `days`: by rule how many calls it decides, and what would differ.

    `late`: it took too long, and nothing is known. `cut`: there were more calls than the latest that were tried.
    """

    days: int
    late: bool = False
    cut: bool = False
    call_count: int = 0
    rules: Mapping[str, int] = field(default_factory=dict)
    differing_count: int = 0
    differing: tuple[Replayed, ...] = ()


async def try_on_calls(
    engine: AsyncEngine, directory: Directory, policy: LeadPolicy, days: str, seconds: float = SECONDS_MOST
) -> Tried:
    """Try a policy on the calls of the last `days`, one of PERIODS as a form sends it; nothing is changed."""
    period = next((told for told in PERIODS if str(told) == days), PERIODS[0])
    now = datetime.now(UTC)
    house = replace(directory, leads=policy)
    try:
        async with asyncio.timeout(seconds), engine.connect() as connection:
            past = await past_calls(connection, house, now - timedelta(days=period), now, CALLS_MOST)
    except TimeoutError:
        return Tried(days=period, late=True)
    found = replay(policy, past)
    differing = [one for one in reversed(found) if one.differs]
    return Tried(
        days=period,
        cut=len(past) == CALLS_MOST,
        call_count=len(found),
        rules=summary(found),
        differing_count=len(differing),
        differing=tuple(differing[:DIFFERENCES_MOST]),
    )
