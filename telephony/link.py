"""One live connection to one Asterisk's manager interface, which comes back by itself.

Rules that hold here:
1. An arrival reaches `deliver` at once, other events within milliseconds and in the PBX's order, as plain calls; what
   `deliver` raises costs that event alone.
2. Nothing is ever sent twice by itself: an action whose answer did not come fails, and its caller decides.
3. A PBX that is away, hangs, or refuses our login is noticed, said once, and tried again; `state.reason` says why.
4. Everything that waits has a deadline, and `close()` leaves nothing waiting.
"""

import asyncio
import random
import ssl
import time
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import structlog

from telephony.ami import is_forged
from telephony.heartbeat import SKEW_SECONDS, Heartbeats, PbxClock, keep_beating, keep_pinging, measure
from telephony.listeners import Listeners
from telephony.pbx import (
    ActionRefused,
    ActionTimeout,
    Fields,
    LinkDown,
    LinkSettings,
    LinkState,
    LoginRefused,
    Message,
    Reply,
)
from telephony.wire import Wire

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_LASTING_SECONDS = 30.0  # a connection that lasted this long starts the backoff anew
_TORN_ADVICE = "set timestampevents = yes in manager.conf; if it is set, a caller's number holds line breaks"

_FORGED_ADVICE = "take write = user from AMI users who are not Switchhook, in manager.conf"


