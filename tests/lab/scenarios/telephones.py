"""Telephones that a scenario uses as people do: they ring, answer, hold, transfer, hang up; real SIP clients."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.scenarios.office import Place

PATIENCE_SECONDS = 20.0
"""How long anybody waits for what must come."""


class TelephoneError(Exception):
    """A telephone could not do what it was told; the text is PJSIP's."""


class PhoneCall:
    """One call at one telephone, as the person who holds it sees it."""

    def __init__(self, telephones: Telephones, number: int) -> None:
        """Use `Phone.rings` or `Phone.dials`."""
        self._telephones = telephones
        self.number = number
        self._seen: list[dict[str, Any]] = []
        self._news = asyncio.Event()

    def see(self, event: dict[str, Any]) -> None:
        """Take in what the telephone noticed."""
        self._seen.append(event)
        self._news.set()

    async def ringing(self) -> None:
        """The caller hears it ring."""
        await self._when(lambda one: one["event"] == "ringing")

    async def answered(self) -> None:
        """Somebody, or something, has answered."""
        await self._when(lambda one: one["event"] == "answered")

    async def ended(self) -> int:
        """It is over, whoever ended it; returns the SIP status."""
        return int((await self._when(lambda one: one["event"] == "ended"))["code"])

    async def answer(self) -> None:
        """Pick up."""
        await self._do("answer")
        await self.answered()

    async def reject(self, code: int = 603) -> None:
        """Decline, or with 486 say that it is busy."""
        await self._do("answer", code=code)
        await self.ended()

    async def forward(self, number: str) -> None:
        """Send the caller to another number instead of answering (302)."""
        await self._do("forward", number=self._telephones.place.own(number))
        await self.ended()

    async def hang_up(self) -> None:
        """Hang up, or give up."""
        await self._do("hangup")
        await self.ended()

    async def hold(self) -> None:
        """Let the other side wait."""
        await self._do("hold")
        await self._when(lambda one: one["event"] == "media" and one["held"])

    async def resume(self) -> None:
        """Go on talking."""
        held = len([one for one in self._seen if one["event"] == "media"])
        await self._do("resume")
        await self._when(lambda one: one["event"] == "media" and not one["held"], held)

    async def refer(self, number: str) -> None:
        """Transfer the other side to `number`."""
        await self._do("refer", number=self._telephones.place.own(number))

    async def refer_to(self, other: PhoneCall) -> None:
        """Connect the other side with that of the `other` call, and leave."""
        await self._do("refer_to_call", other=other.number)

    async def press(self, keys: str) -> None:
        """Press keys: a code, or an extension."""
        await self._do("press", keys=self._telephones.place.own(keys))

    async def _do(self, verb: str, **more: object) -> None:
        await self._telephones.do(verb, call=self.number, **more)

    async def _when(self, wanted: Callable[[dict[str, Any]], bool], after: int = 0) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                skipped = after
                for one in self._seen:
                    if skipped and one["event"] == "media":
                        skipped -= 1
                    elif wanted(one):
                        return one
                self._news.clear()
                await self._news.wait()


class Phone:
    """One telephone; `user` is its name at the PBX, or a number of the outside world."""

    def __init__(self, telephones: Telephones, user: str, name: str = "") -> None:
        """Use `Telephones.phone`."""
        self._telephones = telephones
        self.user = user
        self._name = name
        self.incoming: asyncio.Queue[PhoneCall] = asyncio.Queue()
        self.registered = asyncio.Event()

    async def rings(self) -> PhoneCall:
        """The next call that rings here."""
        return await asyncio.wait_for(self.incoming.get(), PATIENCE_SECONDS)

    async def dials(self, number: str) -> PhoneCall:
        """Dial, and do not wait for what comes of it."""
        own = self._telephones.place.own(number)
        made = await self._telephones.do("dial", by=self.user, number=own, name=self._name)
        return self._telephones.call(made["call"])

    async def answers_with(self, code: int) -> None:
        """From now on callers are refused with a SIP status."""
        await self._telephones.do("behave", phone=self.user, code=code)

    async def register(self, secret: str) -> None:
        """Register at the PBX."""
        await self._telephones.do("register", phone=self.user, secret=secret)
        await asyncio.wait_for(self.registered.wait(), PATIENCE_SECONDS)


