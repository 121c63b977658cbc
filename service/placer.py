"""Places the calls that were asked for, each once.

A call is taken in the database before it is written to the PBX, under a channel name made of its row's id. Whoever dies
in between leaves a row that the next one settles: by the record of that channel, where the PBX ever had it, and else by
placing it anew, once everything that the PBX wrote before we were connected is in the store.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from calls.events import OutgoingJudged
from directory.model import Directory, Line, Person
from routing import placing
from routing.arrival import Arrival
from routing.first_device import first_device
from routing.memory import Memory
from routing.plan import Reason, Target
from routing.recent import Recent
from routing.requests import CHANNEL
from service.judge import Tell, shown_by, time_of
from service.listening import Listening, keep_doing
from service.recovery import Recovery
from service.unanswered import hung_up, why_unanswered
from telephony.link import Link
from telephony.pbx import ActionRefused, LinkError, Message
from telephony.plan_variables import OUT, UnsafeDialError, allow_out, person_variables

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

RING_SECONDS: Final = 25
_ANSWER_SECONDS: Final = RING_SECONDS + 20
"""So long after it was placed the PBX has said what became of it, or its answer is lost."""
_LOST_SECONDS: Final = 15.0
"""So long after it was taken a call without a trace at the PBX, and without CEL that could tell, is given up."""
_AWAY = (SQLAlchemyError, OSError, TimeoutError)


@dataclass(frozen=True, slots=True)
class _Placed:
    """A call whose answer is awaited: its row, what rings first, and when (`loop.time`) it was placed.

    `cause` is done when what rings first hangs up.
    """

    id: UUID
    channel: str
    device: str
    at: float
    cause: asyncio.Future[str]


class Placer:
    """Places the calls of one PBX; `run` ends only by cancellation, the others take its events."""

    def __init__(
        self,
        link: Link,
        memory: Memory,
        engine: AsyncEngine,
        listening: Listening,
        recovery: Recovery,
        tell: Tell,
        recent: Recent,
    ) -> None:
        """`tell` records an event, `recent` is told of each call."""
        self._pbx = link.settings.name
        self._link = link
        self._memory = memory
        self._engine = engine
        self._recovery = recovery
        self._tell = tell
        self._recent = recent
        self._wake = listening.wake(CHANNEL)
        self._announced: dict[str, OutgoingJudged] = {}
        self._placed: dict[str, _Placed] = {}
        link.on_disconnect.append(self._disconnected)

    async def run(self) -> None:
        """Place what is wanted, until cancelled."""
        # Whatever is wrong with what is left behind keeps no new call from being placed, and the other way round.
        await keep_doing("calls out", self._wake, self._link, self.settle_left_behind, self._place_wanted)

    def created(self, message: Message) -> None:
        """Take a Newchannel event: the first channel of a call of ours tells what it is for."""
        judged = self._announced.pop(str(message.get("Uniqueid")), None)
        if judged is not None:
            at = time_of(self._link, message)
            told = OutgoingJudged(
                pbx=self._pbx,
                channel=str(message["Uniqueid"]),
                at=at,
                purpose=judged.purpose,
                person=judged.person,
                number=judged.number,
                shown=judged.shown,
            )
            self._tell(at, told)

    def ended(self, message: Message) -> None:
        """Take a Hangup event: it tells why a call that we placed was not answered."""
        channel = message.get("Uniqueid")
        for placed in self._placed.values():
            if placed.channel == channel:
                hung_up(message, placed.cause)

    async def _place_wanted(self) -> None:
        directory = self._memory.directory
        while directory is not None and await self._place_next(directory):
            pass

    async def _place_next(self, directory: Directory) -> bool:
        """Place one wanted call; False when there is none."""
        async with self._engine.begin() as connection:
            row = await placing.take(connection, self._pbx)
        if row is None:
            return False
        person = directory.person(row.person)
        first = self._first(person, row) if person else None
        line = directory.line(row.line) if row.line else None
        if not isinstance(first, Target):
            await self._settle(row.id, "failed", first.key if first else "no_device")
        elif line is None or line.trunk is None:
            await self._settle(row.id, "failed", "no_line")
        else:
            await self._originate(row, first, line, client_first=self._client_first(row, line))
        return True

    def _first(self, person: Person, row: Any) -> Target | Reason:
        """The device that rings, as if the client had called the person now."""
        arrival = Arrival(
            pbx=self._pbx,
            channel=row.channel,
            line=row.line or "",
            caller_number=row.number,
            caller_name="",
            at=datetime.fromtimestamp(self._link.clock.pbx_now(), UTC),
        )
        asked_themselves = row.purpose == "click"
        return first_device(person, arrival, self._memory.facts(arrival), asked_themselves=asked_themselves)

    def _client_first(self, row: Any, line: Line) -> bool:
        return row.purpose == "callback" and line.callback is not None and line.callback.first == "client"

    async def _originate(self, row: Any, first: Target, line: Line, *, client_first: bool) -> None:
        """Have the PBX call who comes first; when the answer is lost, the row is left for who settles it."""
        try:
            action = originate(row, first, line, client_first=client_first)
        except UnsafeDialError as error:
            log.warning("a call was not handed to the PBX", pbx=self._pbx, error=str(error))
            await self._settle(row.id, "failed", "pbx_refused", first.device)
            return
        self._announced[row.channel] = OutgoingJudged(
            pbx=self._pbx,
            channel=row.channel,
            purpose=row.purpose,
            person=row.person,
            number=row.number,
            shown=shown_by(line),
        )
        # The answer may come with the PBX's word that it took the call: it is known before.
        action_id = str(row.id)
        loop = asyncio.get_running_loop()
        self._placed[action_id] = _Placed(row.id, row.channel, first.device, loop.time(), loop.create_future())
        self._recent.note(datetime.now(UTC), row.person, row.per_minute)
        try:
            await self._link.action(action)
        except ActionRefused as error:
            self._forget(action_id)
            log.warning("the PBX did not take a call", pbx=self._pbx, error=str(error))
            await self._settle(row.id, "failed", "pbx_refused", first.device)
            return
        except LinkError as error:
            self._forget(action_id)
            log.warning("a call may not have reached the PBX", pbx=self._pbx, error=str(error))
            return
        await self._settle(row.id, "placed", None, first.device)
        log.info("call placed", pbx=self._pbx, purpose=row.purpose, outgoing=action_id)

    async def responded(self, message: Message) -> None:
        """Take an OriginateResponse: who comes first answered, or did not."""
        action_id = str(message.get("ActionID"))
        placed = self._placed.get(action_id)
        if placed is None:
            return
        answered = message.get("Response") == "Success"
        reason = None if answered else await why_unanswered(message, placed.cause)
        self._forget(action_id)
        log.info("call answered" if answered else "call failed", pbx=self._pbx, outgoing=str(placed.id), reason=reason)
        with suppress(*_AWAY):
            await self._settle(placed.id, "connected" if answered else "failed", reason, placed.device)

    def _forget(self, action_id: str) -> _Placed | None:
        placed = self._placed.pop(action_id, None)
        if placed is not None:
            self._announced.pop(placed.channel, None)
        return placed

    async def _settle(self, call_id: UUID, state: str, reason: str | None, address: str | None = None) -> None:
        async with self._engine.begin() as connection:
            await placing.settle(connection, call_id, state, reason, address)

    def _disconnected(self, _link: Link) -> None:
        """What was placed is settled by the record from now on: its answer may have passed unheard."""
        self._placed.clear()
        self._announced.clear()

    async def settle_left_behind(self) -> None:
        """Settle the calls whose answer nobody awaits any more. Raises what the driver raises."""
        late = asyncio.get_running_loop().time() - _ANSWER_SECONDS
        for action_id in [known for known, placed in self._placed.items() if placed.at < late]:
            self._forget(action_id)
        own = [placed.id for placed in self._placed.values()]
        async with self._engine.begin() as connection:
            for row in await placing.left_behind(connection, self._pbx, own):
                try:
                    async with connection.begin_nested():
                        await self._settle_one(connection, row)
                except DBAPIError as error:
                    why = type(error.orig).__name__
                    log.warning("a call could not be settled", pbx=self._pbx, outgoing=str(row.id), error=why)

    async def _settle_one(self, connection: AsyncConnection, row: Any) -> None:
        if row.call_id is not None and (row.answered or row.ended_at is not None):
            state = "connected" if row.answered else "failed"
            await placing.settle(connection, row.id, state, None if row.answered else "no_answer")
        elif row.call_id is None and self._never_came(row):
            again = row.state == "placing" and await placing.want_again(connection, row.id)
            if not again:
                await placing.settle(connection, row.id, "failed", "interrupted")

    def _never_came(self, row: Any) -> bool:
        """Whether the PBX surely never had this call, or it is too long ago for whoever wanted it."""
        return self._recovery.caught_up_since(float(row.age)) or row.age > _LOST_SECONDS


def originate(row: Any, first: Target, line: Line, *, client_first: bool) -> dict[str, str | list[str]]:
    """The action that calls who comes first and then the other one, each seeing the right number.

    Its id is the row's. Raises UnsafeDialError where a value must not reach the dialplan.
    """
    told: dict[str, str | list[str]] = {
        "Action": "Originate",
        "ActionID": str(row.id),
        "ChannelId": row.channel,
        "Context": "switchhook-outbound",
        "Priority": "1",
        "CallerID": f"<{row.number}>",
        "Timeout": str(RING_SECONDS * 1000),
        "Async": "true",
    }
    shown = shown_by(line)
    out = f"{OUT}={allow_out(row.number, row.number, shown=shown, trunk=line.trunk or '')}"
    wanted = shown if client_first or first.trunk else ""
    dial, channel = person_variables(first.dial, line=wanted, trunk=first.trunk or "")
    if client_first:
        called = f"Local/{row.number}@switchhook-outbound/n"
        return told | {"Channel": called, "Exten": "back", "Variable": [out, f"SWITCHHOOK_BACK={dial}", *channel]}
    return told | {"Channel": dial, "Exten": row.number, "Variable": [out, *channel]}
