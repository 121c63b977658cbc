"""A PBX: whether it lets us in, what its user may do and hears, its dialplan, its build, its clock, its recordings."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Literal

from service.doctor.check import Check
from service.doctor.look import Asked, Known, aside
from service.settings import PbxSettings, Settings
from telephony.heartbeat import SKEW_SECONDS
from telephony.link import Link
from telephony.pbx import ActionRefused, Message

HOW: Final = "docs/how_to/connect_your_asterisk.md"
OLDEST: Final = (18, 6)
"""Asterisk's oldest version that our dialplan runs on."""

_LET_IN_SECONDS: Final = 6.0
_COMES_BACK_SECONDS: Final = 6.0
_DEVICE: Final = "Custom:switchhook-doctor"
"""A device state that nobody watches: a change of it is an event of the class `call`, without a call."""

_NEEDED: Final = {
    "Setvar": "write = call",
    "PlayDTMF": "write = call, or app_senddtmf is not loaded",
    "CoreShowChannels": "write = reporting",
    "Status": "write = reporting",
    "DeviceStateList": "write = reporting, or res_manager_devicestate is not loaded",
    "UserEvent": "write = user",
}


@asynccontextmanager
async def open_asked(
    pbx: PbxSettings, settings: Settings, known: Known | None
) -> AsyncIterator[tuple[Check, Asked | None]]:
    """The check whether the PBX lets us in, and the PBX to be asked more while the body runs; None: it does not."""
    heard: list[Message] = []
    link = Link(pbx.link, heard.append)
    running = asyncio.create_task(link.run())
    name = f"pbx {pbx.name}"
    try:
        await _until(lambda: link.state.connected or link.state.login_refusals_total > 0, _LET_IN_SECONDS)
        if link.state.connected:
            told = Check(name, "ok", f"logged in, AMI {link.state.ami_version}")
            yield told, Asked(pbx, settings, link, known, heard)
        else:
            yield Check(name, "fail", link.state.reason, f"see {HOW}"), None
    finally:
        link.close()
        await running


async def _until(is_so: Callable[[], bool], seconds: float) -> bool:
    """Whether it was so before the time was over."""
    for _ in range(int(seconds / 0.05)):
        if is_so():
            return True
        await asyncio.sleep(0.05)
    return is_so()


async def told(link: Link, question: str) -> str:
    """What the PBX answers to a variable or a function. Raises LinkError."""
    reply = await link.action({"Action": "Getvar", "Variable": question})
    return str(reply.fields.get("Value", ""))


async def service(asked: Asked) -> list[Check]:
    """Whether a service keeps its sign of life there, and how far its clock is from ours."""
    link, name = asked.link, f"pbx {asked.pbx.name}"
    mark = await told(link, "SWITCHHOOK_ALIVE")
    age = link.clock.pbx_now() - float(mark) if mark.replace(".", "").isdigit() else None
    served = age is not None and age < 5
    why = "the service keeps its sign of life" if served else "no service keeps its sign of life"
    checks = [Check(f"{name} service", "ok" if served else "warn", why, "switchhook serve")]
    offset = link.state.clock_offset_seconds
    state: Literal["ok", "warn"] = "ok" if abs(offset) <= SKEW_SECONDS else "warn"
    remedy = "run NTP on both machines: times of calls are the PBX's, and pages show ages by ours"
    return [*checks, Check(f"{name} clock", state, f"{offset:+.2f} s from ours", remedy)]


async def version(asked: Asked) -> list[Check]:
    """Which Asterisk it is."""
    core = await asked.link.action({"Action": "CoreSettings"})
    return [build(f"pbx {asked.pbx.name} build", str(core.fields.get("AsteriskVersion", "")))]


def build(name: str, told: str) -> Check:
    """Debian's and Ubuntu's packages carry an addition that costs recordings; their versions name it: dfsg+~cs."""
    number = re.search(r"(\d+)\.(\d+)", told)
    if number and (int(number[1]), int(number[2])) < OLDEST and not told.startswith("certified"):
        why = f"Asterisk {told} is older than {OLDEST[0]}.{OLDEST[1]}, which our dialplan is made for"
        return Check(name, "fail", why, f"see {HOW}")
    remedy = f"{HOW}, Debian's and Ubuntu's packages"
    if "dfsg+mend." in told:
        why = f"Asterisk {told}: mended by halves: a recorded call hangs for ever when its packets' numbers begin anew"
        return Check(name, "fail", why, remedy)
    if "dfsg+~cs" in told:
        why = f"Asterisk {told}: after about half of all transfers it records silence for the colleague"
        return Check(name, "warn", why, remedy)
    return Check(name, "ok", f"Asterisk {told}")


