"""A call is the same call over any channel driver: only the devices' names differ."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from calls.events import device
from calls.view import to_json
from service.commands.replay import replay

TAPES = Path(__file__).parents[1] / "tapes"
NAMES = sorted(tape.stem for tape in TAPES.glob("*.ami"))
CHANNEL = re.compile(r"PJSIP/(\w+)-([0-9a-f]{8})")


@pytest.mark.parametrize(
    "name, expected",
    [
        ("PJSIP/anna-00000001", "PJSIP/anna"),
        ("PJSIP/anna-desk-0000a01f", "PJSIP/anna-desk"),
        ("PJSIP/anna-desk", "PJSIP/anna-desk"),
        ("SIP/trunk-with-dash-0000001f", "SIP/trunk-with-dash"),
        ("IAX2/peer-123", "IAX2/peer"),
        ("DAHDI/i1/79161234567-1a", "DAHDI/i1"),
        ("DAHDI/4-1", "DAHDI/4"),
        ("Local/1@ctx-0001;2", "Local/1@ctx"),
        ("AsyncGoto/PJSIP/anna-00000001<ZOMBIE>", "PJSIP/anna"),
        ("Foo/bar", "Foo/bar"),
        ("", ""),
        (None, ""),
    ],
)
def test_the_device_is_what_stands_before_the_drivers_number(name: str | None, expected: str) -> None:
    """Dashes of the device's own stay; an ISDN span is the device, not the number that calls through it."""
    assert device(name) == expected


DIALLED = re.compile(r"PJSIP/(?:(\d+)@)?(\w+)(?=[&,@\"\r\n])")
"""A device in a dial string, maybe with the number to call through it."""


def sip(found: re.Match[str]) -> str:
    """chan_sip: `SIP/%s-%08x` (sip_new in chan_sip.c of Asterisk 18)."""
    return f"SIP/{found[1]}-desk-{found[2]}"


def iax(found: re.Match[str]) -> str:
    """chan_iax2: `IAX2/%s-%d` (ast_iax2_new in chan_iax2.c)."""
    return f"IAX2/{found[1]}-{int(found[2], 16)}"


def dahdi(found: re.Match[str]) -> str:
    """chan_dahdi: `DAHDI/i%d/%s-%x` over ISDN, `DAHDI/%d-%d` on an analog port (dahdi_new and sig_pri.c)."""
    if found[1] == "trunk":
        return f"DAHDI/i1/79161234567-{int(found[2], 16):x}"
    return f"DAHDI/{found[1].removeprefix('m')}-{int(found[2], 16)}"


def unknown(found: re.Match[str]) -> str:
    """A driver that nobody has heard of."""
    return f"Foo/{found[1]}-{found[2]}"


DEVICES: dict[Callable[[re.Match[str]], str], Callable[[str], str]] = {
    sip: lambda name: f"SIP/{name}-desk",
    iax: lambda name: f"IAX2/{name}",
    dahdi: lambda name: "DAHDI/i1" if name == "trunk" else f"DAHDI/{name.removeprefix('m')}",
    unknown: lambda name: f"Foo/{name}",
}


def renamed(value: Any, called: Callable[[str], str]) -> Any:
    """The record with each device called as `called` has it."""
    if isinstance(value, str) and (found := re.fullmatch(r"PJSIP/(\w+)", value)):
        return called(found[1])
    if isinstance(value, dict):
        return {key: renamed(one, called) for key, one in value.items()}
    return [renamed(one, called) for one in value] if isinstance(value, list) else value


def drivers(number: int) -> tuple[str, Callable[[re.Match[str]], str]]:
    """A tape and the driver it is played over: all of them in turn."""
    return NAMES[number], list(DEVICES)[number % len(DEVICES)]


@pytest.mark.parametrize("form", [".ami", ".cel.csv"])
@pytest.mark.parametrize("name, driver", [drivers(number) for number in range(len(NAMES))])
def test_another_channel_driver_makes_the_same_record(
    name: str, form: str, driver: Callable[[re.Match[str]], str], tmp_path: Path
) -> None:
    """The channels of each tape renamed as that driver names them: the same numbers, times, outcomes and people."""
    text = (TAPES / f"{name}{form}").read_bytes().decode()
    tape = tmp_path / f"tape{form}"
    called = DEVICES[driver]
    group = "DAHDI/g1" if driver is dahdi else called("trunk")  # asked for by its group, reached by its span

    def dialled(found: re.Match[str]) -> str:
        return f"{group}/{found[1]}" if found[1] else called(found[2])

    tape.write_bytes(DIALLED.sub(dialled, CHANNEL.sub(driver, text)).encode())
    told = [[to_json(record) for record in replay([path])[0]] for path in (TAPES / f"{name}{form}", tape)]
    assert told[1] == renamed(told[0], called)
