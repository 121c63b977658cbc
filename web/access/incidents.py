"""What is wrong now, as far as this process and the database know: since when, how many, and where to look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.job_list import count_jobs
from calls.queue import QUEUES
from crm_sync import connections
from crm_sync.ledger import health
from recordings.gaps import LOST
from web.services import Part


@dataclass(frozen=True, slots=True)
class Incident:
    """One thing that is wrong. `kind` has words in `incident.*`; `subject` names what, `reason` says why.

    `grave`: calls or recordings are being lost, or nobody is told.
    """

    kind: str
    subject: str = ""
    since: datetime | None = None
    count: int = 0
    reason: str = ""
    href: str = ""
    grave: bool = False


_SILENT: Final = text(
    """
    select pbx, measured_at from pbx_clocks where measured_at < clock_timestamp() - interval '3 minutes' order by pbx
    """
)
"""A PBX that is attended is measured each minute, whatever process attends it."""

_LOST: Final = text(
    """
    select count(distinct call_id), min(judged_at) from call_audio
    join calls on calls.id = call_id and joined_into is null
    where call_audio.state <> 'stored' and call_audio.state = any(cast(:lost as text[]))
      and judged_at > clock_timestamp() - interval '7 days'
    """
)
_TRUNKS: Final = text(
    """
    select device, max(changed_at) from device_states
    where device in (select trunk from lines union select trunk from devices)
    group by device having not bool_or(reachable) order by device
    """
)
_NOTICES: Final = text(
    """
    select channel, count(*), min(due_at) from notice_messages
    where due_at < clock_timestamp() - interval '30 minutes'
      and (state = 'planned' or (state = 'sent' and reason is null)) group by channel order by channel
    """
)
_ERASURES: Final = text(
    "select count(*), min(asked_at) from erasures where finished_at is null"
    " and asked_at < clock_timestamp() - interval '1 hour'"
)


async def found(connection: AsyncConnection, parts: Sequence[Part]) -> list[Incident]:
    """All that is wrong, the gravest first."""
    told = [*_of_parts(parts)]
    heard = {one.subject for one in told if one.kind == "pbx"}
    told += await _of_pbxes(connection, heard)
    told += await _of_crms(connection)
    told += await _of_jobs(connection)
    told += await _of_the_rest(connection)
    return sorted(told, key=lambda one: not one.grave)


def _of_parts(parts: Sequence[Part]) -> list[Incident]:
    told = []
    for part in parts:
        name, _, subject = part.name.partition(" ")
        if not part.ready:
            told.append(Incident(name, subject, reason=part.reason, grave=True))
        elif name == "recordings" and part.reason:
            told.append(Incident("disk", reason=part.reason))
    return told


async def _of_pbxes(connection: AsyncConnection, heard: set[str]) -> list[Incident]:
    rows = (await connection.execute(_SILENT)).all()
    return [Incident("pbx", row.pbx, since=row.measured_at, grave=True) for row in rows if row.pbx not in heard]


async def _of_crms(connection: AsyncConnection) -> list[Incident]:
    told, healths = [], await health.read(connection)
    for one, counts in await connections.counted(connection):
        state, href = healths.get(one.key), f"/crm/{one.key}"
        if one.stopped_by not in {None, "hand", "new"}:
            told.append(Incident("crm_ended", one.key, href=href, reason=str(one.stopped_by), grave=True))
        elif one.state == "active" and state is not None and state.error and state.owes_since:
            told.append(Incident("crm_late", one.key, state.owes_since, reason=state.error, href=href))
        if counts.get("dead"):
            told.append(Incident("crm_dead", one.key, count=counts["dead"], href=f"{href}?state=dead"))
    return told


async def _of_jobs(connection: AsyncConnection) -> list[Incident]:
    counts = await count_jobs(connection, QUEUES)
    return [Incident("jobs", one.queue, count=one.given_up, href="#jobs") for one in counts if one.given_up]


async def _of_the_rest(connection: AsyncConnection) -> list[Incident]:
    told = []
    count, since = (await connection.execute(_LOST, {"lost": list(LOST)})).one()
    if count:
        told.append(Incident("recordings_missing", since=since, count=count, href="/calls?audio=missing"))
    told += [Incident("trunk", row[0], since=row[1], grave=True) for row in await connection.execute(_TRUNKS)]
    told += [Incident("notices", row[0], row[2], row[1]) for row in await connection.execute(_NOTICES)]
    count, since = (await connection.execute(_ERASURES)).one()
    return told + ([Incident("erasures", since=since, count=count)] if count else [])
