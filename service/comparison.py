"""Compares what a PBX wrote into CEL with the stored calls, and records what the store lacks.

Catching up after an outage, looking after single lost events, and reconciliation are this one comparison: a call
differs when CEL's words, folded onto what is stored, make it read otherwise. What the live witness told whole is left
alone, however often it is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from typing import TypeVar
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.call import Call, apply, earliest, join
from calls.differences import CORE, NEAR_SECONDS, Differences, differences
from calls.due import Change
from calls.events import Erased, Event, Recovered
from calls.record import no_marks, state_call
from calls.view import CallView, view
from service.recorder import Recorder
from telephony.catch_up import ToldCall, told_calls
from telephony.cel_source import CelSource

T = TypeVar("T")

_IDS = text("select name, call_id from call_names where pbx = :pbx and name = any(cast(:names as text[]))")
_STATES = text("select id, state from calls where id = any(cast(:ids as uuid[])) and joined_into is null")
_COMPARED = 50
_WRITTEN = 10
"""Calls in one transaction: few, so that the events of live calls never wait for long."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One call that CEL tells of. `stored` is None when the store lacks it; `differing` is what recording CEL's events
    would change.
    """

    ids: frozenset[UUID]
    stored: CallView | None
    differing: Differences
    call: ToldCall

    def told(self) -> CallView:
        """CEL's own reading of it."""
        return view(reduce(apply, self.call.events, Call()))


async def compare(
    pbx: str,
    source: CelSource,
    engine: AsyncEngine,
    since: datetime,
    until: datetime,
    near_seconds: float = NEAR_SECONDS,
) -> AsyncIterator[list[Compared]]:
    """Every call that CEL tells of in the period, in bounded pieces; times as near as that are the same.

    Raises what the source and the database raise.
    """
    async for told in told_calls(pbx, source, since, until):
        for some in _batches(told, _COMPARED):
            yield await _compare(pbx, engine, some, near_seconds)


async def record_differing(
    pbx: str,
    source: CelSource,
    recorder: Recorder,
    since: datetime,
    until: datetime,
    *,
    mark: bool,
    first: Callable[[], Awaitable[None]] | None = None,
) -> int:
    """Record what CEL of the period tells and the store lacks; returns how many calls that changed.

    `mark`: calls of which the live witness lost what every witness knows are marked as recovered. Before
    each transaction `first` is awaited: what is more urgent.
    """
    count = 0
    async for compared in compare(pbx, source, recorder.engine, since, until):
        for some in _batches([one for one in compared if one.differing], _WRITTEN):
            if first is not None:
                await first()
            events = [event for one in some for event in _events(one, mark=mark)]
            changes = await recorder.write(events, recovered if mark else no_marks)
            count += len({change.call_id for change in changes})
    return count


async def _compare(pbx: str, engine: AsyncEngine, told: Sequence[ToldCall], near_seconds: float) -> list[Compared]:
    names = sorted({name for call in told for name in call.names})
    async with engine.connect() as connection:
        ids = {row.name: row.call_id for row in await connection.execute(_IDS, {"pbx": pbx, "names": names})}
        rows = await connection.execute(_STATES, {"ids": sorted(set(ids.values()))})
        states = {row.id: row.state for row in rows}
    compared = []
    for call in told:
        known = frozenset(ids[name] for name in call.names if name in ids) & states.keys()
        compared.append(_one(call, known, [state_call(states[one]) for one in known], near_seconds))
        await asyncio.sleep(0)  # folding takes a millisecond: callers who wait for a plan come in between
    return compared


def _one(call: ToldCall, ids: frozenset[UUID], stored: Sequence[Call], near_seconds: float) -> Compared:
    if not stored:
        return Compared(ids, None, {"stored": ("missing", "told")}, call)
    erased = next((one for one in stored if earliest(one, Erased)), None)
    if erased is not None:  # it takes in nothing more, and what CEL still tells of it is no fault of the store
        return Compared(ids, view(erased), {}, call)
    known = reduce(join, stored)
    before = view(known)
    differing = differences(before, view(reduce(apply, call.events, known)), near_seconds)
    if len(stored) > 1:
        differing = {**differing, "stored": (f"{len(stored)} calls", "one call")}
    return Compared(ids, before, differing, call)


def recovered(change: Change) -> list[Event]:
    """The mark of a call of which the live witness lost what every witness knows."""
    if change.after.recovered or (change.before and not differences(change.before, change.after).keys() & CORE):
        return []
    return [_mark(change.after)]


def _events(one: Compared, *, mark: bool) -> list[Event]:
    """What to record of a call; one that is new is marked at once, which spares writing it twice."""
    return [*one.call.events, _mark(one.told())] if mark and one.stored is None else one.call.events


def _mark(seen: CallView) -> Recovered:
    at = seen.ended_at or seen.started_at
    return Recovered(pbx=seen.pbx, channel=seen.caller_channel or seen.id, at=at)


def _batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[first : first + size] for first in range(0, len(items), size))
