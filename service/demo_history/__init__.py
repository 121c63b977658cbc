"""The past of an invented house, stored as a real one's is, so that reports have what to tell: in the demo and tests.

Read `truths` first (what may be planted in it, for reports to find), then `life` and `course` (what happens to calls
and to leads, by `dice`), `told` (what comes of it), `shapes` (what the PBX told of each kind of call) and `rows` (how
it is stored); `planned` makes its plans. It knows the directory, and nobody who reads what it stores.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from directory.model import Directory
from service.demo_history.dice import Dice
from service.demo_history.life import Life
from service.demo_history.rows import Pbx, store
from service.demo_history.truths import Planted, Truth, Truths

__all__ = ["DAYS", "Pbx", "Planted", "Truth", "first_day", "store_history"]

DAYS: Final = 91
"""Thirteen weeks."""

_BEFORE: Final = timedelta(weeks=6)
"""Leads that came so long before are worked on still: without them the house would seem to begin on its first day."""


def first_day(last: date) -> date:
    """The first day of a history that ends with `last`."""
    return last - timedelta(days=DAYS - 1)


async def store_history(
    dsn: str, directory: Directory, last: date, planted: Iterable[Planted] = (), *, pbx: Pbx, seed: int = 1
) -> None:
    """Store what happened until the day `last`, in a migrated database that holds no more than this directory.

    The same seed makes the same.
    """
    first, zone = first_day(last), ZoneInfo(directory.company.time_zone)
    life = Life(directory, Truths(planted), Dice(seed, zone))
    day = first - _BEFORE
    while day <= last:
        life.live(day)
        day += timedelta(days=1)
    since, until = (datetime.combine(day, time(), zone) for day in (first, last + timedelta(days=1)))
    await store(dsn, life, pbx, since, until)
