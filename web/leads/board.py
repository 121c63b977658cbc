"""The board of leads: the places of the way as columns with their most urgent leads, and how leads ended of late."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync.book.lead_list import newest
from crm_sync.book.leads import place
from crm_sync.book.lifecycle import NEXT, OPEN
from crm_sync.tables import leads
from directory.lead_policy import LeadPolicy

SHOWN: Final = 25
ENDED_DAYS: Final = 30
ENDS: Final = ("won", "lost", "disqualified")


@dataclass(frozen=True, slots=True)
class Column:
    """One place of the board: how many leads are there, and the first of them; `ended`: only those of late."""

    place: str
    count: int
    rows: list[Any]
    ended: bool = False

    @property
    def stage(self) -> str:
        """Its stage."""
        return self.place.partition("/")[0]


async def columns(
    connection: AsyncConnection, policy: LeadPolicy, where: ColumnElement[bool], now: datetime
) -> list[Column]:
    """The board of the leads that meet a condition."""
    since = now - timedelta(days=ENDED_DAYS)
    ended = and_(where, leads.c.stage.in_(ENDS), leads.c.stage_at > since)
    counts = await _counts(connection, and_(where, leads.c.stage.in_(OPEN)))
    found = [
        Column(told, counts.get(told, 0), await _urgent(connection, where, told)) for told in shown(policy, counts)
    ]
    counts = await _counts(connection, ended)
    for stage in ENDS:
        count = sum(of for told, of in counts.items() if told.partition("/")[0] == stage)
        found.append(Column(stage, count, await _latest(connection, ended, stage), ended=True))
    return found


def shown(policy: LeadPolicy, counts: Mapping[str, int]) -> list[str]:
    """The open places in their order; in work before its first step, or at one that is gone, where leads are there."""
    steps = [place("in_work", step.key) for step in policy.funnel]
    others = [told for told in counts if told.partition("/")[0] == "in_work" and told not in steps]
    return [
        "new",
        "qualifying",
        "qualified",
        *(sorted(others) if steps else ["in_work", *sorted({*others} - {"in_work"})]),
        *steps,
    ]


def allowed(stage: str, *, head: bool) -> str:
    """The stages to which a lead may be moved from one, a word each; the board shows them while it is dragged."""
    return " ".join(
        told for told, needs in NEXT.get(stage, {}).items() if told != "reviving" and (head or not needs.head)
    )


async def _counts(connection: AsyncConnection, where: ColumnElement[bool]) -> dict[str, int]:
    asked = select(leads.c.stage, leads.c.step, func.count().label("of")).where(where)
    rows = await connection.execute(asked.group_by(leads.c.stage, leads.c.step))
    return {place(row.stage, row.step): row.of for row in rows}


async def _urgent(connection: AsyncConnection, where: ColumnElement[bool], told: str) -> list[Any]:
    """What is due first; without a deadline it comes last, the oldest first."""
    stage, _, step = told.partition("/")
    here = and_(where, leads.c.stage == stage, leads.c.step == step if step else leads.c.step.is_(None))
    asked = newest(here, leads.c.stage.in_(OPEN)).order_by(None).order_by(leads.c.deadline_at, leads.c.id)
    return list((await connection.execute(asked.limit(SHOWN))).all())


async def _latest(connection: AsyncConnection, where: ColumnElement[bool], stage: str) -> list[Any]:
    asked = newest(where, leads.c.stage == stage).order_by(None)
    return list(
        (await connection.execute(asked.order_by(leads.c.stage_at.desc(), leads.c.id.desc()).limit(SHOWN))).all()
    )
