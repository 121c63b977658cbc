"""The demo's life: callers and managers who act out what happens in an office, as long as it runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from service.demo_world.behaviour import Behaviour, answer, busy, ring_out
from service.demo_world.speech import CALLER, CALLER_ENGLISH, Speech
from service.demo_world.world import OutsideCall, OutsideWorld

SALES, SUPPORT = "74951234567", "74951234568"
MARIA, JOHN, PAVEL, OLGA = "79161234501", "79161234502", "79161234503", "79161234504"
MOBILES = ("79160000011", "79160000012", "79160000013", "79160000014")
_LONGEST_SECONDS = 90.0
PAUSE_SECONDS = 8.0
"""Longer than a call needs to settle, so that the next scene meets its lead."""

Say = Callable[[str], None]
Scene = Callable[["Life"], Awaitable[None]]


class Life:
    """Plays the scenes one after another; `say` tells the person at the terminal what happens now."""

    def __init__(self, world: OutsideWorld, say: Say) -> None:
        self.world = world
        self.say = say

    async def play(self, scenes: int | None = None) -> None:
        """Play `scenes` scenes (None: until cancelled), round after round."""
        await self.everyone(ring_out())
        played = 0
        while True:
            for scene in SCENES:
                await scene(self)
                played += 1
                if played == scenes:
                    return
                await asyncio.sleep(PAUSE_SECONDS)

    async def everyone(self, behaviour: Behaviour) -> None:
        """All phones and mobiles do this from now on."""
        for phone in self.world.pbx.phones:
            await self.world.phone(phone.name).behave(behaviour)
        for number in MOBILES:
            await self.world.mobile(number).behave(behaviour)

    @asynccontextmanager
    async def only(self, name: str, behaviour: Behaviour) -> AsyncIterator[None]:
        """One phone (or mobile) answers so while the others only ring."""
        device = self.world.mobile(name) if name.isdigit() else self.world.phone(name)
        await device.behave(behaviour)
        try:
            yield
        finally:
            await device.behave(ring_out())

    async def call(self, number: str, name: str, line: str, speak: Speech = CALLER) -> OutsideCall:
        """Someone calls from outside."""
        return await self.world.call(number, name, line, speak=speak)


async def new_client(life: Life) -> None:
    """A number nobody knows: the team rings, Анна answers, a party and a lead come into being."""
    life.say("Мария, a new client, calls the sales line: the team rings, Анна answers at her desk")
    async with life.only("anna-desk", answer(3.0)):
        call = await life.call(MARIA, "Мария Петрова", SALES)
        await call.ended(_LONGEST_SECONDS)


async def known_client(life: Life) -> None:
    """The same number again: only the owner of the lead rings."""
    life.say("Мария calls again: straight to Анна, who owns her lead")
    async with life.only("anna-desk", answer(3.0)):
        call = await life.call(MARIA, "Мария Петрова", SALES)
        await call.ended(_LONGEST_SECONDS)


async def mobile(life: Life) -> None:
    """The owner's desk phone and softphone are gone: her mobile rings, and she presses 1."""
    life.say("Анна unplugs her desk phone and closes the softphone; Мария calls: Анна's mobile rings, she presses 1")
    gone = [life.world.phone(name) for name in ("anna-desk", "anna-soft")]
    for phone in gone:
        await phone.unplug()
    try:
        async with life.only(MOBILES[0], answer(2.0, confirm=True)):
            call = await life.call(MARIA, "Мария Петрова", SALES)
            await call.ended(_LONGEST_SECONDS)
    finally:
        for phone in gone:
            await phone.plug()


async def english(life: Life) -> None:
    """A new client in English on the second line, where people are rung one after another."""
    life.say("John, a new client, calls the support line in English: Олег does not answer in time, Вера does")
    async with life.only("vera-desk", answer(2.0, speak=("en/hello-world", 6.0, "en/demo-thanks"))):
        call = await life.call(JOHN, "John Brown", SUPPORT, CALLER_ENGLISH)
        await call.ended(_LONGEST_SECONDS)


async def all_busy(life: Life) -> None:
    """Everybody is on the phone: the call is missed, with that as its cause."""
    life.say("Павел calls the sales line while everybody is busy: a missed call, with its cause")
    await life.everyone(busy())
    call = await life.call(PAVEL, "Павел Орлов", SALES)
    await call.ended(_LONGEST_SECONDS)
    await life.everyone(ring_out())


async def gives_up(life: Life) -> None:
    """The caller hangs up after a few rings."""
    life.say("Ольга calls the sales line and gives up after four seconds")
    call = await life.call(OLGA, "Ольга Белова", SALES)
    await call.ringing()
    await asyncio.sleep(4)
    await call.hangup()


async def transfer(life: Life) -> None:
    """Анна answers and transfers to Борис: one call, two talks, one record."""
    life.say("Ольга calls again; Анна answers and transfers her to Борис: one call, one record")
    async with (
        life.only("boris-desk", answer(2.0)),
        life.only("anna-desk", answer(2.0, speak=("ru/hello", 2.0, "ru/one-moment-please"), transfer_to="102")),
    ):
        call = await life.call(OLGA, "Ольга Белова", SALES, (*CALLER, 6.0))
        await call.ended(_LONGEST_SECONDS)


SCENES: tuple[Scene, ...] = (new_client, known_client, mobile, english, all_busy, gives_up, transfer)
