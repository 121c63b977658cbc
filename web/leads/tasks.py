"""Tasks outside of a lead's page: whose they are to do, a person's own on the desk, and the button that says done."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync.book.leads import By
from crm_sync.book.notes import finish_task, open_tasks
from crm_sync.tables import tasks
from directory import store
from directory.model import Directory
from recordings.audit import note
from web.api.operations import number_in
from web.audited import audited
from web.guard import VIEWER, read_form
from web.keeping import actor_of
from web.rights import scope_of, tasks_worked
from web.services import SERVICES

MOST = 200


async def worked_task(request: web.Request, connection: AsyncConnection, directory: Directory, task: int) -> Any:
    """The row of a task that the viewer may do. Raises 404 when there is none, 403 when it is others'."""
    viewer = request[VIEWER]
    worked = tasks_worked(viewer, scope_of(viewer, directory))
    row = (await connection.execute(select(tasks, worked.label("worked")).where(tasks.c.id == task))).first()
    if row is None:
        raise web.HTTPNotFound(text=f"There is no task {task}.")
    if not row.worked:
        raise web.HTTPForbidden(text="This task is another team's.")
    return row


async def own_tasks(connection: AsyncConnection, person: str | None) -> Sequence[Any]:
    """What a person shall do still, what is due first; of whatever stage its lead is at."""
    if person is None:
        return ()
    rows: Sequence[Any] = (await connection.execute(open_tasks(tasks.c.assignee == person).limit(MOST))).all()
    return rows


@audited("task_done")
async def done(request: web.Request) -> web.Response:
    """POST /tasks/{number}/done: back to the page of its `party`, where the button was there, else to the desk."""
    form, viewer = await read_form(request), request[VIEWER]
    async with request.app[SERVICES].engine.begin() as connection:
        row = await worked_task(request, connection, await store.read(connection), number_in(request))
        await finish_task(connection, row.id, By(who=viewer.person or viewer.login, at=datetime.now(UTC)))
        if row.done_at is None:
            await note(connection, actor_of(request), "task_done", f"task {row.id}")
    where = f"/parties/{row.party_id}" if form.get("party") else "/"
    return web.Response(status=303, headers={"Location": where})
