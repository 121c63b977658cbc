"""Attends one PBX: hears it, answers its arrivals, records what happens, and catches up on what it missed."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from functools import partial

import structlog
from msgspec.structs import replace
from sqlalchemy.exc import SQLAlchemyError
from structlog.contextvars import bound_contextvars

from calls.events import Arrived, Event
from calls.synthetic import is_of_synthetic
from directory.model import EMPTY, Directory
from routing.arrival import Arrival
from routing.controller import Decision, Router
from routing.look_up import CrmOwners
from routing.memory import Memory
from routing.plan import Plan
from routing.requests import ALONE, Desk
from service.callbacks import Callbacks
from service.controlling import Controlling
from service.holding import Holding
from service.listening import Listening
from service.nps_calls import NpsCalls
from service.outgoing import Outgoing, outgoing_settings, said_when_called
from service.overhearing import Overhearing
from service.pausing import Pausing
from service.reconcile import HourlyReconciliation
from service.recorder import Recorder
from service.recovery import Recovery
from service.settings import PbxSettings, SyntheticSettings
from service.synthetic import Synthetic
from telephony import ami, clocks, devices, hand_over
from telephony.buffer import EventBuffer
from telephony.cel_source import CelSource
from telephony.link import Link
from telephony.liveness import Liveness, write_fallbacks
from telephony.pbx import LinkError, Message
from telephony.plan_variables import UnsafeDialError
from telephony.synthetic import REFUSAL

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_MOST_PAUSE_SECONDS = 5.0
_CLOCK_SECONDS = 60.0
_LAST_ASKED_SECONDS = 0.1
_LAST_SECONDS = 4.0
"""What facts and a CRM may take of one decision, and the PBX to take the plan."""


class Attendant:
    """Everything the service does with one PBX; `run` ends only by cancellation."""

    def __init__(  # noqa: PLR0913  # the one place that puts a PBX's parts together
        self,
        settings: PbxSettings,
        recorder: Recorder,
        memory: Memory,
        listening: Listening,
        cel: CelSource | None = None,
        reconciled: Callable[[int], None] = lambda _count: None,
        *,
        crm: CrmOwners | None = None,
        desk: Desk = ALONE,
        synthetic: SyntheticSettings | None = None,
    ) -> None:
        """`reconciled` is told how many differences an hour's calls have between PBX and store.

        `crm` says whose a caller is; without one our own lead book does. `desk` knows of calls to the outside what is
        in other rooms. `synthetic`: which calls the service makes there to see that everything works, None: such as
        somebody asks for.
        """
        self.settings = settings
        self.buffer: EventBuffer[Event] = EventBuffer()
        self.link = Link(settings.link, self._heard)
        self.liveness = Liveness(self.link, lambda: memory.directory is not None and bool(memory.directory.teams))
        self._recorder = recorder
        self._memory = memory
        self._devices = devices.Devices(settings.name)
        self._states: asyncio.Queue[devices.DeviceState] = asyncio.Queue()
        self._routing: set[asyncio.Task[None]] = set()
        # A database that hangs may cost an arrival a third of its time; what is known then still comes in time.
        self._router = Router(memory, self._send, budget_seconds=settings.budget_seconds / 3, crm=crm)
        self.holding = Holding(self.link, memory, recorder.engine, self._put, self._stored)
        self.link.on_connect.append(self._connected)
        self.recovery = Recovery(self.link, recorder, self.buffer, cel)
        self.outgoing = Outgoing(
            self.link,
            memory,
            recorder.engine,
            listening,
            self.recovery,
            self.buffer.put,
            desk,
            budget_seconds=settings.budget_seconds / 3,
        )
        self.pausing = Pausing(self.link, recorder.engine, listening)
        self.controlling = Controlling(self.link, memory, recorder.engine, listening, self.outgoing.wishers)
        self.overhearing = Overhearing(
            self.link, recorder.engine, listening, lambda: memory.directory, self.live_devices
        )
        self.callbacks = Callbacks(self.link, memory, recorder.engine, desk)
        self.nps = NpsCalls(self.link, memory, recorder.engine)
        self.synthetic = Synthetic(self.link, recorder.engine, listening, synthetic or SyntheticSettings())
        self._reconciliation = HourlyReconciliation(self.link, cel, recorder.engine, reconciled) if cel else None

    async def run(self) -> None:
        """Attend the PBX until cancelled; then nobody should ask us, and who did is answered. May be run again."""
        async with asyncio.TaskGroup() as outer:
            link = outer.create_task(self.link.run())
            try:
                async with asyncio.TaskGroup() as group:
                    for part in (
                        self.liveness.run,
                        self._store_devices,
                        self._follow_directory,
                        self._follow_clock,
                        self.recovery.run,
                        self.holding.run,
                        self.outgoing.run,
                        self.pausing.run,
                        self.overhearing.run,
                        self.callbacks.run,
                        self.controlling.run,
                        self.synthetic.run,
                        self.nps.run,
                    ):
                        group.create_task(part())
                    group.create_task(self._recorder.drain(self.buffer))
                    if self._reconciliation is not None:
                        group.create_task(self._reconciliation.run())
            finally:
                await self.liveness.clear()
                await self._answer_the_last()
                link.cancel()
                await self._recorder.finish(self.buffer)

    async def _answer_the_last(self) -> None:
        """Who asked before nobody should is answered: the PBX may tell of one a moment after the mark is gone."""
        await asyncio.sleep(_LAST_ASKED_SECONDS)
        asked = self._routing | self.outgoing.working
        log.info("nobody is asked to ask us any more", pbx=self.settings.name, waiting=len(asked))
        if asked:
            await asyncio.wait(asked, timeout=_LAST_SECONDS)

    def live_devices(self) -> Mapping[str, devices.DeviceState] | None:
        """The devices as the PBX told them this moment; None while nobody tells."""
        return self._devices.known if self.link.state.connected else None

    def _heard(self, message: Message) -> None:
        """Take one AMI event; never waits. An arrival is answered before anything else is done with it."""
        now = time.time() + self.link.state.clock_offset_seconds
        for event in ami.translate(self.settings.name, message):
            told = self._normal(event)
            at = told.at or datetime.fromtimestamp(now, UTC)
            self.buffer.put(at, told if told.at else replace(told, at=at))
            if isinstance(told, Arrived):
                self._arrived(told, message)
        self.holding.hear(message)
        self.outgoing.heard(message)
        self.pausing.heard(message)
        self.overhearing.heard(message)
        change = devices.live_change(message)
        state = self._devices.note(change) if change is not None else None
        if state is not None:
            self._states.put_nowait(state)
            self.holding.look_soon()

    def _put(self, event: Event) -> None:
        """Have an event of our own recorded, which tells its time."""
        self.buffer.put(event.at or datetime.now(UTC), event)

    async def _stored(self) -> bool:
        """Wait until what was told so far is in the record; False where some of it could not be recorded."""
        refused = self._recorder.refused_total
        return await self.buffer.all_stored() and self._recorder.refused_total == refused

    def _normal(self, event: Event) -> Event:
        """Numbers in the directory's form: what a trunk tells as 8…, +7… or 7… is one number."""
        directory = self._memory.directory or EMPTY
        if not isinstance(event, Arrived):
            return event
        line = directory.line(event.line)
        number = directory.normal(event.number, event.line)
        return replace(event, line=line.number if line else event.line, number=number)

    def _arrived(self, event: Arrived, message: Message) -> None:
        arrival = Arrival.of(event)
        if arrival is None:
            log.error("an arrival without a time: set timestampevents = yes in manager.conf", pbx=self.settings.name)
            return
        until = hand_over.deadline(self.link, message, self.settings.budget_seconds)
        # Until it is recorded a call has no id of ours; `switchhook explain` finds it by its channel too.
        with bound_contextvars(pbx=self.settings.name, channel=arrival.channel):
            task = asyncio.create_task(self._keep(arrival, self._router.route(arrival, until)))
        self._routing.add(task)
        task.add_done_callback(self._routing.discard)

    async def _keep(self, arrival: Arrival, routed: Awaitable[Decision]) -> None:
        decision = await routed
        if not is_of_synthetic(arrival.channel):
            self.holding.planned(arrival.channel, decision.plan)
        self.buffer.put(arrival.at, decision.event)

    def _send(self, arrival: Arrival, plan: Plan, until: float | None, /) -> Awaitable[str]:
        line = self._memory.directory.line(plan.line) if self._memory.directory else None
        outcome = hand_over.hand_over(
            self.link,
            arrival.name or arrival.channel,
            REFUSAL if is_of_synthetic(arrival.channel) else plan.steps,
            math.inf if until is None else until,
            language=plan.language or "",
            trunk=plan.trunk or (line.trunk if line else None) or "",
        )
        return self._sent(arrival, outcome)

    async def _sent(self, arrival: Arrival, handed_over: Awaitable[hand_over.Outcome]) -> str:
        outcome = await handed_over
        if outcome.kind != "sent" or outcome.detail:
            log.warning("a plan was not taken as it should", pbx=arrival.pbx, why=outcome.kind, detail=outcome.detail)
        return outcome.kind

    async def _connected(self, link: Link) -> None:
        """Do what each new connection owes, however long the database is away; the connection's end ends this too."""
        await self._leave_fallbacks(link)
        await _patiently(self._keep_clock)
        await _patiently(partial(self._learn_devices, link))

    async def _keep_clock(self) -> None:
        async with self._recorder.engine.begin() as connection:
            await clocks.keep(connection, self.settings.name, self.link.state.clock_offset_seconds)

    async def _follow_clock(self) -> None:
        """A clock drifts, or is set."""
        while True:
            await asyncio.sleep(_CLOCK_SECONDS)
            if self.link.state.connected:
                await _patiently(self._keep_clock)

    async def _learn_devices(self, link: Link) -> None:
        states = await self._devices.ask(link)
        async with self._recorder.engine.begin() as connection:
            await devices.replace(connection, self.settings.name, states)
        await self._memory.load()

    async def _leave_fallbacks(self, link: Link) -> None:
        directory = self._memory.directory
        if directory is None:
            return
        lines = {line.number: line.fallback for line in directory.lines}
        try:
            await write_fallbacks(
                link,
                lines,
                self.settings.fallback,
                self.settings.budget_seconds,
                of_lines=_of_lines(directory),
                outgoing=await asyncio.to_thread(outgoing_settings, directory),
            )
        except (LinkError, UnsafeDialError) as error:
            log.warning("the fallbacks could not be left in the PBX", pbx=self.settings.name, error=str(error))

    async def _follow_directory(self) -> None:
        """Leave the fallbacks anew whenever the directory in memory is another one."""
        known = self._memory.directory
        while True:
            await asyncio.sleep(1)
            if self._memory.directory is not known and self.link.state.connected:
                known = self._memory.directory
                await self._leave_fallbacks(self.link)

    async def _store_devices(self) -> None:
        while True:
            states = [await self._states.get()]
            while not self._states.empty():
                states.append(self._states.get_nowait())
            await _patiently(partial(self._store, states))

    async def _store(self, states: list[devices.DeviceState]) -> None:
        async with self._recorder.engine.begin() as connection:
            await devices.store(connection, self.settings.name, states)


def _of_lines(directory: Directory) -> dict[str, dict[str, str]]:
    """What the PBX keeps of each line, as `telephony.liveness.write_fallbacks` takes it."""
    lines = directory.lines
    return {
        "TRUNK": {line.number: line.trunk for line in lines if line.trunk},
        "LANGUAGE": {line.number: line.language for line in lines if line.language},
        "EMERGENCY": {line.number: line.emergency for line in lines if line.emergency},
        "CONSENT": {it.number: f"{it.consent.prompt}@{it.consent.refuse or ''}" for it in lines if it.consent},
        "CALLED": said_when_called(directory),
    }


async def _patiently(work: Callable[[], Awaitable[None]]) -> None:
    """Do `work` until the database and the PBX let it be done."""
    pause = 0.5
    while True:
        try:
            await work()
            return
        except (SQLAlchemyError, OSError, LinkError) as error:
            # A database's words repeat rows; those of the PBX and the system do not.
            why = "" if isinstance(error, SQLAlchemyError) else str(error)[:200]
            log.warning("not done now, tried again", error=type(error).__name__, why=why)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _MOST_PAUSE_SECONDS)
