"""The call that asks a client how willing they are to recommend the house: a machine of ours speaks with them (pure).

It is known by the uniqueid of its channel, which only a manager's Originate can choose, and has a direction of its
own, as a synthetic call has: whoever looks for calls with people, inbound, outbound or internal, finds none of these.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from calls.synthetic import SYNTHETIC

NPS: Final = "nps"
"""The direction of such a call, and the box in which the client's words are left."""

PREFIX: Final = "switchhook-nps-"
"""What the uniqueid of its channel begins with; the dialplan looks for it too."""

CONTEXT: Final = "switchhook-nps"

OF_NOBODY: Final = (SYNTHETIC, NPS)
"""Directions of calls that no person of ours talks in: no list, no card and no figure of calls has them."""


def is_nps(channels: Collection[str]) -> bool:
    """Whether a call of these channels (uniqueids) is one; with any other channel it is a call like others."""
    return bool(channels) and all(channel.startswith(PREFIX) for channel in channels)