async def rights(asked: Asked) -> list[Check]:
    """Whether the AMI user may do what routing needs, and call out. ListCommands tells what it may, and no more."""
    name = f"pbx {asked.pbx.name}"
    allowed = (await asked.link.action({"Action": "ListCommands"})).fields
    lacking = [f"{action} ({right})" for action, right in _NEEDED.items() if action not in allowed]
    if lacking:
        why = f"may not {', '.join(lacking)}"
        checks = [Check(f"{name} rights", "fail", why, "take manager.conf as it is shipped: telephony/dialplan")]
    else:
        checks = [Check(f"{name} rights", "ok", "may ask, write plans and beat")]
    may = "Originate" in allowed
    why = "calls may be placed" if may else "no call may be placed: no clicks, nobody is called back by itself"
    remedy = "write = originate for the manager user, if you want them (docs/security.md, Toll fraud)"
    return [*checks, Check(f"{name} calls out", "ok" if may else "warn", why, remedy)]


async def events(asked: Asked) -> list[Check]:
    """Whether events reach us: those that we can have the PBX raise without a call, one of each class."""
    link, changed = asked.link, await _change_a_device(asked)

    def lacking() -> list[str]:
        may = "we may not raise any: write = user" if link.state.heartbeats_refused else "read = user"
        came = {str(event["Event"]) for event in asked.heard if event.get("Device", _DEVICE) == _DEVICE}
        told = {
            f"UserEvent ({may})": link.state.heartbeat_lag_seconds is not None,
            "FullyBooted (read = system)": "FullyBooted" in came,
            "DeviceStateChange (read = call)": "DeviceStateChange" in came or not changed,
        }
        return [what for what, is_there in told.items() if not is_there]

    await _until(lambda: not lacking(), _COMES_BACK_SECONDS)
    name = f"pbx {asked.pbx.name} events"
    if not (missed := lacking()):
        return [Check(name, "ok", "our own, the PBX's and those of devices come")]
    remedy = "give the manager user these rights, or the eventfilter lines of telephony/dialplan/manager.conf"
    return [Check(name, "fail", f"do not reach us: {', '.join(missed)}", remedy)]


async def _change_a_device(asked: Asked) -> bool:
    """Have the PBX raise an event of a device; whether it could."""
    question = f"DEVICE_STATE({_DEVICE})"
    state = "INUSE" if await told(asked.link, question) == "NOT_INUSE" else "NOT_INUSE"
    try:
        await asked.link.action({"Action": "Setvar", "Variable": question, "Value": state})
    except ActionRefused:
        return False
    return True


async def recordings(asked: Asked) -> list[Check]:
    """Whether the dialplan records at all, and into a folder that this machine can read."""
    name = f"pbx {asked.pbx.name} recordings"
    check = await aside(readable, name, asked.settings.recordings_of(asked.pbx))
    if check.state == "ok" and not await told(asked.link, "SWITCHHOOK_RECORDINGS"):
        why, remedy = "the PBX records nothing", f"set SWITCHHOOK_RECORDINGS in [globals] of extensions.conf: {HOW}"
        return [Check(name, "warn", why, remedy)]
    return [check]


def readable(name: str, path: Path | None) -> Check:
    """Judge a file or folder of the PBX as this machine sees it."""
    remedy = f"see {HOW}"
    if path is None:
        return Check(name, "warn", "not set: calls of an outage, or recordings, cannot be had", remedy)
    if not path.exists():
        return Check(name, "warn", f"{path} does not exist (yet)", remedy)
    may = os.access(path, os.R_OK | os.X_OK if path.is_dir() else os.R_OK)
    return Check(name, "ok" if may else "fail", f"{path}" + ("" if may else " cannot be read"), remedy)
