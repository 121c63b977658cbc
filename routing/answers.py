"""What people answer on, kept in PostgreSQL: learned from each settled call, read whole, learned anew from all calls.

A cell (a device, an hour of the week) is always counted from its legs and written over, never added to: a job that runs
twice, a call that settles twice and calls that join leave what a rebuild would leave.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy import delete, func, select, text, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from calls.queue import Task
from directory import store
from directory.model import Directory, Person
from routing.due import LEARN, QUEUE
from routing.learned import REMEMBERED, Answers, Ring, Tally, hour_of_week, tally
from routing.tables import WEEK_HOURS, device_answers

_log = structlog.get_logger()

CHANNEL: Final = "switchhook_answers"
"""NOTIFY channel; the payload is a device."""

_ROWS_AT_ONCE: Final = 5000
"""A statement of PostgreSQL takes 32,767 values."""

_EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)

Cell = tuple[str, int]
"""A device and an hour of its person's week."""

# Rings that tell of the device: answered, not answered, refused. Not those that others ended, by answering or by giving
# up; but who answered on another of the own devices did not answer here.
_LEGS: Final = """
    select l.device, l.number, l.person, l.started_at, l.outcome = 'answered' as answered
    from legs l join calls c on c.id = l.call_id
    where c.direction = 'inbound' and c.settled_at is not null and c.joined_into is null
      and l.started_at is not null and l.person is not null and (l.rang or l.outcome = 'answered')
      and (l.outcome in ('answered', 'no_answer', 'rejected')
           or l.outcome = 'answered_elsewhere' and exists (
               select from legs as own
               where own.call_id = l.call_id and own.person = l.person and own.outcome = 'answered'))
"""
_OF_CALL: Final = text(_LEGS + " and l.call_id = :call")
# The last digits of a number are the same however it is written; which device it is, is told exactly afterwards.
_OF_PERSON: Final = text(
    _LEGS
    + """
      and l.person = :person and l.started_at > :since
      and (l.device = any(cast(:devices as text[]))
           or right(regexp_replace(l.number, '[^0-9]', '', 'g'), 7) = any(cast(:tails as text[])))
      and (cast(extract(isodow from l.started_at at time zone cast(:zone as text)) as int) - 1) * 24
          + cast(extract(hour from l.started_at at time zone cast(:zone as text)) as int) = any(cast(:hours as int[]))
    """
)
_ALL: Final = text(_LEGS)
_LOCK: Final = text("select pg_advisory_xact_lock(5061, hashtext(:person))")


@dataclass(frozen=True, kw_only=True, slots=True)
class AnswerJobs:
    """The room's job and what it needs."""

    engine: AsyncEngine

    def tasks(self) -> list[Task]:
        """The tasks for the queue."""
        return [Task(LEARN, QUEUE, self.learn)]

    async def learn(self, call_id: UUID, _attempt: int) -> None:
        """Count the cells that this call's legs are in anew, of people whose devices ring in a learned order."""
        async with self.engine.begin() as connection:
            directory = await store.read(connection)
            legs = (await connection.execute(_OF_CALL, {"call": call_id})).all()
            keys = sorted({leg.person for leg in legs})
            for key in keys:
                await connection.execute(_LOCK, {"person": key})
            tallies: dict[Cell, Tally] = {}
            for person in filter(None, map(directory.person, keys)):
                own = [leg for leg in legs if leg.person == person.key]
                tallies |= await _counted(connection, directory, person, own)
            changed = await _write(connection, tallies)
        _log.info("answers learned", call=str(call_id), devices=len(changed))


