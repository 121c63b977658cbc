"""`switchhook explain`: one call told whole, for people and programs, from the rows and the words that pages use."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from calls import events as e
from calls.call import Call, earliest
from calls.record import state_call
from calls.tables import call_names, calls
from calls.view import to_json, view
from directory.model import Directory
from directory.store import read
from recordings.rows import recordings_of, transcript_of
from web.timeline import timeline
from web.told import considered, reasons


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
    moments = timeline(call, seen, directory, language)
    recordings = await recordings_of(connection, call_id)
    transcript = await transcript_of(connection, call_id)
    decision = _decision(call)
    said = (await connection.execute(text("select text from transcripts where call_id = :c"), {"c": call_id})).scalar()
    told = {
        "id": str(call_id),
        "record": to_json(seen),
        "timeline": [{"at": one.at.isoformat(), "text": one.text} for one in moments],
        "decision": decision,
        "recordings": [asdict(one) for one in recordings],
        "transcript": said,
        "party": row.party_id,
        "lead": row.lead_id,
    }
    words = [
        f"{call_id}  {seen.direction}  {seen.status}" + (f"  cause: {seen.missed_cause}" if seen.missed_cause else ""),
        f"wait {seen.wait_seconds:.1f} s, talk {seen.talk_seconds:.1f} s, hold {seen.hold_seconds:.1f} s",
        "",
        *(f"{one.at:%H:%M:%S}  {one.text}" for one in moments),
        *_decision_words(decision, directory, language),
        "",
        f"recordings: {len(recordings)}   transcript: {'yes' if transcript else 'no'}",
        f"party: {row.party_id or '-'}   lead: {row.lead_id or '-'}",
    ]
    plain: dict[str, Any] = json.loads(json.dumps(told, default=str))
    return plain, "\n".join(words)


def _decision(call: Call) -> dict[str, Any] | None:
    routed = earliest(call, e.Routed)
    if routed is None:
        return None
    told = {"rule": routed.rule, "outcome": routed.outcome, "seconds": routed.seconds}
    return told | {"plan": json.loads(routed.plan)}


def _decision_words(decision: dict[str, Any] | None, directory: Directory, language: str) -> list[str]:
    if decision is None:
        return ["", "no routing decision: the service was not asked, or did not answer"]
    plan = decision["plan"]
    lines = ["", f"decided by {decision['rule']}, {decision['outcome']}, in {decision['seconds'] * 1000:.1f} ms"]
    lines += [f"  {reason}" for reason in reasons(plan, language)]
    lines += [
        f"  {'+' if one.taken else '-'} {one.name} {one.device}: {one.why}"
        for one in considered(plan, directory, language)
    ]
    return lines
