"""Shows the card of a call on the screens of whom it rings, in every connected CRM that can; best effort.

Rules kept here:
1. A card is for this moment: one that cannot be shown within seconds of the ring is dropped, never queued, and what is
   told of a call after an outage shows none.
2. A card waits for the call to be known there (`call_started`), where its CRM is told of that step.
3. Whoever the call does not ring any more has the card taken away, also when nobody answered.
4. Nothing is asked of a CRM that was asked too much, shut us out, or lets us in no more, whoever was answered so.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, cast
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.due import Change
from calls.follow_up import is_with_outside
from calls.view import CallView
from crm_sync import connections
from crm_sync.connections import Connection
from crm_sync.crm import Cards, Effect
from crm_sync.errors import CrmError, FaultError
from crm_sync.kinds import KINDS
from crm_sync.ledger import counting
from crm_sync.ledger.subjects import NothingToTell, call_told
from crm_sync.ledger.tables import crm_effects
from crm_sync.people import KnownPeople
from crm_sync.told import CrmCall
from directory.model import Directory
from service.crm.workplaces import Adapters, heeding
from service.settings import Settings

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

SECONDS: Final = 10.0
"""A card that is older is of no use to anybody."""

CALLS_MOST: Final = 500
"""Cards of so many calls are kept at once; of more calls none is shown."""

Show = Callable[[Effect, CrmCall, Sequence[str]], Awaitable[None]]

_LOOK_SECONDS: Final = 0.3
_KNOWN_SECONDS: Final = 10.0


@dataclass(slots=True)
class _Desk:
    """Whom one call rings or has, each since when (monotonic), and what wakes whoever shows its cards."""

    wanted: dict[str, float] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def fresh(self, besides: Collection[str], seconds: float) -> list[str]:
        """Who is to see a card that is not too late yet."""
        since = time.monotonic() - seconds
        return [person for person, at in self.wanted.items() if person not in besides and at >= since]


def sees(call: CallView, directory: Directory) -> frozenset[str]:
    """The keys of those on whose screens the card of a call with the outside belongs: whom it rings, who talks."""
    if not is_with_outside(call) or call.ended_at is not None or call.erased:
        return frozenset()
    devices = {leg.device: leg.number for leg in call.legs if leg.ended_at is None and (leg.rang or leg.answered_at)}
    if call.direction == "outbound":
        devices = {call.caller_device: ""}
    found = (directory.person_of_device(it) or directory.person_of_number(number) for it, number in devices.items())
    return frozenset(person.key for person in found if person is not None)


class CardShows:
    """Shows and takes away cards, told of every change of a call (`note`)."""

    def __init__(
        self,
        settings: Settings,
        engine: AsyncEngine,
        directory: Callable[[], Directory | None],
        ahead: Callable[[str], timedelta] = lambda _pbx: timedelta(),
        seconds: float = SECONDS,
    ) -> None:
        self._engine = engine
        self._adapters = Adapters(settings, engine)
        self._directory = directory
        self._ahead = ahead
        self._seconds = seconds
        self._desks: dict[UUID, _Desk] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._known: tuple[float, list[str]] = (float("-inf"), [])

    def note(self, change: Change) -> None:
        """Take what a change shows and hides; returns at once and raises nothing."""
        directory = self._directory()
        if directory is None:
            return
        now, desk = sees(change.after, directory), self._desks.get(change.call_id)
        if desk is None:
            if not now or len(self._desks) >= CALLS_MOST or self._is_old(change):
                return
            desk = self._desks[change.call_id] = _Desk()
            task = asyncio.create_task(self._run(change.call_id, desk), name="cards of a call")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        at = time.monotonic()
        desk.wanted = {person: desk.wanted.get(person, at) for person in sorted(now)}
        desk.changed.set()

    async def aclose(self) -> None:
        """Show no more."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._adapters.close()

    def _is_old(self, change: Change) -> bool:
        times = [event.at for event in change.events if event.at is not None]
        if not times or change.after.recovered:
            return True
        newest = max(times)
        return datetime.now(UTC) + self._ahead(change.after.pbx) - newest > timedelta(seconds=self._seconds)

    async def _run(self, call_id: UUID, desk: _Desk) -> None:
        try:
            await asyncio.gather(*(self._show_there(key, call_id, desk) for key in await self._live()))
        except (SQLAlchemyError, OSError, NothingToTell) as error:
            log.warning("cards cannot be shown now", call=str(call_id), error=type(error).__name__)
        finally:
            self._desks.pop(call_id, None)

    async def _live(self) -> list[str]:
        """The keys of the connections that show cards, as of a few seconds ago."""
        at, known = self._known
        if time.monotonic() - at > _KNOWN_SECONDS:
            kinds = [kind.name for kind in KINDS.values() if "live_card" in kind.capabilities]
            async with self._engine.connect() as connection:
                known = await connections.active(connection, kinds)
            self._known = time.monotonic(), known
        return known

    async def _asked(self, key: str) -> tuple[Connection, Cards] | None:
        """One connection while it may be asked; None also where it cannot be opened: others show their cards."""
        try:
            opened = await self._adapters.asked(key)
        except Exception as error:  # noqa: BLE001  # whatever its kind makes of its settings and secrets
            log.warning("a connection cannot be opened", crm=key, error=type(error).__name__)
            return None
        return (opened[0], cast("Cards", opened[1])) if opened is not None else None

    async def _show_there(self, key: str, call_id: UUID, desk: _Desk) -> None:
        """Keep the cards in one CRM as they are wanted, until nobody wants one."""
        done: set[str] = set()  # shown, or tried
        call: CrmCall | None = None
        while True:
            desk.changed.clear()
            fresh, gone = desk.fresh(done, self._seconds), done - desk.wanted.keys()
            if not desk.wanted and not gone:
                return
            if not fresh and not gone:
                await desk.changed.wait()
                continue
            asked = await self._asked(key)
            effect = await self._effect(asked[0], call_id) if asked is not None else None
            if asked is None or effect is None:
                done -= gone  # nobody can take it away now
                await asyncio.sleep(_LOOK_SECONDS)
                continue
            if call is None:
                async with self._engine.connect() as connection:
                    call = await call_told(connection, call_id)
            to, crm = asked
            await self._tell(to, "card_show", crm.card_show, effect, call, fresh)
            await self._tell(to, "card_hide", crm.card_hide, effect, call, sorted(gone))
            done = (done | set(fresh)) - gone

    async def _effect(self, to: Connection, call_id: UUID) -> Effect | None:
        """What names the call there; None: it is not known there yet."""
        remote: Mapping[str, str] = {}
        if "call_started" in to.steps:
            asked = select(crm_effects.c.remote_id).where(
                crm_effects.c.connection == to.key,
                crm_effects.c.call_id == call_id,
                crm_effects.c.step == "call_started",
                crm_effects.c.state == "done",
            )
            async with self._engine.connect() as connection:
                told = await connection.scalar(asked)
            if told is None:
                return None
            remote = {"call_started": told}
        return Effect(call_id, datetime.now(UTC), remote)

    async def _tell(
        self, to: Connection, operation: str, ask: Show, effect: Effect, call: CrmCall, who: Sequence[str]
    ) -> None:
        """One request, counted whatever becomes of it; nothing is tried again."""
        people = KnownPeople(self._engine, to.key)
        users = [user for person in who if (user := await people.user_of(person)) is not None]
        if not users:
            return
        began, result = time.perf_counter(), FaultError.kind
        try:
            async with asyncio.timeout(self._seconds), heeding(self._engine, to):
                await ask(effect, call, users)
            result = "done"
        except CrmError as error:
            result = error.kind
        except TimeoutError:
            result = "transient"
        except Exception:
            log.exception("adapter failed", crm=to.key, operation=operation)
        async with self._engine.begin() as connection:
            await counting.count(connection, to.key, operation, result, time.perf_counter() - began)
