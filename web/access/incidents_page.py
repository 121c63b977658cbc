"""What is wrong now, for operators and admins, and the jobs that were given up, which they have tried again."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from calls.job_list import list_jobs, try_again
from calls.queue import QUEUES
from recordings.audit import note
from web.access import incidents
from web.access.forms import number_of
from web.audited import audited
from web.guard import VIEWER, only, read_form
from web.keeping import actor_of
from web.page import page
from web.services import SERVICES

WHO: Final = ("operator", "admin")
JOBS_MOST: Final = 100


async def show(request: web.Request) -> web.Response:
    """GET /admin/incidents."""
    only(request, *WHO)
    services = request.app[SERVICES]
    parts = await services.readiness()
    async with services.engine.connect() as connection:
        found = await incidents.found(connection, parts)
        jobs = await list_jobs(connection, QUEUES, ("given_up",), JOBS_MOST)
    again = request.query.get("again", "")
    return await page(
        request,
        "incidents.html",
        incidents=found,
        jobs=jobs,
        opens_calls=request[VIEWER].role == "admin",
        again=int(again) if again.isascii() and again.isdecimal() and len(again) < 7 else None,
    )


@audited("jobs_retried")
async def retry(request: web.Request) -> web.Response:
    """POST /admin/incidents: `job` that was given up is tried again, or all of them; 303 to the page."""
    only(request, *WHO)
    form = await read_form(request)
    job = number_of(form, "job") if form.get("job") else None
    told = await try_jobs_again(request, job)
    if told is None:
        raise web.HTTPNotFound(text=f"There is no job {job} that was given up.")
    return web.Response(status=303, headers={"Location": f"/admin/incidents?again={len(told[0])}#jobs"})


async def try_jobs_again(request: web.Request, job: int | None) -> tuple[list[int], list[int]] | None:
    """Have a job, or all that were given up, tried again, and write it down; None: this one was not given up.

    (Those that will, those whose same work waits already.)
    """
    async with request.app[SERVICES].engine.begin() as connection:
        again, waits = await try_again(connection, QUEUES, job)
        if job is not None and not again and not waits:
            return None
        told = {"retried": again, "waits_already": waits}
        await note(connection, actor_of(request), "jobs_retried", f"job {job}" if job else "jobs", told)
    return again, waits
