"""The rows of synthetic calls: asked for by the schedule or a person, taken once by who attends the PBX, kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from telephony.tables import synthetic_calls as rows

CHANNEL: Final = "switchhook_synthetic_calls"
"""NOTIFY channel: a synthetic call is wanted."""

KEPT_DAYS: Final = 90
_FRESH_SECONDS: Final = 30.0
_NOTIFY: Final = text("select pg_notify(:channel, '')")
_DUE: Final = text(
    """
    insert into synthetic_calls (pbx, line, language)
    select :pbx, :line, :language where not exists (
        select from synthetic_calls
        where pbx = :pbx and asked_at > statement_timestamp() - make_interval(secs => :seconds))
    """
)
_COUNT: Final = text(
    """
    insert into synthetic_counts (result, count) values (:result, 1)
    on conflict (result) do update set count = synthetic_counts.count + 1
    """
)
_FORGET: Final = text(
    "delete from synthetic_calls where asked_at < statement_timestamp() - make_interval(days => :days)"
)
_TAKE: Final = text(
    """
    update synthetic_calls set began_at = clock_timestamp()
    where id = (select id from synthetic_calls where pbx = :pbx and began_at is null and ended_at is null
                order by asked_at limit 1 for update skip locked)
    returning *, asked_at < clock_timestamp() - make_interval(secs => :fresh) as late
    """
)


async def ask(connection: AsyncConnection, pbx: str, line: str, language: str) -> UUID:
    """Want a call now; told to who attends the PBX at the commit."""
    row = {"pbx": pbx, "line": line, "language": language}
    wanted: UUID = (await connection.execute(insert(rows).values(row).returning(rows.c.id))).scalar_one()
    await connection.execute(_NOTIFY, {"channel": CHANNEL})
    return wanted


async def want_next(connection: AsyncConnection, pbx: str, line: str, language: str, seconds: float) -> None:
    """Want a call when the last one of this PBX was wanted so long ago."""
    await connection.execute(_DUE, {"pbx": pbx, "line": line, "language": language, "seconds": seconds})


async def take(connection: AsyncConnection, pbx: str) -> Row[Any] | None:
    """Take the oldest wanted call, to be begun; `late`: whoever wanted it has given up."""
    return (await connection.execute(_TAKE, {"pbx": pbx, "fresh": _FRESH_SECONDS})).one_or_none()


async def going_on(connection: AsyncConnection, pbx: str) -> Sequence[Row[Any]]:
    """The calls that were begun and are not over, also by a service that is gone; `age`: seconds since then."""
    age = func.extract("epoch", func.clock_timestamp() - rows.c.began_at).label("age")
    asked = select(rows, age).where(rows.c.pbx == pbx, rows.c.began_at.is_not(None), rows.c.ended_at.is_(None))
    return (await connection.execute(asked.order_by(rows.c.began_at))).all()


async def note(
    connection: AsyncConnection,
    own: UUID,
    steps: Mapping[str, float],
    call_id: UUID | None = None,
    result: str | None = None,
    why: str = "",
) -> None:
    """Keep how far a call came, and with a `result` that it is over: it is counted then, once."""
    told: dict[str, Any] = {"steps": dict(steps), "call_id": call_id, "why": why, "result": result}
    if result is not None:
        told["ended_at"] = func.clock_timestamp()
    kept = await connection.execute(update(rows).where(rows.c.id == own, rows.c.ended_at.is_(None)).values(told))
    if result is not None and kept.rowcount:
        await connection.execute(_COUNT, {"result": result})


async def forget_old(connection: AsyncConnection) -> None:
    """Forget the calls that nobody looks at any more; what they came to stays counted."""
    await connection.execute(_FORGET, {"days": KEPT_DAYS})


async def one(connection: AsyncConnection, own: UUID) -> Row[Any]:
    """A call by its id."""
    return (await connection.execute(select(rows).where(rows.c.id == own))).one()


async def last(connection: AsyncConnection, most: int) -> Sequence[Row[Any]]:
    """The latest, newest first."""
    return (await connection.execute(select(rows).order_by(rows.c.asked_at.desc()).limit(most))).all()
