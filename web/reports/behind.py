"""What a number counts, asked for by its address: which calls, leads or promises, and how each of them is called."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from calls import claims
from calls.tables import calls, follow_ups
from crm_sync.tables import leads, parties, party_numbers
from directory.model import Directory
from reports.evidence import source_of
from reports.figures import CONVERSION
from reports.links import NARROWS
from reports.listing import Listed, Place, Thing, count_items, every_item, items
from reports.measures import PREFIX_OF_STEP, Count, Ratio
from reports.registry import COUNT_OF, MEASURES
from reports.report import Audience
from web.filters import FilterError
from web.promises import name_of
from web.reports import answers
from web.reports.answers import Answer
from web.reports.asked import read_day, whose
from web.rights import Scope, leads_seen, own_follow_ups
from web.sessions import Viewer

Of = Literal["part", "whole"]

_HOURS: Final = 24


@dataclass(frozen=True, slots=True)
class Side:
    """One count of a number, narrowed by `only` (of NARROWS)."""

    count: Count
    only: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which number is asked for: `measure` of days `first` to `last`, narrowed by `only` (of NARROWS).

    `sides` are the count, or the two that a ratio divides; the things of `of` are listed.
    """

    measure: str
    ratio: Ratio | None
    sides: Mapping[Of, Side]
    of: Of
    first: date
    last: date
    only: Mapping[str, str]

    @property
    def side(self) -> Side:
        """The count whose things are listed."""
        return self.sides[self.of]

    @property
    def count(self) -> Count:
        """The same, however it is narrowed."""
        return self.side.count

    @property
    def told(self) -> dict[str, str]:
        """The question as an address has it."""
        days = {"measure": self.measure, "from": self.first.isoformat(), "to": self.last.isoformat()}
        return days | dict(self.only) | ({"of": self.of} if self.of != "part" else {})


@dataclass(frozen=True, slots=True)
class Seen:
    """A call, lead or promise that a viewer may see: its page, its client, and what became of it.

    `status` is a key of the words of calls, `place` a stage, with its step as events tell it. `answer` is what a client
    who was asked said of it. `waits` is the promise by which the viewer may call back whoever waits for it, also of a
    missed call; `closed_by` what ended one. `since`: when a lead or a promise began.
    """

    path: str
    name: str
    number: str
    status: str = ""
    place: str = ""
    answer: Answer | None = None
    waits: int | None = None
    closed_by: str = ""
    since: datetime | None = None


UNSEEN: Final = Seen("", "", "")
"""What a viewer may not see is counted all the same."""


def read_question(query: Mapping[str, str], directory: Directory, usual: Audience, today: date) -> Question:
    """What an address asks: of nobody named, `usual`; of nothing named, today's calls.

    Raises FilterError, and 400 for days that are none.
    """
    measure = query.get("measure") or "calls_in"
    only = {name: query[name] for name in NARROWS if query.get(name)}
    if measure.startswith(PREFIX_OF_STEP):
        measure, only["detail"] = "steps", measure.removeprefix(PREFIX_OF_STEP)
    if not only.keys() & {"team", "person"}:
        only |= whose(usual)
    found = MEASURES.get(measure)
    if found is None:
        raise FilterError("measure", f"must be one of those that reports have, got {measure[:40]!r}")
    hour = only.get("hour", "0")
    if not (hour.isascii() and hour.isdecimal() and len(hour) < 3 and int(hour) < _HOURS):
        raise FilterError("hour", f"must be from 0 to 23, got {hour[:20]!r}")
    first, last = (read_day(query.get(name, ""), name, today) for name in ("from", "to"))
    if first > last:
        raise FilterError("to", f"must not be before {first}, got {last}")
    if isinstance(found, Count) and found.at_end:  # what stood is told of one day, the last
        first = last
    sides = _sides(directory, found, only)
    of: Of = "whole" if query.get("of") == "whole" and "whole" in sides else "part"
    ratio = found if isinstance(found, Ratio) else None
    return Question(measure=measure, ratio=ratio, sides=sides, of=of, first=first, last=last, only=only)


