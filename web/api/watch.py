"""What admins and operators look at, by the API: the audit, and what is wrong now."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from aiohttp import web
from pydantic import AfterValidator, Field

from calls.incident_rows import State, listed
from calls.job_list import list_jobs
from calls.queue import QUEUES
from recordings.privacy_tables import ACTIONS
from web.access.audit_list import TEXT_MOST, Wanted, lines
from web.access.incidents_page import JOBS_MOST, WHO, now_open, told, try_jobs_again
from web.access.users_page import ADMIN
from web.api.house import PageQuery
from web.api.operations import Answer, Body, Moment, refusal
from web.audited import audited
from web.guard import only
from web.services import SERVICES


def _known(told: str) -> str:
    if told not in ACTIONS:
        raise ValueError("is none of the audit's")
    return told


class AuditQuery(PageQuery):
    """Which lines: of whom, of what, about what, and when; `since` is within, `until` is not."""

    actor: Annotated[str, Field(max_length=TEXT_MOST)] | None = None
    action: Annotated[str, AfterValidator(_known)] | None = None
    subject: Annotated[str, Field(max_length=TEXT_MOST)] | None = None
    since: Moment | None = None
    until: Moment | None = None


class AuditLine(Answer):
    """Who did what to what: `before` and `after` hold what changed, `details` what else is known of it."""

    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    details: dict[str, Any]
    address: str | None
    request: str | None = Field(description="The answer's X-Request-Id; null: no page and no API did it.")


class AuditPage(Answer):
    """One page of the audit, the newest first."""

    items: list[AuditLine]
    next: str | None


class IncidentsQuery(PageQuery):
    """Which incidents: all that are open, unless told; of others those that went on from `since` on, before `until`."""

    state: State = "open"
    since: Moment | None = None
    until: Moment | None = None


class IncidentTold(Answer):
    """One thing that is wrong, or was. `grave`: calls or recordings are being lost, or nobody is told."""

    id: int | None = Field(description="Null: no service looks, so that nothing is kept.")
    kind: str
    subject: str
    since: datetime = Field(description="When it began.")
    ended_at: datetime | None
    count: int
    reason: str
    grave: bool
    calls_lost: int = Field(description="Missed for it: calls?incident={id}&status=missed")
    calls_saved: int = Field(description="Answered by the PBX's fallback or known from CEL alone.")


class JobTold(Answer):
    """A job that was given up."""

    id: int
    queue: str
    task: str
    call: str | None
    tries: int
    owed_at: datetime | None


class IncidentList(Answer):
    """What is wrong now, all of it, the gravest first; others page by page, the newest first. And what jobs wait."""

    items: list[IncidentTold]
    jobs: list[JobTold]
    next: str | None


class RetryWish(Body):
    """Which job is tried again; null: all that were given up."""

    job: int | None = Field(default=None, ge=1, lt=2**63)


class Retried(Answer):
    """Jobs that will run again, and those whose same work waits already."""

    again: list[int]
    waits: list[int]


async def list_audit(request: web.Request, query: AuditQuery) -> AuditPage:
    """GET /audit, for admins."""
    only(request, ADMIN)
    wanted = Wanted(query.actor, query.action, query.subject, query.since, query.until)
    async with request.app[SERVICES].engine.connect() as connection:
        rows = await lines(connection, wanted, query.cursor, query.limit + 1)
    shown = rows[: query.limit]
    items = [
        AuditLine.model_validate(
            {name: getattr(row, name) for name in AuditLine.model_fields}
            | {"address": str(row.address) if row.address else None}
        )
        for row in shown
    ]
    return AuditPage(items=items, next=str(shown[-1].id) if len(rows) > query.limit else None)


async def list_incidents(request: web.Request, query: IncidentsQuery) -> IncidentList:
    """GET /incidents, for operators and admins."""
    only(request, *WHO)
    following = None
    async with request.app[SERVICES].engine.connect() as connection:
        if query.state == "open":
            found = await now_open(connection)
        else:
            period = query.since, query.until
            rows = await listed(connection, query.state, *period, before=query.cursor, limit=query.limit + 1)
            found = [told(row) for row in rows[: query.limit]]
            following = str(found[-1]["id"]) if len(rows) > query.limit else None
        jobs = await list_jobs(connection, QUEUES, ("given_up",), JOBS_MOST)
    items = [
        IncidentTold.model_validate({**one, "since": one["started_at"], "count": one["found_count"]}) for one in found
    ]
    return IncidentList(items=items, jobs=[JobTold.model_validate(asdict(job)) for job in jobs], next=following)


@audited("jobs_retried")
async def retry_jobs(request: web.Request, wish: RetryWish) -> Retried | web.Response:
    """POST /incidents/retry, by operators and admins: every task may run twice without harm."""
    only(request, *WHO)
    tried = await try_jobs_again(request, wish.job)
    if tried is None:
        return refusal(422, "job", f"job: there is no job {wish.job} that was given up", field="job")
    return Retried(again=tried[0], waits=tried[1])
