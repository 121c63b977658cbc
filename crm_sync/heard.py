"""What CRMs tell us: stored as it comes, so that they are answered at once, and acted on by a job.

Rules kept here:
1. What was not verified is not stored; what was is in the database before the CRM is told that we have it.
2. A click that comes twice within seconds, as a double click does, is one; so is one with a pass that is good once.
3. Once it was acted on nothing of it stays but which call came of it: the CRM may know that call already.
4. Of what changed there, however much at once, the rest of the queue never waits; while one that waits will ask about
   the same, no other is stored. A flood is bounded, by request (`HEARD_MOST`) and by what waits (`WAITING_MOST`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final
from uuid import UUID, uuid4

import structlog
from sqlalchemy import Row, delete, exists, func, insert, null, select, text, true, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from calls.due import Job
from calls.jobs import enqueue
from calls.queue import Task
from crm_sync.connection_tables import crm_heard
from crm_sync.crm import HEARD_MOST, Heard
from crm_sync.people import KnownPeople

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

TASK: Final = "crm_sync.act_on_heard"
QUEUE: Final = "crm"
DAYS: Final = 7
CALLS: Final = frozenset({"originate", "call_back"})
WAITING_MOST: Final = 1000
"""Of each kind so much waits of one connection; a CRM that tells more is not heard until we have caught up."""

_LATE: Final = timedelta(minutes=2)
"""Who clicked so long ago has given up, and would not understand why it rings now."""

_TWICE: Final = text("interval '15 seconds'")
_TURN: Final = text("select pg_advisory_xact_lock(hashtextextended(:key, 0))")
_WAITING: Final = text(
    "select queueing_lock from procrastinate_jobs where queueing_lock = any(:locks) and status = 'todo'"
)


@dataclass(frozen=True, slots=True)
class Acts:
    """What other rooms do.

    `call_out` asks for a call of a person (their key) to a number, out as a line or their own, for the connection; it
    gives the wish's id, None when none was written. `owe_call` writes down that a client asked to be called, and tells
    whose client that is: a person's key, None for nobody's. `owner_told` takes whose a number is (E.164 digits).
    `look_again` asks the connection whose the `number` is that was told, or those of a `remote_id`.
    """

    call_out: Callable[[AsyncConnection, str, str, str, str | None, str], Awaitable[UUID | None]]
    owe_call: Callable[[AsyncConnection, UUID, Mapping[str, str]], Awaitable[str | None]]
    owner_told: Callable[[AsyncConnection, str, str, str | None], Awaitable[None]]
    look_again: Callable[[str, Mapping[str, str]], Awaitable[None]]


@dataclass(kw_only=True, slots=True)
class HeardJobs:
    """The job and what it needs."""

    engine: AsyncEngine
    acts: Acts

    def tasks(self) -> list[Task]:
        """The tasks for the queue."""
        return [Task(TASK, QUEUE, self.act_on_heard, works_on="heard")]

    async def act_on_heard(self, heard: UUID, attempt: int) -> None:
        """Do what a CRM asked for, once."""
        async with self.engine.begin() as connection:
            asked = select(crm_heard).where(crm_heard.c.id == heard, crm_heard.c.told.is_not(None)).with_for_update()
            row = (await connection.execute(asked)).first()
            if row is None:
                return
            wish, again = None, None
            if row.kind in CALLS:
                wish = await self._call(connection, row)
            else:
                again = await self._changed(connection, row.connection, row.told)
            done = update(crm_heard).where(crm_heard.c.id == heard).values(told=null(), wish=wish)
            await connection.execute(done)
        if again is not None:
            await self.acts.look_again(row.connection, again)
        log.info("crm heard", crm=row.connection, kind=row.kind, heard=str(heard), called=bool(wish), attempt=attempt)

    async def _call(self, connection: AsyncConnection, row: Row[Any]) -> UUID | None:
        """Ring whoever clicked, or whose client asked in a form; the latter is written down whatever becomes of it."""
        told: Mapping[str, str] = row.told
        if row.kind == "call_back":
            person = await self.acts.owe_call(connection, row.id, told)
        else:
            person = await KnownPeople(self.engine, row.connection).person_of(told.get("user"))
        if person is None or datetime.now(UTC) - row.heard_at > _LATE:
            log.warning("nobody is rung for it", crm=row.connection, heard=str(row.id), is_known=person is not None)
            return None
        return await self.acts.call_out(
            connection, row.connection, str(row.id), told["number"], told.get("line"), person
        )

    async def _changed(
        self, connection: AsyncConnection, key: str, told: Mapping[str, str]
    ) -> Mapping[str, str] | None:
        """Write whose the number is now, where both were told; else gives what is to be asked about."""
        number = told.get("number")
        if number is None or "owner" not in told:
            return told if number is not None or "remote_id" in told else None
        owner = await KnownPeople(self.engine, key).person_of(told["owner"])
        await self.acts.owner_told(connection, key, number, owner)
        return None


async def store(connection: AsyncConnection, key: str, told: Sequence[Heard]) -> int:
    """Write what a connection told, with its jobs, in the caller's transaction; returns how much of it is new."""
    new: dict[str | UUID, Heard] = {}
    for one in told[:HEARD_MOST]:
        remote_id = _pass(one)
        if remote_id is None or not await _is_known(connection, key, remote_id, one.is_once):
            new.setdefault(_lock(key, one) or remote_id or uuid4(), one)
    # One at a time: of two that wait for the same the second would be refused.
    await connection.execute(_TURN, {"key": f"heard {key}"})
    waiting = set((await connection.execute(_WAITING, {"locks": [str(name) for name in new]})).scalars())
    room = await _room(connection, key)
    rows, jobs, left_out = [], [], 0
    for one in (one for name, one in new.items() if name not in waiting):
        room[one.kind] -= 1
        if room[one.kind] < 0:
            left_out += 1
            continue
        row = {"id": uuid4(), "connection": key, "kind": one.kind, "told": dict(one.told), "remote_id": _pass(one)}
        rows.append(row)
        args, priority = {"heard": str(row["id"])}, 1 if one.kind in CALLS else -1
        jobs.append(Job(TASK, QUEUE, args, queueing_lock=_lock(key, one), priority=priority))
    if left_out:
        log.error("a CRM tells more than can be acted on", crm=key, left_out=left_out)
    if rows:
        await connection.execute(insert(crm_heard), rows)
        await enqueue(connection, jobs)
    return len(rows)


