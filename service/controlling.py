"""Holds, hands over and hangs up calls at one PBX, for whoever asked by page or API: telephony.controls tells what."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.call import Call
from calls.consulting import consultation_of, is_on_hold
from calls.view import CallView, view
from directory.model import Directory, Person
from routing.arrival import Arrival
from routing.choice import choose
from routing.memory import Memory
from routing.plan import Target
from service.listening import Listening, keep_doing
from service.wishers import Wishers
from telephony.controls import CHANNEL, FRESH_SECONDS, Control, Outcome, settle, start, unsettled
from telephony.hand_over import WAKE
from telephony.link import Link
from telephony.pbx import ActionRefused
from telephony.plan_variables import OUTSIDE, UnsafeDialError, consult_variable, send_variable

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

HOLD_KEYS: Final = "*9"
"""What puts the other side on hold: see switchhook-held in the dialplan."""
_HOLD: Final = "switchhook-held"
_KEY_MS: Final = "100"
_NUMBER: Final = re.compile(r"\+?[0-9]{2,31}")
_KEYS: Final = re.compile(r"[0-9]{2,33}")
_NO_NUMBER: Final = "00"
"""What is dialled to consult who has no extension."""
RING_SECONDS: Final = 25
"""How long a colleague's phone rings: to be consulted, or for who was sent on, before it rings at who sent them."""
_OUTSIDE_SECONDS: Final = 60
"""How long a number outside rings to be consulted."""
_LATE_SECONDS: Final = 5
"""So long after that Asterisk gives up by itself."""


@dataclass(frozen=True, slots=True)
class _Way:
    """What rings, so long at most, as `number` in the record; with OUTSIDE as `dial` that number outside."""

    number: str
    dial: str
    trunk: str
    seconds: int


