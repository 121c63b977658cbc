"""Days that are counted already, put where the builder of day facts puts them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from reports.facts import Fact
from reports.tables import report_days, report_facts, report_hours

ZONE: Final = "Europe/Moscow"


async def keep(engine: AsyncEngine, facts: Iterable[Fact], first: date, last: date) -> None:
    """Keep the facts, by person and detail and by hour, of days that were counted at the end of each."""
    told = list(facts)
    rows: dict[Any, list[dict[str, Any]]] = {report_facts: [], report_hours: [], report_days: []}
    for one in told:
        row = {"day": one.day, "count": one.count, "team": one.team, "line": one.line, "value": one.value}
        if one.hour is None:
            rows[report_facts].append(row | {"person": one.person, "detail": one.detail})
        else:
            rows[report_hours].append(row | {"hour": one.hour})
    for day in (first + timedelta(days=number) for number in range((last - first).days + 1)):
        at = datetime.combine(day + timedelta(days=1), time(), ZoneInfo(ZONE))
        rows[report_days].append({"day": day, "built_at": at, "ground": "told"})
    async with engine.begin() as connection:
        for table, values in rows.items():
            if values:
                await connection.execute(insert(table), values)


def weekdays(facts: Iterable[Fact], weeks: int) -> list[Fact]:
    """The same facts on the same weekday of so many weeks before each."""
    return [
        Fact(one.day - timedelta(weeks=ago), one.count, one.team, one.line, one.person, one.detail, one.value, one.hour)
        for one in facts
        for ago in range(1, weeks + 1)
    ]
