"""Days of a house as their rows: calls, promises, leads with their events, talks, answers, cards, tasks."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.missed import CAUSES
from crm_sync.book.lifecycle import CLOSED, NEXT, OPEN
from tests.fakes.story import LINE, SUPPORT

PEOPLE: Final = ("anna", "boris", "gleb", None)
_LINES: Final = (LINE, f"+{LINE}", SUPPORT, "74950000000", None)
_STEPS: Final = ("meeting", "booking")
_SECONDS_A_DAY: Final = 24 * 3600


async def write(connection: AsyncConnection, table: str, **row: Any) -> Any:
    """Insert a row, and give its `id`, or None where there is none."""
    names = ", ".join(row)
    values = ", ".join(f":{name}" for name in row)
    back = "" if table in {"legs", "transcripts", "talk_facts"} else " returning id"
    made = await connection.execute(text(f"insert into {table} ({names}) values ({values}){back}"), row)
    return made.scalar_one() if back else None


async def call(connection: AsyncConnection, at: datetime, **more: Any) -> UUID:
    """A settled call of a minute, inbound and answered by Anna unless `more` says otherwise."""
    told = {"direction": "inbound", "status": "answered", "line": LINE, "person": "anna"} | more
    talked = told["status"] == "answered"
    row: dict[str, Any] = {
        "id": uuid4(),
        "pbx": "pbx",
        "state": "{}",
        "started_at": at,
        "answered_at": at + timedelta(seconds=5) if talked else None,
        "ended_at": at + timedelta(seconds=60),
        "settled_at": at + timedelta(seconds=65),
        "wait_seconds": 5.0,
        "talk_seconds": 55.0 if talked else 0.0,
    }
    call_id: UUID = await write(connection, "calls", **row | told)
    return call_id


async def promise(connection: AsyncConnection, call_id: UUID, opened_at: datetime, **more: Any) -> int:
    """A promise to call back after a call, Anna's unless `more` says otherwise."""
    row: dict[str, Any] = {"number": uuid4().hex, "line": LINE, "origin": "missed", "owner": "anna"}
    row |= {"call_id": call_id, "attempt_count": 1, "priority": 1, "opened_at": opened_at, "last_missed_at": opened_at}
    promise_id: int = await write(connection, "follow_ups", **row | more)
    return promise_id


async def hear(connection: AsyncConnection, call_id: UUID, **more: Any) -> None:
    """What the words of a call told: thirty seconds of each side, unless `more` says otherwise."""
    words = {"language": "ru", "text": "", "words": "[]", "segments": "[]", "model": "base"}
    await write(connection, "transcripts", call_id=call_id, audio_seconds=60.0, took_seconds=1.0, **words)
    zeros = ("silence_seconds", "longest_silence_seconds", "caller_monologue_seconds", "staff_monologue_seconds")
    row: dict[str, Any] = dict.fromkeys(zeros, 0.0) | {"seconds": 60.0, "caller_seconds": 30.0, "staff_seconds": 30.0}
    row |= {"caller_questions": 0, "staff_questions": 0, "unsure_share": 0.0, "low_confidence": False}
    row |= {"interruptions": "[]", "steps": "[]", "topics": "[]"}
    told = {name: json.dumps(value) if isinstance(value, list) else value for name, value in more.items()}
    await write(connection, "talk_facts", call_id=call_id, **row | told)


async def answered(connection: AsyncConnection, at: datetime, score: int, **more: Any) -> None:
    """A client's answer about NPS, to Anna's credit unless `more` says otherwise."""
    row: dict[str, Any] = {
        "reason": uuid4().hex,
        "number": "79161234567",
        "line": LINE,
        "person": "anna",
        "way": "call",
    }
    row |= {"state": "answered", "score": score, "answered_at": at}
    await write(connection, "nps_asks", **row | more)


async def lead(connection: AsyncConnection, opened_at: datetime, stage: str = "new", **more: Any) -> int:
    """A lead of a party of its own, with the events of its opening and its owner; `stage` may be in_work/meeting."""
    party = more.pop("party_id", None) or await write(connection, "parties", name="Пётр")
    row: dict[str, Any] = {"party_id": party, "opened_at": opened_at, "stage_at": opened_at}
    row |= {"stage": stage.partition("/")[0], "step": stage.partition("/")[2] or None}
    row |= {"source_line": LINE, "owner": "anna", **more}
    lead_id: int = await write(connection, "leads", **row)
    due = {"deadline_at": row["deadline_at"]} if "deadline_at" in row else {}
    await event(connection, lead_id, opened_at, "opened", after=stage, **due)
    if row["owner"] is not None:
        await event(connection, lead_id, opened_at, "owner", after=row["owner"])
    return lead_id


