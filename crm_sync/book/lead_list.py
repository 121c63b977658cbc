"""Reads leads: those that somebody looks for, and one with all that belongs to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Select, and_, func, literal, not_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync.book.lifecycle import AWAY, OPEN, STAGES
from crm_sync.book.revival import SENT
from crm_sync.tables import lead_events, leads, notes, parties, party_numbers, tasks
from directory.lead_policy import LeadPolicy
from directory.model import Directory

OVERDUE: Final = and_(leads.c.stage.in_(OPEN), leads.c.deadline_at < func.clock_timestamp())

NOBODY: Final = "-"
"""In the place of an owner: nobody owns it."""


class WantedRefused(ValueError):
    """Leads are looked for by what the house does not know; `field` is of Wanted, the text names it and the value."""

    def __init__(self, field: str, message: str) -> None:
        """Keep the field beside the message."""
        super().__init__(f"{field}: {message}")
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which leads somebody looks for; what is empty asks nothing. `fields`: what the house's own fields hold."""

    stages: tuple[str, ...] = ()
    step: str = ""
    owner: str = ""
    line: str = ""
    reason: str = ""
    overdue: bool = False
    fields: Mapping[str, str] = field(default_factory=dict)

    def condition(self) -> ColumnElement[bool]:
        """The same as a condition on the table of leads."""
        told: list[ColumnElement[bool]] = [leads.c.fields.contains(dict(self.fields))] if self.fields else []
        told += [leads.c.stage.in_(self.stages)] if self.stages else []
        told += [OVERDUE] if self.overdue else []
        if self.owner:
            told.append(leads.c.owner.is_(None) if self.owner == NOBODY else leads.c.owner == self.owner)
        named = {leads.c.step: self.step, leads.c.source_line: self.line, leads.c.reason: self.reason}
        return and_(True, *told, *(column == value for column, value in named.items() if value))


def checked(wanted: Wanted, directory: Directory) -> Wanted:
    """The same with the line's number as leads keep it. Raises WantedRefused."""
    policy = directory.leads
    known = {
        "stage": (wanted.stages, STAGES),
        "step": ((wanted.step,), [step.key for step in policy.funnel]),
        "reason": ((wanted.reason,), (*policy.disqualifies(), *policy.loses())),
    }
    for name, (told, keys) in known.items():
        for value in told:
            if value and value not in keys:
                listed = ", ".join(dict.fromkeys(keys)) or "of the house's funnel, which has no steps"
                raise WantedRefused(name, f"must be one of {listed}, got {value[:100]!r}")
    if wanted.owner not in {"", NOBODY} and directory.person(wanted.owner) is None:
        raise WantedRefused("owner", f"nobody in the directory has the key {wanted.owner[:100]!r}")
    if not wanted.line:
        return wanted
    line = directory.line(wanted.line)
    if line is None:
        raise WantedRefused("line", f"the directory has no line {wanted.line[:100]!r}")
    return replace(wanted, line=line.number)


def on_managers_list(policy: LeadPolicy, now: datetime) -> ColumnElement[bool]:
    """Whether a manager sees a lead in lists: one that is being revived, or was lost too long ago, they do not."""
    left = leads.c.closed_at <= now - timedelta(days=policy.lost_days)
    return not_(and_(leads.c.stage.in_(AWAY), or_(leads.c.stage == "reviving", left)))


def newest(*where: ColumnElement[bool], before: int | None = None) -> Select[Any]:
    """Leads with the name, the numbers and the e-mail of their party, the newest first; `before`: the last one seen."""
    numbers = select(func.array_agg(party_numbers.c.number)).where(party_numbers.c.party_id == leads.c.party_id)
    columns = (parties.c.name.label("party_name"), parties.c.email, numbers.scalar_subquery().label("numbers"))
    asked = select(leads, *columns).join(parties, parties.c.id == leads.c.party_id).where(*where)
    if before is not None:
        asked = asked.where(leads.c.id < before)
    return asked.order_by(leads.c.id.desc())


async def count(connection: AsyncConnection, *where: ColumnElement[bool]) -> dict[str, int]:
    """How many such leads there are at each stage; none is absent."""
    asked = select(leads.c.stage, func.count().label("how_many")).where(*where).group_by(leads.c.stage)
    return {row.stage: row.how_many for row in await connection.execute(asked)}


async def count_some(connection: AsyncConnection, conditions: Sequence[ColumnElement[bool]], most: int) -> list[int]:
    """How many leads meet each of these conditions, `most` + 1 where they are more: no more are read."""
    if not conditions:
        return []
    some = [select(literal(1)).select_from(leads).where(one).limit(most + 1) for one in conditions]
    asked = [select(func.count()).select_from(one.subquery()).scalar_subquery() for one in some]
    return list((await connection.execute(select(*asked))).one())


@dataclass(frozen=True, slots=True)
class Whole:
    """A lead as `newest` gives it (`row`), its history, notes and tasks, in order."""

    row: Row[Any]
    events: Sequence[Row[Any]]
    notes: Sequence[Row[Any]]
    tasks: Sequence[Row[Any]]


async def whole(connection: AsyncConnection, lead: int) -> Whole | None:
    """One lead with all that belongs to it; None: there is none of that id."""
    row = (await connection.execute(newest(leads.c.id == lead))).one_or_none()
    if row is None:
        return None
    parts = [
        (await connection.execute(select(table).where(table.c.lead_id == lead).order_by(table.c.id))).all()
        for table in (lead_events, notes, tasks)
    ]
    return Whole(row, *parts)


@dataclass(frozen=True, slots=True)
class Lost:
    """How a lead was lost: when, why, and what was done since (events of kinds `revival` and `message`)."""

    at: datetime
    reason: str | None
    steps: tuple[Row[Any], ...]


def last_lost(events: Sequence[Row[Any]]) -> Lost | None:
    """Tell, of a lead's events in order, how it was lost last, if it ever was; people see it first when it is back."""
    found = [at for at, event in enumerate(events) if _loses(event)]
    if not found:
        return None
    lost, later = events[found[-1]], events[found[-1] + 1 :]
    return Lost(
        lost.at, lost.reason, tuple(event for event in later if event.kind == "revival" or event.reason in SENT)
    )


def _loses(event: Row[Any]) -> bool:
    return (event.kind, event.after) == ("stage", "lost") and event.before != "reviving"
