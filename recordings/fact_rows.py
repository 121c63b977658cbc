"""Reads and writes what a talk's words tell, and what they are looked through for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from directory.script import Step, Topic, script_from, topics_from
from recordings.tables import talk_facts
from recordings.talk_facts import Interruption, Mention, SideFacts, StepFact, TalkFacts, TopicFact

_LOOKED_FOR = text(
    """
    select coalesce((select script from lines where number = ltrim(:line, '+')), '[]'::jsonb) as script,
           coalesce((select topics from company limit 1), '[]'::jsonb) as topics
    """
)


async def looked_for(connection: AsyncConnection, line: str | None) -> tuple[tuple[Step, ...], tuple[Topic, ...]]:
    """The script of a line and the company's topics, as the directory says now."""
    row = (await connection.execute(_LOOKED_FOR, {"line": line})).one()
    return script_from(row.script), topics_from(row.topics)


async def write_talk_facts(connection: AsyncConnection, call_id: UUID, facts: TalkFacts) -> None:
    """Write what the call's transcript tells, in place of what was told before; the transcript is there already."""
    row = {
        "seconds": facts.seconds,
        **_side_row("caller", facts.caller),
        **_side_row("staff", facts.staff),
        "silence_seconds": facts.silence_seconds,
        "longest_silence_seconds": facts.longest_silence_seconds,
        "longest_silence_at": facts.longest_silence_at,
        "response_seconds": facts.response_seconds,
        "interruptions": [asdict(one) for one in facts.interruptions],
        "steps": [asdict(one) for one in facts.steps],
        "topics": [asdict(one) for one in facts.topics],
        "unsure_share": facts.unsure_share,
        "low_confidence": facts.low_confidence,
        "made_at": func.clock_timestamp(),
    }
    statement = insert(talk_facts).values(call_id=call_id, **row)
    await connection.execute(statement.on_conflict_do_update(index_elements=["call_id"], set_=row))


async def talk_facts_of(connection: AsyncConnection, call_id: UUID) -> TalkFacts | None:
    """What the words of the call tell, None while there is no text of it."""
    row = (await connection.execute(select(talk_facts).where(talk_facts.c.call_id == call_id))).mappings().one_or_none()
    return None if row is None else _facts(row)


def _facts(row: RowMapping) -> TalkFacts:
    return TalkFacts(
        seconds=row["seconds"],
        caller=_side_facts("caller", row),
        staff=_side_facts("staff", row),
        silence_seconds=row["silence_seconds"],
        longest_silence_seconds=row["longest_silence_seconds"],
        longest_silence_at=row["longest_silence_at"],
        response_seconds=row["response_seconds"],
        interruptions=tuple(Interruption(**one) for one in row["interruptions"]),
        steps=tuple(StepFact(**one) for one in row["steps"]),
        topics=tuple(TopicFact(one["topic"], _mentions(one["mentions"])) for one in row["topics"]),
        unsure_share=row["unsure_share"],
        low_confidence=row["low_confidence"],
    )


def _mentions(told: Sequence[Mapping[str, Any]]) -> tuple[Mention, ...]:
    return tuple(Mention(**one) for one in told)


def _side_row(side: str, facts: SideFacts) -> dict[str, Any]:
    return {f"{side}_{name}": value for name, value in asdict(facts).items()}


def _side_facts(side: str, row: RowMapping) -> SideFacts:
    return SideFacts(**{name: row[f"{side}_{name}"] for name in SideFacts.__slots__})
