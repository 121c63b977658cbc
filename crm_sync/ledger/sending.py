"""Carries out the effects of the ledger, one job an effect.

Rules kept here:
1. What is told is read once, before the first attempt, and kept: every attempt tells the same. What was said is never
   kept: of a transcript and of a recording only which, and it is read at each attempt as it may be told then.
2. The state and what the CRM calls it are written in one transaction with the count of the request.
3. An effect that was sent and of which nobody knows, also because this process died, is read back before it is sent
   again; the doubt stays until that was answered, and counts from when it arose (`sent_at`).
4. Errors become run again, dead letter or a stopped connection in one place, by `retry`; those that nobody
   foresaw too, also of what could not even be read.
5. What was ended while it was on its way, as by erasing, stays so, whatever is answered.
"""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

import msgspec
import structlog
from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from calls import spans
from calls.queue import Task, TryAgain
from crm_sync import answers, connections
from crm_sync.connections import Connection, Open
from crm_sync.crm import SUBJECTS, Crm, Done, Effect, Step
from crm_sync.errors import CrmError, FaultError, TransientError, UnknownOutcomeError
from crm_sync.heard import remote_of
from crm_sync.ledger import counting
from crm_sync.ledger import rows as effect_rows
from crm_sync.ledger.owed import lane_of
from crm_sync.ledger.planning import QUEUE, TASK
from crm_sync.ledger.retry import Policy, Verdict, after
from crm_sync.ledger.subjects import NothingToTell, NotThereYet, Rooms, kept, numbers_of, subject_of
from crm_sync.ledger.tables import crm_effects
from crm_sync.ledger.turns import Turns
from crm_sync.secrets import SecretKeyError
from crm_sync.told import LINK_PLACE, CrmLead, CrmRecording, Subject

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_OPERATIONS: Final[Mapping[Step, Callable[[Crm], Callable[..., Awaitable[Done]]]]] = {
    "call_started": lambda crm: crm.call_started,
    "call_answered": lambda crm: crm.call_answered,
    "call_finished": lambda crm: crm.call_finished,
    "recording": lambda crm: crm.attach_recording,
    "transcript": lambda crm: crm.attach_transcript,
    "task": lambda crm: crm.create_task,
    "lead": lambda crm: crm.ensure_lead,
    "message": lambda crm: crm.send_message,
    "incident": lambda crm: crm.tell_incident,
}
OTHER_NUMBER_SECONDS: Final = 0.5
"""So long an effect stands back while another number of its client is told of: together they would make two cards."""

ASK_AGAIN_SECONDS: Final = 300.0
"""What was not there yet is looked for again after so long (`upkeep.tidy`), or when `ledger.release` is called."""
_LINK_SECONDS: Final = 0.5


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class _Begun:
    """An effect that is to be sent now; `doubted`: it was sent before, and nobody knows yet what became of it."""

    key: UUID
    step: Step
    connection: Connection
    effect: Effect
    subject: Subject
    attempts: int
    first_sent_at: datetime
    sent_at: datetime
    doubted: bool


