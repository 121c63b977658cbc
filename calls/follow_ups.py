"""Keeps the promises to call back: one job a settled call opens, repeats or closes them; who is late is escalated.

Everything about one caller happens under the locks of their numbers, and a call counts in one promise once: a job that
runs twice, or after a later call's, changes nothing more. All times are by our clock; calls tell the PBX's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, Row, and_, func, insert, or_, select, text, type_coerce, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from calls.claims import tell
from calls.follow_up import (
    QUEUE,
    TALK_SECONDS_LEAST,
    TASK,
    Action,
    Origin,
    Owner,
    cause_of,
    choose_owner,
    deadline,
    head_of,
    is_conversation,
    origin_of,
    priority,
    stored_number,
)
from calls.queue import Task
from calls.record import CHANNEL, state_call
from calls.tables import calls, follow_up_actions, follow_up_calls, follow_ups, legs
from calls.view import view
from directory import presence_store
from directory.model import Directory, FollowUpOwner
from directory.presence import Presences
from directory.store import read, read_regions

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

SERVICE = "switchhook"
"""Who did it, where no person did."""

_LOCK = text("select pg_advisory_xact_lock(hashtextextended(:number, 11))")
_NOTIFY = text("select pg_notify(:channel, :call)")
_CLOCKS_APART = timedelta(days=1)
_OPEN = follow_ups.c.closed_at.is_(None)


class FollowUpRefused(ValueError):
    """A person asked for what cannot be; the text names the field and why. Nothing was changed."""


Numbers = Callable[[AsyncConnection, str], Awaitable[Collection[str]]]
"""Tells every number of the party that has this one, itself among them."""

Late = Callable[[AsyncConnection, Directory, Row[Any], str | None], Awaitable[None]]
"""Is told of a promise (its row) that became the business of a head (their key, None: there is none)."""

LeadOwner = Callable[[AsyncConnection, str], Awaitable[str | None]]
"""Tells the key of the person who owns the open lead of a number."""


@dataclass(frozen=True, slots=True)
class _Ended:
    """A settled call with the outside: `since` and `until` by our clock, `numbers` all of the party's.

    `place` is the caller's in the queue that they left to be called back, 0 when they did not.
    """

    id: UUID
    number: str
    numbers: tuple[str, ...]
    line: str
    cause: str | None
    since: datetime
    until: datetime
    place: int


@dataclass(frozen=True, kw_only=True, slots=True)
class FollowUpJobs:
    """The job and what it needs; `ahead` tells for a row of `calls` how far its PBX's clock is before ours."""

    engine: AsyncEngine
    numbers: Numbers
    lead_owner: LeadOwner
    ahead: ColumnElement[Any]

    def tasks(self) -> list[Task]:
        """The tasks for the queue."""
        return [Task(TASK, QUEUE, self.follow_up)]

    async def follow_up(self, call_id: UUID, attempt: int) -> None:
        """Weigh one settled call: it closes promises, opens one, or makes one more urgent."""
        async with self.engine.begin() as connection:
            row = await self._row(connection, call_id)
            if row is None or row.settled_at is None:
                return
            seen = view(state_call(row.state))
            number = stored_number(seen, await read_regions(connection))
            numbers = tuple(sorted({number, *await self.numbers(connection, number)}))
            for one in numbers:
                await connection.execute(_LOCK, {"number": one})
            since = (seen.answered_at or seen.started_at or row.settled_at) - row.ahead
            until = (seen.ended_at or row.settled_at) - row.ahead
            place = seen.call_back_place
            ended = _Ended(row.id, number, numbers, row.line or "", cause_of(seen), since, until, place)
            origin = origin_of(seen)
            if origin is not None:
                done = await self._owe(connection, ended, origin)
            else:
                done = await _answered_after_all(connection, ended)
                done = await _close_by_talk(connection, ended) if is_conversation(seen) else done
            await connection.execute(_NOTIFY, {"channel": CHANNEL, "call": str(row.id)})
        log.info("call followed up", call=str(row.id), done=done, attempt=attempt)

    async def _owe(self, connection: AsyncConnection, ended: _Ended, origin: Origin) -> str:
        known = select(follow_up_calls.c.follow_up_id).where(follow_up_calls.c.call_id == ended.id)
        follow_up_id = (await connection.execute(known)).scalar()
        if follow_up_id is not None:
            if await self._last(connection, follow_up_id) == ended.id:
                mine = follow_ups.c.id == follow_up_id
                await connection.execute(update(follow_ups).where(mine).values(cause=ended.cause))
            return "known"
        directory = await read(connection)
        if not ended.number or directory.is_staff(ended.number) or directory.is_blocked(ended.number):
            return "nobody"
        same = and_(_OPEN, follow_ups.c.line == ended.line, follow_ups.c.number.in_(ended.numbers))
        found = (await connection.execute(select(follow_ups).where(same).order_by(follow_ups.c.id))).first()
        if found is not None:
            await _repeat(connection, found, ended, origin)
            return "repeated"
        await self._open(connection, directory, ended, origin)
        talk = await self._later_talk(connection, ended)
        if talk is None:
            return "opened"
        await _close(connection, follow_ups.c.call_id == ended.id, talk.at, talk.id)
        return "opened and closed"

    async def _last(self, connection: AsyncConnection, follow_up_id: int) -> UUID | None:
        """The last call of a promise; not told by times that are stored, for the PBX's clock is measured ever anew."""
        at = func.coalesce(calls.c.ended_at, calls.c.settled_at) - self.ahead
        mine = follow_up_calls.c.follow_up_id == follow_up_id
        asked = select(calls.c.id).join(follow_up_calls, follow_up_calls.c.call_id == calls.c.id).where(mine)
        found: UUID | None = (await connection.execute(asked.order_by(at.desc()).limit(1))).scalar()
        return found

    async def _open(self, connection: AsyncConnection, directory: Directory, ended: _Ended, origin: Origin) -> None:
        owner = await self._owner(connection, directory, ended, deadline(directory, ended.line, ended.until))
        due_at = deadline(directory, ended.line, ended.until, owner.person)
        values = {
            "number": ended.number,
            "line": ended.line,
            "origin": origin,
            "cause": ended.cause,
            "call_id": ended.id,
            "attempt_count": 1,
            "priority": priority(origin, 1, ended.place),
            "owner": owner.person,
            "owner_by": owner.by,
            "opened_at": ended.until,
            "last_missed_at": ended.until,
            "due_at": due_at,
        }
        made = await connection.execute(insert(follow_ups).values(**values).returning(follow_ups.c.id))
        follow_up_id: int = made.scalar_one()
        await connection.execute(insert(follow_up_calls).values(call_id=ended.id, follow_up_id=follow_up_id))
        await note(connection, follow_up_id, "opened", ended.cause or origin, call_id=ended.id)
        await note(connection, follow_up_id, "given", owner.by or "nobody", call_id=ended.id)

    async def _owner(
        self, connection: AsyncConnection, directory: Directory, ended: _Ended, due_at: datetime | None
    ) -> Owner:
        policy, line = directory.follow_up_of(ended.line), directory.line(ended.line)
        members = [one.key for one in directory.members(line.team)] if line else []
        lead_owner = await self.lead_owner(connection, ended.number)
        candidates: dict[FollowUpOwner, Sequence[str]] = {
            "crm_owner": [lead_owner] if lead_owner else [],
            "last_rung": await _rung(connection, ended.id),
            "line_person": [policy.person] if policy.person else [],
            "round_robin": await _by_turn(connection, members),
        }
        presence = Presences(directory, await presence_store.read(connection), ended.until)
        return choose_owner(directory, policy, candidates, presence, ended.until, due_at)

    async def _row(self, connection: AsyncConnection, call_id: UUID) -> Any:
        """The call's row, or that of the call it was joined into."""
        asked = select(calls, self.ahead.label("ahead")).where(calls.c.id == call_id)
        row = (await connection.execute(asked)).one_or_none()
        return row if row is None or row.joined_into is None else await self._row(connection, row.joined_into)

    async def _later_talk(self, connection: AsyncConnection, ended: _Ended) -> Any:
        """The first real conversation with the caller after this call; calls of an outage may be told after it."""
        at = type_coerce(calls.c.answered_at - self.ahead, calls.c.answered_at.type)
        outside = func.right(func.regexp_replace(calls.c.dialed, "[^0-9]", "", "g"), 10)
        asked = select(calls.c.id, at.label("at")).where(
            calls.c.joined_into.is_(None),
            calls.c.settled_at.is_not(None),
            calls.c.started_at >= ended.since - _CLOCKS_APART,
            at >= ended.until,
            calls.c.talk_seconds >= TALK_SECONDS_LEAST,
            or_(
                and_(calls.c.direction == "inbound", calls.c.caller_number.in_(ended.numbers)),
                and_(calls.c.direction == "outbound", outside.in_([number[-10:] for number in ended.numbers])),
            ),
        )
        return (await connection.execute(asked.order_by(at).limit(1))).first()


