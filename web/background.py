"""Reads the calls that go on and what is known about who calls."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, not_, or_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.call import Call
from calls.consulting import consultations
from calls.legs import caller_ended_at
from calls.nps import OF_NOBODY
from calls.record import state_call
from calls.tables import calls, follow_ups, help_requests, legs
from crm_sync.book.lead_list import last_lost
from crm_sync.tables import lead_events, leads, parties, party_numbers, tasks
from directory.model import Directory
from directory.numbers import is_anonymous
from recordings.tables import transcripts
from telephony.clocks import AHEAD
from telephony.tables import pbx_clocks
from web.cards import (
    KEPT,
    QUOTE_LINES,
    Background,
    Consults,
    Help,
    LastTalk,
    LiveCall,
    OpenTask,
    Promised,
    Reach,
    Said,
)
from web.crm_copy import word_of

NUMBERS_MOST: Final = 4
TASKS_MOST: Final = 3
_PAIR: Final = 2

STALE: Final = text("interval '6 hours'")
"""A call without an end for so long lost its end; it is no longer shown as going on."""

_ROUTED: Final = func.jsonb_path_query_first(calls.c.state, text("""'$.facts[*] ? (@.kind == "Routed")'::jsonpath"""))
_MUTES: Final = func.jsonb_path_query_array(
    calls.c.state, text("""'$.facts[*] ? (@.kind == "RecordingMuted")'::jsonpath""")
)
_ENDED: Final = func.jsonb_path_query_array(
    calls.c.state, text("""'$.channels.keyvalue() ? (@.value.ended_at != null).key'::jsonpath""")
)
_RECORDED: Final = and_(
    func.jsonb_path_exists(calls.c.state, text("""'$.facts[*] ? (@.kind == "RecordingStarted")'::jsonpath""")),
    not_(func.jsonb_path_exists(calls.c.state, text("""'$.facts[*] ? (@.kind == "RecordingRefused")'::jsonpath"""))),
)
_HOLDS: Final = func.jsonb_path_query_array(
    calls.c.state, text("""'$.channels.keyvalue() ? (!(@.value.ended_at != null)).value.holds'::jsonpath""")
)
_LIVING: Final = func.jsonb_array_length(
    func.jsonb_path_query_array(
        calls.c.state, text("""'$.channels.keyvalue() ? (!(@.value.ended_at != null)).key'::jsonpath""")
    )
)
_HELPS: Final = (
    select(func.jsonb_agg(func.jsonb_build_array(help_requests.c.person, help_requests.c.taken_by)))
    .where(help_requests.c.call_id == calls.c.id, help_requests.c.withdrawn_at.is_(None))
    .correlate(calls)
    .scalar_subquery()
)
_COLUMNS: Final = (
    calls.c.id, calls.c.direction, calls.c.status, calls.c.line, calls.c.caller_number, calls.c.caller_name,
    calls.c.dialed, calls.c.started_at, calls.c.answered_at, calls.c.ended_at, calls.c.missed_cause, calls.c.person,
    calls.c.talk_seconds, _ROUTED.label("routed"), AHEAD.label("ahead"),
    _RECORDED.label("recorded"), _MUTES.label("mutes"), _ENDED.label("ended"),
    _HOLDS.label("holds"), _LIVING.label("living"), _HELPS.label("helps"),
)  # fmt: skip


_SINCE: Final = select(func.now() + func.least(func.min(pbx_clocks.c.ahead), text("interval '0'")) - STALE)
"""No call that is not stale began before, by the clock of any PBX."""

_RECENT: Final = and_(
    or_(calls.c.ended_at.is_(None), calls.c.ended_at > func.now() + AHEAD - KEPT),
    calls.c.started_at > func.now() + AHEAD - STALE,
)


async def read_live(connection: AsyncConnection, ids: Sequence[UUID] | None = None) -> list[LiveCall]:
    """The calls with those ids, or all that go on or ended a moment ago, without their background."""
    if ids is not None:
        chosen: ColumnElement[bool] = calls.c.id.in_(ids)
    else:
        # Asked for first: of a moment that it knows, PostgreSQL sees how few of all calls began since.
        chosen = and_(_RECENT, calls.c.started_at > await connection.scalar(_SINCE))
    people = (calls.c.joined_into.is_(None), calls.c.started_at.is_not(None), calls.c.direction.not_in(OF_NOBODY))
    asked = select(*_COLUMNS).where(chosen, *people)
    rows = (await connection.execute(asked)).all()
    reached = defaultdict(list)
    asked_legs = select(legs).where(legs.c.call_id.in_([row.id for row in rows])).order_by(legs.c.started_at)
    for leg in (await connection.execute(asked_legs)).all() if rows else ():
        reached[leg.call_id].append(leg)
    states = await _states(connection, [row.id for row in rows if _may_consult(row) or _may_have_left(row)])
    return [_live(row, reached[row.id], states.get(row.id)) for row in rows]


async def _states(connection: AsyncConnection, ids: Sequence[UUID]) -> dict[UUID, Call]:
    asked = select(calls.c.id, calls.c.state).where(calls.c.id.in_(ids))
    return {row.id: state_call(row.state) for row in (await connection.execute(asked) if ids else ())}


def _may_consult(row: Any) -> bool:
    """Whether more channels live than two who talk need: few calls are read whole."""
    return bool(row.status == "talking" and row.living > _PAIR)


def _may_have_left(row: Any) -> bool:
    """Whether one of ours who called may have gone out of the talk; who called us is no one of ours."""
    return bool(row.direction != "inbound" and row.answered_at and row.ended)


async def read_background(connection: AsyncConnection, call: LiveCall, directory: Directory) -> Background:
    """What our own books say about the caller: party, lead, earlier calls, the last talk's first lines."""
    if not call.number or is_anonymous(call.number):
        return Background()
    number = directory.normal(call.number)
    forms = sorted({call.number, number, f"+{number}"})
    party = (await connection.execute(_party(number))).first()
    owed = (await connection.execute(_owed(party.party_id if party else None, number))).one()
    before = (await connection.execute(_before(forms, call.started_at))).one()
    talk = (await connection.execute(_last_talk(forms, call.started_at))).first()
    lost = last_lost((await connection.execute(_history(party.lead))).all()) if party and party.lead else None
    return Background(
        party=(party.name or "") if party else "",
        party_id=party.party_id if party else None,
        numbers=tuple(owed.numbers or ()),
        tasks=tuple(OpenTask(told, _at(due), assignee) for told, due, assignee in owed.tasks or ()),
        promised=Promised(_at(owed.promised[0]), owed.promised[1]) if owed.promised else None,
        lead=party.lead if party else None,
        stage=(party.stage or "") if party else "",
        step=(party.step or "") if party else "",
        deadline_at=party.deadline_at if party else None,
        owner=party.owner if party else None,
        lost_at=lost.at if lost else None,
        lost_reason=lost.reason if lost else None,
        calls_before=before.times,
        last_call_at=before.last_at,
        last_talk=_told(talk) if talk else None,
    )


