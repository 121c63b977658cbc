"""Has heads overhear calls of one PBX: their own telephone is called and listens, whispers or joins."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.record import state_call
from calls.talkers import talkers
from directory.model import Directory, Person
from directory.tables import users
from service.listening import Listening, attempt, keep_doing
from service.unanswered import hung_up, why_unanswered
from telephony import chan_spy, overhearings
from telephony.devices import DeviceState
from telephony.link import Link
from telephony.overhearings import CHANNEL, Wanted
from telephony.pbx import ActionRefused, LinkError, Message
from telephony.plan_variables import UnsafeDialError
from telephony.told import OVERHEARS

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

FRESH_SECONDS: Final = 10.0
"""What nobody did for so long is not done any more: who wanted it looks elsewhere by now."""
LOST_SECONDS: Final = 60.0
"""So long after it was asked for, a telephone has been answered or not; the PBX's word on it was lost."""
HEADS: Final = ("head", "admin")
"""Roles of logins that may overhear."""
_IN_USE: Final = frozenset({"inuse", "ringing", "busy", "onhold"})
_NOBODY_SAID: Final = DeviceState("")


class Overhearing:
    """The overhearings of one PBX's calls; `run` ends only by cancellation, `heard` takes its events."""

    def __init__(
        self,
        link: Link,
        engine: AsyncEngine,
        listening: Listening,
        directory: Callable[[], Directory | None],
        devices: Callable[[], Mapping[str, DeviceState] | None],
    ) -> None:
        """`directory` and `devices` give what is known now."""
        self._pbx = link.settings.name
        self._link = link
        self._engine = engine
        self._directory = directory
        self._devices = devices
        self._wake = listening.wake(CHANNEL)
        self._one_at_a_time = asyncio.Lock()
        self._working: set[asyncio.Task[None]] = set()
        self._placed: dict[str, asyncio.Future[str]] = {}

    async def run(self) -> None:
        """Do what is wanted, until cancelled."""
        await keep_doing("overhearings", self._wake, self._link, self._do_wanted)

    def heard(self, message: Message) -> None:
        """Take one AMI event; never waits."""
        if message.get("Event") == "OriginateResponse":
            if (cause := self._placed.get(str(message.get("ActionID")))) is not None:
                self._begin(self._responded(message, cause))
        elif message.get("Event") == "Hangup" and str(message.get("Uniqueid")).startswith(OVERHEARS):
            channel = str(message.get("Uniqueid"))
            wanted = channel.removeprefix(OVERHEARS)
            if wanted in self._placed:
                hung_up(message, self._placed[wanted])
            self._begin(self._ended(channel))

    async def _do_wanted(self) -> None:
        async with self._one_at_a_time:
            async with self._engine.connect() as connection:
                known = await overhearings.under_way(connection, self._pbx)
            for one in tuple(known):
                if one.step == "wanted":
                    await self._do(one, known)
                    async with self._engine.connect() as connection:
                        known = await overhearings.under_way(connection, self._pbx)
                elif one.step == "heard" and one.ended_at is not None:  # ChanSpy ends with the channel that it hears
                    await self._end(one.id)
                elif one.step == "heard" and not await self._may_still(one.asked_by):
                    await self._hang_up(one)
                elif one.step == "placed" and one.age_seconds > LOST_SECONDS:
                    await self._give_up(one)

    async def _do(self, wanted: Wanted, known: list[Wanted]) -> None:
        """Call the telephone of who wants to overhear; where they overhear this call already, change how."""
        directory = self._directory()
        person = directory.person(wanted.person) if directory else None
        if wanted.age_seconds > FRESH_SECONDS:
            await self._fail(wanted.id, "too_late")
        elif wanted.ended_at is not None:
            await self._fail(wanted.id, "over")
        elif directory is None or person is None:
            await self._fail(wanted.id, "no_device")
        elif (now := _same(wanted, known)) is not None:
            await self._change(wanted, now)
        else:
            talk = talkers(state_call(wanted.state), directory)
            device = telephone(person, self._devices() or {})
            if any(it.person == wanted.person and it.step == "placed" for it in known):
                device = "in_use"
            if wanted.heard not in talk:
                await self._fail(wanted.id, "nobody_talks")
            elif device in {"no_device", "in_use"}:
                await self._fail(wanted.id, device)
            else:
                await self._place(wanted, device, talk[wanted.heard], directory.person(wanted.heard))

    async def _place(self, wanted: Wanted, device: str, channel: str, heard: Person | None) -> None:
        """Have the PBX call the telephone, at most once whatever happens meanwhile."""
        shown = next((one.number for one in heard.devices if one.number), "") if heard else ""
        try:
            action = chan_spy.originate(wanted.id, device, channel, wanted.mode, shown=shown or "")
        except UnsafeDialError as error:
            log.warning("a call is not overheard", pbx=self._pbx, error=str(error))
            await self._fail(wanted.id, "pbx_refused")
            return
        async with self._engine.begin() as connection:
            if not await overhearings.place(connection, wanted.id, device, chan_spy.channel_of(wanted.id)):
                return
        self._placed[str(wanted.id)] = asyncio.get_running_loop().create_future()
        try:
            await self._link.action(action)
        except ActionRefused as error:
            self._placed.pop(str(wanted.id), None)
            log.warning("the PBX has nobody overhear", pbx=self._pbx, error=str(error))
            await self._fail(wanted.id, "pbx_refused")
        except LinkError as error:
            log.warning("a wish to overhear may not have reached the PBX", pbx=self._pbx, error=str(error))

    async def _may_still(self, login: str) -> bool:
        """Whether who asked is still a head or an admin."""
        asked = select(users.c.id).where(users.c.login == login, users.c.disabled_at.is_(None), users.c.role.in_(HEADS))
        async with self._engine.connect() as connection:
            return (await connection.execute(asked)).first() is not None

    async def _hang_up(self, heard: Wanted) -> None:
        """End what somebody overhears who may no more; its end is noted with the channel's."""
        try:
            await self._link.action({"Action": "Hangup", "Channel": str(heard.channel), "Cause": "16"})
        except ActionRefused:
            await self._end(heard.id)
        log.info("a call is overheard no more", pbx=self._pbx, reason="right_lost")

    async def _give_up(self, placed: Wanted) -> None:
        """What became of it is not known: it goes on for nobody, unwritten."""
        self._placed.pop(str(placed.id), None)
        with suppress(ActionRefused):  # there is no such channel
            await self._link.action({"Action": "Hangup", "Channel": str(placed.channel), "Cause": "16"})
        await self._fail(placed.id, "interrupted")

    async def _change(self, wanted: Wanted, now: Wanted) -> None:
        """Go on in another way on the same channel: what was before is over, what is wanted begins."""
        try:
            for action in chan_spy.change(str(now.channel), wanted.mode):
                await self._link.action(action)
        except ActionRefused:  # it ended, and we were not told
            await self._end(now.id)
            await self._fail(wanted.id, "over")
            return
        async with self._engine.begin() as connection:
            await overhearings.end(connection, now.id)
            await overhearings.begin(connection, wanted.id, now.channel)
        log.info("a call is overheard in another way", pbx=self._pbx, mode=wanted.mode)

    async def _responded(self, message: Message, cause: asyncio.Future[str]) -> None:
        """The telephone was answered, or was not; `cause` is done when it hangs up."""
        action_id = str(message.get("ActionID"))
        answered = message.get("Response") == "Success"
        reason = "" if answered else await why_unanswered(message, cause)
        self._placed.pop(action_id, None)
        async with self._one_at_a_time:
            if answered:
                async with self._engine.begin() as connection:
                    await overhearings.begin(connection, UUID(action_id))
                log.info("a call is overheard", pbx=self._pbx)
            else:
                await self._fail(UUID(action_id), reason)

    async def _ended(self, channel: str) -> None:
        async with self._one_at_a_time, self._engine.begin() as connection:
            await overhearings.end_channel(connection, channel)

    async def _end(self, overhearing: UUID) -> None:
        async with self._engine.begin() as connection:
            await overhearings.end(connection, overhearing)

    async def _fail(self, overhearing: UUID, reason: str) -> None:
        async with self._engine.begin() as connection:
            await overhearings.fail(connection, overhearing, reason)
        log.info("a call was not overheard", pbx=self._pbx, reason=reason)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(attempt("overhearings", self._link, work))
        self._working.add(task)
        task.add_done_callback(self._working.discard)


def telephone(person: Person, states: Mapping[str, DeviceState]) -> str:
    """The first telephone of a person that is registered and free, never a mobile; else `in_use` or `no_device`.

    One of which the PBX says nothing is tried: it may be of a kind that tells no state.
    """
    known = [(one.address, states.get(one.address, _NOBODY_SAID)) for one in person.devices if one.kind != "mobile"]
    there = [(address, told.state) for address, told in known if told.reachable and told.state != "unavailable"]
    free = next((address for address, state in there if state not in _IN_USE), None)
    return free or ("in_use" if there else "no_device")


def _same(wanted: Wanted, known: list[Wanted]) -> Wanted | None:
    """The overhearing of the same person that goes on in the same call."""
    mine = (it for it in known if it.person == wanted.person and it.call_id == wanted.call_id and it.step == "heard")
    return next(mine, None)
