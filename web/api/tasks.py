"""Tasks by the API: those that the viewer may do, and that one of them is done."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from sqlalchemy import select

from crm_sync.book.notes import finish_task as finish
from crm_sync.book.notes import task_of
from crm_sync.tables import tasks
from directory import store
from recordings.audit import note
from web.api.house import PageQuery
from web.api.lead_models import TaskPage, TaskWhole
from web.api.leads import by_viewer
from web.api.operations import NoBody, number_in
from web.audited import audited
from web.guard import VIEWER
from web.house import HOUSE
from web.keeping import actor_of
from web.leads.tasks import worked_task
from web.rights import scope_of, tasks_worked
from web.services import SERVICES

ME = "me"


class TasksQuery(PageQuery):
    """Which tasks: open ones unless `done`; `assignee` is the key of a person, `me` the viewer."""

    assignee: str = ""
    done: bool = False


async def list_tasks(request: web.Request, query: TasksQuery) -> TaskPage:
    """GET /tasks: one's own, those of leads worked on, and those of no lead of parties seen."""
    viewer = request[VIEWER]
    scope = scope_of(viewer, await request.app[HOUSE].read())
    asked = select(tasks).where(tasks_worked(viewer, scope), tasks.c.done_at.is_not(None) == query.done)
    if query.assignee:
        person = viewer.person if query.assignee == ME else query.assignee
        asked = asked.where(tasks.c.assignee == (person or ""))
    if query.cursor is not None:
        asked = asked.where(tasks.c.id < query.cursor)
    async with request.app[SERVICES].engine.connect() as connection:
        rows = (await connection.execute(asked.order_by(tasks.c.id.desc()).limit(query.limit + 1))).all()
    items = [task_told(row) for row in rows[: query.limit]]
    return TaskPage(items=items, next=str(items[-1].id) if len(rows) > query.limit else None)


@audited("task_done")
async def finish_task(request: web.Request, _body: NoBody) -> TaskWhole:
    """POST /tasks/{number}/done: one that is done already stays as it is."""
    async with request.app[SERVICES].engine.begin() as connection:
        row = await worked_task(request, connection, await store.read(connection), number_in(request))
        await finish(connection, row.id, by_viewer(request[VIEWER]))
        if row.done_at is None:
            await note(connection, actor_of(request), "task_done", f"task {row.id}")
        return task_told(await task_of(connection, row.id))


def task_told(row: Any) -> TaskWhole:
    """A row of tasks as it is answered."""
    return TaskWhole.model_validate({name: getattr(row, name) for name in TaskWhole.model_fields})