def _party(number: str) -> Any:
    newest_open = (leads.c.closed_at.is_not(None), leads.c.opened_at.desc())
    return (
        select(
            parties.c.id.label("party_id"),
            parties.c.name,
            leads.c.id.label("lead"),
            leads.c.stage,
            leads.c.step,
            leads.c.owner,
            leads.c.deadline_at,
        )
        .join(party_numbers, party_numbers.c.party_id == parties.c.id)
        .outerjoin(leads, leads.c.party_id == parties.c.id)
        .where(party_numbers.c.number == number)
        .order_by(*newest_open)
        .limit(1)
    )


def _owed(party: int | None, number: str) -> Any:
    """The party's other numbers, what is to be done for it, and the call back that the number is promised."""
    others = select(party_numbers.c.number).where(party_numbers.c.party_id == party, party_numbers.c.number != number)
    others = others.order_by(party_numbers.c.number).limit(NUMBERS_MOST)
    due = select(tasks.c.text, tasks.c.due_at, tasks.c.assignee).where(
        tasks.c.party_id == party, tasks.c.done_at.is_(None)
    )
    told = due.order_by(tasks.c.due_at.nulls_last(), tasks.c.id).limit(TASKS_MOST).subquery()
    open_ = (follow_ups.c.number == number, follow_ups.c.closed_at.is_(None))
    promised = select(func.jsonb_build_array(follow_ups.c.due_at, follow_ups.c.owner)).where(*open_)
    return select(
        func.array(others.scalar_subquery()).label("numbers"),
        select(func.jsonb_agg(func.jsonb_build_array(told.c.text, told.c.due_at, told.c.assignee)))
        .scalar_subquery()
        .label("tasks"),
        promised.order_by(follow_ups.c.due_at).limit(1).scalar_subquery().label("promised"),
    )


