"""What questions of counts share: settled calls of a time, events of leads, and the ends of its days.

Times of `calls` are the PBX's, and its clock is `ahead` of ours. Calls that the service makes, to see that it works or
to ask a client, are nobody's, and a call that joined another is counted with it. Whose a lead is, is told as of the
event.
"""

from __future__ import annotations

from typing import Final

from calls.nps import OF_NOBODY

CALLS: Final = f"""(
    select calls.*, started_at - coalesce(ahead, interval '0') as at
    from calls left join pbx_clocks using (pbx)
    where joined_into is null and settled_at is not null and direction not in {OF_NOBODY!r}
      and started_at >= :since + (select least(min(ahead), interval '0') from pbx_clocks)
      and started_at < :until + (select greatest(max(ahead), interval '0') from pbx_clocks)
      and started_at - coalesce(ahead, interval '0') >= :since
      and started_at - coalesce(ahead, interval '0') < :until) as calls"""  # noqa: S608 - of our own text
"""The settled calls that began then, at `at` by our clock. An index knows when they began by the PBX's."""

ENDS: Final = """(
    select cast(day as date) as day, greatest(moment - interval '1 microsecond', begun) as at, moment
    from generate_series(
        cast(timezone(:zone, :since) as date), cast(timezone(:zone, :until - interval '1 microsecond') as date),
        interval '1 day') as days
    cross join lateral (select cast(days as timestamp) as day) as local
    cross join lateral (
        select timezone(:zone, day) as begun, least(timezone(:zone, day + interval '1 day'), :now) as moment) as moments
    where begun < :now) as ends"""
"""The end of each day then, as `moment`; of a day that goes on, `:now`. `at` is the last moment of the day itself."""


def owner_at(lead: str, at: str, *, including: bool) -> str:
    """A join that gives the owner of a lead as of a moment: `owned.who` where `owned.known`, else as the lead says.

    The last event before tells it, else the first one after it, by whose it was until then. `including`: one at that
    very moment was before.
    """
    before = f"other.at {'<=' if including else '<'} {at}"
    return f"""left join lateral (
        select true as known, case when {before} then after else before end as who from lead_events as other
        where other.lead_id = {lead} and other.kind = 'owner'
        order by {before} desc, case when {before} then -other.id else other.id end limit 1) as owned on true"""  # noqa: S608


EVENTS: Final = f"""(
    select event.*, leads.party_id, leads.opened_at, leads.source_line as line,
           case when owned.known then owned.who else leads.owner end as person,
           split_part(event.before, '/', 1) as stage_before,
           split_part(event.after, '/', 1) as stage, split_part(event.after, '/', 2) as step
    from lead_events as event join leads on leads.id = event.lead_id
    {owner_at("event.lead_id", "event.at", including=True)}
    where event.kind in ('opened', 'stage') and event.at >= :since and event.at < :until) as event"""  # noqa: S608
"""Leads that came in then, or went to another stage or step of the funnel."""


def of_calls(  # what a row is made of
    where: str, *, also: str = "", person: str = "calls.person", detail: str = "''", value: str = "1"
) -> str:
    """The question of calls that `where` holds for; `also` joins more."""
    return f"""
        select calls.at, calls.id as call_id, cast(null as bigint) as lead_id, cast(null as bigint) as promise_id,
               calls.line, {person} as person, {detail} as detail, cast({value} as float) as value
        from {CALLS} {also} where {where}
    """  # noqa: S608 - of our own text


def of_events(where: str, *, also: str = "", detail: str = "''", value: str = "1") -> str:
    """The question of events of leads that `where` holds for; `also` joins more."""
    return f"""
        select event.at, event.call_id, event.lead_id, cast(null as bigint) as promise_id,
               event.line, event.person, {detail} as detail, cast({value} as float) as value
        from {EVENTS} {also} where {where}
    """  # noqa: S608 - of our own text
