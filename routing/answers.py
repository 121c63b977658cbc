"""What people answer on, kept in PostgreSQL: learned from each settled call, read whole, learned anew from all calls.

A cell (a device, an hour of the week) is always counted from its legs and written over, never added to: a job that runs
twice, a call that settles twice and calls that join leave what a rebuild would leave.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy import delete, func, select, text, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from calls.queue import Task
from directory import store
from directory.model import Directory
from routing.due import LEARN, QUEUE
from routing.learned import REMEMBERED, Answers, Ring, Tally, hour_of_week, tally
from routing.tables import device_answers

_log = structlog.get_logger()

CHANNEL: Final = "switchhook_answers"
"""NOTIFY channel; the payload is a device."""

_ROWS_AT_ONCE: Final = 5000
"""A statement of PostgreSQL takes 32,767 values."""

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
_OF_PEOPLE: Final = text(_LEGS + " and l.person = any(cast(:people as text[])) and l.started_at > :since")
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
        """Count the cells that this call's legs are in anew."""
        async with self.engine.begin() as connection:
            directory = await store.read(connection)
            legs = (await connection.execute(_OF_CALL, {"call": call_id})).all()
            for person in sorted({leg.person for leg in legs}):
                await connection.execute(_LOCK, {"person": person})
            cells = {cell for cell, _ in _rings(legs, directory)}
            if not cells:
                return
            asked = {
                "people": sorted({leg.person for leg in legs}),
                "since": min(leg.started_at for leg in legs) - REMEMBERED,
            }
            found = _tallies((await connection.execute(_OF_PEOPLE, asked)).all(), directory)
            changed = await _write(connection, {cell: found.get(cell, Tally()) for cell in cells})
        _log.info("answers learned", call=str(call_id), devices=len(changed))


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
    """The rings of devices that the directory knows; a mobile's leg has the address of the trunk, and its number."""
    for leg in legs:
        person, at = directory.person(leg.person), leg.started_at
        mine = {leg.device, directory.normal(leg.number)}
        device = next((it.address for it in person.devices if it.address in mine), None) if person else None
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
