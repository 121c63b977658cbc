"""Compares what CRMs hold of a period with the store, for `switchhook reconcile`, and by itself once a day."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_sync import connections
from crm_sync.connections import AUTH_DEAD, Connection
from crm_sync.crm import Crm
from crm_sync.ledger import comparisons
from crm_sync.ledger.reconciling import Period, Report, repair
from crm_sync.ledger.reconciling import reconcile as compare_calls
from crm_sync.secrets import SecretKeyError
from recordings.audit import THE_OPERATOR, note
from service.cli.terminal import many
from service.crm.workplaces import opener
from service.faults import UserFault
from service.rounds import come_round
from service.settings import Settings
from service.wiring import open_house

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

STORE_CRM: Final = "store_crm"
"""What is compared here, as metrics and reports name it."""

EVERY_SECONDS: Final = 60.0
_DAY: Final = timedelta(days=1)
_SETTLED: Final = timedelta(hours=1)
"""A call that began before lasts no longer, with few exceptions, which are of the next day's."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What `switchhook reconcile` tells of one connection; `repaired`: calls that were put on their way."""

    report: Report
    repaired: int

    def to_json(self) -> dict[str, Any]:
        """The outcome as JSON."""
        report = self.report
        return {
            "crm": report.to.key,
            "kind": report.to.kind,
            "calls": report.calls,
            "on_their_way": report.waiting,
            "is_read_back": report.is_read,
            "failed": report.failed,
            "repaired": self.repaired,
            "differences": [one.to_json() for one in report.differences],
        }

    def lines(self) -> list[str]:
        """A line a difference, and one that sums them up."""
        report = self.report
        told = f"{many(report.calls, 'call')}, {report.waiting} on their way, {self.repaired} repaired"
        summary = f"{report.to.key}: {told}, {many(len(report.differences), 'difference')}"
        if report.failed:
            summary += f"; what is there could not be compared: {report.failed}"
        elif not report.is_read:
            summary += "; what is there cannot be read back, the ledger was compared"
        return [*(f"{report.to.key}  {one}" for one in report.differences), summary]


async def reconcile_crms(
    settings: Settings, since: datetime, until: datetime, key: str | None, *, mend: bool
) -> list[Outcome]:
    """Compare each connection, or one, with the store; what can be told again safely is, if that is wanted.

    Connections in shadow, and those that a person stopped, are owed nothing.
    """
    if since >= until:
        raise UserFault(f"--from: must be before --to, got {since.isoformat()}")
    late = timedelta(minutes=settings.crm.late_minutes)
    async with open_house(settings, pool=2) as house:
        return [
            await _reconciled(settings, house.engine, to, (since, until), late, mend=mend)
            for to in await _connections(house.engine, key)
        ]


async def _connections(engine: AsyncEngine, key: str | None) -> Sequence[Connection]:
    async with engine.connect() as connection:
        known = await connections.listed(connection)
    found = [one for one in known if key in {None, one.key}]
    if key is not None and not found:
        raise UserFault(f"--crm: there is no connection {key!r}")
    owed = [one for one in found if is_owed(one)]
    if key is not None and not owed:
        raise UserFault(f"--crm: {key!r} is {found[0].state}, and told nothing")
    return owed


def is_owed(to: Connection) -> bool:
    """Whether a connection is to be told what happens; of one that wants nothing more nothing is missing."""
    return to.state == "active" or to.stopped_by == AUTH_DEAD


async def _reconciled(
    settings: Settings, engine: AsyncEngine, to: Connection, period: Period, late: timedelta, *, mend: bool
) -> Outcome:
    async with _opened(settings, engine, to) as crm:
        report = await compare_calls(engine, to, crm, period, datetime.now(UTC), late=late)
    if not mend or not report.differences:
        return Outcome(report, 0)
    async with engine.begin() as connection:
        left = await repair(connection, report)
        count = len(report.differences) - len(left.differences)
        if count:
            await note(connection, THE_OPERATOR, "crm_repaired", f"crm {to.key}", {"calls": count})
    return Outcome(left, count)


@asynccontextmanager
async def _opened(settings: Settings, engine: AsyncEngine, to: Connection) -> AsyncIterator[Crm | None]:
    """The adapter of a connection; None: it is stopped or paused, or its secrets do not open."""
    crm = None
    if to.state == "active" and to.may_be_asked(datetime.now(UTC)):
        try:
            crm = opener(settings, engine)(to)
        except SecretKeyError as error:
            log.warning("a connection cannot be opened", crm=to.key, reason=str(error))
    try:
        yield crm
    finally:
        if crm is not None:
            await crm.close()


async def compare_due(engine: AsyncEngine, settings: Settings) -> int:
    """Compare the last day of each connection that is due, by itself alone; returns how many were.

    A day is compared when even its last calls should have been told, and nobody who works at the same time does it too.
    That one lets us in no more is told otherwise.
    """
    late = timedelta(minutes=settings.crm.late_minutes)
    count = 0
    async with engine.connect() as connection:
        known = [one for one in await connections.listed(connection) if one.state == "active"]
    for to in known:
        if not to.may_be_asked(datetime.now(UTC)) or not await comparisons.claim(engine, to.key):
            continue
        now = datetime.now(UTC)
        until = now - late - _SETTLED
        period = (until - _DAY, until)
        async with _opened(settings, engine, to) as crm:
            report = await compare_calls(engine, to, crm, period, now, late=late)
        await comparisons.keep(engine, report, period, now)
        log.info("reconciled with a CRM", crm=to.key, calls=report.calls, differences=report.left)
        count += 1
    await comparisons.forget_others(engine, [one.key for one in known])
    return count


async def keep_comparing(engine: AsyncEngine, settings: Settings, every_seconds: float = EVERY_SECONDS) -> None:
    """Do so for ever; a database that is away is asked again."""

    async def once() -> None:
        await compare_due(engine, settings)

    await come_round("the comparison with CRMs", once, every_seconds)


async def keep_noting(engine: AsyncEngine, note_all: Callable[[str, Mapping[str, int]], None]) -> None:
    """Tell metrics again and again what the last comparisons found, by connection."""

    async def once() -> None:
        note_all(STORE_CRM, await comparisons.counts(engine))

    await come_round("the count of differences with CRMs", once, EVERY_SECONDS)
