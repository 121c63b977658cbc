"""What became of calls back that were tried in vain: who called, when, and why nobody was reached."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import any_, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.tables import call_names, calls
from directory.model import Directory
from routing.tables import outgoing_calls

CLIENT: Final = "client"
"""Why: whoever waits did not answer."""

_ANSWERS: Final = frozenset({"no_answer", "rejected", "busy", "unreachable"})
"""Reasons that are told of whoever is called first."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One call back in vain, of `person` or (None) by itself; `why` is CLIENT or a key of `not_called.*`."""

    at: datetime
    person: str | None
    why: str


async def tried(connection: AsyncConnection, rows: Collection[Any], directory: Directory) -> dict[int, list[Tried]]:
    """Of these promises (rows of `follow_ups`) what was tried in vain, the latest first."""
    named = (call_names.c.pbx == outgoing_calls.c.pbx) & (call_names.c.name == outgoing_calls.c.channel)
    asked = (
        select(outgoing_calls, calls.c.answered_at, calls.c.ended_at)
        .outerjoin(call_names, named)
        .outerjoin(calls, calls.c.id == call_names.c.call_id)
        .where(
            outgoing_calls.c.number.in_({row.number.removeprefix("+") for row in rows}),  # the index's, as they are few
            outgoing_calls.c.follow_up == any_(literal([row.id for row in rows], ARRAY(BIGINT))),
        )
        .order_by(outgoing_calls.c.asked_at.desc())
    )
    told: dict[int, list[Tried]] = {row.id: [] for row in rows}
    for row in await connection.execute(asked) if rows else ():
        if why := _why(row, directory):
            told[row.follow_up].append(Tried(row.ended_at or row.changed_at, row.person, why))
    return told


def _why(row: Any, directory: Directory) -> str:
    """Why nobody was reached; empty while the call goes on, and where somebody was."""
    if row.state not in {"refused", "failed"}:
        return CLIENT if row.ended_at and not row.answered_at else ""
    line = directory.line(row.line) if row.line else None
    client_first = row.purpose == "callback" and line and line.callback and line.callback.first == CLIENT
    return CLIENT if client_first and row.reason in _ANSWERS else row.reason or "no_answer"
