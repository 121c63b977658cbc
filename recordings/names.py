"""What recordings are named by (pure): the sides of a talk, and the uniqueid of a channel."""

from __future__ import annotations

import re
from typing import Final

SIDES: Final = ("caller", "staff")
"""Whoever is outside, and whoever of ours talks with them; in this order everywhere."""

CHANNEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
"""A channel's uniqueid, or the name of a message that was left on it: nothing that leads out of a folder."""
