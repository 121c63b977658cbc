"""How late and how complete the PBX's events reach us: its clock against ours, pings, and heartbeats through it."""

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from telephony.pbx import ActionTimeout, Fields, LinkDown, LinkSettings, LinkState, Message, Reply

Ask = Callable[[Fields, float], Awaitable[Reply]]

HEARTBEAT = "SwitchhookHeartbeat"
SKEW_SECONDS = 2.0
"""Clocks further apart are somebody's mistake; up to here NTP keeps them without effort."""
_TIME_MOST = 2.0**32  # the year 2106: what is later is no clock's, and may be more than a date can tell
_SAMPLES = 8  # of the last pings; the quickest of them tells the offset best
_FIRST_PINGS = 3


def pbx_time(message: Message) -> float | None:
    """When the PBX raised the message, in its epoch seconds; None without `timestampevents = yes`, or for no date."""
    try:
        told = float(str(message["Timestamp"]))
    except (KeyError, ValueError):
        return None
    return told if 0 <= told < _TIME_MOST else None


class PbxClock:
    """The PBX's clock minus ours, learnt from Ping's `Timestamp` (a PBX may be on another machine, and drift)."""

    def __init__(self, state: LinkState, now: Callable[[], float] = time.time) -> None:
        self._state = state
        self._now = now
        self._samples: deque[tuple[float, float]] = deque(maxlen=_SAMPLES)

    def learn(self, round_trip: float, pbx_at: float) -> None:
        """Take one Ping: seconds it took, and the PBX's time in its answer."""
        self._samples.append((round_trip, pbx_at - (self._now() - round_trip / 2)))
        self._state.clock_offset_seconds = min(self._samples)[1]

    def forget(self) -> None:
        """Begin anew with the next connection, which may meet another machine."""
        self._samples.clear()

    def pbx_now(self) -> float:
        """The PBX's time now, epoch seconds."""
        return self._now() + self._state.clock_offset_seconds

    def age(self, message: Message) -> float:
        """Seconds since the PBX raised the message; 0.0 when it carries no time."""
        raised_at = pbx_time(message)
        return 0.0 if raised_at is None else max(0.0, self.pbx_now() - raised_at)

    def note(self, message: Message) -> None:
        """Count one event and remember when it came."""
        state = self._state
        state.events_total += 1
        state.last_event_at = datetime.fromtimestamp(self._now(), UTC)
        raised_at = pbx_time(message)
        if raised_at is not None:
            state.last_pbx_event_at = datetime.fromtimestamp(raised_at, UTC)


class Heartbeats:
    """UserEvents of our own with a sequence number: what comes back late or not at all is measured, not hoped away."""

    def __init__(self, state: LinkState, lost: Callable[[], None] = lambda: None) -> None:
        """`lost` is called when some did not come back in time."""
        self._state = state
        self._lost = lost
        self._sender = secrets.token_hex(4)  # a standby of ours may beat through the same PBX
        self._sequence = 0
        self._sent: dict[str, float] = {}

    def next(self) -> Fields:
        """The action of the next heartbeat; the ones not back by now count as lost."""
        if self._sent:
            self._state.heartbeats_lost_total += len(self._sent)
            self._sent.clear()
            self._lost()
        self._sequence += 1
        token = secrets.token_hex(4)  # every reader of user events sees sender and sequence, and could count on
        self._sent[token] = time.monotonic()
        self._state.heartbeats_sent_total += 1
        beat = {"UserEvent": HEARTBEAT, "Sender": self._sender, "Sequence": str(self._sequence), "Token": token}
        return {"Action": "UserEvent", **beat}

    def forget(self) -> None:
        """Stop waiting for heartbeats of a connection that is gone; the outage is no loss of theirs."""
        self._sent.clear()

    def heard(self, message: Message) -> bool:
        """Whether the message is a heartbeat (ours or another's), which nobody else needs to see."""
        if message.get("UserEvent") != HEARTBEAT:
            return False
        if message.get("Sender") == self._sender:
            sent_at = self._sent.pop(str(message.get("Token")), None)
            if sent_at is not None:
                self._state.heartbeat_lag_seconds = time.monotonic() - sent_at
        return True


async def measure(ask: Ask, settings: LinkSettings, clock: PbxClock) -> None:
    """Learn the PBX's clock by some pings at once, before anything is told by it. Raises LinkDown, ActionTimeout."""
    for _ in range(_FIRST_PINGS):
        await _ping(ask, settings, clock)


async def keep_pinging(ask: Ask, settings: LinkSettings, clock: PbxClock) -> str:
    """Ping until no answer comes in time (says so), or the connection ends by itself ("")."""
    while True:
        await asyncio.sleep(settings.ping_seconds)
        try:
            await _ping(ask, settings, clock)
        except LinkDown:
            return ""
        except ActionTimeout:
            return f"the PBX hangs: no answer to Ping within {settings.ping_deadline_seconds:g} s"


async def _ping(ask: Ask, settings: LinkSettings, clock: PbxClock) -> None:
    asked_at = time.monotonic()
    reply = await ask({"Action": "Ping"}, settings.ping_deadline_seconds)
    answered_at = pbx_time(reply.fields)
    if answered_at is not None:
        clock.learn(time.monotonic() - asked_at, answered_at)


async def keep_beating(ask: Ask, settings: LinkSettings, heartbeats: Heartbeats) -> str:
    """Send heartbeats until the connection ends (""), or the PBX refuses them (its words)."""
    while True:
        try:
            reply = await ask(heartbeats.next(), settings.action_seconds)
        except ActionTimeout:
            continue
        except LinkDown:
            return ""
        if not reply.success:
            heartbeats.forget()
            return reply.message
        await asyncio.sleep(settings.heartbeat_seconds)
