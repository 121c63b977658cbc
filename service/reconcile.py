"""`switchhook reconcile`: whether the stored calls of a period are those that the PBX tells of, and their repair.

A call belongs to the period in which it began. CEL is read an hour further on both sides, so that calls at its edges
are told whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.differences import CORE, Differences, differences
from calls.view import CallView
from service.comparison import Compared, compare, recovered
from service.recorder import Recorder
from telephony.cel_source import CelSource
from telephony.cel_table import CelTableError
from telephony.link import Link

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

PBX_STORE: Final = "pbx_store"
"""What is compared here, as metrics and reports name it."""

_EDGE: Final = timedelta(hours=1)
_NEAR_SECONDS: Final = 1.0
"""A PBX without a free core stamps one moment twice 80 ms apart (seen on Asterisk 22.10); no figure hangs on it."""
_WHOLE_SECONDS: Final = timedelta(seconds=1)
"""A CEL table may tell times in whole seconds."""
_LATE: Final = timedelta(minutes=5)
"""So long after an hour's end its calls are caught up on, should anything have been lost."""
_LOOK_SECONDS: Final = 300.0
_STORED = text(
    """
    select id, linkedids, started_at, status from calls
    where pbx = :pbx and joined_into is null and settled_at is not null
      and started_at >= :since and started_at < :until
    order by started_at, id
    """
)


@dataclass(frozen=True, slots=True)
class Difference:
    """One call that PBX and store tell differently.

    `kind`: missing (not in the store), unknown (the PBX tells nothing of it), differs. `fields`: name -> (the store's,
    the PBX's). `call` is the store's id, `linkedid` the PBX's.
    """

    kind: str
    pbx: str
    linkedid: str
    started_at: datetime | None
    call: UUID | None
    fields: Mapping[str, tuple[str, str]]

    def to_json(self) -> dict[str, Any]:
        """The difference as JSON."""
        return {
            "kind": self.kind,
            "pbx": self.pbx,
            "linkedid": self.linkedid,
            "started_at": self.started_at and self.started_at.isoformat(),
            "call": self.call and str(self.call),
            "fields": {name: {"store": one, "pbx": other} for name, (one, other) in self.fields.items()},
        }

    def __str__(self) -> str:
        told = ", ".join(
            f"{name}: {one or '-'} in the store, {other or '-'} at the PBX"
            for name, (one, other) in self.fields.items()
        )
        when = f"{self.started_at:%Y-%m-%d %H:%M:%S}" if self.started_at else "-"
        return f"{when}  {self.pbx}  {self.linkedid}  {self.kind}  {told}".rstrip()


@dataclass(frozen=True, slots=True)
class Report:
    """What a comparison found: how many calls the PBX tells of, and the differences in order of time."""

    call_count: int
    differences: tuple[Difference, ...]


async def reconcile(pbx: str, source: CelSource, engine: AsyncEngine, since: datetime, until: datetime) -> Report:
    """Compare the calls that began from `since` to before `until`. Raises what the source and the database raise."""
    found: list[Difference] = []
    seen: set[UUID] = set()
    count = 0
    async for some in compare(pbx, source, engine, since - _EDGE, until + _EDGE, _NEAR_SECONDS):
        for one in some:
            seen |= one.ids
            if _began_in(one, since, until):
                count += 1
                found += _difference(pbx, one)
    async with engine.connect() as connection:
        asked = {"pbx": pbx, "since": since, "until": until}
        stored = (await connection.execute(_STORED, asked)).all()
    found += [
        Difference("unknown", pbx, min(row.linkedids, default=""), row.started_at, row.id, {"status": (row.status, "")})
        for row in stored
        if row.id not in seen
    ]
    found.sort(key=lambda one: (one.started_at is None, one.started_at, one.linkedid))
    return Report(count, tuple(found))


async def repair(pbx: str, source: CelSource, recorder: Recorder, since: datetime, until: datetime) -> None:
    """Record what CEL tells of the calls of the period and the store lacks. Raises as `reconcile`."""
    async for some in compare(pbx, source, recorder.engine, since - _EDGE, until + _EDGE):
        for one in some:
            if one.differing and _began_in(one, since, until):
                await recorder.write(one.call.events, recovered)


class HourlyReconciliation:
    """Compares the last full hour of one PBX, by the PBX's clock, and tells `told` how many differences there are."""

    def __init__(self, link: Link, source: CelSource, engine: AsyncEngine, told: Callable[[int], None]) -> None:
        self._link = link
        self._source = source
        self._engine = engine
        self._told = told
        self._done: datetime | None = None

    async def run(self) -> None:
        """Look every few minutes, until cancelled, whether an hour is over that was not found without a difference."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                await self.look()
            except (SQLAlchemyError, OSError, CelTableError) as error:
                log.warning("an hour could not be reconciled now", pbx=self._name, error=type(error).__name__)
            except Exception as error:  # as in service.recovery: whatever is in the PBX's words
                log.exception("an hour could not be reconciled", pbx=self._name, error=type(error).__name__)

    async def look(self) -> None:
        """Compare the last full hour unless that is done. Raises as `reconcile`."""
        if not self._link.state.connected:  # whatever is missing is still to be caught up on
            return
        late_enough = datetime.fromtimestamp(self._link.clock.pbx_now(), UTC) - _LATE
        until = late_enough.replace(minute=0, second=0, microsecond=0)
        if until == self._done:
            return
        report = await reconcile(self._name, self._source, self._engine, until - timedelta(hours=1), until)
        count = len(report.differences)
        self._told(count)
        log.info("reconciled", pbx=self._name, until=until, calls=report.call_count, differences=count)
        self._done = None if count else until

    @property
    def _name(self) -> str:
        return self._link.settings.name


def _began_in(one: Compared, since: datetime, until: datetime) -> bool:
    """By the store's word where it has one: CEL of a call that began before its first row is only the rest of it."""
    began_at = (one.stored or one.told()).started_at
    return began_at is not None and since <= began_at < until


def _difference(pbx: str, one: Compared) -> list[Difference]:
    if one.stored and one.stored.erased:
        return []
    heard = one.told()
    fields = one.differing or (_beyond(one.stored, heard) if one.stored and one.call.is_over else {})
    if one.stored is None:
        fields = {"status": ("", heard.status)}
    if not fields:
        return []
    told = {name: (_text(stored), _text(by_cel)) for name, (stored, by_cel) in fields.items()}
    kind, began_at = ("differs", one.stored.started_at) if one.stored else ("missing", heard.started_at)
    return [Difference(kind, pbx, heard.id, began_at, min(one.ids, default=None), told)]


def _beyond(stored: CallView, told: CallView) -> Differences:
    """What the store has beyond a call that CEL told to its end: nothing that can be recorded would mend it."""
    if told.started_at is None or stored.started_at is None or told.started_at - stored.started_at > _WHOLE_SECONDS:
        return {}
    differing = differences(stored, told, _WHOLE_SECONDS.total_seconds())
    return {name: pair for name, pair in differing.items() if name in CORE}


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple):
        return " ".join(_text(one) for one in value)
    return "" if value is None else str(value)
