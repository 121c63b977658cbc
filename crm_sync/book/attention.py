"""Leads that need somebody's attention: overdue, forgotten, long at a stage; and people who have too many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, Literal, get_args
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Row, and_, exists, func, literal, or_, select, true
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from crm_sync.book.deadlines import forgotten_since, too_long_since
from crm_sync.book.lead_list import count_some, newest
from crm_sync.book.lifecycle import OPEN
from crm_sync.book.standing import open_leads
from crm_sync.tables import attention_days, leads, tasks
from directory import store
from directory.model import Directory
from notices.model import Notice
from notices.telling import people_of, tell

TOLD_FROM_HOUR: Final = 9
"""Of the company's day: from then on the heads are told, once a day."""

Need = Literal["overdue", "forgotten", "long"]
NEEDS: Final[tuple[Need, ...]] = get_args(Need)

LISTED_MOST: Final = 500

_LAST_TALK: Final = func.coalesce(leads.c.contact_at, leads.c.opened_at)


@dataclass(frozen=True, slots=True)
class NeedyLead:
    """A lead in a list of attention. `since`: of its stage and step; `contact_at`: of the last talk, None: none yet.

    `name` and `number` are its party's, the least of several numbers; None: not known.
    """

    id: int
    name: str | None
    number: str | None
    owner: str | None
    line: str | None
    stage: str
    step: str | None
    since: datetime
    contact_at: datetime | None
    deadline_at: datetime | None

    def to_json(self) -> dict[str, Any]:
        """The lead as JSON."""
        times = {"since": self.since, "contact_at": self.contact_at, "deadline_at": self.deadline_at}
        told = {
            "id": self.id,
            "name": self.name,
            "number": self.number,
            "owner": self.owner,
            "line": self.line,
            "stage": self.stage,
            "step": self.step,
        }
        return told | {name: at.isoformat() if at else None for name, at in times.items()}


@dataclass(frozen=True, slots=True)
class Overload:
    """A person with more open leads than their limit; `plan` is their share of new work beside others'."""

    person: str
    open_count: int
    limit: int
    plan: int

    def to_json(self) -> dict[str, Any]:
        """The person as JSON."""
        return {"person": self.person, "open": self.open_count, "limit": self.limit, "plan": self.plan}


@dataclass(frozen=True, slots=True)
class Attention:
    """All of it at a moment: how many of each, and the first of each list, the longest first."""

    counts: dict[str, int]
    overdue: tuple[NeedyLead, ...]
    forgotten: tuple[NeedyLead, ...]
    long: tuple[NeedyLead, ...]
    overloaded: tuple[Overload, ...]

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON."""
        lists = {"overdue": self.overdue, "forgotten": self.forgotten, "long": self.long}
        told = {name: [one.to_json() for one in found] for name, found in lists.items()}
        return {"counts": self.counts, **told, "overloaded": [one.to_json() for one in self.overloaded]}


async def attention(
    connection: AsyncConnection,
    directory: Directory,
    now: datetime,
    wanted: ColumnElement[bool] | None = None,
    most: int = LISTED_MOST,
    names: Sequence[Need] = NEEDS,
    counted_most: int | None = None,
) -> Attention:
    """What needs attention at `now`, of the leads that are `wanted` (None: all), at most so many a list.

    Only the lists of `names` are looked for; the others are empty. Of more leads than `counted_most` in a list, one
    more is counted.
    """
    mine = and_(leads.c.stage.in_(OPEN), true() if wanted is None else wanted)
    conditions = {name: _condition(name, directory, now) for name in names}
    orders = {"overdue": leads.c.deadline_at, "forgotten": _LAST_TALK, "long": leads.c.stage_at}
    if counted_most is not None:
        some = await count_some(connection, [and_(mine, told) for told in conditions.values()], counted_most)
    else:
        in_one_look = select(*(func.count().filter(told) for told in conditions.values())).where(mine)
        some = list((await connection.execute(in_one_look)).one())
    counts = dict[str, int](zip(conditions, some, strict=True))
    lists = dict[str, tuple[NeedyLead, ...]](dict.fromkeys(NEEDS, ()))
    for name, told in conditions.items():
        listed = newest(mine, told).order_by(None).order_by(orders[name], leads.c.id).limit(most)
        lists[name] = tuple(_lead(row) for row in await connection.execute(listed)) if most else ()
    overloaded = tuple(await _overloads(connection, directory)) if wanted is None else ()
    return Attention(counts | {"overloaded": len(overloaded)}, overloaded=overloaded, **lists)


def needs(directory: Directory, name: Need, now: datetime) -> ColumnElement[bool]:
    """Whether a lead is in this list of attention at `now`, as a condition on the table of leads."""
    return and_(leads.c.stage.in_(OPEN), _condition(name, directory, now))


def _condition(name: Need, directory: Directory, now: datetime) -> ColumnElement[bool]:
    if name == "overdue":
        return leads.c.deadline_at < now
    return (_forgotten if name == "forgotten" else _long)(directory, now)


def _forgotten(directory: Directory, now: datetime) -> ColumnElement[bool]:
    open_task = exists(select(tasks.c.id).where(tasks.c.lead_id == leads.c.id, tasks.c.done_at.is_(None)))
    since = _by_line(directory, lambda line: forgotten_since(directory, line, now))
    return and_(~open_task, _before(_LAST_TALK, since))


def _long(directory: Directory, now: datetime) -> ColumnElement[bool]:
    steps = [step.key for step in directory.leads.funnel]
    before_first = or_(leads.c.step.is_(None), leads.c.step.not_in(steps))  # or at one that is gone, which counts so
    places: list[tuple[str, str | None, ColumnElement[bool]]] = [
        (stage, None, leads.c.stage == stage) for stage in OPEN if stage != "in_work"
    ]
    places.append(("in_work", None, and_(leads.c.stage == "in_work", before_first)))
    places += [("in_work", step, and_(leads.c.stage == "in_work", leads.c.step == step)) for step in steps]
    since = [_by_line(directory, partial(_too_long, directory, stage, step, now)) for stage, step, _ in places]
    told = [and_(here, _before(leads.c.stage_at, moments)) for (_, _, here), moments in zip(places, since, strict=True)]
    return and_(_before_last(leads.c.stage_at, *since), or_(*told))


def _too_long(directory: Directory, stage: str, step: str | None, now: datetime, line: str | None) -> datetime | None:
    return too_long_since(directory, line, stage, step, now)


Moments = dict[str | None, datetime | None]
"""Before which moment, by line; None: of a line that is not known, and at no moment."""


def _by_line(directory: Directory, since_of: Callable[[str | None], datetime | None]) -> Moments:
    return {line: since_of(line) for line in (None, *(line.number for line in directory.lines))}


def _before(at: ColumnElement[Any], since: Moments) -> ColumnElement[bool]:
    """Whether a lead's time is before the moment that its line says; a line that is not known says what none says."""
    others = since[None]
    if set(since.values()) == {others}:
        return at < others if others is not None else literal(value=False)
    told = [and_(leads.c.source_line == line, at < when) for line, when in since.items() if line and when is not None]
    if others is not None:
        is_known = leads.c.source_line.in_([line for line in since if line])
        told.append(and_(is_known.is_not(True), at < others))
    return and_(_before_last(at, since), or_(False, *told))