class Controlling:
    """Does what is wanted of one PBX's calls; `run` ends only by cancellation."""

    def __init__(self, link: Link, memory: Memory, engine: AsyncEngine, listening: Listening, wishers: Wishers) -> None:
        """`wishers` is told on which channel whose wish is done."""
        self._pbx = link.settings.name
        self._link = link
        self._memory = memory
        self._engine = engine
        self._wishers = wishers
        self._wake = listening.wake(CHANNEL)

    async def run(self) -> None:
        """Do what is wanted, until cancelled."""
        await keep_doing("controls", self._wake, self._link, self._do_wanted)

    async def _do_wanted(self) -> None:
        """Do every wish, in the order of asking. Raises what the driver raises, and LinkError."""
        directory = self._memory.directory
        if directory is None:
            return
        async with self._engine.connect() as connection:
            wanted = await unsettled(connection, self._pbx)
        for control in wanted:
            outcome = await self._once(control, directory)
            if outcome is None:
                continue
            async with self._engine.begin() as connection:
                await settle(connection, control.id, outcome)
            log.info("a call's control was wanted", pbx=self._pbx, what=control.what, outcome=outcome)

    async def _once(self, control: Control, directory: Directory) -> Outcome | None:
        """What became of it; None while who started it is at it. What was started is never done again."""
        if control.started_seconds is not None:
            return "not_yet" if control.started_seconds > FRESH_SECONDS else None
        async with self._engine.begin() as connection:
            started = await start(connection, control.id)
        return await self._do(control, directory) if started else None

    async def _do(self, control: Control, directory: Directory) -> Outcome:
        """Have the PBX do it. Raises LinkError where it did not answer."""
        if control.age_seconds > FRESH_SECONDS:
            return "too_late"
        seen = view(control.call)
        channel = channel_of(seen, control.person, directory)
        if channel is None or control.call.channels[channel].ended_at is not None:
            return "over"
        if control.what in {"hold", "transfer", "consult"} and consultation_of(control.call, channel):
            return "consulting"
        self._wishers.note(control.call.channels[channel].name[1], control.person)
        try:
            return await self._turn(control, seen, channel, directory)
        except (ActionRefused, UnsafeDialError) as error:
            log.warning("a call was not controlled", pbx=self._pbx, what=control.what, error=str(error))
            return "refused_by_pbx"

    async def _turn(self, control: Control, seen: CallView, channel: str, directory: Directory) -> Outcome:
        match control.what:
            case "hang_up":
                return await self._hang_up(channel)
            case "hold":
                return await self._hold(channel)
            case "resume":
                return await self._resume(control.call, channel)
            case "transfer":
                return await self._transfer(control, seen, channel, directory)
            case "consult":
                return await self._consult(control, seen, channel, directory)
            case "connect":
                return await self._connect(control.call, channel)
            case _:  # what only a newer version's web role knows of
                return "refused_by_pbx"  # type: ignore[unreachable]

    async def _hang_up(self, channel: str) -> Outcome:
        await self._link.action({"Action": "Hangup", "Channel": channel, "Cause": "16"})
        return "done"

    async def _hold(self, channel: str) -> Outcome:
        """Press the keys of hold on the person's channel, where they mean that: else the client would hear them."""
        told = await self._variable(channel, "DYNAMIC_FEATURES")
        if _HOLD not in told.split("#"):
            return "no_hold"
        if "," in await self._peers(channel):
            return "crowd"
        for key in HOLD_KEYS:
            pressed = {"Action": "PlayDTMF", "Channel": channel, "Digit": key, "Receive": "true", "Duration": _KEY_MS}
            await self._link.action(pressed)
        return "done"

    async def _resume(self, call: Call, channel: str) -> Outcome:
        """Take the other side back: off hold, or out of a consultation, which ends for who is consulted."""
        if not await self._consults(call, channel):
            await self._link.action({"Action": "PlayDTMF", "Channel": channel, **WAKE})
        else:
            await self._link.action({"Action": "CancelAtxfer", "Channel": channel})
        return "done"

    async def _consult(self, control: Control, seen: CallView, channel: str, directory: Directory) -> Outcome:
        """Have the person talk with somebody first, while whoever they talked with hears music.

        Asterisk's own attended transfer, by its keys on the person's channel, where they mean that: else the client
        would hear them.
        """
        allowed = await self._variable(channel, "CHANNEL(dtmf_features)")
        if "T" not in allowed or not await self._variable(channel, "FEATUREMAP(atxfer)"):
            return "no_consult"
        if not await self._has_new_dialplan():
            return "no_consult"
        peers = await self._peers(channel)
        if not peers or "," in peers:
            return "crowd" if peers else "over"
        if is_on_hold(control.call, channel):  # the keys would only end it
            return "on_hold"
        way = self._way(control, seen, directory)
        if way is None:
            return "nobody_free"
        name, value = consult_variable(way.dial, seconds=way.seconds, trunk=way.trunk)
        own = {
            name: value,
            "FEATURE(atxfernoanswertimeout)": str(way.seconds + _LATE_SECONDS),
            # While a beep is played nobody is heard, and no keys are.
            "FEATURE(xfersound)": "",
            "FEATURE(xferfailsound)": "",
        }
        for variable, told in own.items():
            setting = {"Action": "Setvar", "Channel": channel, "Variable": variable, "Value": told}
            await self._link.action(setting)
        keys = way.number.replace("+", "00")
        keys = keys if _KEYS.fullmatch(keys) else _NO_NUMBER
        # The last key says that the number is whole.
        asked = {"Action": "Atxfer", "Channel": channel, "Exten": f"{keys}#", "Context": "switchhook-consult"}
        await self._link.action(asked)
        return "done"

    async def _connect(self, call: Call, channel: str) -> Outcome:
        """Hand the other side over to who is consulted: Asterisk does when who consults hangs up."""
        consultation = consultation_of(call, channel)
        if not (consultation and consultation.other and await self._consults(call, channel)):
            return "not_answered"
        return await self._hang_up(channel)

    async def _consults(self, call: Call, channel: str) -> bool:
        """Whether the person is with whom they consult, also by the PBX's last word: they may be back this moment."""
        consultation = consultation_of(call, channel)
        if consultation is None or consultation.by != channel:
            return False
        return await self._peers(channel) not in {"", call.channels[consultation.client].name[1]}

    async def _transfer(self, control: Control, seen: CallView, channel: str, directory: Directory) -> Outcome:
        """Send whoever the person talks with to a colleague, or to a number that the dialplan judges once more."""
        peer = await self._peers(channel)
        if not peer or "," in peer:
            return "crowd" if peer else "over"
        way = self._way(control, seen, directory)
        if way is None:
            return "nobody_free"
        if way.dial == OUTSIDE and not await self._has_new_dialplan():
            return "refused_by_pbx"
        back = _back(directory.person(control.person), seen, channel)
        name, value = send_variable(way.dial, seconds=way.seconds, trunk=way.trunk, back=back)
        await self._link.action({"Action": "Setvar", "Channel": peer, "Variable": name, "Value": value})
        sent = {"Action": "BlindTransfer", "Channel": channel, "Context": "switchhook-send", "Exten": way.number or "s"}
        await self._link.action(sent)
        return "done"

    def _way(self, control: Control, seen: CallView, directory: Directory) -> _Way | None:
        """What is to ring for a transfer or a consultation; None: no device of the colleague can ring now."""
        if control.colleague is None:
            number = control.number or ""
            if not _NUMBER.fullmatch(number):
                raise UnsafeDialError("the number to reach is of no safe form")
            # It is rung as it was judged: digits alone the dialplan would read anew, as digits of the company's region.
            return _Way(number=f"+{number.removeprefix('+')}", dial=OUTSIDE, trunk="", seconds=_OUTSIDE_SECONDS)
        colleague = directory.person(control.colleague)
        target = self._target(colleague, seen) if colleague else None
        if target is None or colleague is None:
            return None
        number = next((it.number for it in colleague.devices if it.number), None) or ""
        return _Way(number, target.dial, target.trunk, math.ceil(target.seconds or RING_SECONDS))

    def _target(self, colleague: Person, seen: CallView) -> Target | None:
        """The first device of a colleague that can ring now, judged as for a caller who comes in; None: none can."""
        arrival = Arrival(
            pbx=self._pbx,
            channel=seen.caller_channel,
            line=seen.line or "",
            caller_number=seen.caller_number,
            caller_name="",
            at=datetime.fromtimestamp(self._link.clock.pbx_now(), UTC),
        )
        attempts = choose(colleague, arrival, self._memory.facts(arrival)).attempts
        return attempts[0][0] if attempts else None

    async def _has_new_dialplan(self) -> bool:
        """Whether its switchhook.conf knows numbers outside: an older one rings at who sends the client instead."""
        told = await self._link.action({"Action": "Getvar", "Variable": "DIALPLAN_EXISTS(switchhook-consult,00,1)"})
        return told.fields.get("Value") == "1"

    async def _peers(self, channel: str) -> str:
        """The names of the channels that it talks with, with commas between them."""
        return await self._variable(channel, "BRIDGEPEER")

    async def _variable(self, channel: str, name: str) -> str:
        reply = await self._link.action({"Action": "Getvar", "Channel": channel, "Variable": name})
        return str(reply.fields.get("Value", ""))


def channel_of(seen: CallView, person: str, directory: Directory) -> str | None:
    """The uniqueid of the channel on which a person talks in a call now; None: they do not."""
    for leg in seen.legs:
        if leg.outcome == "answered" and leg.ended_at is None:
            found = directory.person_of_device(leg.device) or directory.person_of_number(leg.number)
            if found is not None and found.key == person:
                return leg.channel
    caller = directory.person_of_device(seen.caller_device) or directory.person_of_number(seen.caller_number)
    return seen.caller_channel if caller is not None and caller.key == person and seen.ended_at is None else None


def _back(person: Person | None, seen: CallView, channel: str) -> str:
    """What rings at who sent a client on, where nobody took them: the phone they talked on; "" for a mobile."""
    leg = next((it for it in seen.legs if it.channel == channel), None)
    device = leg.device if leg else seen.caller_device
    phones = [it.address for it in person.devices if it.kind != "mobile"] if person else []
    return device if device in phones else next(iter(phones), "")
