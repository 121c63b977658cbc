"""Calls out of one PBX: what is dialled on phones is judged, what was asked for is placed."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from directory.model import Directory
from directory.numbers import dialling, longest_number
from routing.destinations import destinations
from routing.memory import Memory
from routing.recent import Recent
from routing.requests import Desk
from service.judge import Judge, Tell, shown_by
from service.listening import Listening
from service.placer import Placer
from service.recovery import Recovery
from service.wishers import Wishers
from telephony.ami import raised_by_dialplan
from telephony.link import Link
from telephony.pbx import Message

ASKED: Final = "SwitchhookOutbound"


class Outgoing:
    """The calls out of one PBX; `run` ends only by cancellation, `heard` takes every message of the PBX.

    `working` are the answers to it that are not given yet.
    """

    def __init__(
        self,
        link: Link,
        memory: Memory,
        engine: AsyncEngine,
        listening: Listening,
        recovery: Recovery,
        tell: Tell,
        desk: Desk,
        *,
        budget_seconds: float,
    ) -> None:
        """`tell` records an event; `budget_seconds` is how long who dials may wait for the database."""
        recent = Recent()
        self.wishers = Wishers()
        self.judge = Judge(link, memory, engine, tell, desk, recent, self.wishers, budget_seconds=budget_seconds)
        self.placer = Placer(link, memory, engine, listening, recovery, tell, recent)
        self.working: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Place what is wanted and write down what was judged, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.placer.run())
            group.create_task(self.judge.run())

    def heard(self, message: Message) -> None:
        """Take one AMI event; never waits."""
        match message.get("Event"):
            case "UserEvent" if message.get("UserEvent") == ASKED and raised_by_dialplan(message):
                self._begin(self.judge.answer(message))
            case "OriginateResponse":
                self._begin(self.placer.responded(message))
            case "Newchannel":
                self.placer.created(message)
            case "Hangup":
                self.placer.ended(message)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self.working.add(task)
        task.add_done_callback(self.working.discard)


def said_when_called(directory: Directory) -> dict[str, str]:
    """What whoever we call hears before they are recorded, by the number that is shown, as `write_fallbacks` leaves it.

    The dialplan knows a call out by that number alone. Of several lines that show it, one with a `consent` is enough.
    """
    shown = {shown_by(line): "none" for line in directory.lines}
    for line in directory.lines:
        if line.consent is not None:
            shown[shown_by(line)] = f"{line.consent.prompt}@{line.consent.refuse or ''}@{line.language or ''}"
    return {number: told for number, told in shown.items() if number}


def outgoing_settings(directory: Directory) -> dict[str, str]:
    """What the PBX judges and shows by while the service is away, as `telephony.liveness.write_fallbacks` leaves it."""
    region = directory.company.region
    told = {
        "DESTINATIONS": destinations(directory),
        "DIALLING": "_".join((*dialling(region), str(longest_number(region)))),
        "SHOWN": shown_by(directory.outgoing_line(None)),
    }
    return {kind: value for kind, value in told.items() if value}
