"""What is wrong and what was, for operators and admins, and jobs that were given up, which they have tried again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from aiohttp import web
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.incident_rows import listed, silence
from calls.incidents import KINDS
from calls.job_list import list_jobs, try_again
from calls.queue import QUEUES
from recordings.audit import note
from web.access.forms import number_of
from web.audited import audited
from web.guard import VIEWER, only, read_form
from web.incident_text import title_of
from web.keeping import actor_of
from web.page import page
from web.services import SERVICES

WHO: Final = ("operator", "admin")
JOBS_MOST: Final = 100
KEPT_DAYS: Final = 30
ENDED_MOST: Final = 200
"""So many days and so many incidents are on the page; the API and the command tell the others."""
_NO_SERVICE: Final = ("service", "stopped")

_PLACES: Final = {
    "crm_ended": "/crm/{subject}",
    "crm_late": "/crm/{subject}",
    "crm_dead": "/crm/{subject}?state=dead",
    "jobs": "#jobs",
    "recordings_missing": "/calls?audio=missing",
}
"""Where to look for what is wrong."""


def told(row: Row[Any]) -> dict[str, Any]:
    """An incident's row by its columns' names."""
    return dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping


async def now_open(connection: AsyncConnection) -> list[dict[str, Any]]:
    """What is wrong now, the gravest first; where nobody looks, that is the first of it, and has no id."""
    rows = [told(row) for row in await listed(connection, "open")]
    silent = await silence(connection)
    if silent is not None and not any(row["kind"] == silent.kind for row in rows):
        nothing = {"subject": "", "reason": "", "found_count": 0, "ended_at": None, "calls_lost": 0, "calls_saved": 0}
        of = {"kind": silent.kind, "grave": KINDS[silent.kind].grave, "started_at": silent.since}
        rows.append({**nothing, "id": None, **of})
    return sorted(rows, key=lambda row: (not row["grave"], row["kind"] not in _NO_SERVICE))


async def show(request: web.Request) -> web.Response:
    """GET /admin/incidents."""
    only(request, *WHO)
    async with request.app[SERVICES].engine.connect() as connection:
        found = await now_open(connection)
        since = datetime.now(UTC) - timedelta(days=KEPT_DAYS)
        ended = await listed(connection, "ended", since=since, limit=ENDED_MOST)
        jobs = await list_jobs(connection, QUEUES, ("given_up",), JOBS_MOST)
    again = request.query.get("again", "")
    return await page(
        request,
        "incidents.html",
        incidents=[(one, _PLACES.get(one["kind"], "").format(subject=one["subject"])) for one in found],
        ended=ended,
        days=KEPT_DAYS,
        title_of=title_of,
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
    tried = await try_jobs_again(request, job)
    if tried is None:
        raise web.HTTPNotFound(text=f"There is no job {job} that was given up.")
    return web.Response(status=303, headers={"Location": f"/admin/incidents?again={len(tried[0])}#jobs"})


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
