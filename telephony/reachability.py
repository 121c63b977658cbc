"""When phones and trunks came and went, and which of them a call found gone."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

KEPT_DAYS = 60

_NOTE = text(
    """
    insert into device_reachability (pbx, device, at, reachable)
    select :pbx, told.device, told.at, told.reachable
    from unnest(cast(:devices as text[]), cast(:times as timestamptz[]), cast(:reachable as bool[]))
        as told (device, at, reachable)
    left join device_states as known on known.pbx = :pbx and known.device = told.device
    where known.device is null or (known.reachable <> told.reachable and known.changed_at <= told.at)
    on conflict do nothing
    """
)
# A trunk concerns every call of its PBX, a phone those that tried it. What the PBX knows five seconds after a call
# (it looks every few seconds) was so during its last seconds.
_GONE = text(
    """
    with missed as (
        select id, pbx, started_at, ended_at + interval '5 seconds' as until from calls
        where id = any(cast(:ids as uuid[])) and status = 'missed' and direction = 'inbound'),
    trunks as (select trunk as device from lines union select trunk from devices),
    asked as (
        select missed.*, legs.device from missed join legs on legs.call_id = missed.id
        union select missed.*, trunks.device from missed cross join trunks where trunks.device is not null)
    select asked.id as call_id, asked.device, min(span.at) as since
    from asked cross join lateral (
        select at, reachable, lead(at) over (order by at) as ends_at from device_reachability as told
        where told.pbx = asked.pbx and told.device = asked.device and at <= asked.until) as span
    where not span.reachable and (span.ends_at is null or span.ends_at > asked.started_at)
    group by asked.id, asked.device order by asked.id, asked.device
    """
)
_FORGET = text(
    """
    delete from device_reachability as old
    where at < clock_timestamp() - make_interval(days => :days) and exists (
        select from device_reachability as later
        where later.pbx = old.pbx and later.device = old.device and later.at > old.at)
    """
)


class Reachable(Protocol):
    """What is told of a device."""

    @property
    def device(self) -> str:
        """TECH/name."""
        ...

    @property
    def reachable(self) -> bool:
        """Whether something is there to ring."""
        ...

    @property
    def changed_at(self) -> datetime:
        """The PBX's time."""
        ...


@dataclass(frozen=True, slots=True)
class Gone:
    """A device that could not be reached while a call lasted, and since when."""

    call_id: UUID
    device: str
    since: datetime


async def note(connection: AsyncConnection, pbx: str, states: Iterable[Reachable]) -> None:
    """Keep whose reachability is another than stored; to be called before the states themselves are stored."""
    told = list(states)
    columns = {
        "devices": [one.device for one in told],
        "times": [one.changed_at for one in told],
        "reachable": [one.reachable for one in told],
    }
    await connection.execute(_NOTE, {"pbx": pbx, **columns})


async def gone_during(connection: AsyncConnection, call_ids: Collection[UUID]) -> list[Gone]:
    """What the missed ones of these calls found gone: the phones they tried, and the trunks."""
    rows = await connection.execute(_GONE, {"ids": list(call_ids)})
    return [Gone(row.call_id, row.device, row.since) for row in rows]


async def forget_old(connection: AsyncConnection) -> None:
    """Forget what no report asks for any more; each device's last word stays."""
    await connection.execute(_FORGET, {"days": KEPT_DAYS})
