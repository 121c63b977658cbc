"""Calls out of one PBX: what is dialled on phones is judged in time, what was asked for is placed, each call once.

A call is taken in the database before it is written to the PBX, under a channel name made of its row's id. Whoever dies
in between leaves a row that the next one settles: by the record of that channel, where the PBX ever had it, and else by
placing it anew, once everything that the PBX wrote before we were connected is in the store.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.events import Event, OutgoingJudged, device
from directory.model import Directory, Line, Person
from directory.numbers import dialling
from routing import placing
from routing.arrival import Arrival
from routing.destinations import destinations
from routing.first_device import first_device
from routing.memory import Memory
from routing.outgoing import Allowed, may_call
from routing.plan import Reason, Target
from routing.requests import CHANNEL, Desk, UnknownPersonError, Wish, ask
from service.recovery import Recovery
from telephony.ami import raised_by_dialplan
from telephony.hand_over import WAKE
from telephony.heartbeat import pbx_time
from telephony.link import Link
from telephony.pbx import ActionRefused, LinkError, Message

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

ASKED: Final = "SwitchhookOutbound"
RING_SECONDS: Final = 25
_LOOK_SECONDS: Final = 1.0
_AWAY_SECONDS: Final = 1.0
_LOST_SECONDS: Final = 15.0
"""So long after it was taken a call without a trace at the PBX, and without CEL that could tell, is given up."""
_FAILURES: Final = {"1": "rejected", "3": "no_answer", "5": "busy", "8": "unreachable"}
"""Asterisk's Reason of a failed OriginateResponse: its control frames HANGUP, RINGING, BUSY, CONGESTION (frame.h)."""
_AWAY = (SQLAlchemyError, OSError, TimeoutError)

Tell = Callable[[datetime, Event], None]


