"""What stands at the end of a day: leads in work, overdue and forgotten ones, promises that are open.

It is read from events as of that moment, so that an old day counted anew is the same. A lead is forgotten as
`crm_sync.book.attention` says: nobody talked with its party since `:quiet` says for its line and that day (a JSON
object of days, of lines, of moments; the line "" is of leads without one of ours), and no task for it was open.
"""

from __future__ import annotations

from typing import Final

from crm_sync.book.lifecycle import OPEN
from reports.counts.missed import OUT_OF_REACH, WHOSE_PHONE, of_group
from reports.counts.told import ENDS, owner_at
from reports.measures import Count

_OPEN: Final = ", ".join(f"'{stage}'" for stage in OPEN)
_TOLD: Final = "kind in ('opened', 'stage', 'owner', 'deadline')"
_STOOD: Final = f"""(
    select ends.at, ends.day, ends.moment, leads.id, leads.party_id, leads.opened_at, leads.contact_at,
           leads.source_line as line, case when owned.known then owned.who else leads.owner end as person,
           split_part(coalesce(place.after, leads.stage), '/', 1) as stage,
           case when moved.lead_id is null or due.deadline_at is null and due.at >= leads.stage_at
                then leads.deadline_at else due.deadline_at end as deadline_at
    from {ENDS} join leads
      on leads.opened_at < ends.moment and coalesce(leads.closed_at, 'infinity') >= ends.moment
         and coalesce(leads.closed_at, 'infinity') >= :since
    left join (
        select distinct ends.moment, lead_id from {ENDS} join lead_events on {_TOLD} and lead_events.at >= ends.moment
    ) as moved on moved.lead_id = leads.id and moved.moment = ends.moment
    left join lateral (
        select after from lead_events
        where lead_id = moved.lead_id and kind in ('opened', 'stage') and at < ends.moment
        order by id desc limit 1) as place on true
    left join lateral (
        select at, deadline_at from lead_events
        where lead_id = moved.lead_id and kind in ('opened', 'stage', 'deadline') and at < ends.moment
        order by id desc limit 1) as due on true
    {owner_at("moved.lead_id", "ends.moment", including=False)}
    where split_part(coalesce(place.after, leads.stage), '/', 1) in ({_OPEN})) as stood"""  # noqa: S608
# How few were open since then is known before it is asked, and an index has them.
# Of a lead of which nothing was told since, its row says how it stood. An event of an earlier version does not tell its
# deadline: then the row does too, while the lead is where the event brought it.

_QUIET: Final = """cross join lateral (select cast(coalesce(
        cast(:quiet as jsonb) #>> array[cast(day as text), ltrim(line, '+')],
        cast(:quiet as jsonb) #>> array[cast(day as text), '']) as timestamptz) as since) as quiet"""
_FORGOTTEN: Final = """stood.opened_at < since
    and not exists (
        select from tasks where tasks.lead_id = stood.id and tasks.made_at < moment
           and (tasks.done_at is null or tasks.done_at >= moment))
    and (coalesce(stood.contact_at, stood.opened_at) < since or stood.contact_at >= moment and not exists (
        select from parties join calls on calls.party_id = parties.id
        where (parties.id = stood.party_id or parties.merged_into = stood.party_id) and calls.joined_into is null
          and calls.answered_at is not null and calls.started_at >= since and calls.started_at < moment))"""


def _of(where: str, *, also: str = "", detail: str = "''") -> str:
    return f"""
        select stood.at, cast(null as uuid) as call_id, stood.id as lead_id, cast(null as bigint) as promise_id,
               line, person, {detail} as detail, cast(1 as float) as value
        from {_STOOD} {also} where {where}
    """  # noqa: S608 - of our own text


def _promises(also: str = "", *, person: str = "owner") -> str:
    return f"""
        select at, follow_ups.call_id, cast(null as bigint) as lead_id, follow_ups.id as promise_id, follow_ups.line,
               {person} as person, '' as detail, cast(1 as float) as value
        from {ENDS} join follow_ups on opened_at < moment and (closed_at is null or closed_at >= moment) {also}
    """  # noqa: S608 - of our own text


_FIRST: Final = "join calls on calls.id = follow_ups.call_id and status = 'missed' and"
# Later ones may have been missed by something else: they would not wait but for the first.

COUNTS: Final[tuple[Count, ...]] = (
    Count(key="in_work", of="lead", items=_of("true", detail="stage"), detail="stage", at_end=True),
    Count(key="overdue", of="lead", items=_of("stood.deadline_at < moment"), better="fewer", at_end=True),
    Count(key="forgotten", of="lead", items=_of(_FORGOTTEN, also=_QUIET), better="fewer", at_end=True),
    Count(key="open_promises", of="promise", items=_promises(), better="fewer", at_end=True),
    Count(
        key="open_by_integration",
        of="promise",
        items=_promises(f"{_FIRST} {of_group('integration')}"),
        better="fewer",
        at_end=True,
    ),
    Count(
        key="open_by_phone",
        of="promise",
        items=_promises(f"{_FIRST} {OUT_OF_REACH} {WHOSE_PHONE}", person="who"),
        better="fewer",
        at_end=True,
    ),
)
