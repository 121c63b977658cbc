"""Keeps to the policy: removes what is past its days, in whatever worker does it, one call in one transaction.

A call that could not be removed now is met again in the next round, as is one that a killed worker had begun.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy import func, literal, or_, select, tuple_
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from calls.erasing import NotYetError
from calls.synthetic import SYNTHETIC
from calls.tables import calls, legs
from directory import store
from directory.model import Directory
from directory.retention import KEPT
from recordings.audit import THE_SERVICE, note
from recordings.erasing import of_calls
from recordings.retention import Ended, due
from recordings.store import StoreError
from reports import nps_erasing
from routing import look_up
from service.erasing import EraseBusyError, Erasing
from service.removing import HeldError, Ours, Remover, held_digits, hold_on
from telephony.tables import synthetic_calls
from web import import_drafts

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

EVERY_SECONDS: Final = 3600.0
_LOOK_SECONDS: Final = 5.0
_LEFT_SECONDS: Final = 60.0
"""What waits for the end of a call is not looked for again at once: finding a person reads every event."""

_BATCH: Final = 200
_SYNTHETIC_DAYS: Final = 7
"""So long a synthetic call is kept, whatever the policy: nobody is in it. Its row of `synthetic_calls` stays."""
_SYNTHETIC_BACK: Final = timedelta(days=60)
"""Older ones went, or the service was away for so long."""


@dataclass(frozen=True, slots=True)
class DueCall:
    """A call of which `kinds` are due to go."""

    id: UUID
    line: str
    status: str
    ended_at: datetime
    kinds: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The fields by their names."""
        told = {"call": str(self.id), "line": self.line, "status": self.status}
        return told | {"ended_at": self.ended_at.isoformat(), "removes": list(self.kinds)}


async def due_calls(engine: AsyncEngine, now: datetime) -> AsyncIterator[DueCall]:
    """Every call of which something is due to go at `now`, the oldest first; nothing of what is held."""
    async with engine.connect() as connection:
        directory = await store.read(connection)
        held = await held_digits(connection, Ours(directory))
    least = _least_days(directory)
    if least is not None:
        async for one in _past_policy(engine, directory, held, least, now):
            yield one
    async with engine.connect() as connection:
        synthetic = await _old_synthetic(connection, now)
    for one in synthetic:
        yield one


async def _past_policy(
    engine: AsyncEngine, directory: Directory, held: Mapping[str, int], least: int, now: datetime
) -> AsyncIterator[DueCall]:
    """What the policy says is due of any call."""
    after = (datetime.min.replace(tzinfo=UTC), UUID(int=0))
    while True:
        async with engine.connect() as connection:
            rows = await _some(connection, after, now - timedelta(days=least))
            found = [one for row in rows if (one := await _due(connection, row, directory, held, now))]
        for one in found:
            yield one
        if len(rows) < _BATCH:
            return
        after = (rows[-1].ended_at, rows[-1].id)


async def keep_to(engine: AsyncEngine, remover: Remover, now: datetime) -> Counter[str]:
    """Remove what is due at `now`; counts the calls and what went."""
    async with engine.connect() as connection:
        ours = Ours(await store.read(connection))
    gone: Counter[str] = Counter()
    async for one in due_calls(engine, now):
        try:
            async with engine.begin() as connection:
                removed = await remover.remove(connection, one.id, one.kinds, ours=ours)
                told = {"removed": list(one.kinds), **removed.went, "files_left": list(removed.files_left)}
                await note(connection, THE_SERVICE, "retention_applied", f"call {one.id}", told)
        except (NotYetError, HeldError):  # the hold was set since it was found due
            continue
        except StoreError as error:
            log.warning("the store did not let go of a recording", call=str(one.id), reason=str(error))
            continue
        if removed.files_left:
            log.warning("the PBX's files could not be removed", call=str(one.id), files=removed.files_left)
        gone += removed.went + Counter(calls=1, files_left=len(removed.files_left))
    async with engine.begin() as connection:
        await import_drafts.forget_old(connection)
        await look_up.forget(connection)
        held = await held_digits(connection, ours)
        forgotten = await nps_erasing.keep_to(
            connection, ours.directory, now, lambda number: ours.digits(number) in held
        )
    gone += Counter(nps=forgotten)
    return gone


