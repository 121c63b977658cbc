"""Counts the calls that incidents cost, and those that people had all the same."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.incident_rows import note_calls, recent
from calls.incidents import KINDS

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
                               and cast(:until as timestamptz) + interval '2 hours'),
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


async def count(connection: AsyncConnection, incident: Row[Any], now: datetime) -> None:
    """Count one incident's calls anew, as they are known now."""
    kind = KINDS[incident.kind]
    asked = {
        "since": incident.started_at,
        "until": incident.ended_at or now,
        "causes": list(kind.causes),
        "saves": kind.saves,
        "scope": kind.scope,
        "subject": incident.subject,
    }
    await note_calls(connection, incident.id, (await connection.execute(_CALLS, asked)).all())


async def count_again(connection: AsyncConnection, since: datetime, now: datetime) -> None:
    """Count those of which more may have come to light, as from CEL, or because a call was settled since."""
    for incident in await recent(connection, since):
        await count(connection, incident, now)
