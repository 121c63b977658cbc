"""What the doctor found when it looked by itself last: a row a check, kept for pages, metrics and the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal, Protocol

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from web.tables import doctor_checks

_KEPT: Final = timedelta(days=30)
"""What was not looked at for so long is forgotten: a PBX or a connection that is no more."""

_STANDS: Final = {"ok": 0, "warn": 1, "fail": 2}


class Line(Protocol):
    """One check as the doctor makes it."""

    @property
    def name(self) -> str:
        """What was looked at."""

    @property
    def state(self) -> str:
        """Ok, warn or fail."""

    @property
    def why(self) -> str:
        """How it stands, in words."""

    @property
    def remedy(self) -> str:
        """What to do when it is not well."""


@dataclass(frozen=True, slots=True)
class Found:
    """One check of the last look; `since` when it has stood so."""

    name: str
    state: Literal["ok", "warn", "fail"]
    why: str
    remedy: str
    since: datetime
    examined_at: datetime

    def to_json(self) -> dict[str, Any]:
        """As JSON, the keys of a check first."""
        told = {"name": self.name, "state": self.state, "why": self.why, "remedy": self.remedy}
        return told | {"since": self.since.isoformat(), "examined_at": self.examined_at.isoformat()}


@dataclass(frozen=True, slots=True)
class Changes:
    """Names of checks that stand worse than when they were looked at last, the worst first, and of those well again."""

    worse: tuple[str, ...]
    well: tuple[str, ...]


async def last(connection: AsyncConnection) -> list[Found]:
    """The checks of the last look in its order; none when there was no look yet."""
    newest = select(func.max(doctor_checks.c.examined_at)).scalar_subquery()
    columns = (getattr(doctor_checks.c, name) for name in Found.__slots__)
    asked = select(*columns).where(doctor_checks.c.examined_at == newest).order_by(doctor_checks.c.position)
    return [Found(*row) for row in await connection.execute(asked)]


async def is_due(connection: AsyncConnection, every: timedelta) -> bool:
    """Whether the last look was so long ago."""
    asked = select(func.max(doctor_checks.c.examined_at) > func.clock_timestamp() - every)
    return not (await connection.execute(asked)).scalar()


async def keep(connection: AsyncConnection, checks: Sequence[Line]) -> Changes:
    """Keep a look; what was not looked at this time, as its PBX is away, keeps its last word."""
    rows = (await connection.execute(select(doctor_checks.c.name, doctor_checks.c.state, doctor_checks.c.since))).all()
    before, at = (
        {row.name: row for row in rows},
        (await connection.execute(select(func.clock_timestamp()))).scalar_one(),
    )
    made, worse, well = [], list[Line](), []
    for position, check in enumerate(checks):
        known = before.get(check.name)
        same = known is not None and known.state == check.state
        told = {"name": check.name, "state": check.state, "why": check.why, "remedy": check.remedy}
        made.append(told | {"since": known.since if known and same else at, "position": position, "examined_at": at})
        stood = _STANDS[known.state] if known else 0
        if _STANDS[check.state] > stood:
            worse.append(check)
        elif stood and check.state == "ok":
            well.append(check.name)
    if made:
        asked = insert(doctor_checks).values(made)
        anew = {name: asked.excluded[name] for name in made[0] if name != "name"}
        await connection.execute(asked.on_conflict_do_update(index_elements=["name"], set_=anew))
    await connection.execute(delete(doctor_checks).where(doctor_checks.c.examined_at < at - _KEPT))
    worst_first = sorted(worse, key=lambda check: -_STANDS[check.state])
    return Changes(tuple(check.name for check in worst_first), tuple(well))
