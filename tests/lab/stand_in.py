"""A service reduced to its words: it shows that it lives, answers arrivals as it is told, and remembers every event."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Self

from service.demo_world.manager import Manager, Message
from service.pbx import Pbx
from telephony.hand_over import WAKE


@dataclass
class StandIn:
    """Speaks AMI with the user we ship; `plan` is a list of (kind, dial, seconds), None says nothing."""

    plan: Sequence[tuple[str, str, int]] | None = None
    events: list[Message] = field(default_factory=list)
    manager: Manager | None = None
    alive: bool = True
    _more: asyncio.Event = field(default_factory=asyncio.Event)
    _answers: set[asyncio.Task[None]] = field(default_factory=set)

    @classmethod
    @contextlib.asynccontextmanager
    async def logged_in(cls, pbx: Pbx, *, alive: bool = True) -> AsyncIterator[Self]:
        """Connected; with its sign of life unless `alive` is False. Leaves no sign of life behind."""
        own = cls(alive=alive)
        own.manager = await Manager.connect(pbx.ami_port, pbx.ami_username, pbx.ami_secret, own.see)
        beat = asyncio.create_task(own._beat())
        await own.set_global("SWITCHHOOK_ALIVE", str(int(time.time())) if alive else "")
        try:
            yield own
        finally:
            beat.cancel()
            await own.set_global("SWITCHHOOK_ALIVE", "")
            await own.manager.close()

    async def _beat(self) -> None:
        while self.alive:
            await self.set_global("SWITCHHOOK_ALIVE", str(int(time.time())))
            await asyncio.sleep(1)

    async def stop_living(self) -> None:
        """As a service that ends: its sign of life is taken back."""
        self.alive = False
        await self.set_global("SWITCHHOOK_ALIVE", "")

    async def action(self, **fields: str) -> Message:
        """Send one action."""
        assert self.manager is not None
        return await self.manager.action(fields)

    async def set_global(self, name: str, value: str) -> None:
        """Set a global variable of the dialplan."""
        answer = await self.action(Action="Setvar", Variable=name, Value=value)
        assert answer["Response"] == "Success", answer

    def see(self, event: Message) -> None:
        """Remember, and answer an arrival when there is a plan."""
        event["seen"] = str(time.monotonic())
        self.events.append(event)
        self._more.set()
        if event.get("UserEvent") == "SwitchhookArrival" and self.plan is not None:
            task = asyncio.create_task(self.answer(event["Channel"], self.plan))
            self._answers.add(task)
            task.add_done_callback(self._answers.discard)

    async def answer(self, channel: str, plan: Sequence[tuple[str, str, int]]) -> None:
        """Hand the plan over as the service does: variables, the last of which starts it, and the key that wakes."""
        steps = [f"{kind}|{seconds}|{dial}" for kind, dial, seconds in plan]
        variables = [(f"SWITCHHOOK_{number}", step) for number, step in enumerate(steps[1:], 2)]
        variables.append(("SWITCHHOOK_GO", f"{len(plan)}|||{steps[0] if steps else ''}"))
        for name, value in variables:
            await self.action(Action="Setvar", Channel=channel, Variable=name, Value=value)
        await self.action(Action="PlayDTMF", Channel=channel, **WAKE)

    async def seen(self, timeout: float = 40.0, **fields: str) -> Message:
        """The first event with these fields (key Event or UserEvent and so on), past or to come."""
        async with asyncio.timeout(timeout):
            while True:
                for event in self.events:
                    if fields.items() <= event.items():
                        return event
                self._more.clear()
                await self._more.wait()

    def told(self, *names: str) -> list[tuple[str, ...]]:
        """What the dialplan told so far: for every Switchhook UserEvent its name and the given fields."""
        return [
            (event["UserEvent"].removeprefix("Switchhook"), *(event[name] for name in names if name in event))
            for event in self.events
            if event.get("UserEvent", "").startswith("Switchhook")
        ]
