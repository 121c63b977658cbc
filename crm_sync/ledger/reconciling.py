"""Asks what a connection is owed of a period and what its CRM holds of it, and mends what can be mended safely.

Nothing is ever removed or changed in a CRM: what is lacking is looked for there once more and then told under the key
that it had; the rest is for a person.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from crm_sync import answers, connections, people
from crm_sync.connections import Connection
from crm_sync.crm import Crm, Effect, HeldCall, Lists
from crm_sync.errors import CrmError, PermanentError, RateLimitedError
from crm_sync.ledger.comparing import NEVER_PLANNED, Difference, OwedCall, compare, unknown
from crm_sync.ledger.past import owed_of
from crm_sync.ledger.planning import plan, put_on_way

Period = tuple[datetime, datetime]
"""From, and before when."""

_RECENT: Final = timedelta(minutes=5)
"""What was told so lately may not be found there yet."""
_EDGE: Final = timedelta(minutes=15)
"""A CRM's clock, and its time of a call, may be so far from ours."""
_DAY: Final = timedelta(days=1)
_LOOKED_FOR: Final = 50
"""So many calls that a list lacks are looked for one by one; a list may leave out what was changed there since."""
_WAITS: Final = 10
_WAIT_SECONDS: Final = 60.0

# An effect of a call that joined this one is this one's now; of several the one that was told counts.
_OWED = text(
    """
    select c.id, c.started_at, c.ended_at, c.talk_seconds, c.person, c.settled_at, e.key, e.state, e.remote_id, e.error,
           e.answer->>'not_told' as not_told, e.planned_at, e.ended_at as told_at,
           array(select j.id from calls j where j.joined_into = c.id) as joined,
           array(select k.key from crm_effects k
                 where k.call_id = c.id and k.connection = :key and k.step = 'call_finished') as keys
    from calls c left join lateral (
        select * from crm_effects e where e.call_id = c.id and e.connection = :key and e.step = 'call_finished'
        order by coalesce(e.answer ? 'not_told', false), e.number limit 1) e on true
    where c.started_at >= :since and c.started_at < :until and c.direction in ('inbound', 'outbound') and not c.erased
      and c.joined_into is null and c.settled_at is not null
    order by c.started_at, c.id
    """
)
_KNOWN = text(
    """
    select key as known from crm_effects where connection = :key and key = any(cast(:keys as uuid[]))
    union all select id from calls where id = any(cast(:calls as uuid[]))
    """
)


@dataclass(frozen=True, slots=True)
class Report:
    """What was found of one connection: how many calls it is owed, and how many of those are on their way.

    `is_read`: whether what the CRM holds was compared too. `failed`: why it was not although it can be; then nobody
    knows whether both are the same.
    """

    to: Connection
    calls: int
    waiting: int
    differences: tuple[Difference, ...]
    is_read: bool
    failed: str | None = None

    @property
    def left(self) -> int:
        """How many differences there are for a person; not to know counts as one."""
        return len(self.differences) + (self.failed is not None)


async def reconcile(
    engine: AsyncEngine,
    to: Connection,
    crm: Crm | None,
    period: Period,
    now: datetime,
    *,
    late: timedelta,
) -> Report:
    """Compare the calls that began in the period. `crm` None: nobody lets us in there.

    What is owed for longer than `late` is not on its way any more.
    Raises nothing but what the database raises.
    """
    async with engine.connect() as connection:
        owed, told_last = await _owed(connection, to, period, now, late)
    is_paused = to.state != "stopped" and not to.may_be_asked(now)
    held, failed = None, None if crm else "it is paused" if is_paused else "nobody lets us in"
    try:
        if crm is not None and "listing" in crm.capabilities:
            held = await _held(cast("Lists", crm), (period[0] - _EDGE, max(period[1], told_last or period[1]) + _EDGE))
        found = compare(owed, held)
        differences = found.differences
        if crm is not None and held is not None:
            differences = await _looked_for(crm, differences)
    except CrmError as error:
        async with engine.begin() as connection:
            await answers.refused(connection, to, error, now)
        failed, held = f"{error.kind}: {error}", None
        found = compare(owed, None)
        differences = found.differences
    async with engine.connect() as connection:
        strays = await _unknown(connection, to.key, found.strays, period)
    told = sorted((*differences, *strays), key=lambda one: (one.at is None, one.at))
    return Report(to, len(owed), found.waiting, tuple(told), held is not None, failed)