def _before_last(at: ColumnElement[Any], *since: Moments) -> ColumnElement[bool]:
    """Whether a time is before the last of these moments: it follows from what else is asked, and an index knows it."""
    last = max((when for moments in since for when in moments.values() if when is not None), default=None)
    return at < last if last is not None else literal(value=False)


async def _overloads(connection: AsyncConnection, directory: Directory) -> list[Overload]:
    limits = {one.key: limit for one in directory.people if (limit := one.leads_most or directory.leads.leads_most)}
    counts = await open_leads(connection, limits) if limits else {}
    found = [
        Overload(one.key, counts[one.key], limits[one.key], one.plan)
        for one in directory.people
        if counts.get(one.key, 0) > limits.get(one.key, 0)
    ]
    return sorted(found, key=lambda one: one.limit - one.open_count)


def _lead(row: Row[Any]) -> NeedyLead:
    return NeedyLead(
        id=row.id,
        name=row.party_name,
        number=min(row.numbers or (), default=None),
        owner=row.owner,
        line=row.source_line,
        stage=row.stage,
        step=row.step,
        since=row.stage_at,
        contact_at=row.contact_at,
        deadline_at=row.deadline_at,
    )


async def tell_daily(engine: AsyncEngine, now: datetime | None = None) -> bool:
    """Count what needs attention and tell the heads, once a day of the company's; False: it is not time, or was told.

    Of several services that do so at once the first one does, and the others find it done.
    """
    moment = now or datetime.now(UTC)
    async with engine.begin() as connection:
        directory = await store.read(connection)
        here = moment.astimezone(ZoneInfo(directory.company.time_zone))
        if here.hour < TOLD_FROM_HOUR:
            return False
        begun = insert(attention_days).values(day=here.date()).on_conflict_do_nothing().returning(attention_days.c.day)
        if (await connection.execute(begun)).first() is None:
            return False
        counts = (await attention(connection, directory, moment, most=0)).counts
        today = attention_days.c.day == here.date()
        await connection.execute(attention_days.update().where(today).values(**counts))
        if any(counts.values()):
            notice = Notice(key=f"attention {here.date()}", kind="attention", subject="house", values=counts)
            await tell(connection, directory, notice, people_of(directory, "head"), at=moment)
    return True