async def event(connection: AsyncConnection, lead_id: int, at: datetime, kind: str, **more: Any) -> None:
    """An event of a lead, and what it makes of the lead."""
    await write(connection, "lead_events", lead_id=lead_id, at=at, by="anna", kind=kind, **more)
    if kind == "stage":
        stage, _, step = more["after"].partition("/")
        values: Mapping[str, Any] = {"stage": stage, "step": step or None, "stage_at": at}
        values = {**values, "closed_at": at if stage in CLOSED else None, "deadline_at": more.get("deadline_at")}
    else:
        values = (
            {}
            if kind == "opened"
            else {"owner": more["after"]}
            if kind == "owner"
            else {"deadline_at": more["deadline_at"]}
        )
    if values:
        sets = ", ".join(f"{name} = :{name}" for name in values)
        await connection.execute(text(f"update leads set {sets} where id = :lead"), {**values, "lead": lead_id})


async def some_days(connection: AsyncConnection, dice: random.Random, first: datetime, days: int, each: int) -> None:
    """So many invented days, `each` of everything a day."""

    def within() -> datetime:
        return first + timedelta(seconds=dice.randrange(days * _SECONDS_A_DAY))

    over = first + timedelta(days=days)
    for _ in range(days * each):
        at, status = within(), dice.choice(("answered", "missed", "missed", "voicemail", "failed"))
        missed = {"missed_cause": dice.choice(CAUSES), "charged_to": ["anna", "boris"][: dice.randrange(3)]}
        person = dice.choice(PEOPLE) if status == "answered" else None
        ways = ("inbound",) if status == "missed" else ("inbound", "outbound", "internal", "synthetic", "nps")
        told = {"direction": dice.choice(ways), "status": status, "person": person, "line": dice.choice(_LINES)}
        seconds = {"wait_seconds": dice.random() * 40, "talk_seconds": dice.random() * 300}
        made = await call(connection, at, **told, **seconds, **(missed if status == "missed" else {}))
        if missed["missed_cause"] == "device_unreachable" and status == "missed":
            leg = {"channel": "1.2", "device": "PJSIP/anna-desk", "person": "anna", "rang": False}
            await write(connection, "legs", call_id=made, outcome="unavailable", **leg)
        if status == "missed":
            closed = {"closed_at": at + dice.random() * timedelta(days=2), "closed_by": "talk"}
            whose = {"owner": dice.choice(PEOPLE), "line": dice.choice(_LINES) or ""}
            await promise(connection, made, at, **whose, **(closed if dice.random() < 0.5 else {}))
        elif status == "answered":
            steps = [{"step": "name", "said": dice.random() < 0.5} for _ in range(dice.randrange(3))]
            broke_in = [{"by": dice.choice(("staff", "caller")), "at": 1.0} for _ in range(dice.randrange(3))]
            await hear(connection, made, steps=steps, interruptions=broke_in)
            entered = {"told_at": at + dice.random() * timedelta(hours=2), "told_by": "anna", "outcome": "qualified"}
            whose = {"person": dice.choice(PEOPLE), "line": dice.choice(_LINES) or ""}
            await answered(connection, at + timedelta(hours=1), dice.randrange(11), talk_id=made, **whose)
            await write(connection, "desk_cards", call_id=made, person=dice.choice(PEOPLE[:3]), **entered)
        await _life(connection, dice, within(), over)


async def _life(connection: AsyncConnection, dice: random.Random, at: datetime, over: datetime) -> None:
    """A lead from its opening on, through some stages."""
    place = dice.choice(OPEN)
    due = at + dice.random() * timedelta(days=3)
    made = await lead(
        connection, at, place, owner=dice.choice(PEOPLE), source_line=dice.choice(_LINES), deadline_at=due
    )
    party = (await connection.execute(text("select party_id from leads where id = :id"), {"id": made})).scalar_one()
    if dice.random() < 0.3:
        await call(connection, at + timedelta(minutes=1), party_id=party, talk_seconds=dice.random() * 300)
    if dice.random() < 0.3:
        times = {"made_at": at, "done_at": dice.choice((None, at + timedelta(days=1)))}
        await write(connection, "tasks", party_id=party, lead_id=made, text="", made_by="anna", **times)
    while (at := at + dice.random() * timedelta(days=1)) < over and dice.random() < 0.8:
        if dice.random() < 0.3:
            await event(connection, made, at, "owner", after=dice.choice(PEOPLE))
            continue
        stage = dice.choice(list(NEXT[place.partition("/")[0]]))
        after = f"in_work/{dice.choice(_STEPS)}" if stage == "in_work" and dice.random() < 0.7 else stage
        told = {"reason": dice.choice(("spam", "price"))} if stage in {"lost", "disqualified"} else {}
        due_at = at + dice.random() * timedelta(days=3) if stage in OPEN else None
        await event(connection, made, at, "stage", before=place, after=after, deadline_at=due_at, **told)
        place = after