async def repair(connection: AsyncConnection, report: Report) -> Report:
    """Put on their way what can be told again without harm, in the caller's transaction; gives what is left.

    What was told is looked for there before it is told again; what nobody planned is planned, also sound and text; what
    lost its job gets another. A connection that a person stopped is told nothing.
    """
    key = report.to.key
    lacking = {one.call for one in report.differences if one.why == NEVER_PLANNED}
    again = {one.call for one in report.differences if one.kind in {"missing", "not_noted"} or _is_dead(one)}
    await connections.retell(connection, key, [call for call in again if call is not None])
    await plan(connection, await owed_of(connection, [call for call in lacking if call is not None]), key)
    woken = await put_on_way(connection, key=key)
    mended = again | lacking
    left = [one for one in report.differences if one.call not in mended and one.effect not in woken]
    return replace(report, differences=tuple(left))


def _is_dead(one: Difference) -> bool:
    return one.kind == "not_told" and (one.why or "").split(" ", 1)[0] == "dead"


async def _owed(
    connection: AsyncConnection,
    to: Connection,
    period: Period,
    now: datetime,
    late: timedelta,
) -> tuple[list[OwedCall], datetime | None]:
    """What the connection is owed of the period, and when the last of it was told."""
    if "call_finished" not in to.steps:
        return [], None
    asked = {"key": to.key, "since": period[0], "until": period[1]}
    rows = (await connection.execute(_OWED, asked)).all()
    users = {one.person: one.user for one in await people.known(connection, to.key) if one.person is not None}
    # What was over before it was to be told of anything is not owed to it, unless somebody planned it.
    counted = [row for row in rows if row.key is not None or row.ended_at >= to.since]
    owed = [_owed_call(row, users.get(row.person), now, late) for row in counted]
    return owed, max((row.told_at for row in rows if row.told_at is not None), default=None)


def _owed_call(row: Row[Any], user: str | None, now: datetime, late: timedelta) -> OwedCall:
    if row.state == "done":
        is_recent = now - row.told_at < _RECENT
    elif row.state == "dead":
        is_recent = False
    else:
        is_recent = now - (row.planned_at or row.settled_at) < (late if row.state else _RECENT)
    return OwedCall(
        call=row.id,
        ids=frozenset({row.id, *row.joined}),
        began_at=row.started_at,
        seconds=row.talk_seconds,
        person=row.person,
        user=user,
        keys=frozenset(row.keys),
        effect=row.key,
        state=row.state,
        remote_id=row.remote_id,
        error=row.error,
        not_told=row.not_told,
        is_recent=is_recent,
    )


async def _held(crm: Lists, period: Period) -> list[HeldCall]:
    """What the CRM holds, asked day by day, each once. Raises CrmError."""
    found: dict[str, HeldCall] = {}
    since, until = period
    while since < until:
        end = min(since + _DAY, until)
        found |= {one.remote_id: one for one in await _patiently(crm, since, end)}
        since = end
    return list(found.values())


async def _patiently(crm: Lists, since: datetime, until: datetime) -> Sequence[HeldCall]:
    """Wait where the CRM asks to; what it is told of calls goes on meanwhile."""
    for _ in range(_WAITS):
        try:
            return await crm.calls_told(since, until)
        except RateLimitedError as limit:
            seconds = limit.retry_after or 1.0
            if seconds > _WAIT_SECONDS:
                raise
            await asyncio.sleep(seconds)
    return await crm.calls_told(since, until)


async def _looked_for(crm: Crm, differences: Sequence[Difference]) -> tuple[Difference, ...]:
    """The differences without calls that the list lacks and that are there all the same. Raises CrmError.

    Where all that were looked for are there, as where one may see only one's own calls, nobody knows of the others.
    """
    missing = [one for one in differences if one.kind == "missing" and one.effect and one.at]
    there = set()
    for one in missing[:_LOOKED_FOR]:
        remote = {"call_finished": one.remote_ids[0]} if one.remote_ids else {}
        effect = Effect(cast("UUID", one.effect), cast("datetime", one.at), remote)
        if await crm.read_back("call_finished", effect) is not None:
            there.add(one.call)
    if len(missing) > _LOOKED_FOR == len(there):
        raise PermanentError("its list leaves out calls that are there")
    return tuple(one for one in differences if one.kind != "missing" or one.call not in there)


async def _unknown(
    connection: AsyncConnection, key: str, strays: Sequence[HeldCall], period: Period
) -> list[Difference]:
    """Those of them that are of the period, and of no call that we know of any period."""
    of_it = [one for one in strays if one.at is None or period[0] <= one.at < period[1]]
    keys, calls = [one.key for one in of_it if one.key], [one.call for one in of_it if one.call]
    rows = await connection.execute(_KNOWN, {"key": key, "keys": keys, "calls": calls})
    known = set(rows.scalars())
    return [unknown(one) for one in of_it if (one.key or one.call) not in known]
