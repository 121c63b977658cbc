"""Asks the PBX which of its channels hold, as our dialplan has them hold."""

from __future__ import annotations

from typing import Final

from telephony.link import Link
from telephony.told import Message

CONTEXT: Final = "switchhook-hold"
"""Where in the dialplan callers hold."""

_VARIABLES: Final = {"team": "SWITCHHOOK_TEAM", "since": "SWITCHHOOK_SINCE", "line": "SWITCHHOOK_LINE"}


async def who_holds(link: Link) -> list[Message]:
    """Give each holding channel as SwitchhookHolding would tell it. Raises LinkError."""
    pbx = link.settings.name
    channels = [Message(pbx, one) for one in (await link.action({"Action": "CoreShowChannels"})).events]
    # Who is in Dial is being sent to somebody, or talks.
    held = [one for one in channels if one["context"] == CONTEXT and one["application"].lower() != "dial"]
    return [Message(pbx, {**one.plain, **await _variables(link, one["channel"])}) for one in held]


async def _variables(link: Link, channel: str) -> dict[str, str]:
    """What a holding channel holds for, by the names of SwitchhookHolding; empty for one that is gone."""
    asked = [{"Action": "Getvar", "Channel": channel, "Variable": name} for name in _VARIABLES.values()]
    values = [str(reply.fields.get("Value", "")) for reply in await link.actions(asked)]
    return dict(zip(_VARIABLES, values, strict=True))
