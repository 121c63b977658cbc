"""Phones and trunks of a PBX against the directory: who is not there, who is nobody's, and what cannot be reached."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlalchemy import text

from directory.model import Directory
from service.doctor.check import Check
from service.doctor.look import Asked, Known
from service.doctor.pbx import HOW
from service.doctor.people import named
from telephony.devices import Devices, DeviceState

_ELSEWHERE: Final = text("select distinct device from device_states where pbx <> :pbx")


async def look(asked: Asked) -> list[Check]:
    """Ask the PBX for the state of everything that can ring there."""
    if asked.known is None:
        return []
    name, directory = asked.pbx.name, asked.known.directory
    memory = Devices(name)
    await memory.ask(asked.link)
    # Devices' switches and presences stand beside them.
    there = {device: state for device, state in memory.known.items() if "/" in device}
    elsewhere = await _known_elsewhere(asked.known, name)
    return [trunks(name, directory, there, elsewhere), phones(name, directory, there, elsewhere)]


async def _known_elsewhere(known: Known, pbx: str) -> frozenset[str]:
    async with known.engine.connect() as connection:
        return frozenset((await connection.execute(_ELSEWHERE, {"pbx": pbx})).scalars())


def trunks_of(directory: Directory) -> list[str]:
    """Every trunk that the directory names."""
    of_devices = (device.trunk for person in directory.people for device in person.devices)
    return list(dict.fromkeys(trunk for trunk in (*(line.trunk for line in directory.lines), *of_devices) if trunk))


def trunks(
    pbx: str, directory: Directory, there: Mapping[str, DeviceState], elsewhere: frozenset[str] = frozenset()
) -> Check:
    """Judge the trunks: without one nobody gets through."""
    mine = [trunk for trunk in trunks_of(directory) if trunk not in elsewhere or trunk in there]
    name = f"pbx {pbx} trunks"
    unknown = [trunk for trunk in mine if trunk not in there]
    gone = [trunk for trunk in mine if trunk in there and not there[trunk].reachable]
    if gone:
        return Check(name, "fail", f"not reachable: {named(gone)}", "see docs/runbooks/trunk_unreachable.md")
    if unknown:
        why = f"the PBX has no {named(unknown)}"
        return Check(name, "fail", why, "write the trunk in the directory as the PBX calls it: PJSIP/name")
    return Check(name, "ok", f"reachable: {named(mine)}" if mine else "the directory names none here")


def phones(
    pbx: str, directory: Directory, there: Mapping[str, DeviceState], elsewhere: frozenset[str] = frozenset()
) -> Check:
    """Judge the phones of staff; mobiles are behind the trunk, and of them nothing is known."""
    listed = [
        one.address
        for person in directory.people
        for one in person.devices
        if one.kind != "mobile" and "/" in one.address
    ]
    mine = [device for device in listed if device not in elsewhere or device in there]
    unknown = [device for device in mine if device not in there]
    gone = [device for device in mine if device in there and not there[device].reachable]
    taken = {*listed, *trunks_of(directory)}
    nobodys = sorted(device for device in there if device not in taken)
    told = [
        f"{what}: {named(found)}"
        for what, found in (
            ("in the directory and not on the PBX", unknown),
            ("not reachable", gone),
            ("on the PBX and nobody's", nobodys),
        )
        if found
    ]
    if told:
        remedy = f"put them right in the directory or on the PBX, and plug in what is gone: {HOW}"
        return Check(f"pbx {pbx} devices", "warn", "; ".join(told), remedy)
    return Check(f"pbx {pbx} devices", "ok", f"{len(mine)}, all reachable and somebody's")
