"""Finds leads for their list: by stage with counts, by filters, page by page without counting."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, func, literal, select, true, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync.book import lead_list
from crm_sync.book.attention import NEEDS, Need
from crm_sync.book.lead_list import Wanted, on_managers_list
from crm_sync.book.lifecycle import OPEN, STAGES
from crm_sync.tables import leads, tasks
from directory.model import Directory
from web.finding import FilterError
from web.rights import Scope, leads_worked

ALL_OPEN: Final = "open"
TABS: Final = (ALL_OPEN, *STAGES)
EVERYBODYS: Final = "all"
MINE: Final = "me"

_NEVER: Final = datetime(9999, 12, 31, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class FoundLeads:
    """One page of leads; `cursor` asks for the next, None on the last."""

    rows: list[Any]
    cursor: str | None


def read_tab(query: Mapping[str, str]) -> str:
    """Which of TABS is asked for. Raises FilterError."""
    tab = query.get("stage") or ALL_OPEN
    if tab not in TABS:
        raise FilterError("stage", f"must be one of {', '.join(TABS)}")
    return tab


def read_wanted(query: Mapping[str, str], person: str | None, usual_owner: str) -> Wanted:
    """What the list's form asks, but for the tab; `person` is whose MINE is. Raises FilterError."""
    owner = query.get("owner") or usual_owner
    if owner in {EVERYBODYS, MINE}:
        owner = (person or lead_list.NOBODY) if owner == MINE else ""
    wanted = Wanted(
        owner=owner,
        line=query.get("line", ""),
        step=query.get("step", ""),
        reason=query.get("reason", ""),
        overdue=is_overdue(query),
    )
    if not (told := query.get("field", "").strip()):
        return wanted
    name, given, value = (part.strip() for part in told.partition("="))
    if not (name and given and value):
        raise FilterError("field", f"must be a name and its value like project=Forest, got {told[:80]!r}")
    return replace(wanted, fields={name: value})


def is_overdue(query: Mapping[str, str]) -> bool:
    """Whether only overdue leads are asked for; older addresses say so by a name of its own."""
    return (query.get("attention") or ("overdue" if query.get("overdue") == "1" else "")) == "overdue"


def read_attention(query: Mapping[str, str]) -> Need | None:
    """Which list of attention is asked for beside that of overdue leads, None: none. Raises FilterError."""
    asked = query.get("attention") or None
    found = next((name for name in NEEDS if name == asked), None)
    if asked and found is None:
        raise FilterError("attention", f"must be one of {', '.join(NEEDS)}, got {asked[:80]!r}")
    return None if found == "overdue" else found


def in_lists(scope: Scope, directory: Directory, wanted: Wanted, now: datetime) -> ColumnElement[bool]:
    """The wanted leads of a viewer's own list: what they work on; heads see also what left the managers' lists."""
    if scope.everything:
        return wanted.condition()
    return and_(wanted.condition(), leads_worked(scope), on_managers_list(directory.leads, now))


def in_tab(tab: str) -> ColumnElement[bool]:
    """The leads of one of TABS."""
    return leads.c.stage.in_(OPEN) if tab == ALL_OPEN else leads.c.stage == tab


async def find_leads(
    connection: AsyncConnection, where: ColumnElement[bool], tab: str, cursor: str | None = None, limit: int = 50
) -> FoundLeads:
    """The leads of a tab: open ones by urgency, others the newest first. Raises FilterError."""
    open_tasks = select(func.count()).where(tasks.c.lead_id == leads.c.id, tasks.c.done_at.is_(None))
    asked = lead_list.newest(where, in_tab(tab)).add_columns(open_tasks.scalar_subquery().label("task_count"))
    if tab == ALL_OPEN:
        asked = asked.order_by(None).order_by(leads.c.deadline_at, leads.c.id)
    rows: list[Any] = []
    for rest in _rest(tab, _read_cursor(cursor)) if cursor is not None else [true()]:
        rows += (await connection.execute(asked.where(rest).limit(limit + 1 - len(rows)))).all()
        if len(rows) > limit:
            break
    return FoundLeads(rows[:limit], _cursor(rows[limit - 1]) if len(rows) > limit else None)


async def tab_counts(connection: AsyncConnection, where: ColumnElement[bool], most: int) -> dict[str, int]:
    """How many leads there are in each tab, also where there are none; some more than `most` where they are more."""
    counted = await lead_list.count_some(connection, [and_(where, leads.c.stage == stage) for stage in STAGES], most)
    counts = dict(zip(STAGES, counted, strict=True))
    return {ALL_OPEN: sum(counts[stage] for stage in OPEN), **counts}


def _rest(tab: str, seen: tuple[datetime, int]) -> list[ColumnElement[bool]]:
    """What stands behind a lead on its tab, in parts one after the other: each is one piece of an index."""
    at, lead = seen
    if tab != ALL_OPEN:
        return [leads.c.id < lead]
    never = leads.c.deadline_at.is_(None)
    if at == _NEVER:
        return [and_(never, leads.c.id > lead)]
    return [tuple_(leads.c.deadline_at, leads.c.id) > tuple_(literal(at), literal(lead)), never]


def _cursor(row: Any) -> str:
    at = row.deadline_at or _NEVER
    return base64.urlsafe_b64encode(f"{at.astimezone(UTC).isoformat()} {row.id}".encode()).decode()


def _read_cursor(text: str) -> tuple[datetime, int]:
    try:
        at, _, lead = base64.urlsafe_b64decode(text.encode()).decode().partition(" ")
        moment, number = datetime.fromisoformat(at).astimezone(UTC), int(lead[:20])
    except (ValueError, OverflowError):
        raise FilterError("cursor", "is none that this service gave") from None
    if not 0 < number < 2**63:
        raise FilterError("cursor", "is none that this service gave")
    return moment, number
