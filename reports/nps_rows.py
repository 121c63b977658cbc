"""Asks of NPS as rows: planned once a reason, taken by who asks, and ended by what the record, or the client, tells."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from calls import events as e
from calls.call import earliest
from calls.follow_up import TALK_SECONDS_LEAST
from calls.nps import PREFIX
from calls.record import state_call
from crm_sync.book.parties import must_not_be_called
from directory.blocking import blocked_of
from directory.model import Directory
from reports.nps import Client, Occasion, Verdict, may_ask
from reports.nps_tables import nps_asks

LATE_DAYS: Final = 3
"""A client who could not be asked for so long is not asked any more."""
LINK_DAYS: Final = 14
"""So long a link takes an answer."""
COMMENT_MOST: Final = 2000
LOST_SECONDS: Final = 120.0
"""So long after it was asked for, a call of which nothing is in the record did not come to be."""

_AT_ONCE_MOST: Final = 3
_MOST: Final = 200
_ONE_AT_A_TIME: Final = text("select pg_advisory_xact_lock(5040, 3)")
_TAKES_ALONE: Final = text("select pg_try_advisory_xact_lock(5040, 4)")
_TALKS: Final = text(
    """
    select 'talk ' || c.id as reason, c.id as talk_id, coalesce(c.caller_number, '') as number, c.line, c.person,
           c.party_id, c.lead_id, '' as stage, c.pbx, c.ended_at - coalesce(k.ahead, interval '0') as at
    from calls c
    join unnest(cast(:lines as text[]), cast(:percents as int[])) as share (line, percent) on share.line = c.line
    left join pbx_clocks k on k.pbx = c.pbx
    where c.started_at > clock_timestamp() - interval '2 days' and c.ended_at > clock_timestamp() - interval '1 day'
      and c.joined_into is null and c.settled_at is not null and c.direction = 'inbound' and not c.erased
      and c.answered_at is not null and c.talk_seconds >= :talk
      and abs(hashtextextended(c.id\\:\\:text, 0) % 100) < share.percent
      and not exists (select from nps_asks a where a.reason = 'talk ' || c.id)
    order by c.ended_at limit :most
    """
)
"""Of the last day. Which talks the share takes is in their ids, so that whoever looks again takes the same."""

_STAGES: Final = text(
    """
    select 'lead_event ' || v.id as reason, cast(null as uuid) as talk_id, coalesce(n.number, '') as number,
           coalesce(l.source_line, '') as line, l.owner as person, l.party_id, l.id as lead_id, v.after as stage,
           cast(null as text) as pbx, v.at
    from lead_events v
    join leads l on l.id = v.lead_id
    left join lateral (
        select p.number from party_numbers p where p.party_id = l.party_id
        order by (select max(c.started_at) from calls c where c.party_id = l.party_id and c.caller_number = p.number)
                 desc nulls last, p.number
        limit 1) as n on true
    where v.kind = 'stage' and v.at > clock_timestamp() - interval '1 day'
      and (v.after = any(cast(:steps as text[]))
           or split_part(v.after, '/', 1) = any(cast(:stages as text[]))
              and split_part(v.after, '/', 1) <> split_part(coalesce(v.before, ''), '/', 1))
      and not exists (select from nps_asks a where a.reason = 'lead_event ' || v.id)
    order by v.id limit :most
    """
)
"""Likewise; the number is that by which the client called last."""

_TAKE: Final = text(
    f"""
    update nps_asks set state = 'calling', asked_at = clock_timestamp(), pbx = :pbx
    where id = (
        select a.id from nps_asks a
        where a.state = 'planned' and a.way = 'call' and a.due_at <= clock_timestamp()
          and coalesce(a.pbx, cast(:pbx as text)) = :pbx
          and not exists (
              select from calls c where c.settled_at is null and c.joined_into is null
                and c.started_at > clock_timestamp() - interval '7 hours' and a.number in (c.caller_number, c.dialed))
        order by a.due_at limit 1 for update skip locked)
      and (select count(*) from nps_asks where state = 'calling') < {_AT_ONCE_MOST}
    returning *
    """  # noqa: S608 - a number of our own
)
"""Who is on the line now is asked later."""

_CALLED: Final = text(
    """
    select a.id, a.state, extract(epoch from clock_timestamp() - a.asked_at) as age,
           kept.id as call_id, kept.settled_at, kept.state as told, coalesce(k.ahead, interval '0') as ahead
    from nps_asks a
    left join call_names n on n.pbx = a.pbx and n.name = :prefix || replace(a.id\\:\\:text, '-', '')
    left join calls c on c.id = n.call_id
    left join calls kept on kept.id = coalesce(c.joined_into, c.id)
    left join pbx_clocks k on k.pbx = a.pbx
    where a.state = 'calling' or a.way = 'call' and a.state in ('refused', 'unreachable')
      and a.asked_at > clock_timestamp() - interval '1 day'
    """
)
"""The calls that ask, and those of the last day that came to nothing: of them CEL may tell more after an outage."""

_CALLED_LATELY: Final = text(
    """
    select count(*) filter (where asked_at > now() - interval '1 minute'), count(*)
    from nps_asks where way = 'call' and asked_at > now() - interval '1 hour' and id <> :but
    """
)

_CALLED_SINCE: Final = text(
    """
    select a.number, cast(case when up_at is null then 60
        else extract(epoch from coalesce(c.ended_at, clock_timestamp()) - greatest(up_at, :since)) end as float)
    from nps_asks a
    left join call_names n on n.pbx = a.pbx and n.name = :prefix || replace(a.id\\:\\:text, '-', '')
    left join calls c on c.id = n.call_id
    cross join lateral (select cast(c.state->'channels'->n.name->>'up_at' as timestamptz) as up_at) as answered
    where a.way = 'call' and a.asked_at >= cast(:since as timestamptz) - interval '1 day'
      and a.id is distinct from cast(:but as uuid)
      and (coalesce(c.ended_at, clock_timestamp()) > :since and up_at is not null
           or up_at is null and c.ended_at is null and a.state = 'calling' and a.asked_at >= :since)
    """
)

_EXPIRE: Final = text(
    f"""
    update nps_asks set state = 'expired'
    where state = 'planned' and due_at < clock_timestamp() - interval '{LATE_DAYS} days'
       or state = 'sent' and asked_at < clock_timestamp() - interval '{LINK_DAYS} days'
    """  # noqa: S608 - numbers of our own
)


async def plan(connection: AsyncConnection, directory: Directory) -> int:
    """Plan whom to ask by the directory's policy, or note why not; returns how many occasions were judged."""
    policy = directory.nps
    if not policy.asks:
        return 0
    await connection.execute(_ONE_AT_A_TIME)
    lines, percents = [one.line for one in policy.talks], [one.percent for one in policy.talks]
    talks = {"lines": lines, "percents": percents, "talk": TALK_SECONDS_LEAST, "most": _MOST}
    steps = [f"in_work/{step}" for step in policy.steps]
    found = [*(await connection.execute(_TALKS, talks)).all()] if lines else []
    if policy.stages or steps:
        asked = {"stages": list(policy.stages), "steps": steps, "most": _MOST}
        found += (await connection.execute(_STAGES, asked)).all()
    for row in found:
        await _write(connection, directory, row, await judge(connection, directory, row, row.at))
    return len(found)


