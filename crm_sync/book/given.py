"""Tells people what they were given, in the transaction in which it happens: a task, or a lead by another person."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync.book.leads import By
from crm_sync.book.lifecycle import SERVICE
from directory.model import Directory
from notices.model import Notice
from notices.telling import tell


async def tell_task(  # what a task is
    connection: AsyncConnection,
    directory: Directory,
    task: int,
    by: By,
    *,
    lead: int | None,
    assignee: str | None,
    due_at: datetime | None,
) -> None:
    """Tell whoever shall do a task that it is theirs, unless they wrote it themselves."""
    if assignee in {None, by.who}:
        return
    notice = Notice(
        key=f"task_given {task}",
        kind="task_given",
        subject="lead" if lead is not None else "house",
        subject_id=str(lead) if lead is not None else "",
        values={"by": _giver(directory, by), "due_at": due_at.isoformat() if due_at else ""},
    )
    await tell(connection, directory, notice, [assignee])


async def tell_lead(connection: AsyncConnection, directory: Directory, lead: int, owner: str | None, by: By) -> None:
    """Tell whom a lead is given to that it is theirs, unless they took it themselves."""
    if owner in {None, by.who}:
        return
    notice = Notice(
        key=f"lead_given {lead} {by.at.isoformat()}",
        kind="lead_given",
        subject="lead",
        subject_id=str(lead),
        values={"by": _giver(directory, by)},
    )
    await tell(connection, directory, notice, [owner])


async def tell_leads(connection: AsyncConnection, directory: Directory, count: int, owner: str | None, by: By) -> None:
    """Tell whom many leads are given to at once how many they are, unless they took them themselves."""
    if owner in {None, by.who}:
        return
    key = f"leads_given {owner} {by.at.isoformat()}"
    notice = Notice(key=key, kind="leads_given", subject="house", values={"by": _giver(directory, by), "count": count})
    await tell(connection, directory, notice, [owner])


def _giver(directory: Directory, by: By) -> str:
    """Who gives; a login that is nobody in the directory is not told, for it may be anything."""
    return by.who if by.who == SERVICE or directory.person(by.who) else ""