def _sides(directory: Directory, measure: Count | Ratio, only: Mapping[str, str]) -> dict[Of, Side]:
    if isinstance(measure, Count):
        return {"part": Side(measure, only)}
    part, whole = Side(COUNT_OF[measure.part], only), Side(COUNT_OF[measure.whole], only)
    others = {name: value for name, value in only.items() if name != "detail"}
    if whole.count.detail != part.count.detail:  # what tells the parts apart is not told of the whole
        whole = replace(whole, only=others)
    if measure.key == CONVERSION:
        steps = [step.key for step in directory.leads.funnel]
        before = steps.index(only["detail"]) if only.get("detail") in steps else 0
        whole = Side(COUNT_OF["qualified"], others)
        if before:
            whole = Side(part.count, others | {"detail": steps[before - 1]})
    return {"part": part, "whole": whole}


async def number(connection: AsyncConnection, directory: Directory, asked: Question, side: Side) -> tuple[int, float]:
    """How many things of a side there are, and the sum of their values."""
    return await count_items(connection, _listed(directory, asked, side))


async def things(
    connection: AsyncConnection, directory: Directory, asked: Question, after: Place | None, limit: int
) -> list[Thing]:
    """Some of those that are listed, the newest first."""
    return await items(connection, _listed(directory, asked, asked.side), after=after, limit=limit)


def every_thing(
    connection: AsyncConnection, directory: Directory, asked: Question, at_once: int
) -> AsyncIterator[list[Thing]]:
    """All of those that are listed in the same order, so many at a time."""
    return every_item(connection, _listed(directory, asked, asked.side), at_once=at_once)


def _listed(directory: Directory, asked: Question, side: Side) -> Listed:
    only: dict[str, Any] = {name: value for name, value in side.only.items() if name not in {"hour", "source"}}
    if "hour" in side.only:
        only["hour"] = int(side.only["hour"])
    if source := side.only.get("source"):
        ever = (*(line.number for line in directory.lines), *directory.given_up)
        lines = [line for line in ever if source_of(directory, line) == source]
        only["lines"] = lines or [source]  # a line that is none of ours is its own source
    zone = directory.company.time_zone
    return Listed(count=side.count.key, first=asked.first, last=asked.last, zone=zone, **only)


async def seen(
    connection: AsyncConnection, viewer: Viewer, scope: Scope, asked: Question, found: Sequence[Thing]
) -> list[Seen]:
    """What the viewer may see of each of them, in their order."""
    if asked.count.of == "lead":
        of_leads = await _leads(connection, scope, [one.lead_id for one in found])
        return [of_leads.get(one.lead_id, UNSEEN) for one in found]
    if asked.count.of == "promise":
        ids = {one.promise_id for one in found}
        of_promises = await _promised(connection, viewer, scope, follow_ups.c.id.in_(ids))
        return [of_promises[one.promise_id][1] if one.promise_id in of_promises else UNSEEN for one in found]
    if asked.count.of == "client":
        return await _answers(connection, scope, found)
    of_calls = await _calls(connection, scope, [one.call_id for one in found])
    missed = {one.number for one in of_calls.values() if one.number and one.status == "missed"}
    told = await _promised(connection, viewer, scope, follow_ups.c.number.in_(missed), follow_ups.c.closed_at.is_(None))
    waits = {(line, one.number): one.waits for line, one in told.values()}
    shown = [of_calls.get(one.call_id, UNSEEN) for one in found]
    return [
        replace(one, waits=waits.get((thing.line, one.number))) if one.status == "missed" else one
        for thing, one in zip(found, shown, strict=True)
    ]


