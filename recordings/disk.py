"""How full the disk is on which recordings are kept, and what follows (touches the disk)."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What a write is refused with where there is no room: on the disk, in the quota, below the largest size of a file."""

Level = Literal["room", "low", "full"]

LEVELS: Final[tuple[Level, ...]] = ("room", "low", "full")
"""There is room; a person is told; nothing is compressed any more, and sound is stored as long as it fits."""


@dataclass(frozen=True, slots=True)
class Room:
    """What a disk has left."""

    level: Level
    used_percent: float
    free_bytes: int

    def __str__(self) -> str:
        return f"the recordings store's disk is {self.used_percent:.1f} % full, {self.free_bytes / 1e6:.0f} MB free"


@dataclass(frozen=True, slots=True)
class Disk:
    """The disk of a store in a folder; `low_percent` and `full_percent` of it used are the two marks."""

    folder: Path
    low_percent: float
    full_percent: float

    def room(self) -> Room:
        """Look now; what only root may fill counts as used, as `df` counts. Raises OSError."""
        told = os.statvfs(self.folder)
        used, free = (told.f_blocks - told.f_bfree) * told.f_frsize, told.f_bavail * told.f_frsize
        percent = 100.0 * used / (used + free) if used + free else 100.0
        level: Level = "full" if percent >= self.full_percent else "low" if percent >= self.low_percent else "room"
        return Room(level, round(percent, 1), free)

    def no_room(self) -> str | None:
        """Why nothing may be compressed now; None: it may."""
        room = self.room()
        return f"{room}: nothing is compressed" if room.level == "full" else None
