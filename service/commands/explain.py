"""`switchhook explain`: one call told whole, for people and programs, from the rows and the words that pages use."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from calls import events as e
from calls.call import Call, earliest
from calls.missed import GROUPS
from calls.record import state_call
from calls.tables import call_names, calls
from calls.view import CallView, to_json, view
from crm_sync.book.leads import place
from crm_sync.tables import leads, parties
from directory.model import Directory
from directory.store import read
from recordings.fact_rows import talk_facts_of
from recordings.rows import Recording, recordings_of, transcript_of
from web.audio_gaps import gap
from web.decided import known, passed, rule, spent
from web.evidence import charged, evidence
from web.leads.wording import place_name
from web.talk import facts_json, lines
from web.timeline import Moment, Teller, timeline
from web.told import considered, reasons
from web.wording import clock, day, decimal, duration, phone
from web.words import has_words, say


async def find_call(connection: AsyncConnection, told: str) -> UUID | None:
    """The call with this id, or the one that has this uniqueid or linkedid of a PBX."""
    try:
        asked = calls.c.id == UUID(told)
    except ValueError:
        asked = calls.c.id.in_(select(call_names.c.call_id).where(call_names.c.name == told))
    kept = func.coalesce(calls.c.joined_into, calls.c.id)
    found: UUID | None = (await connection.execute(select(kept).where(or_(asked)).limit(1))).scalar()
    return found


async def tell(connection: AsyncConnection, call_id: UUID, language: str) -> tuple[dict[str, Any], str]:
    """(JSON, words): record, timeline, decision, recording and transcript of a stored call."""
    row = (await connection.execute(select(calls).where(calls.c.id == call_id))).one()
    call = state_call(row.state)
    seen = view(call)
    directory = await read(connection)
    policy = directory.leads
    recordings = await recordings_of(connection, call_id)
    moments = timeline(call, seen, directory, language, recordings)
    transcript = await transcript_of(connection, call_id)
    facts = await talk_facts_of(connection, call_id)
    decision = _decision(call)
    party, lead = await _party(connection, row.party_id), await _place(connection, row.lead_id)
    said = (await connection.execute(text("select text from transcripts where call_id = :c"), {"c": call_id})).scalar()
    told = {
        "id": str(call_id),
        "record": to_json(seen),
        "timeline": [{"at": one.at.isoformat(), "kind": one.key, "text": one.text} for one in moments],
        "decision": decision,
        "recordings": [asdict(one) for one in recordings],
        "transcript": said,
        "talk_facts": facts_json(facts) if facts else None,
        "party": party.id if party else None,
        "party_name": party.name if party else None,
        "lead": row.lead_id,
        "lead_place": lead,
    }
    words = [
        *_heading(seen, directory, language),
        "",
        *_numbered(moments, _zone(seen, directory), language),
        "",
        *_cause(seen, directory, language),
        *_decision_words(decision, seen, directory, language),
        *_kept(seen, recordings, language),
        *([say(language, "story.transcript")] if transcript else []),
        *(lines(facts, language) if facts else []),
        *([_named(say(language, "story.party", party=party.id), party.name)] if party else []),
        *([_named(say(language, "story.lead", lead=row.lead_id), place_name(policy, language, lead))] if lead else []),
        str(call_id),
    ]
    plain: dict[str, Any] = json.loads(json.dumps(told, default=str))
    return plain, "\n".join(words)


async def _party(connection: AsyncConnection, party: int | None) -> Any:
    """The party of a call, or the one that it turned out to be."""
    whose = select(func.coalesce(parties.c.merged_into, parties.c.id)).where(parties.c.id == party)
    asked = select(parties.c.id, parties.c.name).where(parties.c.id == whose.scalar_subquery())
    return (await connection.execute(asked)).one_or_none()


async def _place(connection: AsyncConnection, lead: int | None) -> str | None:
    """Where a call's lead is by now; None: it has none."""
    row = (await connection.execute(select(leads.c.stage, leads.c.step).where(leads.c.id == lead))).one_or_none()
    return place(row.stage, row.step) if row else None


def _named(what: str, name: str | None) -> str:
    return f"{what}: {name}" if name else what


def _zone(seen: CallView, directory: Directory) -> ZoneInfo:
    line = directory.line(seen.line)
    return ZoneInfo(directory.zone_of(line) if line else directory.company.time_zone)


