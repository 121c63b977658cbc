"""The board of leads: the places of the way as columns with their most urgent leads, and how leads ended of late."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync.book.lead_list import count_some, newest
from crm_sync.book.leads import place
from crm_sync.book.lifecycle import NEXT, OPEN
from crm_sync.tables import leads
from directory.lead_policy import LeadPolicy
from web.wording import COUNTED_MOST

SHOWN: Final = 25
ENDED_DAYS: Final = 30
ENDS: Final = ("won", "lost", "disqualified")


@dataclass(frozen=True, slots=True)
class Column:
    """One place of the board: how many leads are there (or more than COUNTED_MOST), and the first of them.

    `ended`: only those of late.
    """

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
    conditions = {told: and_(where, *_at(told)) for told in await _places(connection, policy)}
    late = leads.c.stage_at > now - timedelta(days=ENDED_DAYS)
    conditions |= {stage: and_(where, leads.c.stage == stage, late) for stage in ENDS}
    counted = await count_some(connection, list(conditions.values()), COUNTED_MOST)
    counts = {told: count for told, count in zip(conditions, counted, strict=True) if count}
    return [
        Column(told, counts.get(told, 0), await first(connection, conditions[told]) if told in counts else [], ended)
        for places, first, ended in ((shown(policy, counts), _urgent, False), (ENDS, _latest, True))
        for told in places
    ]


def shown(policy: LeadPolicy, there: Collection[str]) -> list[str]:
    """The open places in their order; in work before its first step, or at one that is gone, where leads are there."""
    steps = [place("in_work", step.key) for step in policy.funnel]
    others = [told for told in there if told.partition("/")[0] == "in_work" and told not in steps]
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


async def _places(connection: AsyncConnection, policy: LeadPolicy) -> list[str]:
    """Every place where an open lead may be: stages, steps of the funnel, and steps that are gone and still have some.

    In work is a place of its own before the first step alone.
    """
    steps = [step.key for step in policy.funnel]
    gone = select(leads.c.step).where(leads.c.stage == "in_work", leads.c.stage.in_(OPEN), leads.c.step.is_not(None))
    gone = gone.where(leads.c.step.not_in(steps)).distinct()
    others = (await connection.execute(gone)).scalars()
    return [*OPEN, *(place("in_work", step) for step in (*steps, *others))]


def _at(told: str) -> tuple[ColumnElement[bool], ...]:
    stage, _, step = told.partition("/")
    return leads.c.stage == stage, leads.c.stage.in_(OPEN), leads.c.step == step if step else leads.c.step.is_(None)


async def _urgent(connection: AsyncConnection, there: ColumnElement[bool]) -> list[Any]:
    """What is due first; without a deadline it comes last, the oldest first."""
    # By the step, too, which is the same of all: only so is it the order of an index where there is no step.
    return await _first(connection, there, leads.c.step, leads.c.deadline_at, leads.c.id)


async def _latest(connection: AsyncConnection, there: ColumnElement[bool]) -> list[Any]:
    return await _first(connection, there, leads.c.stage_at.desc(), leads.c.id.desc())


async def _first(connection: AsyncConnection, there: ColumnElement[bool], *order: ColumnElement[Any]) -> list[Any]:
    # Only of those that are shown is their party looked up.
    chosen = select(leads.c.id).where(there).order_by(*order).limit(SHOWN).correlate(None)
    return list((await connection.execute(newest(leads.c.id.in_(chosen)).order_by(None).order_by(*order))).all())
