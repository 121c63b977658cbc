"""What is counted for the wallboard and the head: today's service level, who waits to be called back, what was refused.

Each question reads an index, and the calls of one day at most, however many are stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, and_, func, or_, select, text, true
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.follow_up_list import OPEN, OVERDUE
from calls.nps import OF_NOBODY
from calls.service_level import NOT_COUNTED, SOON_SECONDS
from calls.tables import call_events, calls, follow_ups
from routing.tables import outgoing_calls
from telephony.clocks import AHEAD

REFUSED_MOST: Final = 30

_RULE: Final = func.jsonb_path_query_first(
    calls.c.state, text("""'$.facts[*] ? (@.kind == "Routed").rule'::jsonpath""")
).op("#>>")(text("'{}'"))


@dataclass(frozen=True, slots=True)
class Level:
    """Inbound calls of a day: answered, of these soon, and missed of which the house had a chance."""

    answered: int
    soon: int
    missed: int

    @property
    def percent(self) -> int | None:
        """The service level: answered soon of all that count; None: there were none yet."""
        every = self.answered + self.missed
        return round(100 * self.soon / every) if every else None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Who was missed and is not called back yet, and how many of them for too long."""

    open: int
    overdue: int


@dataclass(frozen=True, slots=True)
class Refused:
    """One thing that was refused. `what`: caller (a rule turned them away), call_out, or recording (they refused it).

    `reason` is a key of that kind, `number` the other side's; `call` is its call, where there is one.
    """

    at: datetime
    what: Literal["caller", "call_out", "recording"]
    reason: str
    number: str | None
    person: str | None
    line: str | None
    call: Any


async def level(connection: AsyncConnection, since: datetime, lines: Sequence[str] | None) -> Level:
    """The inbound calls that began since then on these lines (None: on all); one that still rings is not counted."""
    answered = calls.c.status.in_(("answered", "talking"))
    missed = and_(calls.c.status == "missed", calls.c.missed_cause.not_in(NOT_COUNTED))
    asked = select(
        func.count().filter(answered).label("answered"),
        func.count().filter(and_(answered, calls.c.wait_seconds <= SOON_SECONDS)).label("soon"),
        func.count().filter(missed).label("missed"),
    ).where(
        calls.c.started_at >= since,
        calls.c.joined_into.is_(None),
        calls.c.direction == "inbound",
        _on(calls.c.line, lines),
    )
    row = (await connection.execute(asked)).one()
    return Level(row.answered, row.soon, row.missed)


async def waiting(connection: AsyncConnection, lines: Sequence[str] | None) -> Waiting:
    """The open promises of these lines (None: of all)."""
    asked = select(func.count().label("open"), func.count().filter(OVERDUE).label("overdue"))
    row = (await connection.execute(asked.select_from(follow_ups).where(OPEN, _on(follow_ups.c.line, lines)))).one()
    return Waiting(row.open, row.overdue)


async def refused(
    connection: AsyncConnection, since: datetime, lines: Sequence[str] | None, people: Sequence[str] | None
) -> list[Refused]:
    """What was refused since then, the newest first: callers and recordings on these lines, calls out by these people.

    None: of all. At most REFUSED_MOST of each kind.
    """
    found = [
        *await _callers(connection, since, lines),
        *await _calls_out(connection, since, lines, people),
        *await _recordings(connection, since, lines),
    ]
    return sorted(found, key=lambda one: one.at, reverse=True)[:REFUSED_MOST]


async def _callers(connection: AsyncConnection, since: datetime, lines: Sequence[str] | None) -> list[Refused]:
    """Inbound calls for which routing had no way: a number that is blocked, or a rule that turns them away."""
    asked = (
        select(calls.c.id, calls.c.started_at - AHEAD, calls.c.caller_number, calls.c.line, _RULE)
        .where(
            calls.c.started_at >= since,
            calls.c.joined_into.is_(None),
            calls.c.status == "missed",
            calls.c.missed_cause == "no_route",
            _on(calls.c.line, lines),
        )
        .order_by(calls.c.started_at.desc())
        .limit(REFUSED_MOST)
    )
    rows = (await connection.execute(asked)).all()
    return [
        Refused(at, "caller", "blocked" if rule == "blocked" else "no_route", number, None, line, call)
        for call, at, number, line, rule in rows
    ]


async def _calls_out(
    connection: AsyncConnection, since: datetime, lines: Sequence[str] | None, people: Sequence[str] | None
) -> list[Refused]:
    mine = true() if people is None else outgoing_calls.c.person.in_(people)
    asked = (
        select(outgoing_calls)
        .where(outgoing_calls.c.state == "refused", outgoing_calls.c.asked_at >= since)
        .where(mine if lines is None else or_(mine, outgoing_calls.c.line.in_(lines)))
        .order_by(outgoing_calls.c.asked_at.desc())
        .limit(REFUSED_MOST)
    )
    rows = (await connection.execute(asked)).all()
    return [Refused(it.asked_at, "call_out", it.reason or "", it.number, it.person, it.line, None) for it in rows]


async def _recordings(connection: AsyncConnection, since: datetime, lines: Sequence[str] | None) -> list[Refused]:
    asked = (
        select(call_events.c.at - AHEAD, call_events.c.body, calls)
        .join(calls, calls.c.id == call_events.c.call_id)
        .where(call_events.c.kind == "RecordingRefused", call_events.c.at >= since, calls.c.joined_into.is_(None))
        .where(calls.c.direction.not_in(OF_NOBODY))
        .where(_on(calls.c.line, lines))
        .order_by(call_events.c.at.desc())
        .limit(REFUSED_MOST)
    )
    rows = (await connection.execute(asked)).all()
    return [
        Refused(
            row[0],
            "recording",
            str(row.body.get("reason", "caller")),
            row.caller_number if row.direction == "inbound" else row.dialed,
            row.person,
            row.line,
            row.id,
        )
        for row in rows
    ]


def _on(line: ColumnElement[Any], lines: Sequence[str] | None) -> ColumnElement[bool]:
    return true() if lines is None else line.in_(lines)