@dataclass(frozen=True, order=True)
class Said:
    """Somebody began to speak at `at` (epoch seconds): `who` is the telephone's plain name, or its number outside."""

    at: float
    who: str


class Telephones:
    """All telephones of one scenario: a process of their own. `said`: who spoke so far."""

    def __init__(self, place: Place) -> None:
        """Use `open_telephones`."""
        self.place = place
        self._process: asyncio.subprocess.Process | None = None
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._calls: dict[int, PhoneCall] = {}
        self._phones: dict[str, Phone] = {}
        self._ready = asyncio.Event()
        self.said: list[Said] = []

    async def start(self, ip: str, port: int, pbx: str) -> None:
        """Start them at `ip`:`port`; `pbx` is the PBX's host:port."""
        command = ("-m", "tests.lab.scenarios.softphones", ip, str(port), pbx)
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, *command), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )

    def phone(self, user: str, name: str = "") -> Phone:
        """The telephone `user`."""
        return self._phones.setdefault(user, Phone(self, user, name))

    def call(self, number: int) -> PhoneCall:
        """The call with that number."""
        return self._calls.setdefault(number, PhoneCall(self, number))

    async def speak(self, voices: Mapping[str, Path]) -> int:
        """Everybody who is in a call says what their voice says; returns how many calls hear somebody.

        `voices`: WAV files by plain name or number.
        """
        told = await self.do("speak", voices={self.place.own(who): str(file) for who, file in voices.items()})
        return int(told["speakers"])

    async def ready(self) -> None:
        """They are there."""
        await asyncio.wait_for(self._ready.wait(), PATIENCE_SECONDS)

    async def do(self, verb: str, **what: object) -> dict[str, Any]:
        """Tell them to do something; raises TelephoneError when they cannot."""
        assert self._process is not None
        assert self._process.stdin is not None
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        self._process.stdin.write(json.dumps({"id": number, "do": verb, **what}).encode() + b"\n")
        told: dict[str, Any] = await asyncio.wait_for(answer, PATIENCE_SECONDS)
        if told["error"]:
            raise TelephoneError(f"{verb} {what}: {told['error']}")
        return told

    async def listen(self) -> None:
        """Hear what they tell, until they are gone."""
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            # PJSIP greets the terminal before anybody can tell it not to.
            if line.startswith(b"{"):
                self._hear(json.loads(line))
        lost = TelephoneError("the telephones' process has ended")
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(lost)

    def _hear(self, told: dict[str, Any]) -> None:
        if "id" in told:
            self._answers.pop(told["id"]).set_result(told)
            return
        match told["event"]:
            case "ready":
                self._ready.set()
            case "registered":
                if told["code"] == 200 and told["seconds"]:
                    self.phone(told["phone"]).registered.set()
            case "spoke":
                self.said.append(Said(told["at"], self.place.plain(told["phone"])))
            case "rings":
                self.phone(told["phone"]).incoming.put_nowait(self.call(told["call"]))
            case _:
                self.call(told["call"]).see(told)

    async def die(self) -> None:
        """They are dead without a word: no un-REGISTER, no BYE, no answer."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()


@asynccontextmanager
async def open_telephones(place: Place, port: int, pbx: str, net: str = "127.0.0") -> AsyncIterator[Telephones]:
    """The telephones of `place`, on `port`, of the PBX at `pbx` (host:port); they die without a word at the end."""
    telephones = Telephones(place)
    await telephones.start(place.ip(net), port, pbx)
    listening = asyncio.create_task(telephones.listen())
    try:
        await telephones.ready()
        yield telephones
    finally:
        await telephones.die()
        await listening
