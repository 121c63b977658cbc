"""Pauses and resumes recordings at one PBX, for whoever asked by page, API or keys."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.call import Call
from calls.events import device
from calls.view import view
from recordings.audit import Actor
from recordings.pauses import (
    CHANNEL,
    Outcome,
    ask,
    call_with,
    is_paused,
    recorded_now,
    settle,
    silent,
    still_heard,
    unsettled,
)
from service.listening import Listening, attempt, keep_doing
from telephony.ami import raised_by_dialplan
from telephony.link import Link
from telephony.pbx import ActionRefused, Message

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

ASKED: Final = "SwitchhookPause"
"""The UserEvent of our dialplan for keys that somebody who talks has pressed; see switchhook-pause."""
TOLD: Final = "SWITCHHOOK_PAUSED"
"""The variable in which who pressed them is told: 1, it is paused; 0, it is not."""
_GONE: Final = "No such channel"
"""The PBX's words (`manager.c`, and whoever calls it) for a channel that has just ended: nothing is recorded of it."""
_REFUSED, _STARTED = "SwitchhookRecordingRefused", "MixMonitorStart"
_SOON_SECONDS: Final = (0.1, 0.3)
"""What was heard just now is in the record a moment later."""


class Pausing:
    """Does the wishes of one PBX's calls; `run` ends only by cancellation, `heard` takes its events."""

    def __init__(self, link: Link, engine: AsyncEngine, listening: Listening) -> None:
        self._pbx = link.settings.name
        self._link = link
        self._engine = engine
        self._wake = listening.wake(CHANNEL)
        self._one_at_a_time = asyncio.Lock()
        self._working: set[asyncio.Task[None]] = set()
        self._unpausable: set[str] = set()
        self._keeps_silent = False

    async def run(self) -> None:
        """Do what is wanted, until cancelled."""
        await keep_doing("pauses", self._wake, self._link, self._do_wanted)

    def heard(self, message: Message) -> None:
        """Take one AMI event; never waits."""
        if message.get("UserEvent") == ASKED and raised_by_dialplan(message):
            self._begin(self._turned(str(message.get("Uniqueid")), str(message.get("Channel"))))
        elif message.get("UserEvent") == _REFUSED or (self._keeps_silent and message.get("Event") == _STARTED):
            for seconds in _SOON_SECONDS:
                asyncio.get_running_loop().call_later(seconds, self._wake.set)

    async def _do_wanted(self) -> None:
        """Do every wish, in the order of asking, and keep silent what is to be. Raises what the driver raises."""
        async with self._one_at_a_time:
            async with self._engine.begin() as connection:
                wanted = await unsettled(connection, self._pbx)
            for wish in wanted:
                await self._settle(wish.id, await self._do(wish.call, paused=wish.paused))
            async with self._engine.connect() as connection:
                calls = await silent(connection, self._pbx)
            self._keeps_silent = bool(calls)
            for channel in (one for call in calls for one in still_heard(call) if one not in self._unpausable):
                await self._pause_too(channel)

    async def _pause_too(self, channel: str) -> None:
        """A channel is recorded whose call is paused (it rang, or the call was sent on, meanwhile) or was refused."""
        try:
            await self._mute(channel, muted=True)
        except ActionRefused as error:
            self._unpausable.add(channel)
            if _GONE not in str(error):
                log.warning("a recording that is to be silent was not paused", pbx=self._pbx, error=str(error))

    async def _turned(self, channel: str, name: str) -> None:
        """Somebody pressed the keys: pause what is recorded, or go on with what is paused, and tell them."""
        async with self._one_at_a_time:
            await attempt("pauses", self._link, self._turn(channel, name))

    async def _turn(self, channel: str, name: str) -> None:
        async with self._engine.begin() as connection:
            found = await call_with(connection, self._pbx, channel)
            if found is None:
                return
            call_id, call = found
            paused = not is_paused(view(call))
            wish = await ask(connection, call_id, paused=paused, by=Actor(login=device(name)))
        outcome = await self._do(call, paused=paused)
        await self._settle(wish, outcome)
        if outcome == "done":
            await self._link.action(
                {"Action": "Setvar", "Channel": name, "Variable": TOLD, "Value": "1" if paused else "0"}
            )

    async def _do(self, call: Call, *, paused: bool) -> Outcome:
        """Have the PBX write silence of every recorded channel, on both sides, or sound again.

        Silence is written, not left out: both sides stay as long as the talk. Raises LinkError where the PBX did not
        answer: then it is done at the next look.
        """
        seen = view(call)
        if seen.ended_at is not None:
            return "over"
        if seen.refused:  # it is silent, and stays so
            return "not_recorded"
        muted = {span.channel for span in seen.muted if span.until is None}
        turned: list[str] = []
        for channel in recorded_now(call, seen):
            try:
                await self._mute(channel, muted=paused)
            except ActionRefused as error:
                if _GONE in str(error):
                    continue
                log.warning("a recording was not paused or resumed", pbx=self._pbx, error=str(error))
                await self._undo([one for one in turned if (one in muted) != paused], paused=paused)
                return "refused_by_pbx"
            turned.append(channel)
        return "done" if turned else "not_recorded"

    async def _undo(self, turned: Sequence[str], *, paused: bool) -> None:
        """Have no channel paused without the others, nor resumed: nobody was told that it is."""
        for channel in turned:
            with suppress(ActionRefused):
                await self._mute(channel, muted=not paused)

    async def _mute(self, channel: str, *, muted: bool) -> None:
        state = "1" if muted else "0"
        await self._link.action({"Action": "MixMonitorMute", "Channel": channel, "Direction": "both", "State": state})

    async def _settle(self, wish: UUID, outcome: Outcome) -> None:
        async with self._engine.begin() as connection:
            await settle(connection, wish, outcome)
        log.info("a recording's pause was wanted", pbx=self._pbx, outcome=outcome)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._working.add(task)
        task.add_done_callback(self._working.discard)