def _heading(seen: CallView, directory: Directory, language: str) -> list[str]:
    """What kind of call, of whom, when, and what became of it."""
    zone = _zone(seen, directory)
    teller = Teller(directory, language)
    who = [seen.caller_name, phone(seen.caller_number)]
    if seen.direction != "inbound":
        sides = [teller.who(seen.caller_device, seen.caller_number), teller.who("", seen.dialed)]
        who = [" → ".join(one for one in sides if one)]
    told = " ".join(dict.fromkeys(one for one in who if one)) or say(language, "card.hidden")
    kind, status = say(language, f"direction.{seen.direction}"), say(language, f"status.{seen.status}")
    began = seen.started_at.astimezone(zone) if seen.started_at else None
    when = f"{day(began.date(), datetime.now(zone).date(), language)}, {began:%H:%M:%S} ({zone.key})" if began else ""
    numbers = {leg.device: leg.number for leg in seen.legs}
    answered = ", ".join(teller.who(one, numbers.get(one, "")) for one in seen.answered_by)
    spans = {"wait": seen.wait_seconds, "talk": seen.talk_seconds, "hold": seen.hold_seconds}
    return [
        f"{kind}: {told}. {status}." + (f" {say(language, 'call.recovered')}." if seen.recovered else ""),
        *([when] if when else []),
        *([say(language, "story.answered_by", who=answered)] if answered else []),
        *([say(language, "story.conference")] if seen.conference else []),
        say(language, "story.times", **{name: duration(seconds) for name, seconds in spans.items()}),
    ]


def _numbered(moments: Sequence[Moment], zone: ZoneInfo, language: str) -> list[str]:
    width = len(str(len(moments)))
    return [
        f"{number:>{width}}. {clock(one.at, zone, seconds=True)}  {one.text}" for number, one in enumerate(moments, 1)
    ] or [say(language, "call.timeline")]


def _cause(seen: CallView, directory: Directory, language: str) -> list[str]:
    """Why nobody talked, whose business that is, what shows it, and who is to blame."""
    known = seen.missed_cause or ("integration_lost" if seen.integration_lost else None)
    if known is None:
        return []
    cause = say(language, f"cause.{known}")
    cause = say(language, "story.missed", cause=cause) if seen.missed_cause else cause
    group = say(language, "evidence.group", group=say(language, f"group.{GROUPS[known]}"))
    shown = [*evidence(seen, directory, _zone(seen, directory), language), charged(seen, directory, language), group]
    return [f"{cause}.", *(f"  {one}" for one in shown if one), ""]


def _kept(seen: CallView, recordings: Sequence[Recording], language: str) -> list[str]:
    """What there is to hear."""
    told = []
    for one in recordings:
        if one.seconds is not None:
            side = say(language, f"side.{one.side}").lower()
            told.append(say(language, "story.recording", side=side, seconds=duration(one.seconds)))
        if wrong := gap(one, language):
            why = f" ({one.reason})" if one.seconds is None and one.reason else ""
            told.append(say(language, "story.gap", what=wrong) + why)
    if not told and seen.recordings:
        told.append(say(language, "story.recorded_there", count=len(seen.recordings)))
    return told


def _decision(call: Call) -> dict[str, Any] | None:
    routed = earliest(call, e.Routed)
    if routed is None:
        return None
    told = {"rule": routed.rule, "outcome": routed.outcome, "seconds": routed.seconds}
    return told | {"plan": json.loads(routed.plan)}


def _decision_words(decision: dict[str, Any] | None, seen: CallView, directory: Directory, language: str) -> list[str]:
    """Why the call went where it went; nothing for one that nobody routes."""
    if decision is None:
        return [say(language, "call.no_decision"), ""] if seen.direction == "inbound" else []
    plan = decision["plan"]
    key = f"story.{decision['outcome']}"
    when = say(language, key if has_words(key) else "story.in_time")
    lines = [say(language, "story.decided", when=when, time=decimal(decision["seconds"] * 1000, language))]
    lines += [f"  {told}" for told in (rule(plan, language),) if told]
    lines += [f"  {reason}" for reason in reasons(plan, language)]
    lines += [
        f"  {'+' if one.taken else '-'} {one.name} {one.device}: {one.why}"
        for one in considered(plan, directory, language)
    ]
    for key, told in (
        ("call.passed", passed(plan, language)),
        ("call.known", known(plan, directory, _zone(seen, directory), language)),
    ):
        lines += [f"{say(language, key)}:", *(f"  {one}" for one in told)] if told else []
    lines += [told for told in (spent(plan, language),) if told]
    return [*lines, ""]
