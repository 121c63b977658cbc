"""The facts of every decision kept in memory, so that a caller waits for no query; PostgreSQL tells what changed.

Losing it costs nothing: it is read again. While it cannot be kept true (the database is away) an arrival asks the
database itself, and when that does not answer in time either, what was known last is used and said to be so.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.database import listening
from directory import presence_store, store
from directory.hours import prepare
from directory.model import Directory
from directory.presence import NOTHING_KNOWN, Presence, Presences
from routing import answers, erasing, gather, look_up
from routing.arrival import Arrival, DeviceFact, Facts, Load
from routing.gather import DeviceReader, OwnerReader, PartyReader
from routing.learned import Answers
from routing.load import Loads
from routing.owner import Copy
from routing.plan import Plan

_log = structlog.get_logger()

TALKS_MOST: Final = 200_000
"""Talks kept in memory, about 100 bytes each; a caller who is not among them is asked for when he calls."""

_CALLS: Final = "switchhook_calls"
_DEVICES: Final = "switchhook_devices"
_CHANNELS: Final = (
    *(store.CHANNEL, presence_store.CHANNEL, _CALLS, _DEVICES),
    *(answers.CHANNEL, look_up.CHANNEL, erasing.CHANNEL),
)
_WAIT_LEAST_SECONDS: Final = 0.25
_WAIT_MOST_SECONDS: Final = 5.0
_NEVER: Final = datetime.min.replace(tzinfo=UTC)

Ahead = Callable[[str], timedelta]
"""Gives the clock of a PBX minus ours: absences, statuses and calendars are told by ours."""

LiveDevices = Callable[[str], Mapping[str, DeviceFact] | None]
"""Gives the devices of a PBX as the process that speaks to it knows them this moment; None when it does not."""


class Memory:
    """What routing knows, kept true by ``run``.

    ``directory`` is None until it was read once. ``fresh`` tells whether changes reach the memory at present.
    """

    def __init__(  # noqa: PLR0913  # what the facts are read from, each by its name
        self,
        engine: AsyncEngine,
        *,
        devices: DeviceReader,
        owners: OwnerReader,
        live_devices: LiveDevices | None = None,
        copies: dict[str, Copy] | None = None,
        parties: PartyReader | None = None,
        loads: Loads | None = None,
        ahead: Ahead = lambda _pbx: timedelta(),
        refresh_seconds: float = 300.0,
    ) -> None:
        """Take what is read from; all but talks is read again after ``refresh_seconds`` even without a notification.

        ``copies`` (of `routing.look_up`) is kept true beside the facts where a CRM is asked for owners.
        """
        self.directory: Directory | None = None
        self.fresh = False
        self._engine = engine
        self._read_devices = devices
        self._read_owners = owners
        self._live_devices = live_devices
        self._read_parties = parties
        self._loads = loads or Loads()
        self._ahead = ahead
        self._parties: dict[str, str | None] = {}
        self._refresh_seconds = refresh_seconds
        self._devices: dict[str, Mapping[str, DeviceFact]] = {}
        self._presence = NOTHING_KNOWN
        self._owners: dict[str, str] = {}
        self._talks: dict[str, tuple[datetime, str]] = {}
        self._answers: dict[str, Answers] = {}
        self._copies = copies
        self._knows_all_talks = False
        self._changed: dict[str, set[str]] = {}
        self._wake = asyncio.Event()
        self._lost = False

    async def run(self) -> None:
        """Keep the memory true until cancelled; waits longer and longer while the database is away."""
        wait = _WAIT_LEAST_SECONDS
        while True:
            try:
                await self._follow()
                wait = _WAIT_LEAST_SECONDS
            except Exception as error:  # noqa: BLE001  # whatever the driver raises: the memory is stale and tries again
                wait = _WAIT_LEAST_SECONDS if self.fresh else min(wait * 2, _WAIT_MOST_SECONDS)
                _log.warning("routing memory lost its database", error=type(error).__name__)
            finally:
                self.fresh = False
            await asyncio.sleep(wait)

    async def load(self) -> None:
        """Read everything again."""
        await self._refresh()
        async with self._engine.connect() as connection:
            talks = await gather.all_talks(connection, TALKS_MOST)
        self._talks = {}
        self._note(talks)
        self._knows_all_talks = len(talks) < TALKS_MOST

    async def _refresh(self) -> None:
        async with self._engine.connect() as connection:
            directory = await _prepared(await store.read(connection))
            presence = await presence_store.read(connection)
            owners = dict(await self._read_owners(connection, None))
            parties = dict(await self._read_parties(connection, None)) if self._read_parties else {}
            await self._loads.read(connection, directory)
            devices = {pbx: await self._read_devices(connection, pbx) for pbx in self._devices}
            learned = await answers.read(connection)
            copies = {} if self._copies is None else await look_up.read(connection)
        self._owners, self._devices, self._parties = owners, devices, parties
        self._presence, self._answers = presence, learned
        self._put_copies(copies)
        if directory != self.directory:
            self.directory = directory

    def facts(self, arrival: Arrival) -> Facts:
        """Give what is known this moment, without waiting for anything."""
        directory = self.directory
        if directory is None:
            raise LookupError("the directory was never read")
        number = gather.caller(arrival, directory)
        missing, copies = set[str](), self._copies
        if number and not self.fresh:
            missing |= {"owner"} - ({"owner"} if number in (self._owners if copies is None else copies) else set())
            missing |= {"last_talked"} - ({"last_talked"} if number in self._talks else set())
            missing |= {"party"} - ({"party"} if number in self._parties or not self._read_parties else set())
        live = self._live_devices(arrival.pbx) if self._live_devices else None
        return Facts(
            directory=directory,
            devices=live if live is not None else self._devices.get(arrival.pbx, {}),
            presence=Presences(directory, self._presence, arrival.at - self._ahead(arrival.pbx)),
            owner=self.owner(number),
            last_talked=self._talks[number][1] if number in self._talks else None,
            known=None if "party" in missing or not self._read_parties else number in self._parties,
            stage=self._parties.get(number),
            load=self._load(),
            turns=self._loads.turns,
            waiting=self._loads.waiting(),
            missing=frozenset(missing),
            answers=self._answers,
        )

    def presences(self, at: datetime) -> Mapping[str, Presence]:
        """Give everybody's presence at a moment by our clock; nobody's while the directory was never read."""
        return Presences(self.directory, self._presence, at) if self.directory else {}

    def owner(self, number: str) -> str | None:
        """Give whose lead a number is: by the CRM's last word where one is asked, else by our own lead book."""
        if self._copies is None:
            return self._owners.get(number)
        copy = self._copies.get(number)
        return copy.owner if copy else None

    def _load(self) -> Mapping[str, Load]:
        return self._loads.by_person if self.fresh else self._loads.without_talks()

    def note(self, plan: Plan) -> None:
        """Remember what a plan does to the next one: whose turn it was."""
        self._loads.note(plan)

    def suffices(self, arrival: Arrival) -> bool:
        """Tell whether memory alone answers for this arrival as truly as the database would."""
        if not self.fresh or self.directory is None:
            return False
        live = self._live_devices(arrival.pbx) if self._live_devices else None
        if live is None and arrival.pbx not in self._devices:
            return False
        number = gather.caller(arrival, self.directory)
        return self._knows_all_talks or not number or number in self._talks

    async def ask(self, arrival: Arrival) -> Facts:
        """Ask the database about one arrival, and remember what it says."""
        async with self._engine.connect() as connection:
            facts = await gather.read_facts(
                connection,
                arrival,
                self._read_devices,
                self._read_owners,
                self._read_parties,
                ahead=self._ahead(arrival.pbx),
            )
        self.directory, self._answers = facts.directory, dict(facts.answers)
        self._devices[arrival.pbx] = facts.devices
        number = gather.caller(arrival, facts.directory)
        _keep(self._owners, number, facts.owner)
        if facts.last_talked is not None:
            self._talks[number] = (self._talks.get(number, (_NEVER, ""))[0], facts.last_talked)
        live = self._live_devices(arrival.pbx) if self._live_devices else None
        return replace(
            facts,
            devices=facts.devices if live is None else live,
            owner=self.owner(number),
            load=self._load(),
            turns=self._loads.turns,
            waiting=self._loads.waiting(),
        )

    async def _follow(self) -> None:
        """Listen, read everything, then read what each notification names."""
        self._changed, self._lost = {}, False
        self._wake.clear()
        told = {channel: partial(self._on_notify, channel) for channel in _CHANNELS}
        async with listening(self._engine, told, self._on_lost):
            await self.load()
            self.fresh = True
            while True:
                await self._follow_changes()
                await self._refresh()

    def _on_notify(self, channel: str, payload: str) -> None:
        self._changed.setdefault(channel, set()).add(payload)
        self._wake.set()

    def _on_lost(self) -> None:
        self._lost = True
        self._wake.set()

    async def _follow_changes(self) -> None:
        """Read what changed, as it is told, until it is time to read everything again."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._refresh_seconds
        while loop.time() < until:
            try:
                async with asyncio.timeout_at(until):
                    await self._wake.wait()
            except TimeoutError:
                return
            self._wake.clear()
            if self._lost:
                raise ConnectionError("the database closed the connection")
            changed, self._changed = self._changed, {}
            await self._read_changes(changed)

    async def _read_changes(self, changed: Mapping[str, set[str]]) -> None:
        if erasing.CHANNEL in changed:
            if self._copies is not None:
                self._copies.clear()
            await self.load()
        async with self._engine.connect() as connection:
            if store.CHANNEL in changed:
                self.directory = await _prepared(await store.read(connection))
            if presence_store.CHANNEL in changed or store.CHANNEL in changed:
                self._presence = await presence_store.read(connection)
            pbxes = {payload.partition(" ")[0] for payload in changed.get(_DEVICES, ())}
            for pbx in pbxes:
                if pbx in self._devices:
                    self._devices[pbx] = await self._read_devices(connection, pbx)
            learned = changed.get(answers.CHANNEL)
            if learned:
                kept = {device: told for device, told in self._answers.items() if device not in learned}
                self._answers = kept | await answers.read(connection, learned)
            if self._copies is not None and look_up.CHANNEL in changed:
                self._put_copies(await look_up.read(connection, changed[look_up.CHANNEL]))
            call_ids = [UUID(payload) for payload in changed.get(_CALLS, ())]
            if call_ids:
                self._note(await gather.talks_of(connection, call_ids))
                numbers = await gather.callers_of(connection, call_ids)
                owners = await self._read_owners(connection, numbers) if numbers else {}
                parties = await self._read_parties(connection, numbers) if self._read_parties and numbers else {}
                for number in numbers:
                    _keep(self._owners, number, owners.get(number))
                self._parties |= parties
                if self.directory is not None:
                    await self._loads.follow(connection, self.directory, call_ids, owners.values())

    def _put_copies(self, found: Mapping[str, Copy]) -> None:
        """Take the copies that are younger than those we have."""
        copies = self._copies
        if copies is None:
            return
        for number, copy in found.items():
            known = copies.get(number)
            if known is None or known.told_at < copy.told_at:
                look_up.put(copies, number, copy)

    def _note(self, talks: list[gather.Talk]) -> None:
        for talk in talks:
            number = self.directory.normal(talk.number) if talk.dialed and self.directory else talk.number
            if talk.at >= self._talks.get(number, (_NEVER, ""))[0]:
                self._talks[number] = (talk.at, talk.person)


async def _prepared(directory: Directory) -> Directory:
    """Have its holidays at hand; the first of a country take a third of a second, which no caller waits for."""
    await asyncio.to_thread(prepare, directory.hours, datetime.now(UTC))
    return directory


def _keep(known: dict[str, str], number: str, value: str | None) -> None:
    if value is None:
        known.pop(number, None)
    elif number:
        known[number] = value
