"""Callers, phones and mobiles that a test or the demo can steer while real calls go on."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from typing import TYPE_CHECKING

from service.asterisk import AsteriskError, PrivateAsterisk
from service.demo_world import files
from service.demo_world.behaviour import Behaviour
from service.demo_world.manager import Manager, Message
from service.demo_world.speech import CALLER, Speech, script

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

    from service.pbx import Pbx

ORIGINATE_SECONDS = 300
REGISTER_SECONDS = 30.0
PATIENCE_SECONDS = 30.0
"""How long whoever waits for the world waits, unless told: far longer than it takes, machines stand still at times."""


class OutsideCall:
    """A call placed from outside, as its caller's telephone sees it."""

    def __init__(self, world: OutsideWorld, name: str) -> None:
        """Use `OutsideWorld.call` or `OutsidePhone.dial`."""
        self._world = world
        self.name = name
        self._ringing = asyncio.Event()
        self._answered = asyncio.Event()
        self._ended = asyncio.Event()
        self.cause: int | None = None

    @property
    def is_ringing(self) -> bool:
        """Whether the caller has heard it ring."""
        return self._ringing.is_set()

    @property
    def is_answered(self) -> bool:
        """Whether it was answered (by a person, a menu, or a prompt)."""
        return self._answered.is_set()

    @property
    def is_ended(self) -> bool:
        """Whether it is over; `cause` then holds the Q.850 cause that the caller was told."""
        return self._ended.is_set()

    async def ringing(self, timeout: float = PATIENCE_SECONDS) -> None:
        """Wait until the caller hears it ring. Raises TimeoutError."""
        await asyncio.wait_for(self._ringing.wait(), timeout)

    async def answered(self, timeout: float = PATIENCE_SECONDS) -> None:
        """Wait until it is answered. Raises TimeoutError."""
        await asyncio.wait_for(self._answered.wait(), timeout)

    async def ended(self, timeout: float = 60.0) -> int | None:
        """Wait until it is over; returns the Q.850 cause. Raises TimeoutError."""
        await asyncio.wait_for(self._ended.wait(), timeout)
        return self.cause

    async def hangup(self) -> None:
        """The caller hangs up, or gives up."""
        await self._world.manager.action({"Action": "Hangup", "Channel": self.name, "Cause": "16"})
        await self.ended()

    def see(self, event: Message) -> None:
        """Take in one event of this call's channel."""
        state = event.get("ChannelStateDesc")
        if event["Event"] == "Newstate" and state in ("Ringing", "Up"):
            (self._ringing if state == "Ringing" else self._answered).set()
        elif event["Event"] == "Hangup":
            self.cause = int(event.get("Cause") or 0)
            self._ended.set()
        elif event["Event"] == "OriginateResponse" and event.get("Response") == "Failure":
            self._ended.set()


class OutsidePhone:
    """A telephone: registered at the PBX, or a mobile that the PBX reaches through the trunk."""

    def __init__(self, world: OutsideWorld, name: str, *, registers: bool) -> None:
        """Use `OutsideWorld.phone` or `OutsideWorld.mobile`."""
        self._world = world
        self.name = name
        self._registers = registers
        self._rings: asyncio.Queue[str] = asyncio.Queue()
        self._answers: asyncio.Queue[str] = asyncio.Queue()

    async def behave(self, behaviour: Behaviour) -> None:
        """From the next call on, do this; forgets what rang before."""
        for queue in (self._rings, self._answers):
            while not queue.empty():
                queue.get_nowait()
        await self._world.set_globals(behaviour.variables(self.name, f"127.0.0.1:{self._world.pbx.sip_port}"))

    async def rings(self, timeout: float = PATIENCE_SECONDS) -> str:
        """Wait until it rings (a past ring not asked for yet counts); returns the number it shows."""
        return await self._next(self._rings, timeout, "ring")

    async def answers(self, timeout: float = PATIENCE_SECONDS) -> str:
        """Wait until it answers, likewise."""
        return await self._next(self._answers, timeout, "answer")

    async def _next(self, queue: asyncio.Queue[str], timeout: float, what: str) -> str:
        try:
            return await asyncio.wait_for(queue.get(), timeout)
        except TimeoutError:
            raise TimeoutError(f"{self.name} did not {what} within {timeout:g} s") from None

    @property
    def has_rung(self) -> bool:
        """Whether there is a ring that nobody has asked for with `rings`."""
        return not self._rings.empty()

    async def unplug(self) -> None:
        """Take the phone off the network in order (it un-registers); returns when the PBX knows."""
        await self._register("unregister", wanted=False)

    async def plug(self) -> None:
        """Register again; returns when the PBX knows."""
        await self._register("register", wanted=True)

    async def dial(
        self, number: str, *, speak: Speech = (), hangup_after: float | None = None, stay: bool = True
    ) -> OutsideCall:
        """Dial `number` on this phone, as its user does."""
        return await self._world.originate(
            {"Channel": f"PJSIP/{self.name}/sip:{number}@127.0.0.1:{self._world.pbx.sip_port}", "CallerID": self.name},
            speak=speak,
            hangup_after=hangup_after,
            stay=stay,
        )

    async def _register(self, verb: str, *, wanted: bool) -> None:
        if not self._registers:
            message = f"{self.name} is a mobile: it has no registration at the PBX"
            raise ValueError(message)
        await self._world.cli(f"pjsip send {verb} line-{self.name}")
        await self._world.registered(self.name, wanted=wanted)

    def see(self, event: Message) -> None:
        """Take in that it rings or answers."""
        queue = self._rings if event["UserEvent"] == "PhoneRings" else self._answers
        queue.put_nowait(event.get("From", ""))


