"""A scenario at its place: its telephones, its PBX as it tells of it, and the manager who may meddle."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from service.demo_world.manager import Manager
from tests.lab.scenarios.office import PHONES, Place, Rules, ScenarioPbx
from tests.lab.scenarios.telephones import PATIENCE_SECONDS, Phone, PhoneCall, Telephones, open_telephones

CALLER = "79161234567"
CLIENT = "79160000022"
MOBILE = "79160000011"
LINE = "500"


class Pbx:
    """The PBX as one scenario meets it: what it tells, and what it can be asked to do. Names are plain ones."""

    def __init__(self, running: ScenarioPbx, manager: Manager, place: Place) -> None:
        """Knows what it is told by `hear`."""
        self.running = running
        self.told: list[dict[str, str]] = []
        self._manager = manager
        self._place = place
        phones = ("trunk", *(f"m{number}" for number in range(1, PHONES + 1)))
        self._devices = {place.own(f"PJSIP/{phone}") for phone in phones}
        self._linkedids: set[str] = set()
        self._news = asyncio.Event()

    def hear(self, message: dict[str, str]) -> None:
        """Take in one event, if it is of this place."""
        channels = [value for name, value in message.items() if name.endswith("Channel")]
        if any(channel.rpartition("-")[0] in self._devices for channel in channels):
            self._linkedids |= {value for name, value in message.items() if name.endswith("Linkedid")}
        elif message.get("Linkedid") not in self._linkedids:
            return
        self.told.append(message)
        self._news.set()

    async def tells(self, event: str, **fields: str) -> dict[str, str]:
        """The first such event, past or to come; a field that ends in `-` is the beginning of a channel's name."""
        wanted = {"Event": event} | {name: self._place.own(value) for name, value in fields.items()}
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                for message in self.told:
                    if _fits(message, wanted):
                        return message
                self._news.clear()
                await self._news.wait()

    async def does(self, action: str, variables: Mapping[str, str] | None = None, **fields: str) -> dict[str, str]:
        """Send it an action."""
        own = {name: self._place.own(value) for name, value in fields.items()}
        answer = await self._manager.action({"Action": action, **own}, variables=variables)
        assert answer["Response"] == "Success", answer
        return answer

    async def channel(self, phone: str) -> str:
        """The name of the newest channel of `phone`, or of the first to come."""
        began = await self.tells("Newchannel", Channel=f"PJSIP/{phone}-")
        wanted = {"Event": "Newchannel", "Channel": self._place.own(f"PJSIP/{phone}-")}
        return [one for one in (began, *self.told) if _fits(one, wanted)][-1]["Channel"]

    async def quiet(self) -> None:
        """Nobody of this place is on the line any more."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self._living():
                self._news.clear()
                await self._news.wait()

    async def hang_up_all(self) -> None:
        """End what a scenario left behind."""
        for one in self._living():
            await self._manager.action({"Action": "Hangup", "Channel": one})

    def _living(self) -> set[str]:
        """The uniqueids of all channels of this place that have not ended."""
        began = {one["Uniqueid"] for one in self.told if one["Event"] == "Newchannel"}
        return began - {one["Uniqueid"] for one in self.told if one["Event"] == "Hangup"}


def _fits(message: Mapping[str, str], fields: Mapping[str, str]) -> bool:
    return all(
        message.get(name, "").startswith(value) if value.endswith("-") else message.get(name) == value
        for name, value in fields.items()
    )


class Stage:
    """What a scenario is given: `m1` to `m4` are registered telephones of staff, `outside` is who calls."""

    def __init__(self, rules: Rules, pbx: Pbx, telephones: Telephones) -> None:
        """Use `open_stage`."""
        self.pbx = pbx
        self._rules = rules
        self._telephones = telephones
        self.said = telephones.said
        self.m1, self.m2, self.m3, self.m4 = (self._phone(number) for number in range(1, PHONES))
        self.outside = self.someone(CALLER, "Клиент")

    def someone(self, number: str, name: str = "") -> Phone:
        """Whoever has that number outside."""
        return self._telephones.phone(number, name)

    def _phone(self, number: int) -> Phone:
        return self._telephones.phone(self._rules.place.own(f"m{number}"))

    async def register(self) -> None:
        """Staff plug their telephones in."""
        await asyncio.gather(*(one.register(self._rules.secret) for one in (self.m1, self.m2, self.m3, self.m4)))

    async def call(self, line: str = LINE) -> PhoneCall:
        """The caller dials the line."""
        return await self.outside.dials(line)

    async def answered_by(self, phone: Phone, line: str = LINE, rings: float = 0.4) -> tuple[PhoneCall, PhoneCall]:
        """The caller dials the line, `phone` rings for a while and answers: (the caller's side, the phone's side)."""
        caller = await self.call(line)
        desk = await self.picks_up(phone, rings)
        await caller.answered()
        return caller, desk

    async def picks_up(self, phone: Phone, rings: float = 0.4) -> PhoneCall:
        """The phone rings for a while and is answered."""
        desk = await phone.rings()
        await lasts(rings)
        await desk.answer()
        return desk

    async def kill_m4(self) -> None:
        """m4 moves to a place of its own, registers there, and dies without a word: the PBX goes on believing in it."""
        running, place = self.pbx.running, self._rules.place
        async with open_telephones(place, running.telephone_port, f"127.0.0.1:{running.sip_port}", "127.0.1") as dying:
            await dying.phone(place.own("m4")).register(self._rules.secret)


SPEAKS_FROM_SECONDS = 0.5
"""So long people talk at least; they ring and press keys for less."""


@dataclass(frozen=True)
class Voices:
    """What everybody says, as WAV files by plain name or number, and how long the longest takes.

    `turns`: who speaks at once, one turn after the other; where three hear each other, one speaks.
    """

    files: Mapping[str, Path]
    seconds: float
    turns: tuple[tuple[str, ...], ...]


_speaking: ContextVar[tuple[Telephones, Voices] | None] = ContextVar("speaking", default=None)


async def lasts(seconds: float) -> None:
    """People ring, talk, wait and think for a while: that is what is played, not something that is waited for.

    Where they have voices, everybody who is in a call speaks once, and it takes so long at least.
    """
    speaking = _speaking.get()
    if speaking is not None and seconds >= SPEAKS_FROM_SECONDS:
        telephones, voices = speaking
        for turn in voices.turns:
            if await telephones.speak({who: voices.files[who] for who in turn}):
                await asyncio.sleep(voices.seconds)
                seconds -= voices.seconds
    await asyncio.sleep(max(seconds, 0.0))


@contextlib.asynccontextmanager
async def open_stage(rules: Rules, pbx: Pbx, voices: Voices | None = None) -> AsyncIterator[Stage]:
    """The stage of one scenario, its telephones registered; its people speak if they have `voices`."""
    running = pbx.running
    async with open_telephones(rules.place, running.telephone_port, f"127.0.0.1:{running.sip_port}") as telephones:
        stage = Stage(rules, pbx, telephones)
        _speaking.set((telephones, voices) if voices else None)
        await stage.register()
        yield stage