async def _counted(
    connection: AsyncConnection, directory: Directory, person: Person, legs: Collection[Any]
) -> dict[Cell, Tally]:
    """Count the cells of these legs of a person; all of theirs, where nothing is known of them yet.

    Whose order is fixed has nothing learned: so who has it learned again later is counted whole.
    """
    devices = [device.address for device in person.devices]
    stored = select(device_answers.c.device, device_answers.c.hour).where(device_answers.c.device.in_(devices))
    known = {(row.device, row.hour) for row in await connection.execute(stored)}
    if person.order == "fixed":
        return dict.fromkeys(known, Tally())
    cells = {cell for cell, _ in _rings(legs, directory)}
    if not cells:
        return {}
    asked = {
        "person": person.key,
        "since": min(leg.started_at for leg in legs) - REMEMBERED if known else _EVER,
        "devices": devices,
        "tails": [address[-7:] for address in devices],
        "zone": directory.zone_of(person),
        "hours": sorted({hour for _, hour in cells}) if known else list(range(WEEK_HOURS)),
    }
    found = _tallies((await connection.execute(_OF_PERSON, asked)).all(), directory)
    return {cell: found.get(cell, Tally()) for cell in cells | (set() if known else found.keys())}


async def read(connection: AsyncConnection, devices: Collection[str] | None = None) -> dict[str, Answers]:
    """Read what is known of these devices; None asks for all."""
    query = select(device_answers)
    if devices is not None:
        query = query.where(device_answers.c.device.in_(devices))
    week: defaultdict[str, dict[int, Tally]] = defaultdict(dict)
    for row in await connection.execute(query):
        week[row.device][row.hour] = Tally(row.rang, row.answered)
    return {device: Answers.of(hours) for device, hours in week.items()}


async def rebuild(connection: AsyncConnection) -> int:
    """Learn everything anew from the stored calls; returns how many cells changed. The caller owns the transaction."""
    await connection.execute(text("lock table device_answers in exclusive mode"))
    directory = await store.read(connection)
    found = _tallies((await connection.execute(_ALL)).all(), directory)
    known = {(row.device, row.hour) for row in await connection.execute(select(device_answers))}
    return len(await _write(connection, dict.fromkeys(known, Tally()) | found))


def _tallies(legs: Collection[Any], directory: Directory) -> dict[Cell, Tally]:
    rings: defaultdict[Cell, list[Ring]] = defaultdict(list)
    for cell, ring in _rings(legs, directory):
        rings[cell].append(ring)
    return {cell: tally(told) for cell, told in rings.items()}


def _rings(legs: Collection[Any], directory: Directory) -> Iterator[tuple[Cell, Ring]]:
    """The rings of devices in a learned order; a mobile's leg has the address of the trunk, and its number."""
    for leg in legs:
        person, at = directory.person(leg.person), leg.started_at
        mine = {leg.device, directory.normal(leg.number)}
        device = next((it.address for it in person.devices if it.address in mine), None) if person else None
        if person is not None and person.order == "fixed":
            continue
        if person is not None and device is not None:
            yield (device, hour_of_week(at, directory.zone_of(person))), Ring(at, bool(leg.answered))


async def _write(connection: AsyncConnection, tallies: Mapping[Cell, Tally]) -> set[Cell]:
    """Write these cells over, remove the empty ones, tell whose devices changed; gives the cells that did."""
    table = device_answers
    changed: set[Cell] = set()
    empty = sorted(cell for cell, told in tallies.items() if not told.rang)
    for begin in range(0, len(empty), _ROWS_AT_ONCE):
        some = tuple_(table.c.device, table.c.hour).in_(empty[begin : begin + _ROWS_AT_ONCE])
        gone = delete(table).where(some).returning(table.c.device, table.c.hour)
        changed |= {(row.device, row.hour) for row in await connection.execute(gone)}
    full = [
        {"device": device, "hour": hour, "rang": told.rang, "answered": told.answered}
        for (device, hour), told in sorted(tallies.items(), key=lambda it: it[0])
        if told.rang
    ]
    for begin in range(0, len(full), _ROWS_AT_ONCE):
        new = insert(table).values(full[begin : begin + _ROWS_AT_ONCE])
        upsert = new.on_conflict_do_update(
            index_elements=[table.c.device, table.c.hour],
            set_={"rang": new.excluded.rang, "answered": new.excluded.answered},
            where=(table.c.rang != new.excluded.rang) | (table.c.answered != new.excluded.answered),
        ).returning(table.c.device, table.c.hour)
        changed |= {(row.device, row.hour) for row in await connection.execute(upsert)}
    for device in sorted({device for device, _ in changed}):
        await connection.execute(select(func.pg_notify(CHANNEL, device)))
    return changed
