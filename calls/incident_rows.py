"""Keeps incidents, whichever process sees a fault, and reads them for pages, reports and commands."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import Row, and_, func, insert, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.incidents import KINDS, SAME_WITHIN, Fault, Known, Step, What, weigh
from calls.tables import incident_events, incidents, signs_of_life

State = Literal["open", "ended", "all"]

_ONE_AT_A_TIME: Final = text("select pg_advisory_xact_lock(5038, 8)")

_COUNTED_BY_ONE: Final = text("select from incidents where id = :incident for update")
_UNCOUNTED: Final = text(
    """
    delete from incident_calls using calls
    where incident_id = :incident and calls.id = call_id
      and (cast(:since as timestamptz) is null or updated_at >= :since)
    """
)
# Lists in arrays: a statement has 32,767 parameters at most.
_COUNTED: Final = text(
    """
    insert into incident_calls (incident_id, call_id, outcome)
    select :incident, told.* from unnest(cast(:ids as uuid[]), cast(:outcomes as text[])) as told
    on conflict (incident_id, call_id) do update set outcome = excluded.outcome
    """
)
_FIGURES: Final = text(
    """
    update incidents set (calls_lost, calls_saved) = (
        select count(*) filter (where outcome = 'lost'), count(*) filter (where outcome = 'saved')
        from incident_calls where incident_id = incidents.id)
    where id = :incident
    """
)


async def sign_of_life(connection: AsyncConnection) -> tuple[datetime, datetime | None, bool]:
    """Write that somebody looks; gives the time, by the database's clock, when somebody did before, and whether that
    was ended in order.
    """
    last = select(signs_of_life.c.at).scalar_subquery(), select(signs_of_life.c.ended).scalar_subquery()
    now, before, ended = (await connection.execute(select(func.clock_timestamp(), *last))).one()
    made = upsert(signs_of_life).values(id=1, at=now)
    again = {"at": made.excluded.at, "ended": False}
    await connection.execute(made.on_conflict_do_update(index_elements=["id"], set_=again))
    return now, before, bool(ended)


async def last_sign_of_life(connection: AsyncConnection) -> None:
    """Write that whoever looks is being ended; another one that looks on writes its own sign."""
    await connection.execute(update(signs_of_life).values(at=func.clock_timestamp(), ended=True))


def nobody_looked(since: datetime, until: datetime | None = None, *, ended: bool) -> Fault:
    """No service was there; whether it was ended in order is another kind than that it broke."""
    return Fault("stopped" if ended else "service", since=since, until=until)


async def silence(connection: AsyncConnection, seconds: float = 60.0) -> Fault | None:
    """That no telephony role looks, for longer than so many seconds; None: one does, or none ever did."""
    old = signs_of_life.c.at < func.clock_timestamp() - func.make_interval(0, 0, 0, 0, 0, 0, seconds)
    last = (await connection.execute(select(signs_of_life.c.at, signs_of_life.c.ended).where(old))).one_or_none()
    return None if last is None else nobody_looked(last.at, ended=last.ended)


async def keep(
    connection: AsyncConnection, faults: Collection[Fault], now: datetime, looks_since: datetime
) -> list[tuple[What, int]]:
    """Write what the faults make of the incidents; gives what happened to which, in the caller's transaction."""
    await connection.execute(_ONE_AT_A_TIME)
    lately = or_(incidents.c.ended_at.is_(None), incidents.c.ended_at > now - SAME_WITHIN)
    columns = (incidents.c[name] for name in ("id", "kind", "subject", "seen_at", "ended_at"))
    known = [Known(*row) for row in await connection.execute(select(*columns).where(lately))]
    happened: list[tuple[What, int]] = []
    for step in weigh(known, faults, now, looks_since):
        incident = await _write(connection, step, now)
        if step.what is not None:
            await connection.execute(insert(incident_events).values(incident_id=incident, what=step.what))
            happened.append((step.what, incident))
    return happened


async def _write(connection: AsyncConnection, step: Step, now: datetime) -> int:
    """One row as the step has it; gives its id."""
    fault = step.fault
    if fault is None:
        return await _change(connection, step.id, {"ended_at": incidents.c.seen_at})
    seen = fault.until or now
    # A fault cannot begin after it was seen, whatever another clock says.
    began = min(fault.since or seen, seen)
    told: dict[str, Any] = {"reason": fault.reason, "found_count": fault.count}
    if step.id is None:
        row = told | {"kind": fault.kind, "subject": fault.subject, "grave": KINDS[fault.kind].grave}
        made = insert(incidents).values(row | {"started_at": began, "seen_at": seen})
        return int((await connection.execute(made.returning(incidents.c.id))).scalar_one())
    told |= {"seen_at": func.greatest(incidents.c.seen_at, seen)}
    told |= {"started_at": func.least(incidents.c.started_at, began)}
    return await _change(connection, step.id, told | ({"ended_at": None} if step.what == "reopened" else {}))


async def _change(connection: AsyncConnection, incident: int | None, values: dict[str, Any]) -> int:
    changed = update(incidents).where(incidents.c.id == incident).values(values)
    return int((await connection.execute(changed.returning(incidents.c.id))).scalar_one())


async def note_calls(
    connection: AsyncConnection, incident: int, outcomes: Sequence[Row[Any]], changed_since: datetime | None = None
) -> None:
    """Write which calls (`id`, `outcome`) an incident cost or nearly cost, in place of what was written before.

    `changed_since`: the calls are those that were written since, and what is known of the others stays.
    """
    counted: dict[str, Any] = {"incident": incident, "since": changed_since}
    counted |= {"ids": [one.id for one in outcomes], "outcomes": [one.outcome for one in outcomes]}
    for step in (_COUNTED_BY_ONE, _UNCOUNTED, _COUNTED, _FIGURES):
        await connection.execute(step, {name: counted[name] for name in step.compile().params})


async def listed(
    connection: AsyncConnection,
    state: State = "all",
    since: datetime | None = None,
    until: datetime | None = None,
    *,
    before: int | None = None,
    limit: int | None = None,
) -> list[Row[Any]]:
    """The incidents that were going on from `since` on and before `until`, the newest first; `before`: an id."""
    asked = select(incidents)
    if state != "all":
        asked = asked.where(incidents.c.ended_at.is_(None) == (state == "open"))
    if since is not None:
        asked = asked.where(or_(incidents.c.ended_at.is_(None), incidents.c.ended_at >= since))
    if until is not None:
        asked = asked.where(incidents.c.started_at < until)
    if before is not None:
        asked = asked.where(incidents.c.id < before)
    return list((await connection.execute(asked.order_by(incidents.c.id.desc()).limit(limit))).all())


async def recent(connection: AsyncConnection, since: datetime) -> list[Row[Any]]:
    """Incidents of which more may come to light: those that go on, and those that ended from `since` on."""
    concerned = [name for name, kind in KINDS.items() if kind.causes or kind.saves or kind.scope == "crm"]
    late = or_(incidents.c.ended_at.is_(None), incidents.c.ended_at >= since)
    asked = select(incidents).where(and_(incidents.c.kind.in_(concerned), late)).order_by(incidents.c.id)
    return list((await connection.execute(asked)).all())


async def read(connection: AsyncConnection, incident: int) -> Row[Any]:
    """One incident that there is."""
    return (await connection.execute(select(incidents).where(incidents.c.id == incident))).one()
