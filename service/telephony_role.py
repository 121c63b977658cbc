"""The telephony role: one attendant a PBX, the memory that routing decides from, and the settling of calls."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import aclosing
from datetime import timedelta
from functools import partial

import structlog

from calls.database import ensure_partitions
from calls.due import Change
from crm_sync.book.owners import owners
from crm_sync.book.standing import open_leads, stages
from metrics.http import Registry
from metrics.observe import Observed, Reconciled
from metrics.synthetic import SyntheticSchedule
from routing.load import Loads
from routing.look_up import CrmOwners
from routing.memory import Memory
from service import traces
from service.attendant import Attendant
from service.crm.cards import CardShows
from service.crm.losses import keep_telling_losses
from service.crm.reconcile import keep_noting
from service.duty import Duty
from service.listening import Listening
from service.overdue import keep_escalating
from service.reconcile import PBX_STORE
from service.recorder import Recorder
from service.reminders import keep_reminding
from service.reviving import keep_reviving
from service.rounds import come_round
from service.settle import keep_settling
from service.wiring import House, cel_source, outgoing_desk, owes
from service.wrap_up import WrapUps
from telephony import devices, reachability, synthetic_calls

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_HOUR_SECONDS = 3600.0


class Telephony:
    """Everything that speaks with PBXes in this process."""

    def __init__(self, house: House, registry: Registry, crm: CrmOwners | None = None) -> None:
        """`crm` says whose a caller is; without one our own lead book does."""
        self.house = house
        self.memory = Memory(
            house.engine,
            devices=devices.read,
            owners=owners,
            live_devices=self._live_devices,
            copies=crm.copies if crm else None,
            parties=stages,
            loads=Loads(open_leads, self._waiting),
            ahead=self._ahead,
        )
        self.observed = Observed(registry, lambda: self.memory.directory)
        wrap_ups = WrapUps(lambda: self.memory.directory)
        self.cards = CardShows(house.settings, house.engine, lambda: self.memory.directory, self._ahead)
        self.recorder = Recorder(house.engine, owes, self._seen, wrap_ups.begin)
        self._reconciled = Reconciled(registry)
        self.listening = Listening(house.engine)
        self.attendants = [
            Attendant(
                pbx,
                self.recorder,
                self.memory,
                self.listening,
                cel_source(pbx),
                partial(self._reconciled.note, PBX_STORE, pbx.name),
                crm=crm,
                desk=outgoing_desk(),
                synthetic=house.settings.synthetic if pbx.name == house.settings.synthetic_pbx else None,
            )
            for pbx in house.settings.pbx
        ]
        SyntheticSchedule(registry, house.settings.synthetic.every_minutes * 60)
        self._late = timedelta(minutes=house.settings.crm.late_minutes)
        self.duties = {pbx.name: Duty(house.engine, pbx.name) for pbx in house.settings.pbx}

    def _seen(self, change: Change) -> None:
        self.observed.observe(change)
        self.cards.note(change)
        traces.tell(change)

    def _ahead(self, pbx: str) -> timedelta:
        attendant = next((one for one in self.attendants if one.settings.name == pbx), None)
        return timedelta(seconds=attendant.link.state.clock_offset_seconds) if attendant else timedelta()

    def _waiting(self) -> Mapping[str, int]:
        counts: Counter[str] = Counter()
        for attendant in self.attendants:
            counts.update(attendant.holding.counts)
        return counts

    def _live_devices(self, pbx: str) -> Mapping[str, devices.DeviceState] | None:
        attendant = next((one for one in self.attendants if one.settings.name == pbx), None)
        return attendant.live_devices() if attendant else None

    async def load(self) -> None:
        """Fill the memory once, so that the first caller is met with facts."""
        await self.memory.load()

    async def answering(self) -> None:
        """Wait until every PBX knows that arrivals may be asked of us."""
        for attendant in self.attendants:
            await attendant.liveness.marked.wait()

    async def run(self) -> None:
        """Attend every PBX that no other service attends, until cancelled."""
        async with aclosing(self.cards), asyncio.TaskGroup() as group:
            group.create_task(self.memory.run())
            group.create_task(self.listening.run())
            group.create_task(keep_settling(self.recorder))
            group.create_task(keep_escalating(self.house.engine))
            group.create_task(keep_reviving(self.house.engine))
            group.create_task(keep_telling_losses(self.recorder, self._late))
            group.create_task(keep_reminding(self.house.engine))
            group.create_task(keep_noting(self.house.engine, self._reconciled.note_all))
            group.create_task(self._keep_partitions())
            for attendant in self.attendants:
                group.create_task(self.duties[attendant.settings.name].run(attendant.run))

    async def _keep_partitions(self) -> None:
        """The partition of next month is made long before it begins, and what is too old to matter is forgotten."""

        async def once() -> None:
            async with self.house.engine.begin() as connection:
                await ensure_partitions(connection)
                await reachability.forget_old(connection)
                await synthetic_calls.forget_old(connection)

        await come_round("the partitions of events", once, _HOUR_SECONDS)
