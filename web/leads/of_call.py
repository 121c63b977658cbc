"""The lead of one call as its page shows it: stage, step, deadline, and what may be decided there in one click."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync.book.leads import place
from crm_sync.tables import leads
from directory.model import Directory
from web.leads.one import UNDOERS
from web.leads.track import Choices, choices
from web.rights import scope_of
from web.sessions import Viewer


@dataclass(frozen=True, slots=True)
class LeadOfCall:
    """The lead's row with what may be done about it; `choices` None: the viewer may only read."""

    row: Any
    place: str
    choices: Choices | None
    disqualifies: tuple[str, ...]


async def lead_of_call(
    connection: AsyncConnection, directory: Directory, viewer: Viewer, lead: int | None
) -> LeadOfCall | None:
    """The lead of that id; None: the call has none."""
    row = (await connection.execute(select(leads).where(leads.c.id == lead))).first() if lead else None
    if row is None:
        return None
    works = scope_of(viewer, directory).works_on(row.owner, row.source_line)
    may = choices(directory.leads, row.stage, row.step, head=viewer.role in UNDOERS) if works else None
    return LeadOfCall(row, place(row.stage, row.step), may, directory.leads.disqualifies())