def _at(told: str | None) -> datetime | None:
    return datetime.fromisoformat(told) if told else None


def _history(lead: int) -> Any:
    return select(lead_events).where(lead_events.c.lead_id == lead).order_by(lead_events.c.id)


def _before(forms: list[str], at: datetime) -> Any:
    earlier = (calls.c.caller_number.in_(forms), calls.c.started_at < at, calls.c.joined_into.is_(None))
    return select(func.count().label("times"), func.max(calls.c.started_at).label("last_at")).where(*earlier)


def _last_talk(forms: list[str], at: datetime) -> Any:
    reached = (
        select(func.array_agg(legs.c.person.distinct()))
        .where(legs.c.call_id == calls.c.id, legs.c.person.is_not(None))
        .scalar_subquery()
    )
    return (
        select(
            calls.c.id,
            calls.c.started_at,
            calls.c.person,
            calls.c.line,
            transcripts.c.segments,
            reached.label("people"),
        )
        .join(transcripts, transcripts.c.call_id == calls.c.id)
        .where(calls.c.caller_number.in_(forms), calls.c.started_at < at, transcripts.c.text != "")
        .order_by(calls.c.started_at.desc())
        .limit(1)
    )


def _told(talk: Any) -> LastTalk:
    people = frozenset({*(talk.people or ()), *([talk.person] if talk.person else [])})
    return LastTalk(talk.id, talk.started_at, talk.person, people, talk.line, _quote(talk.segments))


def _quote(segments: Sequence[Mapping[str, Any]]) -> tuple[Said, ...]:
    return tuple(Said(str(part.get("side", "")), str(part.get("text", ""))) for part in segments[:QUOTE_LINES])


def _consults(call: Call, row: Any, reached: Sequence[Any]) -> Iterator[Consults]:
    """Who asks whom now; who called out is no leg of the call."""
    placed_by = row.person if row.direction == "outbound" else None
    leg_of = {leg.channel: leg for leg in reached}
    ringing = [leg for leg in reached if leg.outcome is None and leg.answered_at is None and leg.ended_at is None]
    for told in consultations(call):
        by = leg_of[told.by].person if told.by in leg_of else placed_by
        whom = leg_of.get(told.other) or (ringing[-1] if ringing else None)
        if by:
            yield Consults(by, whom.person if whom else None, whom.number if whom else "", bool(told.other))


def _live(row: Any, reached: Sequence[Any], call: Call | None) -> LiveCall:
    read = {"routed", "mutes", "ended", "holds", "living", "helps"}
    columns = {name: value for name, value in row._mapping.items() if name not in read}  # noqa: SLF001 - its public name
    plan = plan_of(row.routed)
    crm = word_of(plan, datetime.fromisoformat(row.routed["at"]) - row.ahead) if plan else None
    return LiveCall(
        **columns,
        reaches=tuple(
            Reach(leg.person, leg.device, leg.number, leg.outcome, leg.started_at, leg.answered_at, leg.ended_at)
            for leg in reached
        ),
        plan=plan,
        paused=_paused(row.mutes, row.ended),
        held=any(max(told)[1] for told in row.holds if told),
        helps=tuple(Help(*told) for told in row.helps or ()),
        consults=tuple(_consults(call, row, reached)) if call and _may_consult(row) else (),
        caller_ended_at=caller_ended_at(call) if call and _may_have_left(row) else None,
        crm=crm,
    )


def _paused(mutes: Sequence[Mapping[str, Any]], ended: Collection[str]) -> bool:
    """Whether the last word on any channel that goes on, of facts as JSON, is that it is muted."""
    last = {str(fact["channel"]): fact for fact in sorted(mutes, key=lambda fact: str(fact.get("at", "")))}
    return any(fact.get("muted", True) for channel, fact in last.items() if channel not in ended)


def plan_of(routed: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Routing's decision inside the event Routed, empty when there is none or it cannot be read."""
    try:
        plan = json.loads(routed["plan"]) if routed else {}
    except (KeyError, TypeError, ValueError):
        return {}
    return plan if isinstance(plan, dict) else {}
