"""What became of leads on a day: came in, judged, moved on, lost, brought back.

A lead is qualified when it first comes to `qualified`, or past it, from wherever, or comes in there. A step of the
funnel is reached when a lead comes there, or past it, for the first time: who comes to a later step has reached those
before, at that moment, and who buys has reached all. The stage that a lead leaves is told with its step:
in_work/meeting.
"""

from __future__ import annotations

from typing import Final

from crm_sync.book.lifecycle import OPEN, REVIVED
from reports.counts.told import of_events
from reports.measures import Count, Ratio

LONG_TALK_SECONDS: Final = 120
"""Who talked for so long was no wrong number."""

_PAST: Final = "('qualified', 'in_work', 'won')"
_QUALIFIED: Final = f"""stage in {_PAST} and not exists (
    select from lead_events as other where other.lead_id = event.lead_id and other.id < event.id
       and other.kind in ('opened', 'stage') and split_part(other.after, '/', 1) in {_PAST})"""
_DISQUALIFIED: Final = "event.kind = 'stage' and stage = 'disqualified'"
_LOST: Final = "event.kind = 'stage' and stage = 'lost' and stage_before <> 'reviving'"
_REASON: Final = "event.reason"
_AFTER_LONG_TALK: Final = f"""{_DISQUALIFIED} and exists (
    select from calls where calls.party_id = event.party_id and calls.started_at < event.at
       and calls.started_at >= event.opened_at - interval '1 hour' and calls.joined_into is null
       and calls.talk_seconds >= {LONG_TALK_SECONDS})"""
_REACHED: Final = """cross join (
    select array(select step ->> 'key' from company cross join
                 jsonb_array_elements(leads -> 'funnel') with ordinality as steps (step, place)
                 order by place) as funnel) as house
    cross join lateral (
        select step as reached where step <> ''
        union select key from unnest(funnel) with ordinality as steps (key, place)
        where place < array_position(funnel, step) or stage = 'won') as through"""
_FIRST_THERE: Final = """event.kind = 'stage' and not exists (
    select from lead_events as other cross join lateral (select split_part(other.after, '/', 2) as step) as there
    where other.lead_id = event.lead_id and other.id < event.id and other.kind in ('opened', 'stage')
      and (there.step = reached or array_position(funnel, there.step) > array_position(funnel, reached)
           or other.after = 'won'))"""
_BEFORE: Final = """cross join lateral (
    select at as since from lead_events as other where other.lead_id = event.lead_id and other.id < event.id
       and other.kind in ('opened', 'stage') order by other.id desc limit 1) as earlier"""
_OPEN: Final = ", ".join(f"'{stage}'" for stage in OPEN)
_LEFT: Final = f"event.kind = 'stage' and stage_before in ({_OPEN})"
_STAYED: Final = "greatest(extract(epoch from event.at - since), 0)"

COUNTS: Final[tuple[Count, ...]] = (
    Count(key="leads_in", of="lead", items=of_events("event.kind = 'opened'"), better="more"),
    Count(key="judged", of="lead", items=of_events(f"({_QUALIFIED}) or ({_DISQUALIFIED})")),
    Count(key="qualified", of="lead", items=of_events(_QUALIFIED), better="more"),
    Count(
        key="disqualified",
        of="lead",
        items=of_events(_DISQUALIFIED, detail=_REASON),
        better="fewer",
        detail="reason",
    ),
    Count(
        key="disqualified_after_long_talk",
        of="lead",
        items=of_events(_AFTER_LONG_TALK, detail=_REASON),
        better="fewer",
        detail="reason",
    ),
    Count(
        key="steps",
        of="lead",
        items=of_events(_FIRST_THERE, also=_REACHED, detail="reached"),
        better="more",
        detail="step",
    ),
    Count(key="won", of="lead", items=of_events("event.kind = 'stage' and stage = 'won'"), better="more"),
    Count(key="lost", of="lead", items=of_events(_LOST, detail=_REASON), better="fewer", detail="reason"),
    Count(key="revived", of="lead", items=of_events(REVIVED), better="more"),
    Count(key="stages_left", of="lead", items=of_events(_LEFT, also=_BEFORE, detail="event.before"), detail="stage"),
    Count(
        key="stage_seconds",
        of="lead",
        items=of_events(_LEFT, also=_BEFORE, detail="event.before", value=_STAYED),
        unit="seconds",
        better="fewer",
        detail="stage",
    ),
)

RATIOS: Final[tuple[Ratio, ...]] = (
    Ratio(key="qualified_share", part="qualified", whole="judged", unit="share", better="more"),
    Ratio(key="disqualified_share", part="disqualified", whole="judged", unit="share", better="fewer"),
    Ratio(key="step_conversion", part="steps", whole="steps", unit="share", better="more"),
    Ratio(key="time_in_stage", part="stage_seconds", whole="stages_left", unit="seconds", better="fewer"),
)