class Outgoing:
    """The calls out of one PBX; `run` ends only by cancellation, `heard` takes every message of the PBX."""

    def __init__(
        self,
        link: Link,
        memory: Memory,
        engine: AsyncEngine,
        recovery: Recovery,
        tell: Tell,
        desk: Desk,
        *,
        budget_seconds: float,
    ) -> None:
        """`tell` records an event; `budget_seconds` is how long who dials may wait for the database."""
        self._pbx = link.settings.name
        self._link = link
        self._memory = memory
        self._engine = engine
        self._recovery = recovery
        self._tell = tell
        self._desk = desk
        self._budget_seconds = budget_seconds
        self._wake = asyncio.Event()
        self._announced: dict[str, OutgoingJudged] = {}
        self._placed: dict[str, UUID] = {}
        self._asking: set[asyncio.Task[None]] = set()
        link.on_disconnect.append(self._disconnected)

    async def run(self) -> None:
        """Place what is wanted, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_listening())
            group.create_task(self._keep_placing())

    def heard(self, message: Message) -> None:
        """Take one AMI event; never waits."""
        match message.get("Event"):
            case "UserEvent" if message.get("UserEvent") == ASKED and raised_by_dialplan(message):
                self._begin(self._answer(message))
            case "OriginateResponse":
                self._begin(self._responded(message))
            case "Newchannel" if judged := self._announced.pop(str(message.get("Uniqueid")), None):
                at = self._time(message)
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

    def _begin(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    def _time(self, message: Message) -> datetime:
        return datetime.fromtimestamp(pbx_time(message) or self._link.clock.pbx_now(), UTC)

    # --- dialled on a phone -------------------------------------------------------------------------------------------

    async def _answer(self, message: Message) -> None:
        """Answer the dialplan that waits: whether the call may be made, and what it shows."""
        directory = self._memory.directory
        if directory is None:
            return
        to, channel = str(message.get("To", "")), str(message.get("Channel", ""))
        address = device(str(message.get("By") or channel))
        person = directory.person_of_device(address)
        reason = await self._judge(to, person, directory, address, str(message.get("Uniqueid", "")))
        line = directory.outgoing_line(person)
        answer = "refuse" if reason else f"allow|{shown_by(line)}|{(line.trunk if line else None) or ''}"
        setting = {"Action": "Setvar", "Channel": channel, "Variable": "SWITCHHOOK_OUT", "Value": answer}
        try:
            written, _ = await self._link.actions([setting, {"Action": "PlayDTMF", "Channel": channel, **WAKE}])
        except LinkError as error:
            log.warning("who dialled was not answered", pbx=self._pbx, error=str(error))
            return
        log.info("call out judged", purpose="dialled", allowed=not reason, reason=reason, taken=written.success)
        at = self._time(message)
        told = OutgoingJudged(
            pbx=self._pbx,
            channel=str(message.get("Uniqueid", "")),
            at=at,
            purpose="dialled",
            person=person.key if person else "",
            number=directory.normal(to),
            allowed=not reason,
            reason=reason,
            shown=shown_by(line),
        )
        self._tell(at, told)

    async def _judge(self, to: str, person: Person | None, directory: Directory, address: str, channel: str) -> str:
        """The key of a refusal, empty when the call may be made; without the database by the directory alone."""
        wish = Wish(
            to=to,
            person=person.key if person else None,
            purpose="dialled",
            asked_by=address,
            pbx=self._pbx,
            channel=channel,
            device=address,
        )
        try:
            async with asyncio.timeout(self._budget_seconds), self._engine.begin() as connection:
                return (await ask(connection, wish, self._desk)).reason_key or ""
        except (*_AWAY, UnknownPersonError) as error:
            log.warning("a call out was judged without the database", pbx=self._pbx, error=type(error).__name__)
        judged = may_call(to, person, directory)
        return "" if isinstance(judged, Allowed) else judged.reason.key

    # --- asked for ----------------------------------------------------------------------------------------------------

    async def _keep_listening(self) -> None:
        """Be woken by each wanted call; while the database does not tell, the look of every second finds it."""
        while True:
            with suppress(*_AWAY):
                await self._listen()
            await asyncio.sleep(_AWAY_SECONDS)

    async def _listen(self) -> None:
        """Be woken until the database closes the connection. Raises what the driver raises."""
        lost = asyncio.Event()
        async with self._engine.connect() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            driver.add_termination_listener(lambda *_: lost.set())
            try:
                await driver.add_listener(CHANNEL, lambda *_: self._wake.set())
                await lost.wait()
            finally:
                await connection.invalidate()

    async def _keep_placing(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._wake.wait()
            self._wake.clear()
            if not self._link.state.connected or self._memory.directory is None:
                continue
            try:
                await self._settle_left_behind()
                while await self._place_next(self._memory.directory):
                    pass
            except _AWAY as error:
                log.warning("wanted calls could not be read now", pbx=self._pbx, error=type(error).__name__)

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
        judged = OutgoingJudged(
            pbx=self._pbx,
            channel=row.channel,
            purpose=row.purpose,
            person=row.person,
            number=row.number,
            shown=shown_by(line),
        )
        self._announced[row.channel] = judged
        try:
            reply = await self._link.action(originate(row, first, line, client_first=client_first))
        except ActionRefused as error:
            self._announced.pop(row.channel, None)
            log.warning("the PBX did not take a call", pbx=self._pbx, error=str(error))
            await self._settle(row.id, "failed", "pbx_refused", first.device)
            return
        except LinkError as error:
            log.warning("a call may not have reached the PBX", pbx=self._pbx, error=str(error))
            return
        self._placed[str(reply.fields.get("ActionID"))] = row.id
        await self._settle(row.id, "placed", None, first.device)
        log.info("call placed", pbx=self._pbx, purpose=row.purpose, outgoing=str(row.id))

    async def _responded(self, message: Message) -> None:
        """Who comes first answered, or did not."""
        call_id = self._placed.pop(str(message.get("ActionID")), None)
        if call_id is None:
            return
        answered = message.get("Response") == "Success"
        reason = None if answered else _FAILURES.get(str(message.get("Reason")), "unreachable")
        log.info("call answered" if answered else "call failed", pbx=self._pbx, outgoing=str(call_id), reason=reason)
        with suppress(*_AWAY):
            await self._settle(call_id, "connected" if answered else "failed", reason)

    async def _settle(self, call_id: UUID, state: str, reason: str | None, address: str | None = None) -> None:
        async with self._engine.begin() as connection:
            await placing.settle(connection, call_id, state, reason, address)

    def _disconnected(self, _link: Link) -> None:
        """What was placed is settled by the record from now on: its answer may have passed unheard."""
        self._placed.clear()
        self._announced.clear()

    async def _settle_left_behind(self) -> None:
        async with self._engine.begin() as connection:
            for row in await placing.left_behind(connection, self._pbx, list(self._placed.values())):
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


def shown_by(line: Line | None) -> str:
    """The number that the other side sees; empty, the PBX's own choice, for an internal line."""
    number = (line.shows or line.number) if line else ""
    return number if len(number) > 6 else ""


def outgoing_settings(directory: Directory) -> dict[str, str]:
    """What the PBX judges and shows by while the service is away, as `telephony.liveness.write_fallbacks` leaves it."""
    told = {
        "DESTINATIONS": destinations(directory),
        "DIALLING": "_".join(dialling(directory.company.region)),
        "SHOWN": shown_by(directory.outgoing_line(None)),
    }
    return {kind: value for kind, value in told.items() if value}


def originate(row: Any, first: Target, line: Line, *, client_first: bool) -> dict[str, str | list[str]]:
    """The action that calls who comes first and then the other one, each seeing the right number."""
    seconds = RING_SECONDS * 1000
    told: dict[str, str | list[str]] = {
        "Action": "Originate",
        "ChannelId": row.channel,
        "Context": "switchhook-outbound",
        "Priority": "1",
        "CallerID": f"<{row.number}>",
        "Timeout": str(seconds),
        "Async": "true",
    }
    out = f"SWITCHHOOK_OUT=allow|{shown_by(line)}|{line.trunk}"
    if client_first:
        back = [f"SWITCHHOOK_BACK={first.dial}", f"SWITCHHOOK_LINE={shown_by(line)}", f"SWITCHHOOK_TRUNK={first.trunk}"]
        channel = f"Local/{row.number}@switchhook-outbound/n"
        return told | {"Channel": channel, "Exten": "back", "Variable": [out, *back]}
    mobile = [f"SWITCHHOOK_LINE={shown_by(line)}", f"SWITCHHOOK_TRUNK={first.trunk}"] if first.trunk else []
    return told | {"Channel": first.dial, "Exten": row.number, "Variable": [out, *mobile]}
