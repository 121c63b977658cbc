"""The faults that the database knows, whichever process looks.

Times are compared with `statement_timestamp()`: with `clock_timestamp()`, which changes within a question, no index
would bound what is read.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.incidents import Fault
from calls.job_list import count_jobs
from calls.queue import QUEUES
from crm_sync import connections
from crm_sync.ledger import health
from directory import presence_store
from directory.model import Directory
from directory.presence import Presences, lines_open, works
from recordings.gaps import LOST

_SILENT: Final = text(
    """
    select pbx, measured_at from pbx_clocks
    where pbx = any(cast(:pbxes as text[])) and measured_at < statement_timestamp() - interval '3 minutes'
    """
)
"""A PBX that is attended is measured each minute, whatever process attends it."""
UNATTENDED_AFTER: Final = timedelta(minutes=3)

_LOST: Final = text(
    """
    select count(distinct call_id), min(judged_at) from call_audio
    join calls on calls.id = call_id and joined_into is null
    where call_audio.state <> 'stored' and call_audio.state = any(cast(:lost as text[]))
      and judged_at > statement_timestamp() - interval '7 days'
    """
)
_TRUNKS: Final = text(
    """
    select device, max(changed_at - coalesce(ahead, interval '0')) as since
    from device_states left join pbx_clocks using (pbx)
    where device in (select trunk from lines union select trunk from devices)
    group by device having not bool_or(reachable) order by device
    """
)
# A phone that registers anew is gone for a moment.
_PHONES: Final = text(
    """
    select device, person, max(changed_at - coalesce(ahead, interval '0')) as since
    from device_states left join pbx_clocks using (pbx) join devices on address = device
    where kind <> 'mobile' and person is not null
    group by device, person
    having not bool_or(device_states.reachable)
       and max(changed_at - coalesce(ahead, interval '0')) < statement_timestamp() - interval '1 minute'
    """
)
# The service was there, or nobody could say so live: what is known from CEL alone belongs to an outage.
_PASSED_BY: Final = text(
    """
    select pbx, count(*) as calls, min(at) as since, max(at) as until from (
        select pbx, started_at - coalesce(ahead, interval '0') as at from calls left join pbx_clocks using (pbx)
        where started_at > statement_timestamp() - interval '1 hour' and joined_into is null and direction = 'inbound'
          and not recovered and jsonb_path_exists(state, '$.facts[*] ? (@.kind == "FallbackTaken")')) as told
    where at > statement_timestamp() - interval '2 minutes' group by pbx
    """
)
_NOTICES: Final = text(
    """
    select channel, count(*), min(due_at) from notice_messages
    where due_at < statement_timestamp() - interval '30 minutes'
      and (state = 'planned' or (state = 'sent' and reason is null)) group by channel order by channel
    """
)
_ERASURES: Final = text(
    "select count(*), min(asked_at) from erasures where finished_at is null"
    " and asked_at < statement_timestamp() - interval '1 hour'"
)


async def faults(
    connection: AsyncConnection, directory: Directory | None, left_to_others: Collection[str] = ()
) -> list[Fault]:
    """All that is wrong now by what is stored; `left_to_others`: PBXes that another process should attend."""
    silent = await connection.execute(_SILENT, {"pbxes": list(left_to_others)})
    told = [Fault("pbx", row.pbx, row.measured_at) for row in silent]
    told += [Fault("trunk", row.device, row.since) for row in await connection.execute(_TRUNKS)]
    told += [
        Fault("routing", row.pbx, row.since, row.until, count=row.calls) for row in await connection.execute(_PASSED_BY)
    ]
    told += await _of_phones(connection, directory)
    told += await _of_crms(connection)
    counts = await count_jobs(connection, QUEUES)
    told += [Fault("jobs", one.queue, count=one.given_up) for one in counts if one.given_up]
    told += [Fault("notices", row[0], row[2], count=row[1]) for row in await connection.execute(_NOTICES)]
    count, since = (await connection.execute(_LOST, {"lost": list(LOST)})).one()
    told += [Fault("recordings_missing", since=since, count=count)] if count else []
    count, since = (await connection.execute(_ERASURES)).one()
    return told + ([Fault("erasures", since=since, count=count)] if count else [])


async def _of_phones(connection: AsyncConnection, directory: Directory | None) -> list[Fault]:
    """Telephones that are gone, of whoever works now."""
    gone = (await connection.execute(_PHONES)).all()
    if directory is None or not gone:
        return []
    at = datetime.now(UTC)
    there, is_open = Presences(directory, await presence_store.read(connection), at), lines_open(directory, at)
    return [
        Fault("device", row.device, row.since, reason=row.person)
        for row in gone
        if (person := directory.person(row.person)) is not None and works(person, directory, there[person.key], is_open)
    ]


async def _of_crms(connection: AsyncConnection) -> list[Fault]:
    told, healths = [], await health.read(connection)
    for one, counts in await connections.counted(connection):
        state = healths.get(one.key)
        if one.stopped_by not in {None, "hand", "new"}:
            told.append(Fault("crm_ended", one.key, reason=str(one.stopped_by)))
        elif one.state == "active" and state is not None and state.error and state.owes_since:
            told.append(Fault("crm_late", one.key, state.owes_since, reason=state.error))
        if counts.get("dead"):
            told.append(Fault("crm_dead", one.key, count=counts["dead"]))
    return told
