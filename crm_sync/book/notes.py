"""What people write of a lead, and what somebody shall do for it; each in the caller's transaction."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from unicodedata import category

from sqlalchemy import ColumnElement, Row, Select, insert, select, update
from sqlalchemy.dialects.postgresql import insert as insert_once
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync.book.given import tell_task
from crm_sync.book.leads import By, locked, notify
from crm_sync.book.lifecycle import LifecycleError
from crm_sync.tables import notes, parties, tasks
from directory.model import Directory

TEXT_MOST: Final = 4000


class NoSuchTask(LookupError):
    """There is no task of that id."""


async def add_note(connection: AsyncConnection, lead: int, text: str, by: By) -> int:
    """Write a note about a lead and give its id. Raises LifecycleError, NoSuchLead."""
    row = await locked(connection, lead)
    told = {"party_id": row.party_id, "lead_id": lead, "call_id": by.call, "at": by.at, "by": by.who}
    made = insert(notes).values(**told, text=written(text)).returning(notes.c.id)
    note: int = (await connection.execute(made)).scalar_one()
    await notify(connection, lead)
    return note


async def add_task(  # what a task is
    connection: AsyncConnection,
    directory: Directory,
    lead: int,
    text: str,
    by: By,
    *,
    assignee: str | None = None,
    due_at: datetime | None = None,
    because: str | None = None,
) -> int | None:
    """Give somebody (the key of a person, None: whoever it will be) a task for a lead, and its id.

    They are told, unless they give it themselves. `because`: the rule or the step that owes it; None is given where
    the lead had a task for that already. Raises LifecycleError, NoSuchLead.
    """
    row = await locked(connection, lead)
    if assignee is not None and directory.person(assignee) is None:
        raise LifecycleError("assignee", f"there is no person {assignee!r}")
    if because is None and due_at is not None and due_at <= by.at:
        raise LifecycleError("due_at", f"must be in the future, got {due_at.isoformat()}", why="past")
    whose = {"party_id": row.party_id, "lead_id": lead, "call_id": by.call}
    told = {"assignee": assignee, "due_at": due_at, "made_at": by.at, "made_by": by.who, "made_because": because}
    made = insert_once(tasks).values(**whose, **told, text=written(text)).on_conflict_do_nothing().returning(tasks.c.id)
    task: int | None = (await connection.execute(made)).scalar_one_or_none()
    if task is not None:
        await tell_task(connection, directory, task, by, lead=lead, assignee=assignee, due_at=due_at)
    await notify(connection, lead)
    return task


async def finish_task(connection: AsyncConnection, task: int, by: By) -> bool:
    """Note that a task is done; False: it was already, and stays as it is. Raises NoSuchTask."""
    done = update(tasks).where(tasks.c.id == task, tasks.c.done_at.is_(None)).values(done_at=by.at, done_by=by.who)
    if (await connection.execute(done)).rowcount == 0:
        await task_of(connection, task)
        return False
    row = await task_of(connection, task)
    if row.lead_id is not None:
        await notify(connection, row.lead_id)
    return True


async def task_of(connection: AsyncConnection, task: int) -> Row[Any]:
    """Give the row of a task. Raises NoSuchTask."""
    row = (await connection.execute(select(tasks).where(tasks.c.id == task))).one_or_none()
    if row is None:
        raise NoSuchTask(f"there is no task {task}")
    return row


def open_tasks(*where: ColumnElement[bool]) -> Select[Any]:
    """Tasks that are still to be done, with the name of their party: what is due first, then those without a time."""
    asked = select(tasks, parties.c.name.label("party_name")).join(parties, parties.c.id == tasks.c.party_id)
    return asked.where(tasks.c.done_at.is_(None), *where).order_by(tasks.c.due_at.nulls_last(), tasks.c.id)


def written(text: str) -> str:
    """Give a text as it is kept, without space around it. Raises LifecycleError for none, or what is no text."""
    told = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if not told or len(told) > TEXT_MOST:
        raise LifecycleError("text", f"must be 1 to {TEXT_MOST} characters, got {len(told)}")
    control = next((sign for sign in told if category(sign) == "Cc" and sign not in "\n\t"), None)
    if control is not None:  # a terminal would obey it
        raise LifecycleError("text", f"must have no control characters but line breaks and tabs, got {control!r}")
    return told