class OutsideWorld(PrivateAsterisk):
    """Everything that is not the PBX. All phones of `pbx` register at the start; they ring until told otherwise."""

    # A telephone sends sound all the time, also while nobody speaks.
    options = "transmit_silence = yes"

    def __init__(self, pbx: Pbx, *, folder: Path | None = None) -> None:
        """`pbx` must be running when this is started."""
        super().__init__("world", folder=folder)
        self.pbx = pbx
        self._secret = secrets.token_urlsafe(16)
        self._numbers = itertools.count(1)
        self._calls: dict[str, OutsideCall] = {}
        self._phones: dict[str, OutsidePhone] = {}
        self._manager: Manager | None = None
        for phone in pbx.phones:
            self._phones[phone.name] = OutsidePhone(self, phone.name, registers=True)

    def configuration(self) -> dict[str, str]:
        """The outside Asterisk's files."""
        return {
            "manager.conf": files.MANAGER.format(port=self.ami_port, secret=self._secret),
            "pjsip.conf": files.pjsip(self.pbx.trunk_port, self.pbx.sip_port, self.pbx.phones),
            "extensions.conf": files.EXTENSIONS,
            "features.conf": "[general]\n",
            "queues.conf": "[general]\n",
            "musiconhold.conf": "[general]\n",
            "res_parking.conf": "[general]\n",
        }

    @property
    def manager(self) -> Manager:
        """The connection that steers it."""
        if self._manager is None:
            message = "the outside world is not started"
            raise AsteriskError(message)
        return self._manager

    async def start(self) -> None:
        """Start; returns when every phone is registered at the PBX, and the PBX reaches the trunk."""
        await super().start()
        self._manager = await Manager.connect(self.ami_port, "world", self._secret, self._see)
        for phone in self.pbx.phones:
            await self.registered(phone.name, wanted=True)
        await self._trunk_reached()

    async def stop(self) -> None:
        """Everybody hangs up and is gone."""
        if self._manager is not None:
            await self._manager.close()
            self._manager = None
        await super().stop()

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop and remove."""
        await super().__aexit__(kind, value, trace)

    def phone(self, name: str) -> OutsidePhone:
        """The phone registered as PJSIP/`name`. Raises KeyError."""
        return self._phones[name]

    def mobile(self, number: str) -> OutsidePhone:
        """The mobile that the carrier reaches as `number`; one that never got a behaviour does not exist (cause 1)."""
        return self._phones.setdefault(number, OutsidePhone(self, number, registers=False))

    async def call(
        self,
        number: str,
        name: str,
        line: str,
        *,
        speak: Speech = CALLER,
        hangup_after: float | None = None,
        stay: bool = False,
    ) -> OutsideCall:
        """A person with `number` and `name` dials `line`; returns at once.

        Once answered they speak, then hang up (`stay`: not before the other side); `hangup_after` ends it so many
        seconds after the answer.
        """
        return await self.originate(
            {"Channel": f"PJSIP/{line}@trunk", "CallerID": f'"{name}" <{number}>'},
            speak=speak,
            hangup_after=hangup_after,
            stay=stay,
        )

    async def quiet(self, timeout: float = PATIENCE_SECONDS) -> None:
        """Hang everything up; returns when neither side has a channel left. Raises TimeoutError."""
        for side in (self, self.pbx):
            await side.cli("channel request hangup all")
        async with asyncio.timeout(timeout):
            while True:
                if not await self.cli("core show channels concise") and not await self.pbx.cli(
                    "core show channels concise"
                ):
                    return
                await asyncio.sleep(0.02)

    async def originate(
        self, fields: Mapping[str, str], *, speak: Speech, hangup_after: float | None, stay: bool
    ) -> OutsideCall:
        """Place a call by the outside Asterisk; `fields` hold its Channel and CallerID."""
        call = OutsideCall(self, f"world-{next(self._numbers)}-{secrets.token_hex(4)}")
        self._calls[call.name] = call
        variables = {
            "SCRIPT": script(speak),
            "HANGUP": "" if hangup_after is None else str(hangup_after),
            "STAY": "1" if stay else "",
        }
        action = {
            "Action": "Originate",
            "Context": "talker",
            "Exten": "s",
            "Priority": "1",
            "Async": "true",
            "Timeout": str(ORIGINATE_SECONDS * 1000),
            "ChannelId": call.name,
        }
        answer = await self.manager.action(action | dict(fields), variables=variables)
        if answer.get("Response") != "Success":
            raise AsteriskError(answer.get("Message", "the call could not be placed"))
        return call

    async def set_globals(self, variables: Mapping[str, str]) -> None:
        """Set global variables of the outside dialplan."""
        for name, value in variables.items():
            await self.manager.action({"Action": "Setvar", "Variable": name, "Value": value})

    async def registered(self, name: str, *, wanted: bool) -> None:
        """Wait until the PBX has (or has not) a contact for the phone `name`. Raises TimeoutError."""
        async with asyncio.timeout(REGISTER_SECONDS):
            while True:
                known = f"{name}/sip:" in await self.pbx.cli(f"pjsip show aor {name}")
                if known == wanted:
                    return
                await asyncio.sleep(0.02)

    async def _trunk_reached(self) -> None:
        """The PBX was there first and found nobody behind its trunk; until it looks again, no mobile would ring."""
        async with asyncio.timeout(REGISTER_SECONDS):
            while " Avail " not in await self.pbx.cli("pjsip show aor trunk"):
                await self.pbx.cli("pjsip qualify trunk")
                await asyncio.sleep(0.1)

    def _see(self, event: Message) -> None:
        if event.get("Event") == "UserEvent" and event.get("Phone") in self._phones:
            self._phones[event["Phone"]].see(event)
        elif call := self._calls.get(event.get("Uniqueid", "")):
            call.see(event)
            if call.is_ended:
                del self._calls[call.name]
