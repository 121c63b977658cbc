"""Those who hold at one PBX: told their place, and sent to who comes free for them.

Nothing of it is stored: at each connection the channels that hold are asked for, with the moment they began; and the
dialplan says it of each every few seconds (SwitchhookHolding), so that one that was overseen is known after a round.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.events import Event, TakenOver
from directory.model import RING_SECONDS, Directory
from routing.arrival import Arrival
from routing.choice import Choice
from routing.gather import is_public
from routing.history import talk_seconds, tries_in_vain
from routing.memory import Memory
from routing.plan import Plan, Step
from routing.waiting import (
    TALK_SECONDS,
    Holder,
    arrival_of,
    at_work,
    came_free,
    expected_minutes,
    free_for,
    match,
    places,
)
from telephony import hand_over, waiting
from telephony.link import Link
from telephony.pbx import LinkError, Message
from telephony.told import Message as Told
from telephony.told import moment

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

CONTEXT: Final = "switchhook-hold"
"""Where in the dialplan callers hold."""
_VARIABLES: Final = {"team": "SWITCHHOOK_TEAM", "since": "SWITCHHOOK_SINCE", "line": "SWITCHHOOK_LINE"}
AGAIN_SECONDS: Final = 60.0
"""Who did not answer a caller is not rung for the same one sooner."""
_TICK_SECONDS: Final = 1.0
_TALKS_SECONDS: Final = 60.0
_LOST_SECONDS: Final = 10.0
"""A ring that the PBX has not told the end of so long after its time is forgotten."""


@dataclass(slots=True)
class _Waiting:
    """One caller, what they were told, and whom we ring for them; times are of time.monotonic()."""

    holder: Holder
    told: tuple[int, int | None] | None = None
    rung: str = ""
    rung_until: float = 0.0
    passed_over: dict[str, float] = field(default_factory=dict)


class Holding:
    """All who hold at one PBX; `run` ends only by cancellation. `put` takes an event for the record."""

    def __init__(self, link: Link, memory: Memory, engine: AsyncEngine, put: Callable[[Event], None]) -> None:
        self._pbx = link.settings.name
        self._link = link
        self._memory = memory
        self._engine = engine
        self._put = put
        self._waiting: dict[str, _Waiting] = {}
        self._plans: dict[str, frozenset[str]] = {}
        self._talk_seconds: dict[str, float] = {}
        self._knows = False
        self._wake = asyncio.Event()
        self._work: set[asyncio.Task[None]] = set()
        link.on_connect.append(self._connected)
        link.on_disconnect.append(self._disconnected)

    @property
    def counts(self) -> dict[str, int]:
        """How many hold for each team."""
        teams = [one.holder.team for one in self._waiting.values()]
        return {team: teams.count(team) for team in teams}

    def planned(self, channel: str, plan: Plan) -> None:
        """Remember who is rung before the caller holds: they are not rung again at once."""
        if any(step.kind == "hold" for step in plan.steps):
            rung = (target.person for step in plan.steps if step.kind == "ring" for target in step.targets)
            self._plans[channel] = frozenset(filter(None, rung))

    def look_soon(self) -> None:
        """Look whether somebody came free."""
        self._wake.set()

    def hear(self, message: Message) -> None:
        """Take one AMI event; never waits."""
        told = Told(self._pbx, message)
        channel = told["uniqueid"]
        match str(message.get("UserEvent") or message.get("Event")):
            case "SwitchhookHold":
                self._joined(told)
            case "SwitchhookHolding":
                self._holds(told)
            case "SwitchhookTakeEnd":
                self._not_taken(channel)
            case "SwitchhookCallback":
                self._left(channel)
                self._do(self._kept(told["channel"]))
            case "SwitchhookHoldEnd" | "Hangup":
                self._plans.pop(channel, None)
                self._left(channel)
            case "DialEnd" if told["dialstatus"] == "ANSWER":
                self._left(channel)
            case _:
                pass

    async def run(self) -> None:
        """Serve who holds, until cancelled."""
        asked_at = 0.0
        while True:
            try:
                async with asyncio.timeout(_TICK_SECONDS if self._waiting else None):
                    await self._wake.wait()
            except TimeoutError:
                pass  # hours begin, somebody is back from a break: nobody tells of that
            self._wake.clear()
            if self._waiting and time.monotonic() - asked_at > _TALKS_SECONDS:
                asked_at = time.monotonic()
                self._do(self._learn_talks())
            self._look()

    def _holds(self, told: Told) -> None:
        """Take in one who may have held before we listened; the record is told of their begin."""
        if self._joined(told):
            for joined in waiting.held(told.where(), told["team"], told["since"]):
                self._put(joined)

    def _joined(self, told: Told) -> bool:
        """Whether this caller was not known to hold."""
        since = moment(told["since"]) or told.at
        if told["uniqueid"] in self._waiting or not told["team"] or since is None:
            return False
        directory = self._memory.directory
        number = directory.normal(told["calleridnum"]) if directory else told["calleridnum"]
        holder = Holder(
            channel=told["uniqueid"],
            name=told["channel"],
            team=told["team"],
            since=since,
            line=told["line"],
            number=number,
            vip=directory is not None and directory.is_vip(number),
        )
        until = time.monotonic() + AGAIN_SECONDS
        one = _Waiting(holder, passed_over=dict.fromkeys(self._plans.pop(holder.channel, ()), until))
        if directory is not None and one.passed_over:
            # Only who did not answer: one who talked all the while comes free.
            free = self._free(one, ())
            one.passed_over = {key: until for key in one.passed_over if key in free}
        self._waiting[holder.channel] = one
        if is_public(number):
            self._do(self._learn_tries(one))
        self._wake.set()
        return True

    def _left(self, channel: str) -> None:
        if self._waiting.pop(channel, None) is not None:
            self._wake.set()

    def _not_taken(self, channel: str) -> None:
        one = self._waiting.get(channel)
        if one is not None and one.rung:
            one.passed_over[one.rung] = time.monotonic() + AGAIN_SECONDS
            one.rung = ""
            self._wake.set()

    def _look(self) -> None:
        """Send everybody who can be to who is free for them, and tell the others their places."""
        directory = self._memory.directory
        now = time.monotonic()
        if directory is None or not self._knows:
            return
        for one in self._waiting.values():
            if one.rung and now > one.rung_until:
                one.rung = ""
        rung = {one.rung for one in self._waiting.values() if one.rung}
        free: dict[str, dict[str, Choice]] = {}
        for channel, one in self._waiting.items():
            if not one.rung:
                free[channel] = self._free(one, rung | {key for key, until in one.passed_over.items() if until > now})
        holders = [self._waiting[channel].holder for channel in free]
        for found in match(holders, {channel: tuple(people) for channel, people in free.items()}):
            self._take(self._waiting[found.channel], free[found.channel][found.person], directory)
        self._tell_places()

    def _free(self, one: _Waiting, left_out: Collection[str]) -> dict[str, Choice]:
        """Whoever can be rung for this caller now; the owner is looked up anew."""
        arrival = self._arrival(one.holder)
        facts = self._memory.facts(arrival)
        one.holder = replace(one.holder, owner=facts.owner or "")
        return free_for(one.holder, arrival, facts, left_out)

    def _arrival(self, holder: Holder) -> Arrival:
        return arrival_of(holder, self._pbx, datetime.fromtimestamp(self._link.clock.pbx_now(), UTC))

    def _take(self, one: _Waiting, choice: Choice, directory: Directory) -> None:
        """Ring this person for this caller."""
        line, targets = directory.line(one.holder.line), choice.attempts[0]
        usual = line.ring_seconds if line else RING_SECONDS
        reason = came_free(one.holder, choice.person)
        step = Step("ring", targets, max(target.seconds or usual for target in targets), reason)
        trunk = next((target.trunk for target in targets if target.trunk), "")
        one.rung, one.rung_until = choice.person.key, time.monotonic() + step.seconds + _LOST_SECONDS
        told = TakenOver(
            pbx=self._pbx,
            channel=one.holder.channel,
            at=datetime.fromtimestamp(self._link.clock.pbx_now(), UTC),
            name=one.holder.name,
            person=choice.person.key,
            team=one.holder.team,
            place=places(other.holder for other in self._waiting.values())[one.holder.channel],
            reason=json.dumps(reason.to_json(), ensure_ascii=False),
        )
        self._do(self._taken(one, told, hand_over.take(self._link, one.holder.name, step, trunk=trunk)))

    async def _taken(self, one: _Waiting, told: TakenOver, sending: Awaitable[hand_over.Outcome]) -> None:
        outcome = await sending
        log.info("a holding caller is sent to who is free", pbx=self._pbx, outcome=outcome.kind, place=told.place)
        if outcome.kind == "sent":
            self._put(told)
            return
        if one.rung == told.person:
            one.rung = ""
        one.passed_over[told.person] = time.monotonic() + AGAIN_SECONDS
        if outcome.kind == "channel_gone":
            self._left(one.holder.channel)

    def _tell_places(self) -> None:
        """Write each caller's place and expected wait where they are new."""
        found = places(one.holder for one in self._waiting.values())
        people = {one.holder.team: self._at_work(one.holder) for one in self._waiting.values()}
        writes: list[dict[str, str]] = []
        for channel, one in self._waiting.items():
            team, place = one.holder.team, found[channel]
            told = (place, expected_minutes(place, self._talk_seconds.get(team, TALK_SECONDS), people[team]))
            if told != one.told:
                one.told = told
                writes += _set(one.holder.name, SWITCHHOOK_PLACE=str(place), SWITCHHOOK_EXPECT=str(told[1] or ""))
        if writes:
            self._do(self._write(writes))

    def _at_work(self, holder: Holder) -> int:
        arrival = self._arrival(holder)
        return at_work(holder.team, arrival, self._memory.facts(arrival))

    async def _write(self, writes: Sequence[dict[str, str]]) -> None:
        try:
            await self._link.actions(writes)
        except LinkError as error:
            log.warning("the places of holding callers were not written", pbx=self._pbx, error=str(error))

    async def _kept(self, name: str) -> None:
        outcome = await hand_over.keep(self._link, name)
        if outcome.kind != "sent":
            log.warning("a wish to be called back was not confirmed", pbx=self._pbx, why=outcome.kind)

    async def _learn_tries(self, one: _Waiting) -> None:
        try:
            async with self._engine.connect() as connection:
                tries = await tries_in_vain(connection, one.holder.number)
        except (SQLAlchemyError, OSError) as error:
            log.warning("earlier calls of a holding caller are not known", error=type(error).__name__)
            return
        one.holder = replace(one.holder, tries=tries)
        self._wake.set()

    async def _learn_talks(self) -> None:
        directory = self._memory.directory
        if directory is None:
            return
        try:
            async with self._engine.connect() as connection:
                for team in self.counts:
                    lines = [line.number for line in directory.lines if line.team == team]
                    self._talk_seconds[team] = await talk_seconds(connection, lines) or TALK_SECONDS
        except (SQLAlchemyError, OSError) as error:
            log.warning("how long talks last is not known", error=type(error).__name__)

    async def _connected(self, link: Link) -> None:
        """Ask who holds already, so that nobody is served before those who came first; the dialplan tells the rest."""
        try:
            channels = [Told(self._pbx, one) for one in (await link.action({"Action": "CoreShowChannels"})).events]
            # Who is in Dial is being sent to somebody, or talks.
            held = [one for one in channels if one["context"] == CONTEXT and one["application"].lower() != "dial"]
            for one in held:
                self._holds(Told(self._pbx, {**one.plain, **await _variables(link, one["channel"])}))
        except LinkError as error:
            log.warning("who holds could not be asked", pbx=self._pbx, error=str(error))
        self._knows = True
        self._wake.set()

    def _disconnected(self, _link: Link) -> None:
        """Who holds is asked anew; meanwhile they may leave unheard."""
        self._knows = False
        self._waiting.clear()
        self._plans.clear()

    def _do(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)


def _set(channel: str, **variables: str) -> Iterable[dict[str, str]]:
    return [
        {"Action": "Setvar", "Channel": channel, "Variable": name, "Value": value} for name, value in variables.items()
    ]


async def _variables(link: Link, channel: str) -> dict[str, str]:
    """What a holding channel holds for, by the names of SwitchhookHolding; empty for one that is gone. As `Link`."""
    asked = [{"Action": "Getvar", "Channel": channel, "Variable": name} for name in _VARIABLES.values()]
    values = [str(reply.fields.get("Value", "")) for reply in await link.actions(asked)]
    return dict(zip(_VARIABLES, values, strict=True))
