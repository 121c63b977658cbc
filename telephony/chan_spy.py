"""What has the PBX connect somebody's telephone with a call that goes on, by Asterisk's ChanSpy (pure).

Whoever overhears is in no bridge of the call: they are neither in its record nor in its recording, and the call goes on
when they leave. ChanSpy hears the channel of the colleague who talks, so that a whisper reaches them alone.
"""

from __future__ import annotations

import re
from typing import Final, Literal, get_args
from uuid import UUID

from telephony.pbx import Fields
from telephony.plan_variables import UnsafeDialError, person_variables
from telephony.told import OVERHEARS

Mode = Literal["listen", "whisper", "join"]
"""listen: heard by nobody; whisper: heard by the colleague alone; join: heard by everybody."""

MODES: Final[tuple[Mode, ...]] = get_args(Mode)
RING_SECONDS: Final = 25
CONTEXT: Final = "switchhook-overhear"

_OPTIONS: Final[dict[Mode, str]] = {"listen": "", "whisper": "w", "join": "B"}
_UNIQUEID: Final = re.compile(r"[A-Za-z0-9_.-]{1,120}\Z")
_EXTENSION: Final = re.compile(r"[0-9]{1,10}\Z")


def channel_of(overhearing: UUID) -> str:
    """The uniqueid that the telephone's channel is given."""
    return f"{OVERHEARS}{overhearing}"


def originate(overhearing: UUID, device: str, heard: str, mode: Mode, *, shown: str = "") -> Fields:
    """The action that calls `device` and has it overhear the channel `heard` (a uniqueid), `shown` on its display.

    Its id is the overhearing's. Raises UnsafeDialError where a value must not reach the dialplan.
    """
    if not _UNIQUEID.match(heard):
        raise UnsafeDialError("the channel that is to be heard is of no safe form")
    dial, _ = person_variables(device, line="", trunk="")
    told: dict[str, str | list[str]] = {
        "Action": "Originate",
        "ActionID": str(overhearing),
        "ChannelId": channel_of(overhearing),
        "Channel": dial,
        "Context": CONTEXT,
        "Exten": "s",
        "Priority": "1",
        "Timeout": str(RING_SECONDS * 1000),
        "Async": "true",
        "Variable": [f"SWITCHHOOK_OVERHEAR={heard}", f"SWITCHHOOK_OVERHEAR_MODE={_OPTIONS[mode]}"],
    }
    return told | ({"CallerID": f"<{shown}>"} if _EXTENSION.match(shown) else {})


def change(channel: str, mode: Mode) -> tuple[Fields, ...]:
    """The actions that have who overhears do it in another way: their channel comes to ChanSpy anew.

    Not by ChanSpy's own keys (its option d): what is pressed on a telephone is written down nowhere.
    """
    told = {"Action": "Setvar", "Channel": channel, "Variable": "SWITCHHOOK_OVERHEAR_MODE", "Value": _OPTIONS[mode]}
    anew = {"Action": "Redirect", "Channel": channel, "Context": CONTEXT, "Exten": "s", "Priority": "1"}
    return told, anew
