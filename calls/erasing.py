"""Forgets a person in one stored call: its events are written anew without them, and the call folded from those.

So `switchhook rebuild` has nothing to bring the person back from, and `calls.record` takes in nothing more of the call,
whatever a witness tells again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from typing import Final
from uuid import UUID

from sqlalchemy import Select, delete, func, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.call import Call, apply
from calls.events import Erased, Event, PartyLinked
from calls.follow_ups import SERVICE
from calls.forgetting import Person, forgotten
from calls.joining import ids_of
from calls.record import CHANNEL, event_from_json, state_json
from calls.tables import call_events, calls, follow_up_actions, follow_up_calls, follow_ups
from calls.view import view
from calls.write import Written, write
from directory.numbers import Regions

ERASED: Final = "erased"
"""What closed a promise to call back whom nobody may call back any more; and stands for words of ours about them."""

_NOTIFY: Final = text("select pg_notify(:channel, :call)")
_NO_JOBS: Final = text(
    "delete from procrastinate_jobs where status <> 'doing' and args->>'call_id' = any(:ids)"
    " and (cast(:tasks as text[]) is null or task_name = any(:tasks))"
)
_AT_WORK: Final = text(
    "select exists(select from procrastinate_jobs where status = 'doing' and args->>'call_id' = any(:ids)"
    " and (cast(:tasks as text[]) is null or task_name = any(:tasks)))"
)
_SEEN: Final = text(
    "select call_id from call_events where body\\:\\:text ~ :pattern group by call_id order by min(at), call_id"
)

Whom = Callable[[Sequence[Event]], Person]
"""Says, by what was told of a call, whom to forget in it."""


class NotYetError(Exception):
    """The call is not over, or a job works on it: nothing of it may be removed now, a little later it may."""


@dataclass(frozen=True, slots=True)
class Gone:
    """What one call lost: events that told of `person`, promises to call back; `channels` are its names still."""

    person: Person
    event_count: int
    promise_count: int
    channels: frozenset[str]


async def stored_events(connection: AsyncConnection, call_id: UUID) -> list[Event]:
    """Everything that was told of a call."""
    asked = select(call_events.c.body).where(call_events.c.call_id == call_id)
    return [event_from_json(body) for body in (await connection.execute(asked)).scalars()]


async def calls_that_tell(connection: AsyncConnection, pattern: str) -> list[UUID]:
    """The calls of which an event holds `pattern` (of `calls.forgetting`), the oldest first. Reads every event."""
    return list((await connection.execute(_SEEN, {"pattern": pattern})).scalars())


async def take(connection: AsyncConnection, call_id: UUID, tasks: Collection[str] | None = None) -> None:
    """Lock the call as `calls.record` does, and call off what is still owed after it. Raises NotYetError.

    `tasks`: only jobs of these are called off or waited for; None: all, for nothing may be done for the call any more.
    The order matters: a worker takes no job that this transaction has removed, and one that it took before is seen,
    also one that it took before the call was joined to this one.
    """
    whole = select(calls.c.settled_at).where(calls.c.id == call_id, calls.c.joined_into.is_(None))
    settled_at = (await connection.execute(whole.with_for_update(key_share=True))).scalar_one_or_none()
    ids = [str(one) for one in (await connection.execute(ids_of(call_id))).scalars()]
    jobs = {"ids": ids, "tasks": None if tasks is None else sorted(tasks)}
    await connection.execute(_NO_JOBS, jobs)
    if settled_at is None or (await connection.execute(_AT_WORK, jobs)).scalar_one():
        raise NotYetError(str(call_id))


async def erase_call(connection: AsyncConnection, call_id: UUID, whom: Whom, regions: Regions) -> Gone:
    """Forget in this call, which the transaction has taken, whom `whom` says. What other rooms keep is theirs."""
    row = (await connection.execute(select(calls.c.pbx).where(calls.c.id == call_id))).one()
    told = [event for event in await stored_events(connection, call_id) if not isinstance(event, PartyLinked)]
    person = whom(told)
    kept = [forgotten(event, person) for event in told]
    seen = view(reduce(apply, kept, Call(pbx=row.pbx)))
    at = seen.ended_at or seen.started_at or datetime(1970, 1, 1, tzinfo=UTC)  # never the clock: it is an event
    kept.append(Erased(pbx=row.pbx, channel=seen.caller_channel or seen.id, at=at))
    call = reduce(apply, kept, Call(pbx=row.pbx))
    await connection.execute(delete(call_events).where(call_events.c.call_id == call_id))
    await write(connection, [Written(call_id, call, view(call), kept)], regions)
    await _forget_joined(connection, call_id, row.pbx)
    promises = await _forget_promises(connection, call_id, person)
    await connection.execute(_NOTIFY, {"channel": CHANNEL, "call": str(call_id)})
    changed = sum(one != other for one, other in zip(told, kept, strict=False))
    return Gone(person, changed, promises, frozenset(call.channels))


async def forget_promises_to(connection: AsyncConnection, numbers: Sequence[str], pseudonym: str) -> int:
    """Forget whom to call back in every promise to these numbers (as stored); returns how many there were."""
    return await _forget(connection, select(follow_ups.c.id).where(follow_ups.c.number.in_(numbers)), pseudonym)


async def _forget_promises(connection: AsyncConnection, call_id: UUID, person: Person) -> int:
    mine = select(follow_up_calls.c.follow_up_id).where(follow_up_calls.c.call_id == call_id)
    asked = select(follow_ups.c.id, follow_ups.c.number).where(
        or_(follow_ups.c.call_id == call_id, follow_ups.c.id.in_(mine))
    )
    rows = await connection.execute(asked)
    ids = [row.id for row in rows if person.has_number(row.number)]
    return await _forget(connection, select(follow_ups.c.id).where(follow_ups.c.id.in_(ids)), person.pseudonym)


async def _forget(connection: AsyncConnection, which: Select[tuple[int]], pseudonym: str) -> int:
    ids = list((await connection.execute(which)).scalars())
    if not ids:
        return 0
    still_open = follow_ups.c.closed_at.is_(None)
    closed = {"closed_at": func.clock_timestamp(), "closed_by": ERASED}
    await connection.execute(update(follow_ups).where(follow_ups.c.id.in_(ids), still_open).values(**closed))
    await connection.execute(update(follow_ups).where(follow_ups.c.id.in_(ids)).values(number=pseudonym))
    words = update(follow_up_actions).where(
        follow_up_actions.c.follow_up_id.in_(ids), follow_up_actions.c.who != SERVICE
    )
    await connection.execute(words.values(why=ERASED))
    return len(ids)


async def _forget_joined(connection: AsyncConnection, call_id: UUID, pbx: str) -> None:
    """The rows of calls that became part of this one are only pointers: what they still tell goes."""
    nothing = {"state": state_json(Call(pbx=pbx)), "caller_number": None, "caller_name": None, "dialed": ""}
    await connection.execute(update(calls).where(calls.c.joined_into == call_id).values(**nothing, erased=True))
