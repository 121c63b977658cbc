"""Many leads given to one person at once: looked at first, then all of them in one transaction or none.

Each gets its event, with who gave it and why; whom they are given to is told once, how many they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, any_, func, insert, literal, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync.book.given import tell_leads
from crm_sync.book.leads import CHANNEL, By
from crm_sync.book.lifecycle import LifecycleError
from crm_sync.tables import lead_events, leads
from directory.model import Directory

MOST: Final = 10_000
REASON_MOST: Final = 500

_NOTIFY: Final = text("select pg_notify(:channel, '')")


class CountChanged(Exception):
    """There are more or fewer such leads than whoever gives them saw: nothing was given. `now`: how many there are."""

    def __init__(self, seen: int, now: int) -> None:
        super().__init__(f"{seen} leads were seen and there are {now} now")
        self.now = now


@dataclass(frozen=True, slots=True)
class Found:
    """How many leads there are to give, and whose they are now: key of a person (None: nobody's) -> how many.

    Where no more were looked at than so many, `count` is that many and one, and tells that there are more.
    """

    count: int
    owners: dict[str | None, int]


async def look(connection: AsyncConnection, where: ColumnElement[bool], most: int | None = None) -> Found:
    """The leads that meet a condition, who has most first; `most` and one of them are looked at, None: all."""
    of, some = func.count(), select(leads.c.owner).where(where).limit(most + 1 if most else None).subquery()
    asked = select(some.c.owner, of.label("of")).group_by(some.c.owner)
    rows = (await connection.execute(asked.order_by(of.desc(), some.c.owner))).all()
    return Found(sum(row.of for row in rows), {row.owner: row.of for row in rows})


async def give_all(  # what a decision is
    connection: AsyncConnection,
    directory: Directory,
    where: ColumnElement[bool],
    owner: str | None,
    reason: str,
    by: By,
    *,
    seen: int | None = None,
) -> int:
    """Give the leads that meet a condition to a person (None: nobody), and give how many were another's.

    `seen`: how many there were to who looked. Raises LifecycleError, CountChanged.
    """
    if owner is not None and directory.person(owner) is None:
        raise LifecycleError("owner", f"there is no person {owner!r}")
    why = _line(reason)
    found = await _locked(connection, where)
    if len(found) > MOST:
        raise LifecycleError("leads", f"must be {MOST} leads at most at once")
    if seen is not None and seen != len(found):
        raise CountChanged(seen, len(found))
    others = [row.id for row in found if row.owner != owner]
    if others:
        await _write(connection, others, owner, why, by)
        await tell_leads(connection, directory, len(others), owner, by)
    return len(others)


async def _locked(connection: AsyncConnection, where: ColumnElement[bool]) -> Sequence[Any]:
    """The leads, in one order for all who lock several, which nobody else changes until the transaction ends."""
    asked = select(leads.c.id, leads.c.owner).where(where).order_by(leads.c.id).limit(MOST + 1)
    rows: Sequence[Any] = (await connection.execute(asked.with_for_update(key_share=True))).all()
    return rows


async def _write(connection: AsyncConnection, ids: Sequence[int], owner: str | None, why: str, by: By) -> None:
    these = leads.c.id == any_(literal(ids, ARRAY(BigInteger)))
    told = {"at": by.at, "by": by.who, "kind": "owner", "after": owner, "reason": why}
    values = [literal(value, lead_events.c[name].type) for name, value in told.items()]
    each = select(leads.c.id, leads.c.owner, *values).where(these).order_by(leads.c.id)
    await connection.execute(insert(lead_events).from_select(["lead_id", "before", *told], each))
    await connection.execute(update(leads).where(these).values(owner=owner))
    await connection.execute(_NOTIFY, {"channel": CHANNEL})


def _line(reason: str) -> str:
    told = " ".join(reason.split())
    if not told or len(told) > REASON_MOST or not told.isprintable():
        raise LifecycleError(
            "reason", f"must be 1 to {REASON_MOST} characters that can be printed, got {len(told)}", why="why"
        )
    return told
