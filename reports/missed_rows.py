"""Asks the database for the missed calls of a period and for the days that its trend needs."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from reports.missed import WEEKS, DayCount, MissedCall, MissedReport, summarise

# Times in `calls` are the PBX's, and its clock is `ahead` of ours. A new client is one whom nobody knew before the
# first call of their promise: no earlier talk, no earlier party.
_CALLS = text(
    """
    select timezone(:zone, told.at) as at, coalesce(told.line, '') as line, missed_cause, charged_to, promise.owner,
           promise.id is not null as owed,
           case when promise.closed_by = 'talk'
                then greatest(extract(epoch from promise.closed_at - told.until), 0) end as called_back_seconds,
           exists (select from party_numbers join parties on parties.id = party_id
                   where number = told.caller_number and parties.created_at < told.began)
           or exists (select from calls as earlier
                      where earlier.caller_number = told.caller_number and earlier.started_at < told.began
                        and earlier.answered_at is not null and earlier.joined_into is null) as known
    from (select calls.*, started_at - coalesce(ahead, interval '0') as at,
                 ended_at - coalesce(ahead, interval '0') as until,
                 coalesce((select min(one.started_at) from follow_up_calls as mine
                           join follow_up_calls as other using (follow_up_id)
                           join calls as one on one.id = other.call_id
                           where mine.call_id = calls.id), started_at) as began
          from calls left join pbx_clocks using (pbx)
          where joined_into is null and direction = 'inbound' and status = 'missed' and settled_at is not null) as told
    left join follow_up_calls on follow_up_calls.call_id = told.id
    left join follow_ups as promise on promise.id = follow_up_calls.follow_up_id
    where told.at >= :since and told.at < :until
    order by told.at
    """
)
_DAYS = text(
    """
    select cast(timezone(:zone, at) as date) as day, count(*) as inbound,
           count(*) filter (where status = 'missed') as missed
    from (select status, started_at - coalesce(ahead, interval '0') as at from calls left join pbx_clocks using (pbx)
          where joined_into is null and direction = 'inbound' and settled_at is not null) as told
    where at >= :since and at < :until
    group by 1 order by 1
    """
)


async def missed_report(connection: AsyncConnection, since: datetime, until: datetime, zone: str) -> MissedReport:
    """The figures of the inbound calls that began from `since` on and before `until`; days are those of `zone`."""
    period = {"since": since, "until": until, "zone": zone}
    calls = [
        MissedCall(
            at=row.at,
            line=row.line,
            cause=row.missed_cause or "unknown",
            charged_to=tuple(row.charged_to),
            owner=row.owner,
            known=row.known,
            owed=row.owed,
            called_back_seconds=None if row.called_back_seconds is None else float(row.called_back_seconds),
        )
        for row in await connection.execute(_CALLS, period)
    ]
    first = since.astimezone(ZoneInfo(zone)).date()
    weeks_before = datetime.combine(first - timedelta(weeks=WEEKS), time(), ZoneInfo(zone))
    rows = await connection.execute(_DAYS, period | {"since": weeks_before})
    counted = {row.day: DayCount(row.day, row.inbound, row.missed) for row in rows}
    last = (until - timedelta(microseconds=1)).astimezone(ZoneInfo(zone)).date()
    # A day without a call is a day all the same, where the house was open then: before its first call it was not there.
    begun = min(counted, default=first)
    span = (last - max(begun, weeks_before.date())).days + 1
    every = (max(begun, weeks_before.date()) + timedelta(days=number) for number in range(max(span, 0)))
    return summarise(calls, [counted.get(day, DayCount(day, 0, 0)) for day in every], first)
