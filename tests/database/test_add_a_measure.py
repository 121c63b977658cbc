"""`docs/how_to/add_a_measure.md` is true: its measure, added as it says, is counted, divided and listed."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from directory import store
from reports import building, listing
from reports.building import build
from reports.counts.told import of_calls
from reports.fact_rows import read_facts
from reports.facts import total
from reports.listing import Listed, count_items
from reports.measures import Count, Measure, Ratio
from reports.registry import COUNT_OF, COUNTS
from tests.fakes import days as told
from tests.fakes.story import HOUSE

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/how_to/add_a_measure.md").read_text()
DAY = date(2026, 11, 20)


def test_every_file_that_it_names_is_there() -> None:
    named = re.findall(r"`([a-z_]+(?:/[A-Za-z_]+)*(?:/|/[A-Za-z_]+\.\w+)|CHANGELOG\.md)`", PAGE)
    assert len(named) > 8
    assert [name for name in named if not (ROOT / name).exists()] == []


async def test_the_measure_of_the_page_is_counted_divided_and_listed(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also for the days of before, and its mark is one."""
    blocks = re.findall(r"^ +```python\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL)
    known = {"Count": Count, "Ratio": Ratio, "of_calls": of_calls}
    count, ratio = (_measure(block, known) for block in blocks)
    assert isinstance(count, Count)
    assert isinstance(ratio, Ratio)
    at = datetime(2026, 11, 20, 9, tzinfo=UTC)
    async with engine.begin() as connection:
        await store.apply(connection, HOUSE)
        await told.call(connection, at, status="voicemail", person=None)
        await told.call(connection, at)
    now = datetime(2026, 11, 21, 9, tzinfo=UTC)
    await build(engine, now)
    monkeypatch.setattr(building, "COUNTS", (*COUNTS, count))
    monkeypatch.setattr(listing, "COUNT_OF", {**COUNT_OF, count.key: count})
    assert DAY in (await build(engine, now)).days
    (mark,) = re.findall(r"^ +```sql\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL)
    async with engine.begin() as connection:
        facts = await read_facts(connection, DAY, DAY)
        found = await count_items(
            connection, Listed(count=count.key, first=DAY, last=DAY, zone=HOUSE.company.time_zone)
        )
        await connection.execute(text(mark.replace("new.answered_at", "now()")))
    assert (total(facts, ratio.part), total(facts, ratio.whole), found) == (1, 2, (1, 1))


def _measure(block: str, known: dict[str, object]) -> Measure:
    made: Measure = eval(block.strip(), dict(known))  # noqa: S307 - of our own page
    return made
