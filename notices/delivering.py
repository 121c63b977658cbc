"""Sends one message: what was decided is written down before it goes out, and what came of it after.

Rules kept here:
1. `sent` is committed before the other side hears anything. Who finds a message `sent` has a worker that died in
   between: it is sent again where the other side knows it again by its id, and left as it is where not.
2. What surely did not arrive is tried again, ever more rarely, for a day after the message was due; then it is dead.
   So is what no worker has the channel for: another one may, or an operator mends the settings.
3. What a message of a kind in `made` says is made when it is sent, before rule 1: it takes seconds, and whoever dies
   meanwhile has sent nothing. What cannot be made, though it is tried MADE_TRIES times, goes out in its plain words.
4. An address that is dead is written down, and gets no further message while it is the person's address.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy import Row, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from calls.queue import Task, TryAgain
from directory import store
from directory.model import Directory, Person
from directory.tables import users
from notices.addresses import address_of, bury
from notices.channel import (
    AddressDead,
    AnswerLost,
    Channel,
    Compose,
    Message,
    NotDelivered,
    Reason,
    Rich,
    TryLater,
)
from notices.inbox import told_by
from notices.model import Told, Words, Written
from notices.tables import notice_counts, notice_messages, notices
from notices.telling import QUEUE, TASK

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

TRIED_FOR: Final = timedelta(days=1)
MADE_TRIES: Final = 3
_WAIT_MOST_SECONDS: Final = 900.0
_BATCH: Final = 200


@dataclass(frozen=True, slots=True)
class _Ready:
    """A message that goes out now: to whom, at which address, by which channel."""

    person: Person
    address: str
    channel: Channel
    message: Message
    tried_count: int


@dataclass(frozen=True, slots=True)
class _Unmade:
    """A message whose words are to be made first."""

    directory: Directory
    told: Told


@dataclass(frozen=True, kw_only=True, slots=True)
class NoticeJobs:
    """The job and what it needs: the channels that are set up, by name, and the words.

    `made`: by their kinds, how notices are made that say more than their words. `first_seconds`: the wait after the
    first failure; it doubles with each.
    """

    engine: AsyncEngine
    channels: Mapping[str, Channel]
    words: Words
    made: Mapping[str, Compose] = field(default_factory=dict)
    first_seconds: float = 5.0

    def tasks(self) -> list[Task]:
        """The tasks for the queue."""
        return [Task(TASK, QUEUE, self.deliver, works_on="message_id")]

    async def deliver(self, message_id: UUID, attempt: int) -> None:
        """Send one message, unless it was. Raises TryAgain."""
        ready = await self._take(message_id, attempt)
        if isinstance(ready, _Unmade):
            ready = await self._take(message_id, attempt, await self._make(ready, attempt))
        if not isinstance(ready, _Ready):
            log.info("nothing to send", message=str(message_id), attempt=attempt)
            return
        try:
            await ready.channel.send(ready.address, ready.message)
        except TryLater as error:
            await self._again(message_id, ready, error.reason, error.seconds)
        except AnswerLost as error:
            if ready.channel.repeats:
                await self._again(message_id, ready, error.reason, None)
            await self._end(message_id, "sent", error.reason)
        except AddressDead as error:
            await self._end(message_id, "dead", error.reason, dead=ready.person)
        except NotDelivered as error:
            await self._end(message_id, "dead", error.reason)
        else:
            await self._end(message_id, "done", None)

    async def _make(self, unmade: _Unmade, attempt: int) -> tuple[Written, Rich | None]:
        """What a message says; at the last try its plain words, with their link, if the rest cannot be made."""
        told = unmade.told
        try:
            return await self.made[told.kind](unmade.directory, told)
        except Exception:
            if attempt + 1 < MADE_TRIES:
                raise
            log.exception("a message goes out in its plain words", kind=told.kind, attempt=attempt)
            return self.words(unmade.directory, told), None

    async def _take(
        self, message_id: UUID, attempt: int, made: tuple[Written, Rich | None] | None = None
    ) -> _Ready | _Unmade | None:
        """Mark a message as sent and give what to send; None when nothing is to be sent. Raises TryAgain.

        One that says what was not made yet is left as it is.
        """
        async with self.engine.begin() as connection:
            row = await _row(connection, message_id)
            if row is None or row.state in {"done", "dead"} or row.reason == "answer_lost":
                return None
            now = datetime.now(UTC)
            if row.due_at > now:
                raise TryAgain("the person is not to be disturbed", (row.due_at - now).total_seconds())
            directory = await store.read(connection)
            person, channel = directory.person(row.person), self.channels.get(row.channel)
            address = address_of(person, row.channel) if person else None
            if channel is None and now - row.due_at <= TRIED_FOR:
                raise TryAgain("not_set_up", self._wait(attempt))
            why = self._hopeless(row, channel, address, now)
            if why is not None or person is None or channel is None or address is None:
                await _close(connection, row, "sent" if why == "answer_lost" else "dead", why or "no_address")
                return None
            told = told_by(row, row.language or directory.company.language)
            if made is None and told.kind in self.made:
                return _Unmade(directory, told)
            values = {"state": "sent", "reason": None, "tried_count": row.tried_count + 1}
            await _write(connection, message_id, values)
            written, rich = made or (self.words(directory, told), None)
            message = Message(message_id, told, written, rich)
            return _Ready(person, address, channel, message, row.tried_count + 1)

    async def end_late(self) -> int:
        """End what was due a day ago, whose job nobody may be there to do; returns how many, a batch at most."""
        async with self.engine.begin() as connection:
            now = datetime.now(UTC)
            late = select(notice_messages).where(notice_messages.c.state == "planned")
            late = late.where(notice_messages.c.due_at < now - TRIED_FOR).limit(_BATCH)
            rows = (await connection.execute(late.with_for_update(skip_locked=True))).all()
            for row in rows:
                await _close(connection, row, "dead", "too_late" if row.channel in self.channels else "not_set_up")
        return len(rows)

    def _wait(self, failures: int) -> float:
        """Seconds after so many failures and one more."""
        return min(self.first_seconds * 2.0 ** min(failures, 20), _WAIT_MOST_SECONDS)

    @staticmethod
    def _hopeless(row: Row[Any], channel: Channel | None, address: str | None, now: datetime) -> Reason | None:
        """Why a message is not sent at all."""
        if channel is None:
            return "not_set_up"
        if row.state == "sent" and not channel.repeats:
            return "answer_lost"
        if address is None:
            return "no_address"
        return "too_late" if now - row.due_at > TRIED_FOR else None

    async def _again(self, message_id: UUID, ready: _Ready, reason: Reason, seconds: float | None) -> None:
        """Have the message wait. Raises TryAgain."""
        wait = self._wait(ready.tried_count - 1)
        async with self.engine.begin() as connection:
            # One whose answer was lost stays sent: it may be with its person.
            state = "sent" if reason == "answer_lost" else "planned"
            await _write(connection, message_id, {"state": state, "reason": None if state == "sent" else reason})
        raise TryAgain(reason, max(wait, seconds or 0.0))

    async def _end(self, message_id: UUID, state: str, reason: Reason | None, dead: Person | None = None) -> None:
        async with self.engine.begin() as connection:
            row = await _row(connection, message_id)
            if row is None:
                return
            await _close(connection, row, state, reason)
            if dead is not None and reason is not None:
                await bury(connection, dead, row.channel, reason)


async def _row(connection: AsyncConnection, message_id: UUID) -> Row[Any] | None:
    """The message with its notice and the language of whom it is for; nobody else ends it meanwhile."""
    language = select(users.c.language).where(users.c.person_key == notices.c.person, users.c.language.is_not(None))
    asked = (
        select(
            notice_messages,
            notices.c.person,
            notices.c.kind,
            notices.c.subject,
            notices.c.subject_id,
            notices.c["values"],
            notices.c.made_at,
            language.order_by(users.c.id).limit(1).scalar_subquery().label("language"),
        )
        .join(notices)
        .where(notice_messages.c.id == message_id)
        .with_for_update(of=notice_messages)
    )
    return (await connection.execute(asked)).one_or_none()


async def _write(connection: AsyncConnection, message_id: UUID, values: Mapping[str, Any]) -> None:
    changed = {**values, "changed_at": func.clock_timestamp()}
    await connection.execute(update(notice_messages).where(notice_messages.c.id == message_id).values(**changed))


async def _close(connection: AsyncConnection, row: Row[Any], state: str, reason: Reason | None) -> None:
    """End a message, and count it."""
    if row.state in {"done", "dead"}:
        return
    await _write(connection, row.id, {"state": state, "reason": reason})
    result = "unknown" if state == "sent" else state
    counted = insert(notice_counts).values(channel=row.channel, result=result, count=1)
    more = {"count": notice_counts.c.count + 1}
    await connection.execute(counted.on_conflict_do_update(index_elements=["channel", "result"], set_=more))
    log.info("message ended", message=str(row.id), channel=row.channel, state=state, reason=reason or "")
