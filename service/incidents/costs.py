"""Counts the calls that incidents cost, and those that people had all the same."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import Row, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from calls.incident_rows import note_calls, recent
from calls.incidents import KINDS

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

# Times in `calls` are the PBX's, and its clock is `ahead` of ours. A fault is looked for every few seconds, so the last
# moment of it may be unseen. Of a call that began hours before it the outage is not what counts.
_CALLS: Final = text(
    """
    with told as (
        select c.*, c.started_at - coalesce(ahead, interval '0') as began,
               coalesce(c.ended_at, c.settled_at) - coalesce(ahead, interval '0') as over
        from calls c left join pbx_clocks using (pbx)
        where c.joined_into is null and c.direction = 'inbound' and c.settled_at is not null
          and c.started_at between cast(:since as timestamptz) - interval '2 hours'
                               and cast(:until as timestamptz) + interval '2 hours'
          and (cast(:changed as timestamptz) is null or updated_at >= :changed)),
    weighed as (
        select id, case
            when status = 'missed' and missed_cause = any(cast(:causes as text[])) then 'lost'
            when :scope = 'crm' and jsonb_path_exists(
                state, '$.facts[*] ? (@.kind == "IntegrationLost" && @.connection == $of)',
                jsonb_build_object('of', cast(:subject as text))) then 'lost'
            when :saves and answered_at is not null and (recovered or jsonb_path_exists(
                state, '$.facts[*] ? (@.kind == "FallbackTaken")')) then 'saved' end as outcome
        from told
        where began <= cast(:until as timestamptz) + interval '5 seconds' and over >= cast(:since as timestamptz)
          and case cast(:scope as text)
              when 'pbx' then pbx = :subject
              when 'trunk' then jsonb_path_exists(
                      state, '$.facts[*] ? (@.kind == "DeviceUnreachable" && @.device == $of)',
                      jsonb_build_object('of', cast(:subject as text)))
                  or exists (select from lines where number = ltrim(line, '+') and trunk = :subject)
              when 'device' then exists (select from legs where legs.call_id = told.id and legs.device = :subject)
                  or jsonb_path_exists(
                      state, '$.facts[*] ? (@.kind == "DeviceUnreachable" && @.device == $of)',
                      jsonb_build_object('of', cast(:subject as text)))
              else true end)
    select id, outcome from weighed where outcome is not null
    """
)


_WRITTEN_WITHIN: Final = timedelta(minutes=2)
"""What was written before a count may be committed after it, by the longest transaction."""


async def count(
    connection: AsyncConnection, incident: Row[Any], now: datetime, counted_at: datetime | None = None
) -> None:
    """Count one incident's calls, as they are known now; `counted_at`: only those that were written since then."""
    kind = KINDS[incident.kind]
    changed = counted_at - _WRITTEN_WITHIN if counted_at is not None else None
    asked = {
        "since": incident.started_at,
        "until": incident.ended_at or now,
        "causes": list(kind.causes),
        "saves": kind.saves,
        "scope": kind.scope,
        "subject": incident.subject,
        "changed": changed,
    }
    await note_calls(connection, incident.id, (await connection.execute(_CALLS, asked)).all(), changed)


class Counting:
    """Counts again the incidents of which more may have come to light, as from CEL.

    Each is counted whole at first and whenever its span is another, then only by what was written since.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._counted: dict[tuple[int, datetime, datetime | None], datetime] = {}

    async def again(self, since: datetime, now: datetime) -> None:
        """Those that are open, or ended from `since` on, each by itself: none that fails holds up others."""
        async with self._engine.connect() as connection:
            incidents = await recent(connection, since)
        counted = self._counted
        self._counted = {}
        for incident in incidents:
            span = (incident.id, incident.started_at, incident.ended_at)
            try:
                async with self._engine.begin() as connection:
                    await count(connection, incident, now, counted.get(span))
            except (SQLAlchemyError, OSError) as error:
                log.warning("calls of an incident not counted", incident=incident.id, error=type(error).__name__)
            else:
                self._counted[span] = now
