"""How much each person does, kept in memory: talks of today, open leads, and whose turn it was."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.synthetic import PREFIX
from calls.tables import call_events, calls, legs
from directory.model import Directory
from routing.arrival import Load
from routing.plan import Plan

TURNS_READ: Final = 500
"""Decisions from which whose turn it was is known again after a restart."""

_DAY: Final = timedelta(days=1)
_TALK_MOST: Final = timedelta(hours=6)
"""A talk that nobody saw end for so long is not believed to go on."""


class LeadCounter(Protocol):
    """Counts the open leads of these people (keys); None asks for all."""

    async def __call__(self, connection: AsyncConnection, people: Collection[str] | None, /) -> Mapping[str, int]:
        """Count them; who has none may be absent."""
        ...


Waiting = Callable[[], Mapping[str, int]]
"""Gives how many callers hold for each team (its key)."""


@dataclass(frozen=True, slots=True)
class _Talk:
    person: str
    answered_at: datetime
    ended_at: datetime | None
    device: str = ""


class Loads:
    """What each person does; losing it costs nothing, for ``read`` reads it again.

    ``by_person`` and ``turns`` are what decisions rest on. Turns are noted as plans are made, so that two callers at
    once do not both ring the same person first; those of another process are seen when everything is read again.
    """

    def __init__(self, count_leads: LeadCounter | None = None, waiting: Waiting = dict) -> None:
        """Take who counts leads, None for nobody, and who tells how many callers hold for each team this moment."""
        self.waiting = waiting
        self.by_person: dict[str, Load] = {}
        self.turns: dict[str, list[str]] = {}
        self._count_leads = count_leads
        self._talks: dict[str, dict[UUID, _Talk]] = {}
        self._leads: dict[str, int] = {}
        self._midnight = datetime.min.replace(tzinfo=UTC)

    async def read(self, connection: AsyncConnection, directory: Directory) -> None:
        """Read everything: the talks of the last day, all open leads, and the turns of the last decisions."""
        rows = (await connection.execute(_talks().where(calls.c.started_at > func.now() - _DAY))).all()
        self._talks = {}
        self._put(rows, directory)
        self._leads = dict(await self._count_leads(connection, None)) if self._count_leads else {}
        self.turns = await _read_turns(connection)
        self._midnight = _midnight(directory)
        self._weigh({*self._talks, *self._leads, *self.by_person})

    async def follow(
        self, connection: AsyncConnection, directory: Directory, call_ids: Collection[UUID], owners: Iterable[str]
    ) -> None:
        """Read again what these calls changed; ``owners`` are the people whose leads they may have changed."""
        rows = (await connection.execute(_talks().where(legs.c.call_id.in_(call_ids)))).all()
        people = {*owners, *self._drop(call_ids), *self._put(rows, directory)}
        if self._count_leads and people:
            counts = await self._count_leads(connection, people)
            self._leads |= {person: counts.get(person, 0) for person in people}
        midnight = _midnight(directory)
        if midnight != self._midnight:
            self._midnight = midnight
            people |= self.by_person.keys()
        self._weigh(people)

    def note(self, plan: Plan) -> None:
        """Remember whose turn a plan makes it."""
        for team, person in plan.turns:
            self.turns[team] = [*(it for it in self.turns.get(team, ()) if it != person), person]

    def _drop(self, call_ids: Collection[UUID]) -> set[str]:
        found = set()
        for person, own in self._talks.items():
            for call_id in own.keys() & set(call_ids):
                del own[call_id]
                found.add(person)
        return found

    def without_talks(self) -> dict[str, Load]:
        """Give what ``by_person`` tells but for who talks: nobody tells when a talk ends while the database is away."""
        return {key: replace(load, talking=False, talking_on=frozenset()) for key, load in self.by_person.items()}

    def _put(self, rows: Sequence[Any], directory: Directory) -> set[str]:
        for row in rows:
            own = self._talks.setdefault(row.person, {})
            talk = _Talk(row.person, row.answered_at, row.ended_at, _device(row, directory))
            own[row.call_id] = _longer(own.get(row.call_id), talk)
        return {row.person for row in rows}

    def _weigh(self, people: Iterable[str]) -> None:
        now = datetime.now(UTC)
        for person in people:
            own = self._talks.get(person, {}).values()
            on = [talk for talk in own if talk.ended_at is None and now - talk.answered_at < _TALK_MOST]
            ends = [talk.ended_at for talk in own if talk.ended_at and talk.ended_at >= self._midnight]
            self.by_person[person] = Load(
                calls_today=sum(talk.answered_at >= self._midnight for talk in own),
                leads_open=self._leads.get(person, 0),
                idle_since=max(ends, default=None),
                talking=bool(on),
                talking_on=frozenset(talk.device for talk in on),
            )


def _device(row: Any, directory: Directory) -> str:
    """Give which of the person's devices a leg is; a mobile's has the address of the trunk, and its number."""
    person = directory.person(row.person)
    mine = {row.device, directory.normal(row.number or "")}
    return next((it.address for it in person.devices if it.address in mine), "") if person else ""


def _longer(known: _Talk | None, talk: _Talk) -> _Talk:
    """Of two legs on one call: the talk goes on while one of them does."""
    if known is None or known.ended_at is None:
        return talk if known is None else known
    if talk.ended_at is None or talk.ended_at > known.ended_at:
        return talk
    return known


def _talks() -> Select[Any]:
    return (
        select(legs.c.call_id, legs.c.person, legs.c.answered_at, legs.c.ended_at, legs.c.device, legs.c.number)
        .join(calls, calls.c.id == legs.c.call_id)
        .where(
            legs.c.person.is_not(None),
            legs.c.answered_at.is_not(None),
            legs.c.outcome == "answered",
            calls.c.joined_into.is_(None),
        )
    )


async def _read_turns(connection: AsyncConnection) -> dict[str, list[str]]:
    """Read whom each team's round robin rang first, the latest last, from the last decisions."""
    events = call_events
    last = (
        select(events.c.body["plan"].astext.label("plan"))
        .where(events.c.kind == "Routed", events.c.at > func.now() - _DAY)
        .where(events.c.body["channel"].astext.not_like(f"{PREFIX}%"))
        .order_by(events.c.at.desc())
        .limit(TURNS_READ)
    )
    turns: dict[str, dict[str, None]] = defaultdict(dict)
    for row in await connection.execute(last):
        for team, person in msgspec.json.decode(row.plan).get("turns", ()):
            turns[team].setdefault(person)
    return {team: list(reversed(people)) for team, people in turns.items()}


def _midnight(directory: Directory) -> datetime:
    """Give the beginning of today by the company's clock, in UTC."""
    zone = ZoneInfo(directory.company.time_zone)
    return datetime.combine(datetime.now(zone).date(), time(), zone).astimezone(UTC)