async def _rung(connection: AsyncConnection, call_id: UUID) -> list[str]:
    """Who was rung, the last first."""
    asked = select(legs.c.person).where(legs.c.call_id == call_id, legs.c.rang, legs.c.person.is_not(None))
    return list((await connection.execute(asked.order_by(legs.c.started_at.desc(), legs.c.channel))).scalars())


async def _by_turn(connection: AsyncConnection, members: Sequence[str]) -> list[str]:
    """The members of a team, first who got a promise longest ago or never."""
    last = select(follow_ups.c.owner, func.max(follow_ups.c.id).label("id")).where(follow_ups.c.owner.in_(members))
    given = {row.owner: row.id for row in await connection.execute(last.group_by(follow_ups.c.owner))}
    return sorted(members, key=lambda key: given.get(key, 0))


async def _repeat(connection: AsyncConnection, found: Row[Any], ended: _Ended, origin: Origin) -> None:
    count, latest = found.attempt_count + 1, ended.until >= found.last_missed_at
    urgent = max(priority(origin, count, ended.place), priority(found.origin, count), found.priority)
    values = {"attempt_count": count, "priority": urgent, "opened_at": min(found.opened_at, ended.until)}
    values |= {"cause": ended.cause, "last_missed_at": ended.until} if latest else {}
    await connection.execute(update(follow_ups).where(follow_ups.c.id == found.id).values(**values))
    await connection.execute(insert(follow_up_calls).values(call_id=ended.id, follow_up_id=found.id))
    await note(connection, found.id, "repeated", ended.cause or origin, call_id=ended.id)