async def _room(connection: AsyncConnection, key: str) -> defaultdict[str, int]:
    """How much more of each kind may wait."""
    asked = select(crm_heard.c.kind, func.count()).where(crm_heard.c.connection == key, crm_heard.c.told.is_not(None))
    counts = (await connection.execute(asked.group_by(crm_heard.c.kind))).all()
    return defaultdict(lambda: WAITING_MOST, {kind: WAITING_MOST - count for kind, count in counts})


def _pass(one: Heard) -> str | None:
    """What a click is known by when it comes twice."""
    return one.told.get("remote_id") if one.kind == "originate" else None


def _lock(key: str, one: Heard) -> str | None:
    """What those have in common that ask the same; None: it is a call, or tells all by itself.

    It is no number: what is in the queue nobody erases.
    """
    about = one.told.get("number") or one.told.get("remote_id")
    if one.kind in CALLS or about is None or "owner" in one.told:
        return None
    return f"{TASK} {sha256(f'{key} {about}'.encode()).hexdigest()}"


async def _is_known(connection: AsyncConnection, key: str, remote_id: str, is_once: bool) -> bool:
    await connection.execute(_TURN, {"key": f"{key} {remote_id}"})
    lately = true() if is_once else crm_heard.c.heard_at > func.clock_timestamp() - _TWICE
    asked = exists().where(crm_heard.c.connection == key, crm_heard.c.remote_id == remote_id, lately)
    return bool(await connection.scalar(select(asked)))


async def remote_of(connection: AsyncConnection, key: str, wish: UUID) -> str | None:
    """What the CRM calls the call of a wish that was asked for there; None: it was not, or has no name there."""
    asked = select(crm_heard.c.remote_id).where(crm_heard.c.connection == key, crm_heard.c.wish == wish)
    told: str | None = await connection.scalar(asked)
    return told


async def forget(connection: AsyncConnection) -> None:
    """Forget what was heard long ago."""
    old = crm_heard.c.heard_at < func.clock_timestamp() - func.make_interval(0, 0, 0, DAYS)
    await connection.execute(delete(crm_heard).where(old))