async def keep(engine: AsyncEngine, remover: Remover, erasing: Erasing) -> None:
    """Until cancelled: every hour what is due goes, and within seconds an erasure that was asked for is done."""
    rounds_at = 0.0
    while True:
        pause = _LOOK_SECONDS
        with _for_now():
            if await erasing.resume():
                pause = _LEFT_SECONDS
        if asyncio.get_running_loop().time() >= rounds_at:
            with _for_now():
                gone = await keep_to(engine, remover, datetime.now(UTC))
                rounds_at = asyncio.get_running_loop().time() + EVERY_SECONDS
                log.info("kept to the policy", **gone)
        await asyncio.sleep(pause)


@contextmanager
def _for_now() -> Iterator[None]:
    """What cannot be done now is tried again, and keeps nothing else from being done."""
    try:
        yield
    except EraseBusyError:
        pass
    except (SQLAlchemyError, OSError, StoreError) as error:
        log.warning("nothing could be removed now", error=type(error).__name__)


def _least_days(directory: Directory) -> int | None:
    """The days of whatever goes soonest; None: everything is kept for ever."""
    policies = (directory.company.retention, *(line.retention for line in directory.lines))
    keeps = [keep for policy in policies for keep in (policy, *(days for _, days in policy.statuses))]
    return min((days for keep in keeps for kind in KEPT if (days := getattr(keep, kind))), default=None)


def _has(*, sound: bool) -> Any:
    joined = calls.alias()
    of_joined = joined.c.joined_into == calls.c.id
    mine = [(it, select(literal(1)).select_from(it)) for it in of_calls(sound=sound)]
    return or_(
        *(found.where(it.c.call_id == calls.c.id).exists() for it, found in mine),
        *(found.join(joined, joined.c.id == it.c.call_id).where(of_joined).exists() for it, found in mine),
    )


async def _some(connection: AsyncConnection, after: tuple[datetime, UUID], until: datetime) -> Any:
    audio, text = _has(sound=True).label("audio"), _has(sound=False).label("transcript")
    numbers = select(func.string_agg(legs.c.number, " ")).where(legs.c.call_id == calls.c.id).scalar_subquery()
    told = func.concat_ws(" ; ", calls.c.caller_number, calls.c.dialed, numbers).label("told")
    columns = (calls.c.id, calls.c.line, calls.c.status, calls.c.ended_at, (~calls.c.erased).label("party"))
    asked = (
        select(*columns, audio, text, told)
        .where(calls.c.joined_into.is_(None), calls.c.settled_at.is_not(None), calls.c.ended_at <= until)
        .where(tuple_(calls.c.ended_at, calls.c.id) > tuple_(literal(after[0]), literal(after[1])))
        .order_by(calls.c.ended_at, calls.c.id)
        .limit(_BATCH)
    )
    return (await connection.execute(asked)).all()


async def _old_synthetic(connection: AsyncConnection, now: datetime) -> list[DueCall]:
    """Synthetic calls past their days, with what there is of each."""
    until = now - timedelta(days=_SYNTHETIC_DAYS)
    made = select(synthetic_calls.c.call_id).where(synthetic_calls.c.ended_at.between(until - _SYNTHETIC_BACK, until))
    has = {"audio": _has(sound=True), "transcript": _has(sound=False), "party": ~calls.c.erased}
    asked = select(calls, *(found.label(f"has_{kind}") for kind, found in has.items())).where(
        calls.c.id.in_(made), calls.c.direction == SYNTHETIC, calls.c.settled_at.is_not(None)
    )
    rows = (await connection.execute(asked)).all()
    there = [(row, tuple(kind for kind in has if getattr(row, f"has_{kind}"))) for row in rows]
    return [DueCall(row.id, row.line or "", row.status, row.ended_at, kinds) for row, kinds in there if kinds]


async def _due(
    connection: AsyncConnection, row: Any, directory: Directory, held: Mapping[str, int], now: datetime
) -> DueCall | None:
    there = frozenset(kind for kind in ("audio", "transcript", "party") if getattr(row, kind))
    call = Ended(row.line or "", row.status, row.ended_at, there)
    kinds = due(call, directory.retention_of(call.line, call.status), now)
    if not kinds or await hold_on(connection, row.id, row.told, held) is not None:
        return None
    return DueCall(row.id, call.line, call.status, row.ended_at, kinds)
