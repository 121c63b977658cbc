"""Plans in PostgreSQL: read with all by which they are shared out, and written with a line of the audit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Final, cast
from zoneinfo import ZoneInfo

from sqlalchemy import and_, delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from directory.model import Directory
from directory.presence import Absence
from directory.tables import absences
from recordings.audit import Actor, note
from reports.periods import period_of
from reports.plan_days import PlanDays, Whose, WhoseKind, month_of
from reports.plan_tables import plans
from reports.plans import Plans

Cells = Mapping[tuple[Whose, str], float | None]
"""What is planned for whom, by measure; None: nothing any more."""

_LOCK: Final = text("select pg_advisory_xact_lock(hashtext('switchhook plans'))")


async def read_plans(connection: AsyncConnection, directory: Directory, first: date, last: date | None = None) -> Plans:
    """The plans of the month of `first`, or of each month up to that of `last`."""
    begin, end = month_of(first), period_of("monthly", last or first).last
    rows = (await connection.execute(select(plans).where(plans.c.month.between(begin, end)))).all()
    return Plans(
        directory,
        {(row.month, Whose(cast("WhoseKind", row.kind), row.key), row.measure): row.value for row in rows},
        PlanDays(directory, await _absences(connection, directory, begin, end)),
    )


async def changes(connection: AsyncConnection, month: date, cells: Cells) -> dict[tuple[Whose, str], float | None]:
    """What of these plans is not so yet."""
    stood = await _of_month(connection, month)
    return {cell: value for cell, value in cells.items() if stood.get(cell) != value}


async def write_plans(connection: AsyncConnection, month: date, cells: Cells, actor: Actor, *, action: str) -> int:
    """Set the plans of a month in the caller's transaction; give how many changed, which one line of the audit tells.

    `action` is plan_set or plans_imported.
    """
    await connection.execute(_LOCK)
    begin, stood = month_of(month), await _of_month(connection, month)
    changed = await changes(connection, month, cells)
    for (whose, measure), value in changed.items():
        key = {"month": begin, "kind": whose.kind, "key": whose.key, "measure": measure}
        if value is None:
            await connection.execute(delete(plans).where(and_(*(plans.c[name] == one for name, one in key.items()))))
        else:
            told = {"value": value, "set_by": actor.login, "set_at": func.now()}
            row = insert(plans).values(key | told)
            await connection.execute(row.on_conflict_do_update(index_elements=list(key), set_=told))
    if changed:
        before, after = ({_named(cell): of.get(cell) for cell in changed} for of in (stood, changed))
        await note(connection, actor, action, f"plans {begin:%Y-%m}", before=before, after=after)
    return len(changed)


async def _of_month(connection: AsyncConnection, month: date) -> dict[tuple[Whose, str], float]:
    rows = await connection.execute(select(plans).where(plans.c.month == month_of(month)))
    return {(Whose(cast("WhoseKind", row.kind), row.key), row.measure): row.value for row in rows}


def _named(cell: tuple[Whose, str]) -> str:
    whose, measure = cell
    return f"{whose} {measure}"


async def _absences(
    connection: AsyncConnection, directory: Directory, first: date, last: date
) -> dict[str, tuple[Absence, ...]]:
    """Absences that touch these days, by person; a zone's day begins up to a day before or after ours."""
    zone = ZoneInfo(directory.company.time_zone)
    since, until = (datetime.combine(day, datetime.min.time(), zone) for day in (first, last + timedelta(days=2)))
    asked = select(absences).where(absences.c.ends_at > since - timedelta(days=1), absences.c.starts_at < until)
    found: defaultdict[str, list[Absence]] = defaultdict(list)
    for row in await connection.execute(asked.order_by(absences.c.starts_at, absences.c.id)):
        found[row.person].append(Absence(row.id, row.starts_at, row.ends_at, row.substitute, row.reason))
    return {person: tuple(away) for person, away in found.items()}
