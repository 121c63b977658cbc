"""How old the newest backup is, for what happened since would be lost with the disk, and who else gets at it."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from service.backups.rows import newest_backup, newest_folder
from service.doctor.check import Check
from service.doctor.look import Known, aside
from service.doctor.security import OTHERS_READ, OTHERS_WRITE, is_open

DUE: Final = timedelta(hours=26)
"""One a day, and some time to make it."""

_REMEDY: Final = "switchhook backup, by a timer once a day; see docs/operations/backup.md"


async def age(known: Known) -> list[Check]:
    """Whether a backup was finished within a day."""
    async with known.engine.connect() as connection:
        newest = await newest_backup(connection)
    if newest is None:
        return [Check("backup", "warn", "none was ever made", _REMEDY)]
    since = datetime.now(UTC) - newest
    told = f"the newest is {since / timedelta(hours=1):.0f} h old"
    return [Check("backup", "warn" if since > DUE else "ok", told, _REMEDY)]


async def place(known: Known) -> list[Check]:
    """Whether others on this machine may read the newest backup, or write where it is: restored, it is a program."""
    async with known.engine.connect() as connection:
        told = await newest_folder(connection)
    return [] if told is None else await aside(_place, Path(told))


def _place(backup: Path) -> list[Check]:
    if not os.access(backup, os.R_OK | os.X_OK):  # on another machine, or a disk that is not mounted now
        return []
    written = [str(path) for path in (backup.parent, backup) if is_open(path, OTHERS_WRITE)]
    read = [str(path) for path in (backup, *sorted(backup.iterdir())) if is_open(path, OTHERS_READ)]
    remedy = f"chmod -R o-rwx {backup.parent}"
    if written:
        why = f"anybody on this machine may write {written[0]}: who does, decides what a restore brings"
        return [Check("backup folder", "fail", why, remedy)]
    if read:
        return [Check("backup folder", "warn", f"anybody on this machine may read {read[0]}", remedy)]
    return [Check("backup folder", "ok", "closed to other users of this machine")]