async def _answers(connection: AsyncConnection, scope: Scope, found: Sequence[Thing]) -> list[Seen]:
    """The talk, or the lead, that the client was asked about, with what they said."""
    told = await answers.read(connection, found)
    of_calls = await _calls(connection, scope, [one.call_id for one in found])
    of_leads = await _leads(connection, scope, [one.lead_id for one in found])
    its = [of_calls.get(one.call_id) or of_leads.get(one.lead_id) for one in found]
    return [
        replace(seen_, answer=told.get(answers.key_of(one))) if seen_ else UNSEEN
        for one, seen_ in zip(found, its, strict=True)
    ]


async def _calls(connection: AsyncConnection, scope: Scope, ids: Collection[UUID | None]) -> dict[UUID | None, Seen]:
    columns = ("id", "direction", "status", "caller_number", "caller_name", "dialed")
    asked = select(*(calls.c[name] for name in columns), parties.c.name.label("party"))
    asked = asked.outerjoin(parties, parties.c.id == calls.c.party_id).where(calls.c.id.in_(ids), scope.rows())
    return {
        row.id: Seen(
            f"/calls/{row.id}",
            row.party or row.caller_name or "",
            (row.dialed if row.direction == "outbound" else row.caller_number) or "",
            status=row.status,
        )
        for row in await connection.execute(asked)
    }


async def _leads(connection: AsyncConnection, scope: Scope, ids: Collection[int | None]) -> dict[int | None, Seen]:
    its_number = select(func.min(party_numbers.c.number)).where(party_numbers.c.party_id == leads.c.party_id)
    columns = (leads.c[name] for name in ("id", "stage", "step", "opened_at"))
    asked = (
        select(*columns, parties.c.name, its_number.scalar_subquery().label("number"))
        .join(parties, parties.c.id == leads.c.party_id)
        .where(leads.c.id.in_(ids), leads_seen(scope))
    )
    return {
        row.id: Seen(
            f"/leads/{row.id}",
            row.name or "",
            row.number or "",
            place=f"{row.stage}/{row.step}" if row.step else row.stage,
            since=row.opened_at,
        )
        for row in await connection.execute(asked)
    }


async def _promised(
    connection: AsyncConnection, viewer: Viewer, scope: Scope, *which: ColumnElement[bool]
) -> dict[int | None, tuple[str, Seen]]:
    """By promise: its line, as things have it, and what may be seen of it."""
    party = select(parties.c.id).join(party_numbers).where(party_numbers.c.number == follow_ups.c.number)
    name = party.with_only_columns(func.min(parties.c.name)).scalar_subquery()
    unwanted = party.where(parties.c.do_not_call_at.is_not(None)).exists()
    columns = (follow_ups.c[name] for name in ("id", "number", "line", "opened_at", "closed_at", "closed_by"))
    asked = select(*columns, claims.WHO, name.label("name"), unwanted.label("unwanted"))
    asked = asked.where(*which, own_follow_ups(viewer, scope))

    def waits(row: Any) -> bool:
        on_it = row.claimed_by in {None, name_of(viewer)}
        return bool(viewer.person) and row.closed_at is None and on_it and not row.unwanted

    def its(row: Any) -> Seen:
        return Seen(
            f"/missed/{row.id}",
            row.name or "",
            row.number,
            waits=row.id if waits(row) else None,
            closed_by=row.closed_by or "",
            since=row.opened_at,
        )

    return {row.id: ((row.line or "").lstrip("+"), its(row)) for row in await connection.execute(asked)}


def cursor_of(thing: Thing) -> str:
    """What asks for the things behind this one."""
    at, place = thing.place
    return base64.urlsafe_b64encode(f"{at.astimezone(UTC).isoformat()} {place}".encode()).decode()


def read_cursor(told: str) -> Place | None:
    """The place in the list that a cursor tells; None for none. Raises FilterError."""
    if not told:
        return None
    try:
        at, _, place = base64.urlsafe_b64decode(told.encode()).decode().partition(" ")
        return datetime.fromisoformat(at).astimezone(UTC), place
    except (ValueError, OverflowError):
        raise FilterError("cursor", "is none that this service gave") from None