@dataclass(kw_only=True, slots=True)
class SendingJobs:
    """The job and what it needs. `open_crm` makes the adapter of a connection; it is kept until that changes."""

    engine: AsyncEngine
    rooms: Rooms
    open_crm: Open
    policy: Policy = field(default_factory=Policy)
    turns: Turns = field(default_factory=Turns)
    now: Callable[[], datetime] = _now
    _open: dict[str, tuple[datetime, Crm]] = field(default_factory=dict)

    def tasks(self) -> list[Task]:
        """The tasks for the queue."""
        return [Task(TASK, QUEUE, self.send_effect, works_on="effect")]

    async def close(self) -> None:
        """Give back the connections of every adapter."""
        for _, crm in self._open.values():
            await crm.close()
        self._open.clear()

    async def send_effect(self, key: UUID, attempt: int) -> None:
        """Tell a connection what it is owed, or learn that it was told already."""
        async with self.engine.connect() as connection:
            asked = select(crm_effects.c.connection, crm_effects.c.call_id).where(crm_effects.c.key == key)
            whose = (await connection.execute(asked)).one_or_none()
        if whose is not None:
            spans.about(whose.call_id)
            async with self.turns.turn(whose.connection):
                await self._send(key, attempt)

    async def _send(self, key: UUID, attempt: int) -> None:
        try:
            async with self.engine.begin() as connection:
                begun = await self._begin(connection, key)
        except TryAgain:
            raise
        except Exception as error:
            log.exception("effect could not be begun", effect=str(key))
            await self._not_begun(key, FaultError(f"it could not be begun: {type(error).__name__}"))
            return
        if begun is None:
            return
        bound = log.bind(crm=begun.connection.key, step=begun.step, effect=str(key), attempt=attempt)
        try:
            done = await self._done(begun)
        except CrmError as error:
            verdict = await self._failed(begun, error)
            bound.warning("effect not taken", kind=error.kind, reason=str(error), dead=verdict.dead, stop=verdict.stop)
            if not verdict.dead and not verdict.stop:
                raise TryAgain(error.kind, verdict.seconds) from None
            return
        async with self.engine.begin() as connection:
            values = {"state": "done", "remote_id": done.remote_id, "answer": dict(done.answer), "error": None}
            await effect_rows.write(connection, key, values | {"ended_at": self.now(), "next_at": None})
            await answers.resume(connection, begun.connection.key, begun.sent_at)
        bound.info("effect done", remote_id=done.remote_id)

    async def _begin(self, connection: AsyncConnection, key: UUID) -> _Begun | None:
        """Take the effect: what it tells is read and kept. None: there is nothing to send."""
        row = (await connection.execute(select(crm_effects).where(crm_effects.c.key == key).with_for_update())).first()
        if row is None or row.waits or row.ended_at is not None:
            return None
        to = await connections.read(connection, row.connection)
        if to is None or to.state == "stopped":
            return None
        now = self.now()
        if to.paused_until is not None and to.paused_until > now:
            raise TryAgain("paused", max((to.paused_until - now).total_seconds(), 0.1))
        # What was shown in shadow was never told, and names no link.
        request = (row.request if row.attempts else None) or await self._read(connection, row, to)
        if request is None:
            return None
        if to.state == "shadow":
            await effect_rows.write(connection, key, {"state": "shadow", "request": request, "ended_at": now})
            return None
        subject = await self._told(connection, row, request)
        if subject is None:
            return None
        others, lanes = await self._others(connection, row, subject)
        first = row.first_sent_at or now
        doubted = row.state in {"sent", "unknown"}
        # A process that died in the middle may have sent it until now.
        sent_at = row.sent_at if row.state == "unknown" and row.sent_at is not None else now
        begun = {"state": "sent", "attempts": row.attempts + 1, "sent_at": sent_at, "first_sent_at": first}
        await effect_rows.write(connection, key, begun | {"request": request, "next_at": None})
        effect = Effect(
            key,
            msgspec.convert(request["at"], datetime),
            await self._remote(connection, row),
            await effect_rows.lately(connection, row, lanes),
            sent_at if doubted else None,
            partial(self._keep, key),
            others,
        )
        return _Begun(key, row.step, to, effect, subject, row.attempts + 1, first, now, doubted)

    async def _read(self, connection: AsyncConnection, row: Row[Any], to: Connection) -> dict[str, Any] | None:
        """What the effect tells; None: it is not there yet, or there is nothing to tell.

        Whether a call that became part of this one was told, an effect of it on its way has to say first. The end of a
        call is told with its party and lead, for a CRM keeps it where it was told first.

        Raises TryAgain: neither is known yet.
        """
        if row.step == "call_finished" and await effect_rows.is_being_linked(connection, row.call_id):
            raise TryAgain("the call is not linked yet", _LINK_SECONDS)
        same = await effect_rows.same(connection, row)
        try:
            if same is not None and same.state == "done":
                raise NothingToTell("told_of_a_call_that_joined")
            if same is not None:
                raise NotThereYet
            return kept(*await subject_of(connection, row, self.rooms, to))
        except NotThereYet:
            again = self.now() + timedelta(seconds=ASK_AGAIN_SECONDS)
            await effect_rows.write(connection, row.key, {"waits": True, "next_at": again})
        except NothingToTell as nothing:
            await self._not_told(connection, row.key, str(nothing), same.remote_id if same else None)
        return None

    async def _told(self, connection: AsyncConnection, row: Row[Any], request: Mapping[str, Any]) -> Subject | None:
        """What is told at this attempt; None: it may not be told any more."""
        subject: Subject | None = None
        if row.step == "transcript":
            subject = await self.rooms.transcript(connection, UUID(request["told"]["call"]))
        else:
            subject = msgspec.convert(request["told"], SUBJECTS[row.step])
        if isinstance(subject, CrmRecording):
            url = await self.rooms.address(connection, subject.link) if subject.link else None
            subject = msgspec.structs.replace(subject, url=url) if url else None
        if row.step == "message" and isinstance(subject, CrmLead) and LINK_PLACE in (subject.after or ""):
            link = await self.rooms.link(connection, row.subject)
            words = (subject.after or "").replace(LINK_PLACE, link or "")
            subject = msgspec.structs.replace(subject, after=words) if link else None
        if subject is None:
            await self._not_told(connection, row.key, "removed", row.remote_id)
        return subject

    async def _others(
        self, connection: AsyncConnection, row: Row[Any], subject: Subject
    ) -> tuple[tuple[str, ...], set[str]]:
        """The other numbers of the client that is told of, and the lanes of all; raises TryAgain while one is told."""
        numbers = numbers_of(subject)
        others = await effect_rows.others(connection, numbers) if numbers else ()
        lanes = {row.lane, *map(lane_of, (*numbers, *others))}
        if len(lanes) > 1 and await effect_rows.is_told_by(connection, row, lanes):
            raise TryAgain("another number of the client is before it", OTHER_NUMBER_SECONDS)
        return others, lanes

    async def _not_told(self, connection: AsyncConnection, key: UUID, why: str, remote_id: str | None) -> None:
        ended = {"state": "done", "answer": {"not_told": why}, "ended_at": self.now(), "next_at": None}
        await effect_rows.write(connection, key, ended | {"remote_id": remote_id})

    async def _done(self, begun: _Begun) -> Done:
        crm = await self._adapter(begun.connection)
        if begun.doubted:
            known: Done | None = await self._asked(begun, "read_back", crm.read_back(begun.step, begun.effect))
            if known is not None:
                return known
            begun.doubted = False
        carry_out = _OPERATIONS[begun.step](crm)
        told: Done = await self._asked(begun, begun.step, carry_out(begun.effect, begun.subject))
        return told

    async def _remote(self, connection: AsyncConnection, row: Row[Any]) -> dict[str, str]:
        """What effects of the call are called there; a call that was asked for there is known there before it rings.

        Two that were asked for may have one name there: it is that of the call which ended first.
        """
        wish = await self.rooms.wish(connection, row.call_id) if row.call_id is not None else None
        clicked = await remote_of(connection, row.connection, wish) if wish is not None else None
        known = {"call_started": clicked} if clicked is not None else {}
        known |= await effect_rows.remote(connection, row)
        if clicked is not None and await effect_rows.is_of_another(connection, row, clicked):
            known = {step: one for step, one in known.items() if one != clicked}
        return known

    async def _keep(self, key: UUID, remote_id: str) -> None:
        """What the effect is called there already, also if this process dies before it is done."""
        async with self.engine.begin() as connection:
            await effect_rows.write(connection, key, {"remote_id": remote_id})

    async def _asked(self, begun: _Begun, operation: str, answer: Awaitable[Any]) -> Any:
        """Wait for one request and count it, whatever becomes of it."""
        began, result = time.perf_counter(), FaultError.kind
        try:
            with spans.span(f"crm {operation}", crm=begun.connection.key):
                told = await answer
            result = "done"
            return told
        except CrmError as error:
            result = error.kind
            raise
        except Exception as error:
            log.exception("adapter failed", crm=begun.connection.key, effect=str(begun.key), operation=operation)
            raise FaultError(f"the adapter failed: {type(error).__name__}") from error
        finally:
            async with self.engine.begin() as connection:
                spent = time.perf_counter() - began
                await counting.count(connection, begun.connection.key, operation, result, spent)

    async def _adapter(self, to: Connection) -> Crm:
        known = self._open.get(to.key)
        if known is not None and known[0] == to.changed_at:
            return known[1]
        try:
            crm = self.open_crm(to)
        except SecretKeyError as error:
            raise TransientError(str(error), is_away=True) from None
        except Exception as error:
            log.exception("adapter could not be made", crm=to.key)
            raise FaultError(f"the adapter could not be made: {type(error).__name__}") from error
        if known is not None:
            await known[1].close()
        self._open[to.key] = to.changed_at, crm
        return crm

    async def _not_begun(self, key: UUID, fault: FaultError) -> None:
        """Count the attempt, though nothing was sent. Raises TryAgain, unless it was tried for long enough."""
        now = self.now()
        async with self.engine.begin() as connection:
            asked = select(crm_effects).where(crm_effects.c.key == key, crm_effects.c.ended_at.is_(None))
            row = (await connection.execute(asked.with_for_update())).one_or_none()
            if row is None:
                return
            first, attempts = row.first_sent_at or now, row.attempts + 1
            verdict = after(fault, attempts, 0, (now - first).total_seconds(), random.random(), self.policy)
            request = row.request if row.attempts else None
            values = {"attempts": attempts, "first_sent_at": first, "request": request}
            await effect_rows.write(connection, key, values | _outcome(verdict, row.state, fault, now))
        if not verdict.dead:
            raise TryAgain(fault.kind, verdict.seconds)

    async def _failed(self, begun: _Begun, error: CrmError) -> Verdict:
        """The one place where an error becomes run again, dead letter, or a connection that is stopped."""
        now = self.now()
        tried = (now - begun.first_sent_at).total_seconds()
        verdict = after(error, begun.attempts, begun.connection.failures, tried, random.random(), self.policy)
        is_new = not begun.doubted and isinstance(error, UnknownOutcomeError | FaultError)
        values = _outcome(verdict, "unknown" if begun.doubted or is_new else "planned", error, now)
        # Until now it may have been on its way; to ask again what became of it does not make it younger.
        values |= {"sent_at": now} if is_new else {}
        async with self.engine.begin() as connection:
            await effect_rows.write(connection, begun.key, values)
            if verdict.stop:
                is_ended = await answers.ended(connection, begun.connection, error.kind)
                verdict = replace(verdict, stop=is_ended)
            elif verdict.pause:
                await answers.pause(connection, begun.connection, now, verdict.pause)
                await answers.leave_in_peace(connection, begun.connection, error, now)
        return verdict


def _outcome(verdict: Verdict, state: str, error: CrmError, now: datetime) -> dict[str, Any]:
    """What an effect that failed says; `state` is what it is in where it is not dead."""
    told = {"error": error.kind, "answer": {"reason": str(error), **error.answer}}
    if verdict.dead:
        return {**told, "state": "dead", "ended_at": now, "next_at": None}
    return {**told, "state": state, "next_at": now + timedelta(seconds=verdict.seconds)}
