"""Those who hold at one PBX: told their place, and sent to who comes free for them.

Nothing of it is stored: at each connection the channels that hold are asked for, with the moment they began; and the
dialplan says it of each every few seconds (SwitchhookHolding), so that one that was overseen is known after a round.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.events import Event, TakenOver
from directory.model import RING_SECONDS, Directory
from routing.choice import Choice
from routing.gather import is_public
from routing.history import tries_in_vain
from routing.memory import Memory
from routing.plan import Plan, Step, Target
from routing.waiting import Holder, Moment, anybody, arrival_of, at_work, came_free, free_for, match, places
from service.hold_places import Places
from service.hold_wishes import Stored, Wishes
from telephony import hand_over, waiting
from telephony.holding_channels import who_holds
from telephony.link import Link
from telephony.pbx import LinkError, Message
from telephony.told import Message as Told
from telephony.told import moment

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

AGAIN_SECONDS: Final = 60.0
"""Who did not answer a caller is not rung for the same one sooner."""
LOOK_SECONDS: Final = 0.1
"""Not looked more often whether somebody came free: phones change in bursts, and who calls in waits for the loop."""
PLANS_MOST: Final = 1000
_TICK_SECONDS: Final = 1.0
_TALKS_SECONDS: Final = 60.0
_LOST_SECONDS: Final = 10.0
"""A ring that the PBX has not told the end of so long after its time is forgotten."""


@dataclass(slots=True)
class _Waiting:
    """One caller, and whom we ring for them, on which devices so far; times are of time.monotonic()."""

    holder: Holder
    rung: str = ""
    rung_until: float = 0.0
    tried: set[str] = field(default_factory=set)
    passed_over: dict[str, float] = field(default_factory=dict)


class Holding:
    """All who hold at one PBX; `run` ends only by cancellation. `put` takes an event for the record."""

    def __init__(
        self, link: Link, memory: Memory, engine: AsyncEngine, put: Callable[[Event], None], stored: Stored
    ) -> None:
        self._pbx = link.settings.name
        self._link = link
        self._memory = memory
        self._engine = engine
        self._put = put
        self._places = Places(link, engine)
        self._wishes = Wishes(link, stored)
        self._waiting: dict[str, _Waiting] = {}
        self._plans: dict[str, frozenset[str]] = {}
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

    def waiting(self) -> dict[str, int]:
        """How many hold for each team of the directory, 0 told too."""
        directory, counts = self._memory.directory, self.counts
        return {team.key: counts.get(team.key, 0) for team in directory.teams} if directory else {}

    def planned(self, channel: str, plan: Plan) -> None:
        """Remember who is rung before the caller holds: they are not rung again at once."""
        if any(step.kind == "hold" for step in plan.steps):
            rung = (target.person for step in plan.steps if step.kind == "ring" for target in step.targets)
            self._plans[channel] = frozenset(filter(None, rung))
            while len(self._plans) > PLANS_MOST:  # of callers who had hung up before they were planned for
                del self._plans[next(iter(self._plans))]

    def look_soon(self) -> None:
        """Look whether somebody came free."""
        self._wake.set()

    def hear(self, message: Message) -> None:
        """Take one AMI event; never waits, and never raises what one caller's trouble is."""
        try:
            self._hear(message)
        except Exception as error:  # noqa: BLE001  # the events of the others must be heard
            self._say("an event of a holding caller was not understood", error)

    def _hear(self, message: Message) -> None:
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
                if self._wishes.open(channel):
                    self._do(self._wishes.confirm(channel, told["channel"]))
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
            if self._waiting and time.monotonic() - asked_at > _TALKS_SECONDS and self._memory.directory is not None:
                asked_at = time.monotonic()
                self._do(self._places.learn(self._memory.directory, self.counts))
            try:
                self._look()
            except Exception as error:  # noqa: BLE001  # a caller whom nothing serves holds on; the others must be served
                self._say("holding callers could not be served", error)
            await asyncio.sleep(LOOK_SECONDS)

    def _holds(self, told: Told) -> None:
        """Take in one who may have held before we listened; the record is told of their begin."""
        if self._joined(told):
            for joined in waiting.held(told.where(), told["team"], told["since"]):
                self._put(joined)

    def _joined(self, told: Told) -> bool:
        """Whether this caller was not known to hold."""
        since = moment(told["since"]) or told.at
        known = told["uniqueid"] in self._waiting or told["uniqueid"] in self._wishes
        if known or not told["team"] or since is None:
            return False
        directory = self._memory.directory
        number = directory.normal(told["calleridnum"], told["line"]) if directory else told["calleridnum"]
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
            free = self._free(one, self._now(), ())
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
        """Go on with the person's other devices, then with other people."""
        one = self._waiting.get(channel)
        directory = self._memory.directory
        if one is None or not one.rung or directory is None:
            return
        choice = self._now().of(one.holder).choose(one.rung)
        attempts = choice.attempts if choice else ()
        left = next((it for it in attempts if one.tried.isdisjoint(target.device for target in it)), None)
        if choice is not None and left is not None:
            self._take(one, choice, left, directory)
            return
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
        if not self._waiting:
            return
        moment = self._now()
        rung = {one.rung for one in self._waiting.values() if one.rung}
        free: dict[str, Mapping[str, Choice]] = {}
        for channel, one in self._waiting.items():
            if not one.rung:
                left_out = rung | {key for key, until in one.passed_over.items() if until > now}
                free[channel] = self._free(one, moment, left_out)
        holders = [self._waiting[channel].holder for channel in free]
        for found in match(holders, {channel: tuple(people) for channel, people in free.items()}):
            choice = free[found.channel][found.person]
            self._take(self._waiting[found.channel], choice, choice.attempts[0], directory)
        waiting = [one.holder for one in self._waiting.values()]
        news = self._places.news(waiting, lambda team: at_work(team, moment.of(anybody(team))))
        if news:
            self._do(self._places.write(news))

    def _free(self, one: _Waiting, moment: Moment, left_out: Collection[str]) -> Mapping[str, Choice]:
        """Whoever can be rung for this caller now; the owner is looked up anew. Nobody, where that goes wrong."""
        try:
            one.holder = replace(one.holder, owner=self._memory.owner(one.holder.number) or "")
            return free_for(one.holder, moment.of(one.holder), left_out)
        except Exception as error:  # noqa: BLE001  # one caller's trouble must not be the others'
            self._say("nobody could be found for a holding caller", error)
            return {}

    def _now(self) -> Moment:
        at = datetime.fromtimestamp(self._link.clock.pbx_now(), UTC)
        return Moment(self._pbx, at, self._memory.facts(arrival_of(anybody(""), self._pbx, at)))

    def _take(self, one: _Waiting, choice: Choice, targets: tuple[Target, ...], directory: Directory) -> None:
        """Ring these devices of this person for this caller."""
        line = directory.line(one.holder.line)
        usual = line.ring_seconds if line else RING_SECONDS
        reason = came_free(one.holder, choice.person)
        step = Step("ring", targets, max(target.seconds or usual for target in targets), reason)
        trunk = next((target.trunk for target in targets if target.trunk), "")
        if one.rung != choice.person.key:
            one.tried.clear()
        one.tried |= {target.device for target in targets if target.device}
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

    async def _learn_tries(self, one: _Waiting) -> None:
        try:
            async with self._engine.connect() as connection:
                tries = await tries_in_vain(connection, one.holder.number)
        except (SQLAlchemyError, OSError) as error:
            log.warning("earlier calls of a holding caller are not known", error=type(error).__name__)
            return
        one.holder = replace(one.holder, tries=tries)
        self._wake.set()

    async def _connected(self, link: Link) -> None:
        """Ask who holds already, so that nobody is served before those who came first; the dialplan tells the rest."""
        try:
            for told in await who_holds(link):
                self._holds(told)
        except LinkError as error:
            log.warning("who holds could not be asked", pbx=self._pbx, error=str(error))
        self._knows = True
        self._wake.set()

    def _disconnected(self, _link: Link) -> None:
        """Who holds is asked anew; meanwhile they may leave unheard."""
        self._knows = False
        self._waiting.clear()
        self._plans.clear()
        self._places.forget()

    def _say(self, what: str, error: Exception) -> None:
        """Say what went wrong, without its words, which may tell of people."""
        log.error(what, pbx=self._pbx, error=type(error).__name__)

    def _do(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)
