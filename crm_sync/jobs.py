"""Does the room's one job: a settled call is linked to its party and lead, and the link comes back as an event."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, Interval, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from calls.due import Owes
from calls.events import PartyLinked
from calls.queue import Task
from calls.record import record, state_call
from calls.tables import calls
from calls.view import view
from crm_sync.book.calls import BookedCall, link
from crm_sync.book.concerns import tell_of
from crm_sync.book.outcomes import book
from crm_sync.book.rules import facts_of
from directory.store import read

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_NOT_AHEAD: ColumnElement[Any] = literal(timedelta(), Interval)


@dataclass(frozen=True, kw_only=True, slots=True)
class CrmJobs:
    """The job and what it needs; `ahead` tells for a row of `calls` how far its PBX's clock is before ours."""

    engine: AsyncEngine
    owes: Owes
    ahead: ColumnElement[Any] = _NOT_AHEAD

    def tasks(self) -> list[Task]:
        """The tasks for the queue."""
        return [Task("crm_sync.link_call", "crm", self.link_call)]

    async def link_call(self, call_id: UUID, attempt: int) -> None:
        """Link the call: the book and the event in one transaction, so neither is ever there without the other."""
        async with self.engine.begin() as connection:
            row = await _row(connection, call_id, self.ahead)
            if row is None or row.party_id is not None:
                return
            seen, directory = view(state_call(row.state)), await read(connection)
            facts = facts_of(directory, seen)
            # The PBX's time, never the clock: a job that runs late says the same.
            at = seen.started_at or seen.settled_at or datetime.now(UTC)
            name = seen.caller_name if seen.direction == "inbound" else None
            booked = BookedCall(row.id, facts, name, at, row.ahead) if facts else None
            linked = await link(connection, directory, booked) if booked else None
            if facts is not None:
                await tell_of(connection, directory, row.id, facts, linked.owner if linked else None)
            if linked is not None and linked.lead is not None:
                await book(connection, directory, row.id, linked.lead)
            if linked is not None:
                told = PartyLinked(
                    pbx=row.pbx,
                    channel=seen.caller_channel,
                    at=seen.ended_at or at,
                    party=linked.party,
                    lead=linked.lead,
                    created=linked.created,
                )
                await record(connection, [told], self.owes)
        log.info(
            "call linked" if linked else "call has no party",
            call=str(row.id),
            created=linked.created if linked else "",
            rule=linked.rule if linked else "",
            attempt=attempt,
        )


async def _row(connection: AsyncConnection, call_id: UUID, ahead: ColumnElement[Any]) -> Any:
    """The call's row, or that of the call it was joined into."""
    asked = select(calls, ahead.label("ahead")).where(calls.c.id == call_id)
    row = (await connection.execute(asked)).one_or_none()
    return row if row is None or row.joined_into is None else await _row(connection, row.joined_into, ahead)