async def judge(
    connection: AsyncConnection, directory: Directory, row: Any, at: datetime, *, own: UUID | None = None
) -> Verdict:
    """May this client be asked? `row` has number, party_id, lead_id and line; `own`: a row that does not count."""
    unwanted = await must_not_be_called(connection, row.number) or await blocked_of(connection, [row.number])
    theirs = nps_asks.c.number == row.number
    if row.party_id is not None:
        theirs = or_(theirs, nps_asks.c.party_id == row.party_id)
    counted = or_(nps_asks.c.asked_at.is_not(None), nps_asks.c.state == "planned")
    last = select(func.max(func.coalesce(nps_asks.c.asked_at, nps_asks.c.due_at))).where(theirs, counted)
    if own is not None:
        last = last.where(nps_asks.c.id != own)
    client = Client(unwanted=bool(unwanted), asked_at=(await connection.execute(last)).scalar())
    occasion = Occasion(at=at, number=row.number, line=row.line or "", has_lead=row.lead_id is not None)
    return may_ask(occasion, client, directory)


async def _write(connection: AsyncConnection, directory: Directory, row: Any, verdict: Verdict) -> None:
    told = {
        "reason": row.reason,
        "party_id": row.party_id,
        "number": row.number,
        "talk_id": row.talk_id,
        "lead_id": row.lead_id,
        "stage": row.stage,
        "person": row.person,
        "line": row.line or "",
        "pbx": row.pbx,
        "way": directory.nps.way,
        "state": "declined" if verdict.due_at is None else "planned",
        "why": verdict.why,
        "due_at": verdict.due_at,
    }
    await connection.execute(insert(nps_asks).values(told).on_conflict_do_nothing(index_elements=["reason"]))


async def take(connection: AsyncConnection, pbx: str) -> Row[Any] | None:
    """Take the ask that is due first, for this PBX to call; a few are called at once.

    None while another takes one: so each sees what the other has taken of the budget.
    """
    if not (await connection.execute(_TAKES_ALONE)).scalar_one():
        return None
    return (await connection.execute(_TAKE, {"pbx": pbx})).one_or_none()