async def _close_by_talk(connection: AsyncConnection, talk: _Ended) -> str:
    """Close what was open when the talk began; who called again after it and was missed is still owed a call."""
    mine = and_(follow_ups.c.number.in_(talk.numbers), follow_ups.c.last_missed_at <= talk.since)
    return "closed" if await _close(connection, mine, talk.since, talk.id) else "nothing"


async def _close(connection: AsyncConnection, which: ColumnElement[bool], at: datetime, by_call: UUID) -> int:
    closed = {"closed_at": at, "closed_by": "talk", "closed_by_call": by_call}
    asked = update(follow_ups).where(_OPEN, which).values(**closed).returning(follow_ups.c.id)
    ids = list((await connection.execute(asked)).scalars())
    for follow_up_id in ids:
        await note(connection, follow_up_id, "closed", "talk", call_id=by_call)
    return len(ids)


async def _answered_after_all(connection: AsyncConnection, ended: _Ended) -> str:
    """Late facts told that a call was answered: where it was a promise's only call, nothing is owed."""
    mine = select(follow_up_calls.c.follow_up_id).where(follow_up_calls.c.call_id == ended.id)
    closed = {"closed_at": ended.until, "closed_by": "answered_after_all", "closed_by_call": ended.id}
    asked = update(follow_ups).where(_OPEN, follow_ups.c.id.in_(mine), follow_ups.c.attempt_count == 1).values(**closed)
    ids = list((await connection.execute(asked.returning(follow_ups.c.id))).scalars())
    for follow_up_id in ids:
        await note(connection, follow_up_id, "closed", "answered_after_all", call_id=ended.id)
    return "closed" if ids else "nothing"


async def note(
    connection: AsyncConnection,
    follow_up_id: int,
    what: Action,
    why: str,
    *,
    who: str = SERVICE,
    call_id: UUID | None = None,
) -> None:
    """Write down who did what to a promise and why, in the caller's transaction."""
    values = {"follow_up_id": follow_up_id, "what": what, "why": why, "who": who, "call_id": call_id}
    await connection.execute(insert(follow_up_actions).values(**values))
    await tell(connection, follow_up_id)


async def close_by_hand(connection: AsyncConnection, follow_up_id: int, who: str, why: str) -> None:
    """Close a promise as `who` says, for their reason. Raises FollowUpRefused without one, or where none is open."""
    reason = " ".join(why.split())
    if not reason:
        raise FollowUpRefused("reason: is needed to close a follow-up that no talk closed, got ''")
    closed = {"closed_at": func.clock_timestamp(), "closed_by": "hand"}
    asked = update(follow_ups).where(_OPEN, follow_ups.c.id == follow_up_id).values(**closed)
    call_id = (await connection.execute(asked.returning(follow_ups.c.call_id))).scalar()
    if call_id is None:
        raise FollowUpRefused(f"id: there is no open follow-up {follow_up_id}")
    await note(connection, follow_up_id, "closed", reason, who=who)
    await connection.execute(_NOTIFY, {"channel": CHANNEL, "call": str(call_id)})


async def escalate(engine: AsyncEngine, told: Late | None = None) -> int:
    """Make what is overdue the head's business, each promise once; returns how many.

    `told` is called with each and whose business it is, in the same transaction.
    """
    async with engine.begin() as connection:
        late = select(follow_ups).where(
            _OPEN, follow_ups.c.escalated_at.is_(None), follow_ups.c.due_at < func.clock_timestamp()
        )
        rows = (await connection.execute(late.limit(200).with_for_update(skip_locked=True))).all()
        directory = await read(connection) if rows else None
        for row in rows:
            head = head_of(directory, row.line) if directory else None
            values = {"escalated_at": func.clock_timestamp(), "escalated_to": head}
            await connection.execute(update(follow_ups).where(follow_ups.c.id == row.id).values(**values))
            await note(connection, row.id, "escalated", head or "nobody")
            if told is not None and directory is not None:
                await _told_of(connection, directory, row, head, told)
            await connection.execute(_NOTIFY, {"channel": CHANNEL, "call": str(row.call_id)})
    return len(rows)


async def _told_of(
    connection: AsyncConnection, directory: Directory, row: Row[Any], head: str | None, told: Late
) -> None:
    """Who cannot be told of one promise, which nobody foresaw, is its own fault: it is escalated, as the others are."""
    try:
        async with connection.begin_nested():
            await told(connection, directory, row, head)
    except Exception as error:  # noqa: BLE001
        log.error("an overdue follow-up could not be told", follow_up=row.id, error=type(error).__name__)  # noqa: TRY400