class Link:
    """A connection to one PBX that comes back by itself; several PBXes are several links.

    `deliver` gets every event as a plain dict, from within the event loop: it may not block. `on_connect`
    hooks are awaited one after another when the PBX is logged in and booted, on every connection; `on_disconnect`
    hooks are called when a connection that was logged in ends, `on_lost` hooks when a heartbeat did not come back.
    `tap` hears every byte of every connection.
    """

    def __init__(
        self, settings: LinkSettings, deliver: Callable[[Message], None], tap: Callable[[bytes], None] | None = None
    ) -> None:
        self.settings = settings
        self._tap = tap
        self.state = LinkState()
        self.clock = PbxClock(self.state)
        self._log = log.bind(pbx=settings.name)
        self._listeners: Listeners[Link] = Listeners(self.state, self._log, deliver)
        self.on_connect = self._listeners.on_connect
        self.on_disconnect = self._listeners.on_disconnect
        self.on_lost = self._listeners.on_lost
        self._heartbeats = Heartbeats(self.state, lambda: self._listeners.lost(self))
        self._wire: Wire | None = None
        self._booted = asyncio.Event()
        self._stop = asyncio.Event()
        self._said = ""
        self._said_torn = False

    async def run(self) -> None:
        """Connect, stay connected, come back; ends only by `close()` or cancellation."""
        try:
            await self._keep_connected()
        finally:
            if self.state.connected:
                self._down("closed")

    async def _keep_connected(self) -> None:
        failures = 0
        while not self._stop.is_set():
            began_at = time.monotonic()
            pause: float | None = None
            try:
                reason = await self._connection()
            except LoginRefused as error:
                reason = str(error)
                pause = self.settings.login_retry_seconds
            self._down(reason)
            failures = 0 if time.monotonic() - began_at > _LASTING_SECONDS else failures + 1
            await self._paused(pause or self.settings.backoff(failures, random.uniform(0.5, 1.0)))

    def close(self) -> None:
        """End for good: `run` returns at once, also in the middle of an outage."""
        self._stop.set()
        if self._wire is not None:
            self._wire.lose("closed")

    async def action(self, fields: Fields, seconds: float | None = None) -> Reply:
        """Ask the PBX one thing; a list action's events are in `reply.events`.

        Raises:
            LinkDown: not connected, or the connection ended first.
            ActionRefused: the PBX answered Error.
            ActionTimeout: no answer within `seconds` (default: `action_seconds` of the settings).
            UnsafeValue: nothing was sent.

        """
        (reply,) = await self.actions([fields], seconds)
        if not reply.success:
            raise ActionRefused(str(fields.get("Action", "")), reply)
        return reply

    def actions(self, many: Sequence[Fields], seconds: float | None = None) -> Coroutine[Any, Any, list[Reply]]:
        """Ask several things in one write, answered in order; a refusal is a reply whose `success` is False.

        The write is over when this returns, so that what is urgent waits for no turn of the event loop.

        Raises:
            LinkDown, ActionTimeout, UnsafeValue: as `action`; for UnsafeValue nothing of all was sent.

        """
        if self._wire is None or not self.state.connected:
            raise LinkDown(self.state.reason)
        return self._wire.ask(many, seconds or self.settings.action_seconds)

    async def _connection(self) -> str:
        """Live through one connection; the reason of its end."""
        try:
            async with asyncio.timeout(self.settings.connect_seconds):
                wire = await self._open()
        except (OSError, TimeoutError) as error:
            where = f"{self.settings.host}:{self.settings.port}"
            return f"cannot connect to {where}: {str(error) or 'no answer'}"
        self._wire = wire
        keepers: list[asyncio.Task[None]] = []
        try:
            await self._login(wire)
            await measure(partial(self._one, wire), self.settings, self.clock)
            self._up()
            keepers = [asyncio.create_task(keep) for keep in (self._welcome(), self._ping(wire), self._beat(wire))]
            return await asyncio.shield(wire.lost)
        except (LinkDown, ActionTimeout) as error:
            return wire.lost.result() if wire.lost.done() else f"no login: {error}"
        finally:
            wire.lose("closed")
            for task in keepers:
                task.cancel()
            await asyncio.gather(*keepers, return_exceptions=True)
            self._wire = None

    async def _open(self) -> Wire:
        context: ssl.SSLContext | None = None
        if self.settings.tls:
            context = ssl.create_default_context(cafile=self.settings.tls_ca_file)
        _, wire = await asyncio.get_running_loop().create_connection(
            lambda: Wire(self._receive, self._torn, self._tap),
            self.settings.host,
            self.settings.port,
            ssl=context,
            server_hostname=self.settings.tls_server_name if self.settings.tls else None,
        )
        return wire

    async def _login(self, wire: Wire) -> None:
        seconds = self.settings.connect_seconds
        await asyncio.wait({wire.greeted, wire.lost}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if not wire.greeted.done():
            raise ActionTimeout(f"no greeting within {seconds:g} s: is this the AMI port?")
        self.state.ami_version = wire.greeted.result()
        self._booted.clear()
        user, secret = self.settings.username, self.settings.secret
        login = {"Action": "Login", "Username": user, "Secret": secret, "Events": "on"}
        (reply,) = await wire.ask([login], seconds)
        if not reply.success:
            self.state.login_refusals_total += 1
            raise LoginRefused(
                f"the PBX refuses the login of AMI user {user!r} ({reply.message}): put the same secret into"
                " manager.conf and our settings, permit our address there, then run `asterisk -rx 'manager reload'`;"
                f" tried again every {self.settings.login_retry_seconds:g} s"
            )

    async def _welcome(self) -> None:
        """Ask the first questions once the PBX has booted, and again if it boots later than we waited for."""
        try:
            async with asyncio.timeout(self.settings.boot_seconds):
                await self._booted.wait()
        except TimeoutError:
            await self._listeners.connected(self)
            await self._booted.wait()
        await self._listeners.connected(self)

    async def _ping(self, wire: Wire) -> None:
        fault = await keep_pinging(partial(self._one, wire), self.settings, self.clock)
        if fault:
            wire.lose(fault)

    async def _beat(self, wire: Wire) -> None:
        refusal = await keep_beating(partial(self._one, wire), self.settings, self._heartbeats)
        if refusal:
            self.state.heartbeats_refused = True
            self._log.warning("no heartbeats: give the AMI user write=user in manager.conf", answer=refusal)

    async def _one(self, wire: Wire, fields: Fields, seconds: float) -> Reply:
        (reply,) = await wire.ask([fields], seconds)
        return reply

    def _receive(self, message: Message) -> None:
        self.clock.note(message)
        if message["Event"] == "FullyBooted":
            self._booted.set()
        if self._heartbeats.heard(message):
            return
        if is_forged(message):
            self._forged()
        else:
            self._listeners.heard(message)

    def _forged(self) -> None:
        self.state.forged_total += 1
        if self.state.forged_total == 1:
            self._log.warning("an AMI user raises events in our names; left out", advice=_FORGED_ADVICE)

    def _torn(self) -> None:
        self.state.torn_total += 1
        if not self._said_torn:
            self._said_torn = True
            self._log.warning("a piece that is no whole event was left out", advice=_TORN_ADVICE)

    def _up(self) -> None:
        self.state.connected, self.state.reason = True, ""
        self.state.since = datetime.now(UTC)
        self.state.connects_total += 1
        self.state.heartbeats_refused = False
        self._said, self._said_torn = "", False
        self._log.info("connected", ami_version=self.state.ami_version)
        offset = self.state.clock_offset_seconds
        if abs(offset) > SKEW_SECONDS:
            self._log.warning("the PBX's clock is not ours: run NTP on both", offset_seconds=round(offset, 3))

    def _down(self, reason: str) -> None:
        was_connected = self.state.connected
        self.state.connected, self.state.reason = False, reason
        self.clock.forget()
        self._heartbeats.forget()
        if was_connected:
            self.state.since = datetime.now(UTC)
            self._listeners.disconnected(self)
        if reason not in (self._said, "closed") and not self._stop.is_set():
            self._said = reason
            self._log.error("not connected", reason=reason)

    async def _paused(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        except TimeoutError:
            return