async def called_lately(connection: AsyncConnection, *, but: UUID) -> tuple[int, int]:
    """How many clients were called to be asked in the last minute and hour, `but` this one."""
    minute, hour = (await connection.execute(_CALLED_LATELY, {"but": but})).one()
    return minute, hour


async def called_since(
    connection: AsyncConnection, since: datetime, *, but: UUID | None = None
) -> Sequence[tuple[str, float]]:
    """The clients called to be asked, `but` this one: number, and seconds since then; a minute while it rings there."""
    told = {"since": since, "but": but, "prefix": PREFIX}
    return [tuple(row) for row in await connection.execute(_CALLED_SINCE, told)]


async def put_off(connection: AsyncConnection, ask: UUID, until: datetime) -> None:
    """Ask later, not having called."""
    later = {"state": "planned", "asked_at": None, "due_at": until}
    await connection.execute(update(nps_asks).where(nps_asks.c.id == ask).values(later))


async def decline(connection: AsyncConnection, ask: UUID, why: str) -> None:
    """Not ask, not having called: since it was planned there is a reason."""
    told = {"state": "declined", "asked_at": None, "why": why}
    await connection.execute(update(nps_asks).where(nps_asks.c.id == ask).values(told))


async def fail(connection: AsyncConnection, ask: UUID, why: str) -> None:
    """The client could not be called."""
    told = {"state": "unreachable", "why": why}
    await connection.execute(update(nps_asks).where(nps_asks.c.id == ask, nps_asks.c.state == "calling").values(told))


async def follow(connection: AsyncConnection) -> int:
    """End the asks whose calls are over, by what the record tells of them; returns how many changed."""
    changed = 0
    for row in (await connection.execute(_CALLED, {"prefix": PREFIX})).all():
        told = _ended(row)
        if told is not None:
            its = update(nps_asks).where(nps_asks.c.id == row.id, nps_asks.c.state == row.state)
            changed += (await connection.execute(its.values(told))).rowcount
    return changed


def _ended(row: Any) -> dict[str, Any] | None:
    """What became of a call that asks; None: nothing new."""
    if row.call_id is None:
        is_lost = row.state == "calling" and row.age > LOST_SECONDS
        return {"state": "unreachable", "why": "lost"} if is_lost else None
    if row.settled_at is None:
        return None
    call = state_call(row.told)
    answered = earliest(call, e.NpsAnswered)
    if answered is not None:
        at = (answered.at or row.settled_at) - row.ahead
        return {"state": "answered", "score": answered.score, "answered_at": at, "call_id": row.call_id, "why": ""}
    if row.state == "calling":
        heard = earliest(call, e.NpsAsked) is not None
        return {"state": "refused" if heard else "unreachable", "call_id": row.call_id}
    return None


async def due_links(connection: AsyncConnection) -> Sequence[Row[Any]]:
    """The asks by a link whose time has come, locked."""
    due = (nps_asks.c.state == "planned", nps_asks.c.way == "link", nps_asks.c.due_at <= func.clock_timestamp())
    asked = select(nps_asks).where(*due).order_by(nps_asks.c.due_at).limit(_MOST)
    return (await connection.execute(asked.with_for_update(skip_locked=True))).all()


async def sent(connection: AsyncConnection, ask: UUID, message: int) -> None:
    """Note that a link is on its way, by that event of the lead."""
    told = {"state": "sent", "asked_at": func.clock_timestamp(), "message_id": message}
    await connection.execute(update(nps_asks).where(nps_asks.c.id == ask).values(told))


async def asked_by(connection: AsyncConnection, message: int) -> UUID | None:
    """The ask whose link an event of a lead sends; None: there is none that still takes an answer."""
    asked = select(nps_asks.c.id).where(nps_asks.c.message_id == message, nps_asks.c.state == "sent")
    return (await connection.execute(asked)).scalar_one_or_none()


async def of_link(connection: AsyncConnection, ask: UUID) -> Row[Any] | None:
    """The ask behind a link; None where it takes no answer, and never did."""
    asked = select(nps_asks).where(nps_asks.c.id == ask, nps_asks.c.state.in_(("sent", "answered")))
    return (await connection.execute(asked)).one_or_none()


async def answer(connection: AsyncConnection, ask: UUID, score: int, comment: str) -> bool:
    """Take the answer of a client by their link, once; False: it takes none any more."""
    told = {
        "state": "answered",
        "score": score,
        "comment": comment.strip()[:COMMENT_MOST] or None,
        "answered_at": func.clock_timestamp(),
    }
    its = update(nps_asks).where(nps_asks.c.id == ask, nps_asks.c.state == "sent")
    return bool((await connection.execute(its.values(told))).rowcount)


async def expire(connection: AsyncConnection) -> int:
    """End what nobody could be asked, or answered, in time; returns how many."""
    return (await connection.execute(_EXPIRE)).rowcount
